# The floor of a run with nothing to do: it looks at what appstack and the roles look
# at, says what is not as it should be, and does nothing else. bench sets $sha before it.
packages='ca-certificates curl sudo tzdata locales ufw unattended-upgrades tree git iproute2 iptables openssh-client nodejs npm'
units='ssh.service apt-daily-upgrade.timer shop-backend.service shop-frontend.service'
ports='22 3000 3001'
state=/root/floor

wrong() { echo "changed: $*"; }

# shellcheck disable=SC2086 # lists of names
dpkg-query -W -f '${db:Status-Status}\n' $packages 2>&1 | grep -qvx installed && wrong packages
getent passwd appuser | grep -q ':/home/appuser:/bin/bash$' || wrong user
cmp -s $state/authorized_keys /home/appuser/.ssh/authorized_keys || wrong keys
sha256sum --check --status $state/files.sha256 || wrong files
xargs stat --format '%n %a %U %G' <$state/paths | cmp -s - $state/modes || wrong modes
# shellcheck disable=SC2086
[ "$(systemctl show -p ActiveState -p UnitFileState $units | sort -u | tr -d '\n')" = ActiveState=activeUnitFileState=enabled ] || wrong units
grep -q '^ENABLED=yes' /etc/ufw/ufw.conf || wrong firewall
grep -q '^DEFAULT_INPUT_POLICY="DROP"' /etc/default/ufw || wrong 'firewall policy'
for port in $ports; do
	grep -q "^### tuple ### allow tcp $port " /etc/ufw/user.rules || wrong "port $port"
done
[ "$(readlink /etc/localtime)" = /usr/share/zoneinfo/Europe/Berlin ] || wrong timezone
grep -qx LANG=en_US.UTF-8 /etc/default/locale || wrong locale
[ "$(readlink /srv/app/current)" = "releases/$sha" ] || wrong release
