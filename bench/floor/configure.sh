# The floor of a first configuration: the apt, npm and systemctl commands that it
# takes, one after the other, by somebody who knows that nothing is there yet. bench
# sets $sha, $source, $authorized_key, $known_host and $deploy_key before it.
set -eu
export DEBIAN_FRONTEND=noninteractive
state=/root/floor
mkdir -p $state

apt-get -qq update
apt-get -qq -y --no-install-recommends install ca-certificates curl sudo tzdata locales ufw unattended-upgrades tree \
	git iproute2 iptables openssh-client nodejs npm >/dev/null

ln -sfT /usr/share/zoneinfo/Europe/Berlin /etc/localtime
echo Europe/Berlin >/etc/timezone
sed -i 's/^# *\(en_US.UTF-8 .*\)/\1/' /etc/locale.gen
locale-gen >/dev/null
echo LANG=en_US.UTF-8 >/etc/default/locale

useradd -m -U -p '*' -s /bin/bash appuser
install -d -m 700 -o appuser -g appuser /home/appuser/.ssh
echo "$authorized_key" >/home/appuser/.ssh/authorized_keys
chown appuser: /home/appuser/.ssh/authorized_keys
cp /home/appuser/.ssh/authorized_keys $state/authorized_keys
echo 'appuser ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/90-app
chmod 440 /etc/sudoers.d/90-app
visudo -cf /etc/sudoers.d/90-app >/dev/null

cat >/etc/ssh/sshd_config.d/10-app.conf <<'EOF'
PasswordAuthentication no
PermitRootLogin prohibit-password
X11Forwarding no
AllowTcpForwarding no
AllowAgentForwarding no
MaxAuthTries 3
EOF
sshd -t
systemctl reload ssh

cat >/etc/apt/apt.conf.d/52-upgrades <<'EOF'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
Unattended-Upgrade::Remove-Unused-Dependencies "true";
EOF
cat >/etc/sysctl.d/90-app.conf <<'EOF'
-net.core.somaxconn = 4096
-net.ipv4.conf.all.accept_redirects = 0
-net.ipv4.conf.all.accept_source_route = 0
-net.ipv4.conf.all.send_redirects = 0
-net.ipv4.conf.default.accept_redirects = 0
-net.ipv4.icmp_echo_ignore_broadcasts = 1
-net.ipv4.tcp_syncookies = 1
-net.ipv6.conf.all.accept_redirects = 0
-net.ipv6.conf.default.accept_redirects = 0
EOF
systemctl restart systemd-sysctl
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nSystemMaxUse=200M\n' >/etc/systemd/journald.conf.d/50-app.conf
systemctl restart systemd-journald
systemctl enable -q --now apt-daily-upgrade.timer

ufw default deny incoming >/dev/null
for port in 22 3000 3001; do ufw allow "$port/tcp" >/dev/null; done
ufw --force enable >/dev/null

install -d -o appuser -g appuser /srv/app /srv/app/releases /srv/app/npm
printf 'GREETING=Welcome\nDATA_DIR=/srv/app/data\n' >/srv/app/.env.dev
chown root:appuser /srv/app/.env.dev
chmod 640 /srv/app/.env.dev
for service in backend:3001 frontend:3000; do
	name=${service%:*}
	cat >"/etc/systemd/system/shop-$name.service" <<EOF
[Unit]
Description=shop $name
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User=appuser
WorkingDirectory=/srv/app/current/$name
EnvironmentFile=/srv/app/.env.dev
Environment=PORT=${service#*:}
ExecStart=/bin/sh -c "npm start"
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
EOF
done
(umask 077 && echo "$deploy_key" >/root/.ssh/deploy_key)
echo "$known_host" >/root/.ssh/known_hosts_git
systemctl daemon-reload
systemctl enable -q shop-backend shop-frontend
git init --quiet --bare /var/cache/app.git

# What noop.sh compares with.
cat >$state/paths <<'EOF'
/etc/sudoers.d/90-app
/etc/ssh/sshd_config.d/10-app.conf
/etc/apt/apt.conf.d/52-upgrades
/etc/sysctl.d/90-app.conf
/etc/systemd/journald.conf.d/50-app.conf
/srv/app/.env.dev
/etc/systemd/system/shop-backend.service
/etc/systemd/system/shop-frontend.service
/root/.ssh/known_hosts_git
EOF
xargs sha256sum <$state/paths >$state/files.sha256
xargs stat --format '%n %a %U %G' <$state/paths >$state/modes
