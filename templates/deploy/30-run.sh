
# --- commands of the app: as its user, with its variables, in their own cgroup.

STEP_UNIT=appstack-step.service

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
	step_command=$2
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
	[ "$status" -ne 0 ] || return 0
	explain_failure
	return 1
}

# indent sets output of commands off from ours, also after a carriage return. fold
# bounds what is kept of a line without end. Not sed -u, which reads byte by byte.
indent() { stdbuf -oL fold -b -w 4096 | stdbuf -oL sed 's/^/    /; s/\r\(.\)/\r    \1/g'; }

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

# explain_failure sets $why for the command that ended with $status.
explain_failure() {
	result=$(systemctl show --property=Result --value "$STEP_UNIT" 2>/dev/null || :)
	case $result in
	oom-kill) why='out of memory: the kernel killed it; give the guest more memory or swap' ;;
	timeout) why='it took over an hour' ;;
	*)
		why="exit status $status"
		if [ "$status" -eq 137 ] || [ "$(oom_kills)" -gt "$oom_before" ]; then
			why="$why; killed, most probably because memory ran out: give the guest more memory or swap"
		elif [ "$status" -eq 134 ]; then
			why="$why; aborted, as node does when its heap is full: give the guest more memory, or raise NODE_OPTIONS=--max-old-space-size"
		fi
		;;
	esac
	systemctl reset-failed "$STEP_UNIT" 2>/dev/null || :
}

# for_each_part FIELD runs a command of the app and then that of each service,
# such as build. On failure $why says what happened.
for_each_part() {
	part_field=$1
	case $part_field in
	build) part=$app_build ;;
	migrate) part=$app_migrate ;;
	esac
	service_env_files=''
	[ -z "$part" ] || in_release "$release" "$part" || return 1
	for name in $services; do
		service "$name"
		case $part_field in
		build) part=$build ;;
		migrate) part=$migrate ;;
		esac
		[ -n "$part" ] || continue
		say "$name: $part"
		[ -d "$release/$dir" ] || {
			why="the source has no directory $dir, which is that of $name"
			return 1
		}
		in_release "$release/$dir" "$part" || {
			why="$name: $why"
			return 1
		}
	done
	service_env_files=''
}
