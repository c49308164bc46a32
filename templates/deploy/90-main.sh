
# --- main

# lock lets one deploy run at a time. The lock is on an open file, which children
# have open, too: those that outlived a run that was killed are waited for.
lock() {
	exec 9>>"$RUN/appstack-deploy.lock"
	if ! flock --nonblock 9; then
		holder=$(cat "$RUN/appstack-deploy.lock")
		if [ -z "$holder" ] || kill -0 "$holder" 2>/dev/null; then
			die 3 'another deploy runs on this guest'
		fi
		stop_steps
		flock --timeout 20 9 || die 3 'another deploy was killed on this guest, and what it began still runs'
	fi
	echo $$ >"$RUN/appstack-deploy.lock"
}

# pause_jobs makes cron jobs wait that would start now, and waits for those that
# run, but not for ever.
pause_jobs() {
	exec 8>"$RUN/appstack-pause.lock"
	flock 8
	[ -n "$jobs" ] || return 0
	clock
	pause_end=$((clock + pause_timeout * 100))
	for job in $jobs; do
		unit_state "$job"
		while [ "$active" = active ]; do
			clock
			[ "$clock" -lt "$pause_end" ] || {
				say "warning: $job still runs, with the release that served when it began"
				break
			}
			sleep 0.2
			unit_state "$job"
		done
	done
}

cleanup() {
	cleanup_status=$?
	trap - EXIT
	forget_credentials
	if [ -n "${locked:-}" ]; then
		stop_steps
		if [ -n "${candidates:-}" ]; then
			settle_leftovers || :
		fi
	fi
	exit "$cleanup_status"
}

# obtain makes the release's directory, from git or standard input.
obtain() {
	if marked "$sha" ready; then
		say "$sha is built already"
		return 0
	fi
	if [ -n "$upload" ]; then
		begin unpack
		unpack
		end
	else
		begin fetch
		fetch
		forget_credentials
		crash_here fetched
		end
		begin 'check out'
		check_out
		end
	fi
	crash_here checked-out
	begin build
	guarded for_each_part build || fail_release 4 "$why"
	crash_here built
	if [ -n "$check" ]; then
		in_release "$release" "$check" || fail_release 4 "the check of the build: $why"
	fi
	# What a build writes takes its time to be on disk: complete_release waits for it.
	sync -f "$release" 8>&- 9>&- &
	syncing=$!
	end
}

migrate_database() {
	[ -n "$migrates" ] || return 0
	begin migrate
	if [ -n "$database" ]; then
		# Twelve digits are as unique, and the report shows them as they are.
		dump=$("$LIB/backup" "before-$(printf %.12s "$sha")") || die 5 'cannot dump the database before its migration; the old release serves'
		say "dump: $dump"
	fi
	for_each_part migrate || {
		[ -z "$database" ] || why="$why; to put the database back as it was: restore_db.sh $dump"
		fail_release 5 "$why"
	}
	crash_here migrated
	end
}

run_hooks() { # NAME COMMANDS-FUNCTION
	begin "$1"
	"$2" || fail_release "$3" "$1: $why"
	end
}

deploy() {
	release=$app/releases/$sha
	if [ -n "$dry_run" ]; then
		if [ "$(release_of current)" = "$sha" ]; then
			say "would restart $services: $sha serves already"
		else
			say "would deploy $sha in the place of $(release_of current)"
		fi
		return 0
	fi
	if [ "$(release_of current)" = "$sha" ] && marked "$sha" ready; then
		say "$sha is the current release: restarting with the present settings"
	else
		rm -f "$app/releases/$sha.failed"
		obtain
		pause_jobs
		migrate_database
		[ -z "$has_before_deploy" ] || run_hooks before_deploy before_deploy 4
	fi
	finish
	[ -z "$has_after_deploy" ] || run_hooks after_deploy after_deploy 1
	prune
	printf '%s serves (%s)\n' "$sha" "$(seconds "$run_start")"
}

# finish activates $sha and says how it went.
finish() {
	rm -f "$app/releases/$sha.failed"
	finish_status=0
	activate || finish_status=$?
	case $finish_status in
	0) ;;
	7) fail_release 7 "$why; rolled back" ;;
	*) fail_release 6 "$why" ;;
	esac
}

rollback() {
	if [ -n "$sha" ]; then
		sha=$(newest_build "$sha")
	else
		sha=$(release_of previous)
		[ -n "$sha" ] || die 1 'there is no previous release'
	fi
	marked "$sha" ready || die 1 "the release $sha is not kept here; see deploy_app.sh --list"
	release=$app/releases/$sha
	[ -z "$dry_run" ] || {
		say "would go back from $(release_of current) to $sha"
		return 0
	}
	pause_jobs
	finish
	printf '%s serves (%s)\n' "$sha" "$(seconds "$run_start")"
}

restart() {
	sha=$(release_of current)
	[ -n "$sha" ] || die 1 'nothing is deployed yet'
	release=$app/releases/$sha
	[ -z "$only" ] || services=$only
	finish
}

if [ "$(id -u)" -ne 0 ]; then
	case " $* " in
	*' --list '* | *' --status '* | *' --help '* | *' -h '*) ;;
	*) exec sudo -n -- "$0" "$@" ;;
	esac
fi
mode=deploy sha='' credentials='' upload='' dry_run='' only='' offline=''
candidates='' secrets='' commit='' syncing=''
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--list | --status | --rollback | --restart) mode=${1#--} ;;
	--upload) upload=yes ;;
	--dry-run) dry_run=yes ;;
	--credentials)
		[ $# -ge 2 ] || {
			usage >&2
			exit 2
		}
		credentials=$2
		shift
		;;
	-*)
		usage >&2
		exit 2
		;;
	*)
		if [ "$mode" = restart ]; then
			only="$only $1"
		else
			sha=$1
		fi
		;;
	esac
	shift
done

# What the configuration may leave out.
app='' user='' repo='' source='' branch='' known_hosts=/dev/null env_files='' keep=5 build_id='' built=''
app_build='' app_migrate='' migrates='' check='' database='' services='' jobs='' backup_unit=''
has_before_deploy='' has_after_deploy='' settle=3 drain=5 pause_timeout=60
name='' service_env_files='' unit='' dir='.' port=0 build='' migrate='' health_path='' health_port=0 health_timeout=60
[ -r "$CONF" ] || die 1 "cannot read $CONF: this guest has not been configured"
# shellcheck disable=SC1090 # written by appstack
. "$CONF"

case $mode in
list | status)
	"$mode"
	exit 0
	;;
esac
case $sha in
*[!0-9A-Za-z._/-]* | -* | .*) die 2 "$sha is no commit" ;;
esac
clock
run_start=$clock
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
lock
locked=yes
settle_leftovers
mkdir -p "$app/releases" "$app/shared/npm" "$app/shared/pip"
chown "$user:" "$app/shared" "$app/shared/npm" "$app/shared/pip"

case $mode in
deploy)
	if [ -n "$upload" ]; then
		[ -n "$sha" ] || die 2 'which release is it? deploy_app.sh --upload ID'
	fi
	[ -n "$sha" ] || sha=$branch
	name_release
	if [ -z "$upload" ] && ! marked "$sha" ready; then
		[ -n "$source" ] || die 2 'the stack names no git repository: use --upload'
		read_credentials
		resolve_commit
	fi
	deploy
	;;
*) "$mode" ;;
esac
