
# --- handing over: a restart that closes no port.
#
# Of each service a process of the new release, the candidate, is started on a spare
# port and has to become healthy there. Then the kernel sends new connections for the
# public ports to the spare ones (iptables REDIRECT; connections that exist stay where
# they are), the services themselves are restarted, and when all are healthy the
# redirection is taken away and the candidates end. It is one hand-over for all: they
# start beside one another, and no mix of old and new is ever waited for. Outside a
# deploy nothing of this exists.

CHAIN=appstack-handover

candidate_of() { echo "appstack-next-$1"; }

# spare_port sets $spare to a port that nothing listens on and no other candidate
# has, between the well-known ones and those that the kernel gives to outgoing
# connections (from 32768).
spare_port() {
	spare=$((20000 + $1 % 12000))
	while listens "$spare" || case "$candidates " in *":$spare "*) ;; *) false ;; esac; do
		spare=$((spare + 1))
	done
}

# write_candidate makes a unit like the service's for the release's directory and
# the spare port. It is in /run: a reboot forgets it. When memory runs out, the
# kernel is to choose it and not what serves.
write_candidate() {
	mkdir -p "$RUN/systemd/system"
	sed -e "s|$app/current|$release|g" -e "s|^Environment=PORT=.*|Environment=PORT=$2|" \
		-e 's|^Restart=.*|Restart=no\nOOMScoreAdjust=500|' -e '/^X-Appstack=/d' -e '/^\[Install\]/,$d' \
		"$UNITS/$unit" >"$RUN/systemd/system/$1"
}

# start_candidates starts one for each service in $1 with a port, all at once,
# then waits for each. $candidates lists name:port.
start_candidates() {
	candidates='' candidate_units=''
	for name in $1; do
		service "$name"
		[ "$port" != 0 ] || continue
		# A health port of its own cannot be had twice.
		[ "$health_port" = 0 ] || continue
		spare_port "$port"
		write_candidate "$(candidate_of "$unit")" "$spare"
		candidates="$candidates $name:$spare"
		candidate_units="$candidate_units $(candidate_of "$unit")"
	done
	[ -n "$candidates" ] || return 0
	# shellcheck disable=SC2086 # units
	start_new $candidate_units
	for candidate in $candidates; do
		service "${candidate%:*}"
		wait_healthy "$(candidate_of "$unit")" "${candidate#*:}" && continue
		show_journal "$(candidate_of "$unit")"
		return 1
	done
}

# start_new starts units whose files are new. systemd reads those of units that it does
# not have in memory as they are; for the others it has to read all of them again, which
# takes it long.
start_new() {
	if systemctl show --property=NeedDaemonReload --property=LoadState "$@" | grep -q -e '=yes$' -e '=not-found$'; then
		systemctl daemon-reload
	fi
	systemctl start "$@" || :
}

# stop_candidates also finds those that a killed run left.
stop_candidates() {
	set --
	for file in "$RUN"/systemd/system/appstack-next-*.service; do
		[ ! -e "$file" ] || set -- "$@" "${file##*/}"
	done
	candidates=''
	[ $# -gt 0 ] || return 0
	systemctl stop "$@" || :
	systemctl reset-failed "$@" 2>/dev/null || :
	for file; do rm -f "$RUN/systemd/system/$file"; done
}

# user_rules PORT SPARE takes UFW's rules for the public port, made to hold for
# connections that are redirected to the spare one: UFW sees the port that they are
# redirected to, and who may come in must not change.
user_rules() {
	awk -v port="$1" -v spare="$2" -v chain="$CHAIN" '
		function within(list,    n, i, part, range) {
			n = split(list, part, ",")
			for (i = 1; i <= n; i++) {
				if (split(part[i], range, ":") == 1) range[2] = range[1]
				if (port + 0 >= range[1] + 0 && port + 0 <= range[2] + 0) return 1
			}
			return 0
		}
		$1 == "-A" && match($0, / --dports? [0-9:,]+/) {
			split(substr($0, RSTART, RLENGTH), option, " ")
			if (!within(option[2])) next
			rest = substr($0, 1, RSTART - 1) " --dport " spare substr($0, RSTART + RLENGTH)
			sub(/ -m multiport/, "", rest)
			sub(/^-A [^ ]+/, "-A " chain, rest)
			sub(/ -j /, " -m conntrack --ctstate DNAT -j ", rest)
			print rest
		}'
}

# redirect sends new connections for the ports of all candidates to them, at once.
redirect() {
	redirect_one iptables ufw-user-input || return 1
	[ ! -e /proc/net/if_inet6 ] || redirect_one ip6tables ufw6-user-input || return 1
}

redirect_one() {
	command -v "$1" >/dev/null || return 1
	ufw_rules=$("$1" -S "$2" 2>/dev/null || :)
	nat_rules=''
	{
		printf '*filter\n:%s - [0:0]\n' "$CHAIN"
		for candidate in $candidates; do
			service "${candidate%:*}"
			printf '%s\n' "$ufw_rules" | user_rules "$port" "${candidate#*:}"
			nat_rules="$nat_rules-A $CHAIN -p tcp --dport $port -j REDIRECT --to-ports ${candidate#*:}
"
		done
		printf -- '-I INPUT -j %s\nCOMMIT\n*nat\n:%s - [0:0]\n%s' "$CHAIN" "$CHAIN" "$nat_rules"
		printf -- '-I PREROUTING -p tcp -m addrtype --dst-type LOCAL -j %s\n' "$CHAIN"
		printf -- '-I OUTPUT -o lo -p tcp -m tcp ! --sport %s -j %s\nCOMMIT\n' "$(echo "$PROBE_PORTS" | tr - :)" "$CHAIN"
	} | "$1-restore" --noflush --wait 5
}

# redirected tells whether a redirection is in place, ours or of a killed run.
redirected() {
	iptables --wait 5 -t nat -S "$CHAIN" >/dev/null 2>&1 || ip6tables --wait 5 -t nat -S "$CHAIN" >/dev/null 2>&1
}

# unredirect takes the redirection away, wherever it stands.
unredirect() {
	for ipt in iptables ip6tables; do
		command -v "$ipt-save" >/dev/null || continue
		for attempt in 1 2 3; do
			unredirect_one "$ipt" && break
			say "warning: $ipt-restore failed, attempt $attempt"
			sleep 0.1
		done
	done
}

# unredirect_one FAMILY takes it out of each table in one step.
unredirect_one() {
	undo=$({
		"$1-save" -t nat
		"$1-save" -t filter
	} 2>/dev/null | awk -v chain="$CHAIN" '
		/^\*/ { table = $0; leads = ""; there = 0 }
		$1 == ":" chain { there = 1 }
		$1 == "-A" && $0 ~ (" -j " chain "$") { leads = leads "-D" substr($0, 3) "\n" }
		$1 == "COMMIT" && there { printf "%s\n%s-F %s\n-X %s\nCOMMIT\n", table, leads, chain, chain }')
	[ -z "$undo" ] || printf '%s\n' "$undo" | "$1-restore" --noflush --wait 5
}

# drain PORT... waits until no connection there waits for an answer: whoever sent
# something last, over 0.2 s ago, is the server. It waits $drain seconds at most.
drain() {
	[ $# -gt 0 ] || return 0
	drain_ports=$(printf ' or sport = :%s' "$@")
	clock
	drain_end=$((clock + drain * 100))
	while ss -Htin state established "( ${drain_ports# or } )" | awk '
		match($0, /lastsnd:[0-9]+/) { sent = substr($0, RSTART + 8, RLENGTH - 8) + 0; got = 0
			if (match($0, /lastrcv:[0-9]+/)) got = substr($0, RSTART + 8, RLENGTH - 8) + 0
			if (sent < 200 || got < sent) busy = 1 }
		END { exit !busy }'; do
		clock
		[ "$clock" -lt "$drain_end" ] || return 0
		sleep 0.05
	done
}

# restart_units restarts services at once, in systemd's order.
restart_units() {
	restart_names=$*
	[ -n "$restart_names" ] || return 0
	set --
	for name in $restart_names; do
		service "$name"
		set -- "$@" "$unit"
	done
	systemctl reset-failed "$@" 2>/dev/null || :
	systemctl restart "$@" || :
	tell_slow_ends "$@"
}

# tell_slow_ends names the units that took 5 s or more to end. systemd kills one after its
# TimeoutStopSec, in the middle of what it answers.
tell_slow_ends() {
	systemctl show --property=Id --property=ActiveExitTimestampMonotonic --property=InactiveEnterTimestampMonotonic "$@" |
		awk -F= '
			function tell() {
				if (end - begin >= 5000000) printf "%s %d\n", unit, (end - begin) / 1000000
				begin = end = 0
			}
			$1 == "Id" { unit = $2 }
			$1 == "ActiveExitTimestampMonotonic" { begin = $2 }
			$1 == "InactiveEnterTimestampMonotonic" { end = $2 }
			$0 == "" { tell() }
			END { tell() }' |
		while read -r slow took; do
			say "warning: $slow took $took s to end, by itself or killed. On SIGTERM a service should answer what it has begun, close its connections and end"
		done
}

# choose_together sets $together to the services that can be restarted at once: all
# where nothing serves that they would have to take over from, and those that have a
# candidate to serve meanwhile, or no port that would be closed.
choose_together() {
	together=''
	if [ -z "$serving" ]; then
		together=$services
		return
	fi
	[ -n "$candidates" ] || return 0
	if ! redirect; then
		unredirect
		say 'no port redirection in this guest (iptables nat): the port of a service is closed while it restarts'
		return
	fi
	set --
	for candidate in $candidates; do
		service "${candidate%:*}"
		set -- "$@" "$port"
		together="$together ${candidate%:*}"
	done
	drain "$@"
	for name in $services; do
		service "$name"
		[ "$port$health_path" != 0 ] || together="$together $name"
	done
}

# hand_over restarts all services, each behind its candidate if it has one.
hand_over() {
	choose_together
	crash_here redirected
	clock
	restart_start=$clock
	# shellcheck disable=SC2086 # names
	restart_units $together
	for name in $services; do
		case " $together " in
		*" $name "*) ;;
		*)
			clock
			restart_start=$clock
			restart_units "$name"
			;;
		esac
		wait_restarted "$name" || return 1
	done
	crash_here restarted
	end_candidates
	wait_for_workers
}

# end_candidates gives the ports back and lets the candidates answer what they began.
end_candidates() {
	[ -n "$candidates" ] || return 0
	unredirect
	set --
	for candidate in $candidates; do set -- "$@" "${candidate#*:}"; done
	drain "$@"
	stop_candidates
}

# wait_restarted NAME waits for a service that has been restarted.
wait_restarted() {
	service "$1"
	[ "$port" != 0 ] || [ -n "$health_path" ] || return 0 # see wait_for_workers
	if ! wait_healthy "$unit" "$port"; then
		show_journal "$unit"
		return 1
	fi
	say "$1: restarted and healthy ($(seconds "$restart_start"))"
}

# wait_for_workers waits for the services that only have to stay up, all of them
# at once.
wait_for_workers() {
	for name in $services; do
		service "$name"
		[ "$port$health_path" = 0 ] || continue
		wait_healthy "$unit" 0 || {
			show_journal "$unit"
			return 1
		}
		say "$name: restarted and up for $settle s"
	done
}

# settle_leftovers ends what a run that was killed left: first the services have to
# be able to take their connections back.
settle_leftovers() {
	stop_steps
	if redirected; then
		set --
		for name in $services; do
			service "$name"
			[ "$port" = 0 ] || set -- "$@" "$unit"
		done
		systemctl start "$@" 2>/dev/null || :
		for name in $services; do
			service "$name"
			[ "$port" = 0 ] || wait_healthy "$unit" "$port" || :
		done
		unredirect
	fi
	stop_candidates
	rm -rf "$RUN"/appstack-git.*
}
