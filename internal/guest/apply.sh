# Takes steps from standard input, one after the other, and stops at the first that
# fails. A step comes as
#
#	step NUMBER BYTES-OF-CODE BYTES-OF-DATA SECONDS
#	code and data
#	go
#
# so that one that was cut off on its way never runs. $nonce is set before; it begins
# every line of ours, and steps do not get to know it. Ours is standard output; what steps
# print goes to standard error, where a line of ours says that a step's output is over.

LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
export LC_ALL PATH HOME
unset ENV BASH_ENV CDPATH
state=/var/lib/appstack
umask 022

# tell writes a line of ours. When nobody is there any more to read it, SIGPIPE ends us
# here, before the next step.
tell() { printf '%s %s\n' "$nonce" "$*"; }

# lock makes us the only one. One that waits for its next step for longer than any
# connection stays unnoticed when dead has lost its other side.
lock() {
	exec 9>>$state/lock
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
		if flock -w 5 9; then
			mark idle
			return
		fi
		tell wait "$((i * 5))"
		touch -d '-45 seconds' "$dir/since"
		read -r doing holder <$state/run || continue
		if [ "$doing" = idle ] && [ $state/run -ot "$dir/since" ]; then kill "$holder" 2>/dev/null; fi
	done
	tell busy
	exit 75
}

mark() { echo "$1 $pid" >$state/run; }

# run takes one step: $k, $code, $data, $seconds.
run() {
	mark busy
	tell begin "$k"
	timeout -k 10 "$seconds" sh -c '. "$0"; set -eu; '"$code" "$dir/lib" <"$data" >&2 9>&-
	rc=$?
	rm -f "$data"
	printf '\n%s %s\n' "$nonce" "$k" >&2
	mark idle
	tell end "$k" "$rc"
	[ $rc -eq 0 ] || exit 0
}

# take reads $2 bytes into the file $1, for root's eyes only.
take() { (umask 077 && head -c "$2" >"$1"); }

main() {
	pid=$(sh -c 'echo $PPID')
	trap 'exit 141' PIPE HUP INT TERM
	mkdir -p $state && dir=$(mktemp -d /run/appstack.XXXXXX) || exit 70
	trap 'rm -rf "$dir" $state/data' EXIT
	lock
	tell ready
	while read -r what k bytes size seconds; do
		case $what in
		lib) take "$dir/lib" "$k" ;;
		step)
			code=$(head -c "$bytes")
			data=$dir/data # in memory, unless it is large
			[ "$size" -lt 1048576 ] || data=$state/data
			take "$data" "$size"
			read -r what || exit 71
			[ "$what" = go ] || exit 72
			run
			;;
		*) exit 73 ;;
		esac
	done
}

# tee reads on when its own reader is gone, so that a step which runs then is not
# killed by what it prints.
{ main 2>&1 1>&3 3>&- | tee -p /dev/null >&2 3>&-; } 3>&1
