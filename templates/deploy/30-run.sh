
# --- commands of the app: as its user, with its variables, in their own cgroup.

STEP_UNIT=appstack-step.service
unless=''     # a line of shell before a command of theirs
margin='    ' # before each line of their output

# stop_steps ends the commands that run, also those of a run that was killed.
# A build beside another that is about to begin finds the note, and does not.
stop_steps() {
	: >"$RUN/appstack-build.failed"
	systemctl stop 'appstack-step.*' 2>/dev/null || :
}

# in_release DIR COMMAND runs a shell command of the app in a directory of the
# release. A unit of its own ends with all its children when the run is killed,
# yields to the app that serves, and tells when memory ran out.
in_release() {
	set -- "$1" "$2" --quiet --wait --pipe --unit="$STEP_UNIT" \
		--property=User="$user" --property=WorkingDirectory="$1" \
		--property=Nice=15 --property=OOMScoreAdjust=500 --property=CPUWeight=20 --property=IOWeight=20 --property=RuntimeMaxSec=1h \
		--setenv=CI=true --setenv=SOURCE_COMMIT="$commit" \
		--setenv=npm_config_cache="$app/shared/npm" --setenv=npm_config_prefer_offline=true \
		--setenv=npm_config_audit=false --setenv=npm_config_fund=false --setenv=npm_config_update_notifier=false \
		--setenv=PIP_CACHE_DIR="$app/shared/pip" --setenv=PIP_DISABLE_PIP_VERSION_CHECK=1
	for env_file in $env_files $service_env_files; do
		set -- "$@" --property=EnvironmentFile="$env_file"
	done
	step_command=$unless$2
	shift 2
	oom_before=$(oom_kills)
	systemctl reset-failed "$STEP_UNIT" 2>/dev/null || :
	# The status of the command, not of the pipe that indents its output.
	{
		status=$({
			{
				systemd-run "$@" /bin/sh -c "$step_command" </dev/null 2>&1 3>&- && echo 0 >&3 || echo $? >&3
			} | indent >&4
		} 3>&1)
	} 4>&1
	: "${status:=137}" # the shell that was to tell it was killed
	[ "$status" -ne 0 ] || return 0
	explain_failure
	return 1
}

# indent sets output of commands off from ours, also after a carriage return. fold
# bounds what is kept of a line without end. Not sed -u, which reads byte by byte.
indent() { stdbuf -oL fold -b -w 4096 | stdbuf -oL sed "s/^/$margin/; s/\r\(.\)/\r$margin\1/g"; }

# oom_kills prints how often the kernel has killed for memory in this guest; on
# a guest without cgroup v2 only the whole machine's count is to be had.
oom_kills() {
	for counter in /sys/fs/cgroup/memory.events /proc/vmstat; do
		if [ -r "$counter" ] && sed -n 's/^oom_kill //p' "$counter" | grep .; then
			return 0
		fi
	done
	echo 0
}

# explain_failure sets $why for the command that ended with $status, and $oom if it was
# for want of memory.
explain_failure() {
	oom=''
	result=$(systemctl show --property=Result --value "$STEP_UNIT" 2>/dev/null || :)
	case $result in
	oom-kill)
		oom=yes
		why='out of memory: the kernel killed it; give the guest more memory or swap'
		;;
	timeout) why='it took over an hour' ;;
	*)
		why="exit status $status"
		if [ "$status" -eq 137 ] || [ "$(oom_kills)" -gt "$oom_before" ]; then
			oom=yes
			why="$why; killed, most probably because memory ran out: give the guest more memory or swap"
		elif [ "$status" -eq 134 ]; then
			why="$why; aborted, as node does when its heap is full: give the guest more memory, or raise NODE_OPTIONS=--max-old-space-size"
		fi
		;;
	esac
	systemctl reset-failed "$STEP_UNIT" 2>/dev/null || :
}

# for_each_part FIELD runs a command of the app and then those of the services, such as
# build. On failure $why says what happened.
for_each_part() {
	case $1 in
	build) part=$app_build ;;
	migrate) part=$app_migrate ;;
	esac
	service_env_files=''
	[ -z "$part" ] || in_release "$release" "$part" || return 1
	if [ "$1" = build ] && side_by_side; then
		build_side_by_side && return 0
		[ -n "$oom" ] || return 1
		say "$why; now one after the other"
		check_out
		[ -z "$app_build" ] || in_release "$release" "$app_build" || return 1
	fi
	for part_name in $services; do
		run_part "$1" "$part_name" || return 1
	done
	service_env_files=''
}

# run_part FIELD NAME runs that command of a service, if it has one.
run_part() {
	service "$2"
	case $1 in
	build) part=$build ;;
	migrate) part=$migrate ;;
	esac
	[ -n "$part" ] || return 0
	say "$2: $part"
	[ -d "$release/$dir" ] || {
		why="the source has no directory $dir, which is that of $2"
		return 1
	}
	in_release "$release/$dir" "$part" || {
		why="$2: $why"
		return 1
	}
}

# side_by_side tells whether the services are to be built at the same time: each build
# keeps to a directory of its own, and the guest has processors and memory for all of
# $builders, 256 MiB each.
side_by_side() {
	builders=''
	[ -z "$upload" ] || return 1 # a tree that comes once cannot be begun again
	for name in $services; do
		service "$name"
		[ -z "$build" ] || builders="$builders $name"
	done
	for name in $builders; do
		service "$name"
		case $build in *..*) return 1 ;; esac
		keeps_apart "$name" "$dir" || return 1
	done
	# shellcheck disable=SC2086 # names
	set -- $builders
	free=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
	[ $# -gt 1 ] && [ "$(nproc)" -gt 1 ] && [ "${free:-0}" -ge $(($# * 262144)) ]
}

# keeps_apart NAME DIR tells whether nobody else builds in or around the directory. npm
# and its kind install what a package needs where its workspace is, which is above it,
# and where a package is that it refers to by a path.
keeps_apart() {
	for other in $builders; do
		service "$other"
		[ "$other" != "$1" ] || continue
		case $dir/ in "$2"/*) return 1 ;; esac
		case $2/ in "$dir"/*) return 1 ;; esac
	done
	above=$2
	until [ "$above" = . ]; do
		case $above in
		*/*) above=${above%/*} ;;
		*) above=. ;;
		esac
		[ ! -e "$release/$above/package.json" ] && [ ! -e "$release/$above/pnpm-workspace.yaml" ] || return 1
	done
	[ "$2" != . ] && [ -d "$release/$2" ] && ! grep -Eqs '"((file|link|portal):)?(\./)*\.\./' "$release/$2/package.json" &&
		! grep -Fqs ../ "$release/$2/requirements.txt" "$release/$2/pyproject.toml" "$release/$2/uv.lock"
}

# build_side_by_side builds $builders at the same time. The first that fails ends the
# others; $why and $oom are its.
build_side_by_side() {
	builds='' oom='' why='a build ended' service_env_files=''
	failure=$RUN/appstack-build.failed
	rm -f "$failure"
	for name in $builders; do
		build_one "$name" &
		builds="$builds $!"
	done
	all_built=yes
	for build_pid in $builds; do
		wait "$build_pid" || all_built=''
	done
	[ -z "$all_built" ] || return 0
	[ ! -e "$failure" ] || { read -r oom && read -r why; } <"$failure"
	return 1
}

# build_one NAME is one of those builds. Those that are killed for its sake have nothing
# to say that would hide its last words.
build_one() {
	STEP_UNIT=appstack-step.$1.service margin="    $1: " unless="[ ! -e '$failure' ] || exit 1
"
	run_part build "$1" && return 0
	(set -C && printf '%s\n%s\n' "$oom" "$why" >"$failure") 2>/dev/null || return 1
	systemctl kill --signal=KILL 'appstack-step.*.service' 2>/dev/null || :
	return 1
}
