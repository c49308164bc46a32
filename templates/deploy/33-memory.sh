
# --- builds, and the memory of the guest.
#
# A guest that runs out of memory takes the pages of its own programs to make room, and
# reads them again from the disk a moment later. Where the disk is busy, nothing in it
# answers for longer than any visitor waits, until the kernel at last kills something. So a
# build is ended before.

short=$RUN/appstack-build.short # is there when one was ended

# guarded runs a command that builds, and watches the memory meanwhile.
guarded() {
	rm -f "$short"
	watch_memory </dev/null >/dev/null 2>&1 8>&- 9>&- &
	watcher=$!
	guarded_status=0
	"$@" || guarded_status=$?
	kill "$watcher" 2>/dev/null || :
	wait "$watcher" 2>/dev/null || :
	rm -f "$short"
	return "$guarded_status"
}

# watch_memory ends builds when memory is short, for as long as the deploy runs.
watch_memory() {
	while sleep 0.2 && kill -0 $$; do
		memory_is_short || continue
		: >"$short"
		kill_builds
	done
}

# memory_is_short tells whether less than a tenth of the memory is left (or 64 MiB, where
# that is less), which is about what programs need of themselves there, and of the swap.
memory_is_short() {
	total=0 available='' swap=0 swap_free=0
	while read -r key kib _; do
		case $key in
		MemTotal:) total=$kib ;;
		MemAvailable:) available=$kib ;;
		SwapTotal:) swap=$kib ;;
		SwapFree:) swap_free=$kib ;;
		esac
	done <"$MEMINFO"
	reserve=$((total / 10))
	[ "$reserve" -le 65536 ] || reserve=65536
	[ "${available:-$total}" -lt "$reserve" ] && [ "$swap_free" -le $((swap / 10)) ]
}

# kill_builds asks nobody first: to start systemctl takes memory.
kill_builds() {
	for procs in /sys/fs/cgroup/system.slice/appstack-step*.service/cgroup.procs \
		/sys/fs/cgroup/systemd/system.slice/appstack-step*.service/cgroup.procs; do
		[ -r "$procs" ] || continue
		while read -r pid; do kill -KILL "$pid" || :; done <"$procs"
	done
	systemctl kill --signal=KILL 'appstack-step*.service' || :
}
