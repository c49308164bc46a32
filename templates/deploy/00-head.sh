#!/bin/sh
# deploy_app.sh: the one thing that deploys the app of this guest. Written by
# appstack, which runs it; a person may run it too. See deploy_app.sh --help.
#
# On disk, below the app's directory (/srv/app), where SHA is a commit; of one that was
# built again with something else, -b and what that is come after it:
#   releases/SHA         one release, built in place: a venv cannot be moved
#   releases/SHA.ready   it is complete, and what it was built with; without this file
#                        it is built anew
#   releases/SHA.live    it has served and was healthy
#   releases/SHA.failed  it did not become healthy; the text says why
#   current, previous    symlinks to the release that serves, and served before
#   shared/              caches of npm and pip
# Each of them appears at once and last, so that a run that is killed at any
# moment leaves a state from which the next one gets to the same end.
#
# Exit status, for whoever reads it:
#   0 done   1 cannot go on   2 wrong use   3 another deploy runs
#   4 fetch or build failed   5 migration failed (the old release serves)
#   6 the new release is unhealthy (the old one serves)
#   7 unhealthy after the switch (rolled back: the old one serves)
set -eu
umask 022
LC_ALL=C.UTF-8
export LC_ALL

CONF=${APPSTACK_CONF:-/etc/appstack/app.conf}
LIB=${APPSTACK_LIB:-/usr/local/lib/appstack}
RUN=${APPSTACK_RUN:-/run}
UNITS=${APPSTACK_UNITS:-/etc/systemd/system}
MEMINFO=${APPSTACK_MEMINFO:-/proc/meminfo}
JOBS=${APPSTACK_JOBS:-/var/lib/appstack/jobs}

usage() {
	cat <<'EOF'
usage: deploy_app.sh [--dry-run] [SHA | branch]    deploy a commit (default: the branch's newest)
       deploy_app.sh --upload ID < tree.tar        deploy a tree instead of a commit
       deploy_app.sh --rollback [SHA]              back to the previous release, or to one that is kept
       deploy_app.sh --restart [service...]        restart without closing a port
       deploy_app.sh --list | --status             what is there; for people, for programs

A private repository's deploy key or token is read from standard input, or from
a file that only you can read: deploy_app.sh --credentials FILE. It is never stored.

exit status: 0 done, 1 cannot go on, 2 wrong use, 3 another deploy runs,
4 fetch or build failed, 5 migration failed, 6 new release unhealthy (in 4 to 6
the old release goes on serving), 7 unhealthy after the switch and rolled back
EOF
}
