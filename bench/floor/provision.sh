#!/bin/sh
# The floor of a creation: ask Proxmox for a container, wait for the task, and then
# until its SSH server lets one in. bench sets what it needs as variables.
set -eu
pve() {
	curl --silent --show-error --fail --cacert "$certificate" --header "Authorization: PVEAPIToken=$token" "$@"
}
api=$url/api2/json/nodes/pve1
task=$(pve "$api/lxc" -d "vmid=$vmid" -d "hostname=floor$vmid" -d "ostemplate=$template" -d storage=local-lvm -d rootfs=local-lvm:6 \
	-d cores=2 -d memory=1024 -d swap=0 -d unprivileged=1 -d features=nesting=1 -d start=1 \
	-d "net0=name=eth0,bridge=vmbr0,ip=$address,gw=$gateway" --data-urlencode "ssh-public-keys=$public_key" | sed 's/.*"\(UPID[^"]*\)".*/\1/')
until pve "$api/tasks/$task/status" | grep -q '"status":"stopped"'; do sleep 0.1; done
until ssh -F /dev/null -i "$key" -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile="$known_hosts" \
	-o ConnectTimeout=1 -o LogLevel=ERROR "root@${address%/*}" true 2>/dev/null; do
	sleep 0.05
done
