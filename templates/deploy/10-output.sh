
# --- output: "==> step" begins a step, "<== step (2.1 s)" ends it, "<!! step" fails.

# clock sets $clock to the hundredths of a second since boot.
clock() {
	read -r clock clock_idle </proc/uptime
	: "$clock_idle"
	clock=${clock%.*}${clock#*.}
}

# seconds prints the time since $1 as "2.1 s".
seconds() {
	clock
	printf '%d.%d s' $(((clock - $1) / 100)) $(((clock - $1) % 100 / 10))
}

step=''
begin() {
	step=$1
	clock
	step_start=$clock
	printf '==> %s\n' "$step"
}

end() {
	printf '<== %s (%s)\n' "$step" "$(seconds "$step_start")"
	step=''
}

say() { printf '    %s\n' "$*"; }

# room prints how many KiB are left for the app.
room() { df -k --output=avail "${app:-/}" 2>/dev/null | tail -n 1 | grep . || echo 1024; }

# die STATUS TEXT ends the run; the exit trap cleans up.
die() {
	die_status=$1
	shift
	# git and npm do not say why they could not write.
	[ "$die_status" -ne 4 ] || [ "$(room)" -ge 1024 ] || set -- "$*: No space left on device"
	if [ -n "$step" ]; then
		printf '<!! %s (%s): %s\n' "$step" "$(seconds "$step_start")" "$*"
		step=''
	else
		printf 'deploy_app.sh: %s\n' "$*" >&2
	fi
	exit "$die_status"
}

# crash_here NAME is where a test kills the run (see deploy_test.go).
crash_here() { [ "${APPSTACK_CRASH:-}" != "$1" ] || kill -9 $$; }
