
# --- what the app and its services are built and migrated with.

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
		rm -f "$short"
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
		keeps_apart "$name" "$dir" "$build" || return 1
	done
	# shellcheck disable=SC2086 # names
	set -- $builders
	read_memory
	[ $# -gt 1 ] && [ "$(nproc)" -gt 1 ] && [ "$available" -ge $(($# * 262144)) ]
}

# keeps_apart NAME DIR COMMAND tells whether nobody else builds in or around the
# directory, and the command stays there. npm and its kind install what a package needs
# where its workspace is, which is above it, and where a package is that it refers to by a
# path.
keeps_apart() {
	case $3 in *..*) return 1 ;; esac
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
