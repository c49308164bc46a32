# Takes steps from standard input, one after the other, and stops at the first that
# fails. A step comes as
#
#	step NUMBER BYTES-OF-CODE BYTES-OF-DATA SECONDS
#	code and data
#	go
#
# so that one that was cut off on its way never runs. Some come ahead of their turn. Where
# the other side has given no sign of life for some seconds, it is asked for one (we say
# "ask", it says "here") before another step begins: a network that is cut tells nobody.
#
# $nonce is set before; it begins every line of ours, and steps do not get to know it. Ours
# is standard output; what steps print goes to standard error, where a line of ours says
# that a step's output is over.

LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
export LC_ALL PATH HOME
unset ENV BASH_ENV CDPATH
state=/var/lib/appstack
umask 022

# tell writes a line of ours. When nobody is there any more to read it, SIGPIPE ends us
# here, before the next step.
tell() { printf '%s %s\n' "$nonce" "$*"; }

# lock makes us the only one, for which it waits $patience seconds: a step of a run that
# died goes on to its end. One that waits for its next step for longer than any connection
# stays unnoticed when dead has lost its other side.
lock() {
	exec 9>>$state/lock
	waited=0
	while [ "$waited" -lt "${patience:-120}" ]; do
		if flock -w 5 9; then
			mark idle
			return
		fi
		waited=$((waited + 5))
		tell wait "$waited"
		touch -d '-45 seconds' "$dir/since"
		read -r doing holder <$state/run || continue
		if [ "$doing" = idle ] && [ $state/run -ot "$dir/since" ]; then kill "$holder" 2>/dev/null; fi
	done
	tell busy
	exit 75
}

mark() { echo "$1 $pid" >$state/run; }

# run takes one step: number, bound in seconds, file of its data.
run() {
	mark busy
	tell begin "$1"
	clock
	began=$now
	timeout -k 10 "$2" sh -c '. "$0"; set -eu; . "$1"' "$dir/lib" "$dir/code.$1" <"$3" >&2 9>&-
	rc=$?
	clock # a step that ignored SIGTERM was killed by timeout, and not for want of memory
	[ $rc -ne 137 ] || [ $((now - began)) -lt "$2" ] || rc=124
	rm -f "$3" "$dir/code.$1"
	printf '\n%s %s\n' "$nonce" "$1" >&2
	mark idle
	tell end "$1" "$rc"
	[ $rc -eq 0 ] || exit 0
}

# take reads $2 bytes into the file $1, for root's eyes only.
take() {
	umask 077
	head -c "$2" >"$1"
	umask 022
}

# receive reads what comes next: $what. A whole step joins $queue.
receive() {
	read -r what k bytes size seconds || return 1
	case $what in
	here) ;;
	lib) take "$dir/lib" "$k" ;;
	step)
		take "$dir/code.$k" "$bytes"
		data=$dir/data.$k # in memory, unless it is large
		[ "$size" -lt 1048576 ] || data=$state/data.$k
		take "$data" "$size"
		read -r what || exit 71
		[ "$what" = go ] || exit 72
		queue="$queue $k $seconds $data"
		;;
	*) exit 73 ;;
	esac
}

# clock sets $now to the seconds since boot.
clock() {
	read -r now rest </proc/uptime
	now=${now%%.*}
}

# heard makes sure that the other side was there a moment ago.
heard() {
	clock
	[ $((now - sign)) -ge 2 ] || return 0
	tell ask
	what=
	until [ "$what" = here ]; do receive || exit 0; done
	clock
	sign=$now
}

# leave is the end of every run. One that was cut off owes systemd the reload that its
# last step would have been, and the next run may find nothing to do.
leave() {
	if [ -n "$locked" ] && [ -e $state/enabled ]; then
		systemctl daemon-reload && rm -f $state/daemon-reload $state/enabled
	fi
	rm -rf "$dir" $state/data.*
}

main() {
	pid=$(sh -c 'echo $PPID')
	trap 'exit 141' PIPE HUP INT TERM
	mkdir -p $state && dir=$(mktemp -d /run/appstack.XXXXXX) || exit 70
	locked=''
	trap leave EXIT
	clock
	queue='' sign=$now
	lock
	locked=yes
	tell ready
	while [ -n "$queue" ] || receive; do
		[ -n "$queue" ] || continue
		heard
		# shellcheck disable=SC2086 # number, seconds and path, none of which has a space
		set -- $queue
		number=$1 bound=$2 data=$3
		shift 3
		queue=$*
		run "$number" "$bound" "$data"
	done
}

# tee reads on when its own reader is gone, so that a step which runs then is not
# killed by what it prints.
{ main 2>&1 1>&3 3>&- | tee -p /dev/null >&2 3>&-; } 3>&1
