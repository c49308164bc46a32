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
: "${database:?}" "${owner:?}" "${units?}"

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
sql() { as_postgres psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=db="$database" --set=new="${database}_restore" --set=old="${database}_before_restore" --dbname=postgres; }

echo "==> restore $dump beside $database"
sql <<'SQL'
DROP DATABASE IF EXISTS :"new";
SQL
as_postgres createdb --owner="$owner" --template=template0 --encoding="${encoding:-UTF8}" -- "${database}_restore"
# The dump is read by root: postgres may not be allowed to open it.
as_postgres pg_restore --exit-on-error --single-transaction --no-owner --role="$owner" --dbname="${database}_restore" <"$dump"

echo "==> switch"
# shellcheck disable=SC2086 # a list of units
[ -z "$units" ] || systemctl stop $units
trap 'systemctl start $units' EXIT
sql <<'SQL'
DROP DATABASE IF EXISTS :"old";
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'db' \g /dev/null
BEGIN;
ALTER DATABASE :"db" RENAME TO :"old";
ALTER DATABASE :"new" RENAME TO :"db";
COMMIT;
SQL
echo "<== $database is as in $dump; what it was before is ${database}_before_restore"
