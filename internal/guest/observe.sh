# What is inside this machine, one fact a line, fields separated by tabs. It reads
# only. Processes are what costs time here: each fact takes at most one of them, and
# each process as many facts as it can. Package guest's parser knows the same lines.

LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
state=/var/lib/appstack
wanted=
# Unit files that carry our mark.
marked=$(grep -ls '^X-Appstack=' /etc/systemd/system/*.*)

distribution() {
	(
		. /etc/os-release
		printf 'distribution\t%s %s\n' "${ID-}" "${VERSION_ID-}"
	)
}

# packages NAME… reports those that are installed, or provided by one that is.
packages() {
	awk -v want="$*" '
		function done(  n, i, q) {
			if (installed) {
				if (name in wanted) print "package\t" name "\t" version
				if ((name ":" arch) in wanted) print "package\t" name ":" arch "\t" version
				n = split(provides, q, /, */)
				for (i = 1; i <= n; i++) {
					sub(/[ (].*/, "", q[i])
					if (q[i] in wanted) print "provided\t" q[i] "\t" version
				}
			}
			name = version = arch = provides = ""; installed = 0
		}
		BEGIN { n = split(want, w, " "); for (i = 1; i <= n; i++) wanted[w[i]] = 1 }
		/^$/ { done(); next }
		/^Package: / { name = $2 }
		/^Status: / { installed = $3 == "ok" && $4 == "installed" }
		/^Version: / { version = $2 }
		/^Architecture: / { arch = $2 }
		/^Provides: / { provides = substr($0, 11) }
		END { done() }
	' /var/lib/dpkg/status
}

# users NAME… reports accounts, their supplementary groups and authorized keys.
users() {
	awk -F: -v want="$*" '
		BEGIN { n = split(want, w, " "); for (i = 1; i <= n; i++) wanted[w[i]] = 1 }
		FILENAME == "/etc/passwd" && $1 in wanted {
			print "user\t" $1 "\t" $6 "\t" $7
			home[$1] = $6
		}
		FILENAME == "/etc/group" {
			n = split($4, m, ",")
			for (i = 1; i <= n; i++) if (m[i] in home) print "group\t" m[i] "\t" $1
		}
		END {
			for (u in home) {
				file = home[u] "/.ssh/authorized_keys"
				while ((getline line < file) > 0)
					if (line !~ /^[ \t\r]*(#|$)/) print "key\t" u "\t" line
			}
		}
	' /etc/passwd /etc/group
}

# files PATH… reports type, mode and owner, of our own files too. $wanted holds
# what is expected, "|PATH=SHA256|": what differs from it comes with its content.
files() {
	if [ -r $state/files ]; then
		while IFS= read -r path; do
			printf 'ours\t%s\n' "$path"
			set -- "$@" "$path"
		done <$state/files
	fi
	for path in $marked; do
		printf 'ours\t%s\n' "$path"
		set -- "$@" "$path"
	done
	[ $# -gt 0 ] || return 0
	stat --printf='file\t%n\t%f\t%U\t%G\n' -- "$@" 2>/dev/null
	for path; do # only regular files: a FIFO would keep us waiting, a symlink leads elsewhere
		shift
		[ -f "$path" ] && [ ! -L "$path" ] && set -- "$@" "$path"
	done
	[ $# -gt 0 ] || return 0
	sha256sum -- "$@" 2>/dev/null | while read -r hash path; do
		printf 'hash\t%s\t%s\n' "$path" "$hash"
		case $wanted in *"|$path=$hash|"*) continue ;; *"|$path="*) content "$path" ;; esac
	done
}

# content PATH reports one byte more than the limit where there is more.
content() {
	printf 'content\t%s\t' "$1"
	head -c 65537 -- "$1" | base64 -w 0
	echo
}

# units NAME… reports in the order asked for, our own units last.
units() {
	for path in $marked; do
		path=${path##*/}
		case $path in *@.*) continue ;; esac
		case " $* " in *" $path "*) ;; *) set -- "$@" "$path" ;; esac
	done
	if [ -r $state/stale ]; then
		while IFS= read -r name; do printf 'stale\t%s\n' "$name"; done <$state/stale
	fi
	[ $# -gt 0 ] || return 0
	printf 'units\t%s\n' "$*"
	systemctl show -p LoadState -p ActiveState -p UnitFileState -- "$@"
	echo
	echo shown
}

firewall() {
	echo firewall
	grep -hs -e '^### tuple ###' -e '^ENABLED=' -e '^DEFAULT_INPUT_POLICY=' \
		/etc/ufw/user.rules /etc/ufw/user6.rules /etc/ufw/ufw.conf /etc/default/ufw
	return 0
}

# release DIR SHA… reports the release that serves, and whether one of SHA is marked bad.
release() {
	if [ -L "$1/current" ]; then
		link=$(readlink "$1/current")
		printf 'release\t%s\n' "$link"
		if [ -r "$1/$link.ready" ] && read -r built <"$1/$link.ready"; then printf 'built\t%s\n' "$built"; fi
	fi
	if [ -e "$1/releases/$2.failed" ] || [ -e "$1/releases/$3.failed" ]; then printf 'failed\t%s\n' "$2"; fi
}

timezone() { printf 'timezone\t%s\n' "$(readlink /etc/localtime)"; }

locale() {
	[ -r /etc/default/locale ] || return 0
	while IFS= read -r line; do
		case $line in LANG=*) printf 'locale\t%s\n' "${line#LANG=}" ;; esac
	done </etc/default/locale
}

# psql_as_postgres runs SQL from stdin. The versioned binary spares Perl's start,
# and setpriv sudo's.
find_psql() {
	psql=
	for path in /usr/lib/postgresql/*/bin/psql; do [ -x "$path" ] && psql=$path; done
	[ -n "$psql" ] && [ -S /var/run/postgresql/.s.PGSQL.5432 ]
}

psql_as_postgres() {
	setpriv --reuid postgres --regid postgres --init-groups "$psql" -X -A -t -q -F '	' -v ON_ERROR_STOP=1 "$@"
}

# database NAME LOGIN reports it and its extensions, whether the role has the owner's
# rights, and tries to log in with $PGPASSWORD. cd: postgres may not enter root's home.
database() {
	find_psql || {
		[ -z "$psql" ] || echo down
		return 0
	}
	cd /
	psql_as_postgres -d postgres -v db="$1" -v login="$2" <<-'SQL' 2>/dev/null
		SELECT 'database', datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database WHERE datname = :'db';
		SELECT 'member', datname FROM pg_database JOIN pg_roles ON rolname = :'login' WHERE datname = :'db' AND pg_has_role(pg_roles.oid, datdba, 'USAGE');
	SQL
	psql_as_postgres -d "$1" -v db="$1" <<-'SQL' 2>/dev/null
		SELECT 'extension', :'db', extname FROM pg_extension WHERE extname <> 'plpgsql';
	SQL
	if [ -n "$2" ] && [ "$("$psql" -w -X -A -t -q -h 127.0.0.1 -U "$2" -d "$1" -c 'SELECT 1' 2>/dev/null </dev/null)" = 1 ]; then
		printf 'login\t%s\n' "$1"
	fi
}

# kept NAME… reports the databases that we made beside these.
kept() {
	[ -r $state/databases ] || return 0
	while IFS= read -r name; do
		case " $* " in *" $name "*) ;; *) database "$name" '' ;; esac
	done <$state/databases
}

guard() { [ ! -e $state/guard/armed ] || echo guarded; }
