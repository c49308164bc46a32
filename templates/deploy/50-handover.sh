
# --- handing over: a restart that closes no port.
#
# A process of the new release, the candidate, is started on a spare port and has
# to become healthy there. Then the kernel sends new connections for the public
# port to the spare one (iptables REDIRECT; connections that exist stay where they
# are), the service itself is restarted, and when it is healthy the redirection is
# taken away and the candidate ends. Outside a deploy nothing of this exists.

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
	candidates=''
	for name in $1; do
		service "$name"
		[ "$port" != 0 ] || continue
		# A health port of its own cannot be had twice.
		[ "$health_port" = 0 ] || continue
		spare_port "$port"
		write_candidate "$(candidate_of "$unit")" "$spare"
		candidates="$candidates $name:$spare"
	done
	[ -n "$candidates" ] || return 0
	systemctl daemon-reload
	for candidate in $candidates; do
		service "${candidate%:*}"
		systemctl start "$(candidate_of "$unit")" || :
	done
	for candidate in $candidates; do
		service "${candidate%:*}"
		wait_healthy "$(candidate_of "$unit")" "${candidate#*:}" && continue
		show_journal "$(candidate_of "$unit")"
		return 1
	done
}

# stop_candidates also finds those that a killed run left.
stop_candidates() {
	found=''
	for file in "$RUN"/systemd/system/appstack-next-*.service; do
		[ -e "$file" ] || continue
		systemctl stop "${file##*/}" || :
		systemctl reset-failed "${file##*/}" 2>/dev/null || :
		rm -f "$file"
		found=yes
	done
	[ -z "$found" ] || systemctl daemon-reload
	candidates=''
}

# user_rules FAMILY PORT SPARE prints UFW's rules for the public port, made to
# hold for connections that are redirected to the spare one: UFW sees the port
# that they are redirected to, and who may come in must not change.
user_rules() {
	"$1" -S "$2" 2>/dev/null | awk -v port="$3" -v spare="$4" -v chain="$CHAIN" '
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

# redirect PORT SPARE sends new connections to the spare port.
redirect() {
	redirect_one iptables ufw-user-input "$1" "$2" || return 1
	[ ! -e /proc/net/if_inet6 ] || redirect_one ip6tables ufw6-user-input "$1" "$2" || return 1
}

redirect_one() {
	command -v "$1" >/dev/null || return 1
	{
		printf '*filter\n:%s - [0:0]\n' "$CHAIN"
		user_rules "$1" "$2" "$3" "$4"
		printf -- '-I INPUT -j %s\nCOMMIT\n*nat\n:%s - [0:0]\n' "$CHAIN" "$CHAIN"
		printf -- '-A %s -p tcp --dport %s -j REDIRECT --to-ports %s\n' "$CHAIN" "$3" "$4"
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
		command -v "$ipt" >/dev/null || continue
		for table in nat filter; do
			"$ipt" --wait 5 -t "$table" -S 2>/dev/null | sed -n "s/^-A \(.* -j $CHAIN\)\$/\1/p" | while read -r rule; do
				# shellcheck disable=SC2086 # iptables printed the rule in words
				"$ipt" --wait 5 -t "$table" -D $rule
			done
			"$ipt" --wait 5 -t "$table" -F "$CHAIN" 2>/dev/null || :
			"$ipt" --wait 5 -t "$table" -X "$CHAIN" 2>/dev/null || :
		done
	done
}

# drain PORT waits until no connection there waits for an answer: whoever sent
# something last, over 0.2 s ago, is the server. It waits $drain seconds at most.
drain() {
	clock
	drain_end=$((clock + drain * 100))
	while ss -Htin state established "( sport = :$1 )" | awk '
		match($0, /lastsnd:[0-9]+/) { sent = substr($0, RSTART + 8, RLENGTH - 8) + 0; got = 0
			if (match($0, /lastrcv:[0-9]+/)) got = substr($0, RSTART + 8, RLENGTH - 8) + 0
			if (sent < 200 || got < sent) busy = 1 }
		END { exit !busy }'; do
		clock
		[ "$clock" -lt "$drain_end" ] || return 0
		sleep 0.05
	done
}

# start_all starts all services at once, in systemd's order, where nothing serves that
# they would have to take over from.
start_all() {
	set --
	for name in $services; do
		service "$name"
		set -- "$@" "$unit"
	done
	systemctl reset-failed "$@" 2>/dev/null || :
	systemctl restart "$@" || :
	started=yes
}

# hand_over NAME restarts one service, behind its candidate if it has one.
hand_over() {
	service "$1"
	spare=''
	for candidate in $candidates; do
		[ "${candidate%:*}" != "$1" ] || spare=${candidate#*:}
	done
	if [ -n "$spare" ]; then
		if redirect "$port" "$spare"; then
			drain "$port"
		else
			unredirect
			say "$1: no port redirection in this guest (iptables nat): its port is closed while it restarts"
		fi
	fi
	crash_here "redirected-$1"
	clock
	restart_start=$clock
	if [ -z "$started" ]; then
		systemctl reset-failed "$unit" 2>/dev/null || :
		systemctl restart "$unit" || :
	fi
	[ "$port" != 0 ] || [ -n "$health_path" ] || return 0 # see wait_for_workers
	if ! wait_healthy "$unit" "$port"; then
		show_journal "$unit"
		return 1
	fi
	say "$1: restarted and healthy ($(seconds "$restart_start"))"
	if [ -n "$spare" ]; then
		unredirect
		drain "$spare"
		systemctl stop "$(candidate_of "$unit")" || :
	fi
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

# settle_leftovers ends what a run that was killed left: first the service has to
# be able to take its connections back.
settle_leftovers() {
	systemctl stop "$STEP_UNIT" 2>/dev/null || :
	if redirected; then
		for name in $services; do
			service "$name"
			[ "$port" != 0 ] || continue
			systemctl start "$unit" 2>/dev/null || :
			wait_healthy "$unit" "$port" || :
		done
		unredirect
	fi
	stop_candidates
	rm -rf "$RUN"/appstack-git.*
}
