
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

# watch_memory ends builds when memory is short, for as long as the deploy runs. What they
# leave has to be a tenth of the memory or 64 MiB, about what programs need of themselves
# there, but no more than half of what they found.
watch_memory() {
	read_memory
	reserve=$((total / 10))
	[ "$reserve" -le 65536 ] || reserve=65536
	[ "$reserve" -le $((available / 2)) ] || reserve=$((available / 2))
	while sleep 0.2 && kill -0 $$; do
		read_memory
		if [ "$available" -lt "$reserve" ] && [ "$swap_free" -le $((swap / 10)) ]; then
			: >"$short"
			kill_builds
		fi
	done
}

# read_memory sets what there is of memory and swap in KiB, and what is left.
read_memory() {
	total=0 available=0 swap=0 swap_free=0
	while read -r key kib _; do
		case $key in
		MemTotal:) total=$kib ;;
		MemAvailable:) available=$kib ;;
		SwapTotal:) swap=$kib ;;
		SwapFree:) swap_free=$kib ;;
		esac
	done <"$MEMINFO"
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
