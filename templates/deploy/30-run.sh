
# --- commands of the app: as its user, with its variables, in their own cgroup.

STEP_UNIT=appstack-step.service
unless=''     # a line of shell before a command of theirs
margin='    ' # before each line of their output

# stop_steps ends the commands that run, also those of a run that was killed.
# A build beside another that is about to begin finds the note, and does not.
stop_steps() {
	: >"$RUN/appstack-build.failed"
	systemctl stop 'appstack-step.*' 2>/dev/null || :
	rm -f "$short"
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
	if [ -e "$short" ]; then
		oom=yes
		why='out of memory: it was ended before the guest stood still; give the guest more memory or swap'
		systemctl reset-failed "$STEP_UNIT" 2>/dev/null || :
		return
	fi
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
