#!/bin/sh
# restore_db.sh DUMP: puts a dump of backup back in the place of the app's
# database. Written by appstack.
#
# The dump goes into a new database first, which then takes the old one's place
# in one transaction: when anything is wrong with it, nothing has changed. The old
# database stays beside it as NAME_before_restore until the next restore.
set -eu
# shellcheck source=/dev/null # written by appstack
. "${APPSTACK_BACKUP_CONF:-/etc/appstack/backup.conf}"
: "${database:?}" "${owner:?}" "${units?}" "${jobs?}"

if [ $# -ne 1 ] || [ ! -f "$1" ]; then
	echo "usage: restore_db.sh DUMP; dumps are in ${backup_dir:-?}" >&2
	exit 2
fi
[ "$(id -u)" -eq 0 ] || exec sudo -n -- "$0" "$@"
exec 9>>/run/appstack-deploy.lock
flock --nonblock 9 || {
	echo 'restore_db.sh: a deploy runs on this guest' >&2
	exit 3
}
echo $$ >/run/appstack-deploy.lock

dump=$(readlink -f "$1")
cd / # postgres may not enter the caller's directory
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }
sql() { as_postgres psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --set=db="$database" --set=new="${database}_restore" --set=old="${database}_before_restore" --dbname="${1:-postgres}"; }

echo "==> restore $dump beside $database"
locale=$(sql <<'SQL'
SELECT format('--encoding=%s --lc-collate=%s --lc-ctype=%s', pg_encoding_to_char(encoding), datcollate, datctype) FROM pg_database WHERE datname = :'db';
DROP DATABASE IF EXISTS :"new";
SQL
)
[ -n "$locale" ] || {
	echo "restore_db.sh: there is no database $database; \`appstack apply\` makes it" >&2
	exit 1
}
list=$(mktemp)
trap 'rm -f "$list"' EXIT
# The dump is read by root: postgres may not be allowed to open it.
as_postgres pg_restore --list <"$dump" >"$list"
# shellcheck disable=SC2086 # a list of options
as_postgres createdb --owner="$owner" --template=template0 $locale -- "${database}_restore"
# Only a superuser may make some extensions; all else is to be the owner's.
sed -n 's/^[0-9]*; [0-9]* [0-9]* EXTENSION - \([^ ]*\) .*/CREATE EXTENSION IF NOT EXISTS "\1" CASCADE;/p' "$list" | sql "${database}_restore"
sed -i '/^[0-9]*; [0-9]* [0-9]* \(COMMENT - \)\?EXTENSION /d' "$list"
chmod 644 "$list"
as_postgres pg_restore --exit-on-error --single-transaction --no-owner --role="$owner" --use-list="$list" --dbname="${database}_restore" <"$dump"

# As in a deploy: jobs that would start now wait, for those that run there is a minute.
exec 8>/run/appstack-pause.lock
flock 8
patience=60
for job in $jobs; do
	while [ "$patience" -gt 0 ] && systemctl --quiet is-active "$job"; do
		patience=$((patience - 1))
		sleep 1
	done
done
echo "==> switch"
trap 'rm -f "$list"; [ -z "$units" ] || systemctl start $units' EXIT
# shellcheck disable=SC2086 # a list of units
[ -z "$units" ] || systemctl stop $units
sql <<'SQL'
DROP DATABASE IF EXISTS :"old";
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'db' \g /dev/null
BEGIN;
ALTER DATABASE :"db" RENAME TO :"old";
ALTER DATABASE :"new" RENAME TO :"db";
COMMIT;
SQL
echo "<== $database is as in $dump; what it was before is ${database}_before_restore"
