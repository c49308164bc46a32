
# --- health

# From these local ports our own requests go out: they are never redirected, nor
# used by the kernel for others (net.ipv4.ip_local_port_range ends at 60999).
PROBE_PORTS=61000-65535

listens() { [ -n "$(ss -Hltn "sport = :$1")" ]; }

# answers PORT PATH asks once.
answers() {
	probe=$(curl --silent --output /dev/null --max-time 5 --noproxy '*' --local-port "$PROBE_PORTS" \
		--write-out '%{http_code}' "http://localhost:$1$2" 2>/dev/null) || :
	[ "${probe:-000}" -ge 200 ] && [ "$probe" -lt 400 ]
}

# unit_state sets $active, $restarts and $main_pid of a unit.
unit_state() {
	active='' restarts=0 main_pid=0
	unit_facts=$(systemctl show --property=ActiveState --property=NRestarts --property=MainPID "$1")
	while IFS='=' read -r key value; do
		case $key in
		ActiveState) active=$value ;;
		NRestarts) restarts=$value ;;
		MainPID) main_pid=$value ;;
		esac
	done <<EOF
$unit_facts
EOF
}

# wait_healthy UNIT PORT waits until the unit is healthy, for $health_timeout
# seconds; on failure $why says what is wrong. A service with a health path is
# healthy when it answers there, one with a port alone when it listens, and others
# when they have been up for $settle seconds without a restart.
wait_healthy() {
	clock
	health_end=$((clock + health_timeout * 100))
	restarts_before='' steady_pid='' steady_since=$clock probe=''
	while :; do
		unit_state "$1"
		: "${restarts_before:=$restarts}"
		clock
		case $active in
		failed | inactive)
			why="$1 ended right after its start"
			return 1
			;;
		esac
		if [ $((restarts - restarts_before)) -ge 3 ]; then
			why="$1 ends and is started again, over and over"
			return 1
		fi
		if [ "$active" = active ] && is_healthy "$2"; then
			return 0
		fi
		if [ "$clock" -ge "$health_end" ]; then
			unhealthy_because "$1" "$2"
			return 1
		fi
		doze "$2"
	done
}

# doze PORT waits until a service on the port is worth asking again: a tenth of a second
# where it listens, else until it does, which is cheap to see, or for half a second. Asking
# more often takes from a small machine what the service needs to start.
doze() {
	doze_port=$1
	[ "$1" = 0 ] || doze_port=$(health_port_of "$1")
	if [ "$doze_port" = 0 ] || listens "$doze_port"; then
		sleep 0.1
		return
	fi
	for moment in 1 2 3 4 5 6 7 8; do
		sleep 0.05
		! listens "$doze_port" || return 0
	done
	: "$moment"
}

# is_healthy PORT is what wait_healthy asks of an active unit.
is_healthy() {
	if [ -n "$health_path" ]; then
		listens "$(health_port_of "$1")" && answers "$(health_port_of "$1")" "$health_path"
	elif [ "$1" != 0 ]; then
		listens "$1"
	else
		[ "$steady_pid" = "$main_pid" ] || steady_since=$clock
		steady_pid=$main_pid
		[ $((clock - steady_since)) -ge $((settle * 100)) ]
	fi
}

# health_port_of PORT is the port that health is asked at when the service's own
# is PORT: the same but where the stack names another.
health_port_of() {
	if [ "$1" = "$port" ] && [ "$health_port" != 0 ]; then
		echo "$health_port"
	else
		echo "$1"
	fi
}

unhealthy_because() {
	why="$1 is not healthy after $health_timeout s"
	if [ "$2" != 0 ] && ! listens "$2"; then
		why="$why: nothing listens on port $2 (the service has to listen on the port that the variable PORT names)"
	elif [ -n "$health_path" ]; then
		why="$why: GET $health_path answers ${probe:-nothing}"
	fi
}

# show_journal UNIT prints what a unit said last.
show_journal() {
	say "last lines of $1:"
	journalctl --quiet --no-pager --output=cat --lines=20 --unit="$1" 2>/dev/null | indent || :
}
