# What steps call. Each function does its work again without harm.

state=/var/lib/appstack
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none

say() { printf '%s\n' "$*"; }

fail() {
	say "$@"
	exit 1
}

# remember and forget keep a line in a list.
remember() {
	grep -qsxF -- "$2" "$1" || printf '%s\n' "$2" >>"$1"
}

forget() {
	grep -qsxF -- "$2" "$1" || return 0
	grep -vxF -- "$2" "$1" >"$1.new" || :
	mv -f "$1.new" "$1"
}

# stale reads the units that the coming steps leave with older files; fresh says
# that one has the new ones.
stale() {
	while IFS= read -r name; do remember $state/stale "$name"; done
}

fresh() {
	for name; do forget $state/stale "$name"; done
}

## packages

apt_get() {
	apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# sifted runs apt-get and passes on what it says but for the several lines that it and
# dpkg have for each package: of those it tells at each tenth of the work how far it is.
sifted() {
	rm -f "$0.rc"
	{ apt_get "$@" 2>&1 || echo $? >"$0.rc"; } | sift
	[ ! -e "$0.rc" ] || return "$(cat "$0.rc")"
}

sift() {
	total=0 done=0 tenth=0 listing='' # each package is unpacked and set up
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'Unpacking '* | 'Setting up '*)
			done=$((done + 1))
			[ "$total" -gt 0 ] && [ $((done * 10 / total)) -gt "$tenth" ] || continue
			tenth=$((done * 10 / total))
			say "$line ($((done * 100 / total))%)"
			;;
		'Get:'* | 'Hit:'* | 'Ign:'* | 'Selecting previously '* | 'Preparing to unpack '* | '(Reading database '* | \
			'Processing triggers for '* | 'update-alternatives: using '* | 'Reading '*'...' | 'Building dependency tree...') ;;
		'The following '* | 'Suggested packages:' | 'Recommended packages:') listing=yes ;;
		'  '*) [ -n "$listing" ] || say "$line" ;;
		*' newly installed, '*)
			listing=
			say "$line"
			total=${line%% *}
			line=${line#*, }
			total=$(((total + ${line%% *}) * 2))
			;;
		*)
			listing=
			say "$line"
			;;
		esac
	done
}

# update waits for the lock on the lists, which DPkg::Lock::Timeout is not for.
update() {
	updated=1
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		if apt_get -o APT::Update::Error-Mode=any update >"$0.apt" 2>&1; then
			cat "$0.apt"
			: >$state/updated
			return
		fi
		grep -q 'Could not get lock /var/lib/apt/lists' "$0.apt" || break
		say "waiting for another program's update of the package lists ($((i * 10)) s)"
		sleep 10
	done
	cat "$0.apt"
	say "the package lists could not be updated; going on with what is there"
}

# outdated tells whether the package lists are missing, older than six hours, or older
# than a source. Their own times are their server's; so we keep ours.
outdated() {
	[ -n "$(ls /var/lib/apt/lists/*_Packages* 2>/dev/null)" ] || return 0
	[ -e $state/updated ] || return 0
	touch -d '-6 hours' "$0.since"
	[ $state/updated -nt "$0.since" ] || return 0
	for source in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		[ "$source" -nt $state/updated ] && return 0
	done
	return 1
}

# repair finishes what an interrupted dpkg left half done. dpkg itself waits for no lock.
repair() {
	[ -n "$(dpkg --audit 2>/dev/null)" ] || [ -n "$(ls /var/lib/dpkg/updates 2>/dev/null)" ] || return 0
	say "dpkg was interrupted before; finishing what it began"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
		if dpkg --force-confdef --force-confold --configure -a >"$0.dpkg" 2>&1; then
			cat "$0.dpkg"
			sifted -f install && return
			break
		fi
		cat "$0.dpkg"
		grep -q 'lock was locked by another process' "$0.dpkg" || break
		say "waiting for another program that uses dpkg ($((i * 5)) s)"
		sleep 5
	done
	say "dpkg's state is broken and could not be repaired:"
	dpkg --audit
	return 1
}

install_packages() {
	updated=
	repair
	if outdated; then update; fi
	sifted --no-install-recommends install "$@" && return
	repair
	[ -n "$updated" ] || update
	sifted --no-install-recommends install "$@"
}

## files

# settle makes a file's new content last and take its place.
settle() {
	sync "$1"
	mv -fT -- "$1" "$2"
	sync "${2%/*}/"
	case $2 in /etc/systemd/system/*) : >$state/daemon-reload ;; esac
}

write_file() { # PATH MODE OWNER GROUP CHECK < content
	dir=${1%/*}
	[ -d "$dir/" ] || mkdir -p "$dir"
	tmp=$(mktemp "$dir/.${1##*/}.XXXXXX")
	trap 'rm -f "$tmp"' EXIT
	cat >"$tmp"
	chown "$3:$4" "$tmp"
	chmod "$2" "$tmp"
	[ -z "$5" ] || $5 "$tmp" || fail "$5 does not accept it; $1 stays as it was"
	[ -e "$1" ] || remember $state/files "$1"
	settle "$tmp" "$1"
}

set_mode() { # PATH MODE OWNER GROUP
	chown -h "$3:$4" "$1"
	chmod "$2" "$1"
}

make_directory() { # PATH MODE OWNER GROUP
	mkdir -p "$1"
	set_mode "$@"
}

remove_file() {
	rm -f -- "$1"
	forget $state/files "$1"
	case $1 in /etc/systemd/system/*) : >$state/daemon-reload ;; esac
}

## users

make_groups() {
	for group; do getent group "$group" >/dev/null || groupadd "$group"; done
}

create_user() { # NAME SHELL HOME GROUP…
	name=$1 shell=$2 home=$3
	shift 3
	make_groups "$@"
	getent passwd "$name" >/dev/null ||
		useradd -m -U -p '*' ${shell:+-s "$shell"} ${home:+-d "$home"} "$name"
	for group; do usermod -a -G "$group" "$name"; done
}

set_user() { # NAME SHELL HOME GROUP…
	name=$1 shell=$2 home=$3
	shift 3
	[ -z "$shell" ] || [ -x "$shell" ] || fail "the shell $shell does not exist"
	make_groups "$@"
	[ -z "$shell$home" ] || usermod ${shell:+-s "$shell"} ${home:+-d "$home"} "$name"
	for group; do usermod -a -G "$group" "$name"; done
}

keys_of() {
	home=$(getent passwd "$1" | cut -d : -f 6)
	[ -n "$home" ] || fail "there is no user $1"
	group=$(id -g "$1")
	[ -d "$home/.ssh" ] || install -d -m 700 -o "$1" -g "$group" "$home/.ssh"
	keys=$home/.ssh/authorized_keys
	tmp=$(mktemp "$keys.XXXXXX")
	trap 'rm -f "$tmp"' EXIT
	chown "$1:$group" "$tmp"
}

add_key() { # USER KEY < line
	keys_of "$1"
	if [ -f "$keys" ]; then grep -vF -e "$2" "$keys" >"$tmp" || :; fi
	if [ -s "$tmp" ] && [ -n "$(tail -c 1 "$tmp")" ]; then echo >>"$tmp"; fi
	cat >>"$tmp"
	settle "$tmp" "$keys"
}

remove_key() { # USER KEY
	keys_of "$1"
	grep -vF -e "$2" "$keys" >"$tmp" || :
	settle "$tmp" "$keys"
}

## firewall

add_rule() { # PORT PROTOCOL FROM COMMENT
	ufw allow proto "$2" from "$3" to any port "$1" comment "$4"
}

remove_rule() { # PORT PROTOCOL FROM
	ufw delete allow proto "$2" from "$3" to any port "$1"
}

enable_firewall() {
	grep -qs '^DEFAULT_INPUT_POLICY="DROP"' /etc/default/ufw || ufw default deny incoming
	ufw --force enable
}

## system

set_timezone() {
	[ -f "/usr/share/zoneinfo/$1" ] || fail "there is no time zone $1 on the machine (package tzdata)"
	ln -sfT "/usr/share/zoneinfo/$1" /etc/localtime.new
	mv -fT /etc/localtime.new /etc/localtime
	echo "$1" >/etc/timezone
}

set_locale() {
	case $1 in
	C | C.UTF-8 | POSIX) ;;
	*)
		command -v locale-gen >/dev/null || fail "the locale $1 needs the package locales"
		sed -i "s/^# *\\($1 .*\\)/\\1/" /etc/locale.gen
		grep -q "^$1 " /etc/locale.gen || fail "there is no locale $1 in /etc/locale.gen"
		locale-gen
		;;
	esac
	file=$(readlink -f /etc/default/locale)
	{ grep -sv '^LANG=' "$file" || :; printf 'LANG=%s\n' "$1"; } >"$file.new"
	mv -f "$file.new" "$file"
}

## databases

# start_cluster starts PostgreSQL itself: postgresql.service only stands for its clusters,
# and is active when they have ended.
start_cluster() {
	pg_lsclusters -h | while read -r version name port rest; do
		[ "$port" != 5432 ] || systemctl start "postgresql@$version-$name.service"
	done
}

# set_database makes role and database what they are to be. Its input sets psql's
# variable password, and ends with the extensions.
set_database() { # NAME OWNER LOGIN ENCODING
	systemctl start postgresql.service
	[ -S /var/run/postgresql/.s.PGSQL.5432 ] || start_cluster
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -S /var/run/postgresql/.s.PGSQL.5432 ] && break
		sleep 1
	done
	cd /
	remember $state/databases "$1"
	HOME=/ setpriv --reuid postgres --regid postgres --init-groups \
		psql -X -q -w -v ON_ERROR_STOP=1 -v db="$1" -v owner="$2" -v login="$3" -v encoding="$4" -d postgres
}

## release

deploy() { # SHA UNIT… < what the script reads
	sha=$1
	shift
	daemon_reload
	/usr/local/bin/deploy_app.sh "$sha"
	fresh release "$@"
}

deploy_tree() { # SHA UNIT…
	sha=$1
	shift
	daemon_reload
	/usr/local/bin/deploy_app.sh --upload "$sha" <"$state/uploads/$sha.tar"
	rm -rf $state/uploads
	fresh release "$@"
}

roll_back() { # SHA|previous UNIT…
	sha=$1
	shift
	daemon_reload
	[ "$sha" != previous ] || sha=
	/usr/local/bin/deploy_app.sh --rollback ${sha:+"$sha"}
	fresh release "$@"
}

## dumps

# restore_dump takes a path, or the name of a dump in the stack's directory of them.
restore_dump() { # DUMP
	. /etc/appstack/backup.conf
	dump=$1
	case $dump in /*) ;; *) dump=$backup_dir/$dump ;; esac
	if [ ! -f "$dump" ]; then
		say "$backup_dir has:"
		ls "$backup_dir"
		fail "there is no dump $dump"
	fi
	/usr/local/bin/restore_db.sh "$dump"
	case $dump in "$state"/uploads/*) rm -f "$dump" ;; esac
	# It started the services; that they are healthy with other data is yet to be seen.
	if /usr/local/bin/deploy_app.sh --status | grep -q '^current=.'; then
		/usr/local/bin/deploy_app.sh --restart </dev/null
	fi
}

## units

daemon_reload() {
	[ -e $state/daemon-reload ] || return 0
	systemctl daemon-reload
	rm -f $state/daemon-reload $state/enabled
}

# settle_units ends a run: without a reload systemd goes on calling a unit that was
# enabled "disabled". Nothing that runs depends on it, and each takes a second on a small
# machine; so there is one for all units.
settle_units() {
	[ ! -e $state/enabled ] || mv $state/enabled $state/daemon-reload
	daemon_reload
}

# unit does a verb of systemctl's, and tells why it failed.
unit() { # VERB UNIT
	daemon_reload
	if systemctl "$1" "$2"; then
		fresh "$2"
		return
	fi
	systemctl --no-pager --full -n 15 status "$2" || :
	return 1
}

enable_unit() {
	systemctl -q --no-reload enable "$1"
	: >$state/enabled
}

reload_unit() {
	case $1 in ssh.* | sshd.*) reload_sshd "$1" ;; *) unit try-reload-or-restart "$1" ;; esac
}

# reload_sshd returns when the new configuration is in force. The reload only sends a
# signal; a connection that came before it is handled would still find the old one,
# and say nothing about the new. Handled means that other sockets are listened on.
reload_sshd() {
	sshd -t || fail "sshd does not accept its configuration; it is not reloaded"
	pid=$(systemctl show -p MainPID --value "$1")
	before=$(sockets "$pid")
	unit try-reload-or-restart "$1"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
		[ -n "$before" ] || return 0 # it did not run
		after=$(sockets "$(systemctl show -p MainPID --value "$1")")
		[ "$after" != "$before" ] && [ "${#after}" -ge "${#before}" ] && return 0
		sleep 0.2
	done
	return 0 # its sockets are systemd's, which stay the same
}

sockets() { readlink "/proc/$1/fd/"* 2>/dev/null | grep socket: || :; }

remove_unit() {
	daemon_reload
	case $1 in
	*@.*) systemctl stop "${1%@.*}@*.${1##*.}" 2>/dev/null || : ;;
	*) systemctl -q --no-reload disable --now "$1" || systemctl stop "$1" 2>/dev/null || : ;;
	esac
	rm -rf "/etc/systemd/system/$1.d"
	remove_file "/etc/systemd/system/$1"
	systemctl reset-failed "$1" 2>/dev/null || :
	rm -f "$state/jobs/$1" # what job_ended noted
	fresh "$1"
	daemon_reload
}

## lock-out guard

guard_unit=/etc/systemd/system/appstack-guard-boot.service

# guard_end takes the guard away.
guard_end() {
	systemctl -q stop appstack-guard.timer 2>/dev/null || :
	rm -rf $state/guard $guard_unit /etc/systemd/system/multi-user.target.wants/appstack-guard-boot.service
}

# guard_arm keeps copies of files and has them put back in that time, unless
# guard_confirm comes before.
guard_arm() { # SECONDS PATH…
	seconds=$1
	shift
	guard_end
	mkdir -m 700 $state/guard
	cp "$0" $state/guard/lib
	n=0
	for path; do
		n=$((n + 1))
		printf '%s\n' "$path" >>$state/guard/paths
		if [ -e "$path" ]; then cp -a -- "$path" "$state/guard/$n"; fi
	done
	# A timer of systemd-run's does not outlive a reboot; this undoes the change then.
	cat >$guard_unit <<-'EOF'
		[Unit]
		Description=Undo a change by appstack that nobody confirmed
		ConditionPathExists=/var/lib/appstack/guard/armed
		After=ssh.service ufw.service
		[Service]
		Type=oneshot
		ExecStart=/bin/sh -c '. "$$0"; guard_undo' /var/lib/appstack/guard/lib
	EOF
	ln -sf $guard_unit /etc/systemd/system/multi-user.target.wants/
	: >$state/guard/armed
	systemd-run -q --unit=appstack-guard --collect --on-active="$seconds" --timer-property=AccuracySec=1s \
		/bin/sh -c '. "$0"; guard_undo' $state/guard/lib
}

# The rename decides between the two.
guard_confirm() {
	mv $state/guard/armed $state/guard/confirmed 2>/dev/null || fail "the machine has undone the change already"
	guard_end
}

guard_undo() {
	mv $state/guard/armed $state/guard/undoing 2>/dev/null || return 0
	say "nobody confirmed that the machine can still be reached: undoing the change"
	firewall=$(grep -nxF /etc/ufw/ufw.conf $state/guard/paths | cut -d : -f 1)
	was_on=
	[ -z "$firewall" ] || was_on=$(grep -sx 'ENABLED=yes' "$state/guard/$firewall") || :
	if [ -n "$firewall" ] && [ -z "$was_on" ]; then ufw --force disable || :; fi
	n=0
	while IFS= read -r path; do
		n=$((n + 1))
		if [ ! -e "$state/guard/$n" ]; then
			rm -f -- "$path"
		elif cp -a -- "$state/guard/$n" "$path.appstack"; then
			mv -fT -- "$path.appstack" "$path"
		fi
	done <$state/guard/paths
	[ -z "$was_on" ] || ufw reload || :
	(reload_sshd ssh.service) || :
	guard_end
}
