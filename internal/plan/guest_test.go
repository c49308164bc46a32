package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/machine"
)

// foundCT is a container that is as wantedCT asks for.
func foundCT() *machine.Guest {
	return &machine.Guest{
		Kind: machine.LXC, VMID: 101, Node: "pve1", Running: true,
		Config: machine.Config{
			"hostname": "shop-dev", "cores": "2", "memory": "2048", "swap": "512", "unprivileged": "1",
			"net0":   "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,hwaddr=BC:24:11:00:00:01,ip=10.0.10.101/24,type=veth",
			"rootfs": "local-lvm:vm-101-disk-0,size=16G", "features": "nesting=1", "ostype": "debian", "arch": "amd64",
		},
		Block: &machine.Block{Project: "shop", Env: "dev", Repository: "org/shop"},
	}
}

func wantedCT() *machine.Guest {
	return &machine.Guest{
		Kind: machine.LXC, VMID: 101, Node: "pve1", Running: true, MayRestart: true,
		Config: machine.Config{
			"hostname": "shop-dev", "cores": "2", "memory": "2048", "swap": "512", "unprivileged": "1",
			"net0":     "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,ip=10.0.10.101/24",
			"features": "nesting=1",
		},
		Origin: &machine.Origin{Template: "debian-12-standard", Storage: "local-lvm", DiskGiB: 16},
		Block:  &machine.Block{Project: "shop", Env: "dev", Repository: "org/shop"},
	}
}

// foundVM is a virtual machine that is as wantedVM asks for.
func foundVM() *machine.Guest {
	return &machine.Guest{
		Kind: machine.KVM, VMID: 101, Node: "pve1", Running: true,
		Config: machine.Config{
			"name": "shop-dev", "cores": "2", "sockets": "1", "memory": "2048", "balloon": "2048", "cpu": "x86-64-v2-AES",
			"net0":      "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1",
			"ipconfig0": "ip=10.0.10.101/24,gw=10.0.10.1", "ciuser": "root", "sshkeys": "ssh-ed25519%20AAAA",
			"agent": "1", "scsi0": "local-lvm:vm-101-disk-0,discard=on,size=16G", "boot": "order=scsi0",
			"smbios1": "uuid=x", "vmgenid": "y", "ide2": "local-lvm:vm-101-cloudinit,media=cdrom",
		},
		Block: &machine.Block{Project: "shop", Env: "dev", Repository: "org/shop", HostKeys: []string{"SHA256:a"}},
	}
}

func wantedVM() *machine.Guest {
	return &machine.Guest{
		Kind: machine.KVM, VMID: 101, Node: "pve1", Running: true, MayRestart: true,
		Config: machine.Config{
			"name": "shop-dev", "cores": "2", "sockets": "1", "memory": "2048", "balloon": "2048", "cpu": "x86-64-v2-AES",
			"net0":      "virtio,bridge=vmbr0,firewall=1",
			"ipconfig0": "ip=10.0.10.101/24,gw=10.0.10.1", "ciuser": "root", "sshkeys": "ssh-ed25519%20AAAA", "agent": "1",
		},
		Origin: &machine.Origin{Template: "9000", Storage: "local-lvm", DiskGiB: 16},
		Block:  &machine.Block{Project: "shop", Env: "dev", Repository: "org/shop"},
	}
}

// TestGuestPlans: each case is one difference and the literal plan that mends it.
func TestGuestPlans(t *testing.T) {
	for _, c := range guestPlans {
		t.Run(c.name, func(t *testing.T) {
			have, want := foundCT(), wantedCT()
			if c.vm {
				have, want = foundVM(), wantedVM()
			}
			if c.missing {
				have = nil
			}
			c.edit(have, want)
			p := Diff("shop/dev", machine.State{Guest: have}, machine.State{Guest: want}, c.policy)
			if diff := cmp.Diff(c.plan, p.String()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

var guestPlans = []struct {
	name    string
	vm      bool // a virtual machine, not a container
	missing bool // there is no guest yet
	policy  Policy
	edit    func(h, w *machine.Guest)
	plan    string
}{
	{
		name: "no change",
		edit: func(_, _ *machine.Guest) {},
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: Proxmox's order and additions",
		edit: func(h, _ *machine.Guest) {
			h.Config["net0"] = "bridge=vmbr0,firewall=1,gw=10.0.10.1,hwaddr=BC:24:11:00:00:01,ip=10.0.10.101/24,name=eth0,type=veth"
		},
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: zero is as good as none",
		edit: func(h, _ *machine.Guest) {
			h.Config["onboot"] = "0"
			h.Config["protection"] = "0"
			h.Config["cpulimit"] = "0"
		},
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: Proxmox's defaults",
		edit: func(h, w *machine.Guest) {
			delete(h.Config, "memory")
			delete(h.Config, "swap")
			h.Config["cpuunits"] = "100"
			w.Config["memory"] = "512"
			w.Config["swap"] = "512"
		},
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: tags in another order",
		edit: func(h, w *machine.Guest) { h.Config["tags"] = "shop;dev"; w.Config["tags"] = "dev;shop" },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: keys that the stack cannot express",
		edit: func(h, _ *machine.Guest) {
			h.Config["lxc.cap.drop"] = "x"
			h.Config["hookscript"] = "local:snippets/x"
			h.Config["mp3"] = "local:1,mp=/x"
			h.Config["cmode"] = "shell"
			h.Config["net1"] = "name=eth1,bridge=vmbr1"
		},
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: features that only root may set stay",
		edit: func(h, _ *machine.Guest) { h.Config["features"] = "nesting=1,mount=nfs" },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: a bigger disk than asked for in MiB",
		edit: func(h, _ *machine.Guest) { h.Config["rootfs"] = "local-lvm:vm-101-disk-0,size=16384M" },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: the person's run without a repository",
		edit: func(_, w *machine.Guest) { w.Block.Repository = "" },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: a stopped guest that is to be stopped",
		edit: func(h, w *machine.Guest) { h.Running = false; w.Running = false },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: a running guest is not stopped",
		edit: func(_, w *machine.Guest) { w.Running = false },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "no change: repository in another case",
		edit: func(_, w *machine.Guest) { w.Block.Repository = "Org/Shop" },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "hot: hostname",
		edit: func(_, w *machine.Guest) { w.Config["hostname"] = "shop-devel" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config hostname: shop-dev → shop-devel\n",
	},
	{
		name: "hot: cores",
		edit: func(_, w *machine.Guest) { w.Config["cores"] = "4" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config cores: 2 → 4\n",
	},
	{
		name: "hot: cores for a guest without a limit",
		edit: func(h, _ *machine.Guest) { delete(h.Config, "cores") },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config cores: none → 2\n",
	},
	{
		name: "hot: cpulimit set",
		edit: func(_, w *machine.Guest) { w.Config["cpulimit"] = "1.5" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config cpulimit: none → 1.5\n",
	},
	{
		name: "hot: cpulimit removed",
		edit: func(h, _ *machine.Guest) { h.Config["cpulimit"] = "0.5" },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 1 to remove\n" +
			"  - delete config cpulimit: 0.5 → none\n",
	},
	{
		name: "hot: cpuunits set",
		edit: func(_, w *machine.Guest) { w.Config["cpuunits"] = "200" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config cpuunits: none → 200\n",
	},
	{
		name: "hot: cpuunits removed",
		edit: func(h, _ *machine.Guest) { h.Config["cpuunits"] = "200" },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 1 to remove\n" +
			"  - delete config cpuunits: 200 → none\n",
	},
	{
		name: "hot: memory up",
		edit: func(_, w *machine.Guest) { w.Config["memory"] = "4096" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config memory: 2048 → 4096\n",
	},
	{
		name: "hot: memory down",
		edit: func(_, w *machine.Guest) { w.Config["memory"] = "1024" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config memory: 2048 → 1024\n",
	},
	{
		name: "hot: swap off",
		edit: func(_, w *machine.Guest) { w.Config["swap"] = "0" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config swap: 512 → 0\n",
	},
	{
		name: "hot: address",
		edit: func(_, w *machine.Guest) {
			w.Config["net0"] = "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,ip=10.0.10.111/24"
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config net0: ip 10.0.10.101/24 → 10.0.10.111/24\n",
	},
	{
		name: "hot: bridge and VLAN",
		edit: func(_, w *machine.Guest) {
			w.Config["net0"] = "name=eth0,bridge=vmbr1,firewall=1,gw=10.0.10.1,ip=10.0.10.101/24,tag=20"
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config net0: bridge vmbr0 → vmbr1, tag none → 20\n",
	},
	{
		name: "hot: Proxmox's firewall off",
		edit: func(_, w *machine.Guest) { w.Config["net0"] = "name=eth0,bridge=vmbr0,gw=10.0.10.1,ip=10.0.10.101/24" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config net0: firewall 1 → none\n",
	},
	{
		name: "hot: MTU and rate",
		edit: func(_, w *machine.Guest) {
			w.Config["net0"] = "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,ip=10.0.10.101/24,mtu=1400,rate=12.5"
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config net0: mtu none → 1400, rate none → 12.5\n",
	},
	{
		name: "hot: a MAC address that the stack names",
		edit: func(_, w *machine.Guest) { w.Config["net0"] += ",hwaddr=BC:24:11:00:00:02" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config net0: hwaddr BC:24:11:00:00:01 → BC:24:11:00:00:02\n",
	},
	{
		name: "hot: IPv6",
		edit: func(_, w *machine.Guest) { w.Config["net0"] += ",ip6=fd00::101/64,gw6=fd00::1" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config net0: gw6 none → fd00::1, ip6 none → fd00::101/64\n",
	},
	{
		name: "hot: an interface that was taken away",
		edit: func(h, _ *machine.Guest) { delete(h.Config, "net0") },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config net0: none → name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,ip=10.0.10.101/24\n",
	},
	{
		name: "hot: onboot on",
		edit: func(_, w *machine.Guest) { w.Config["onboot"] = "1" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config onboot: none → 1\n",
	},
	{
		name: "hot: onboot off",
		edit: func(h, _ *machine.Guest) { h.Config["onboot"] = "1" },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 1 to remove\n" +
			"  - delete config onboot: 1 → none\n",
	},
	{
		name: "hot: startup set",
		edit: func(_, w *machine.Guest) { w.Config["startup"] = "order=2,up=30" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config startup: none → order=2,up=30\n",
	},
	{
		name: "hot: startup changed",
		edit: func(h, w *machine.Guest) {
			h.Config["startup"] = "order=1,down=60"
			w.Config["startup"] = "order=2,down=60"
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config startup: order 1 → 2\n",
	},
	{
		name: "hot: startup removed",
		edit: func(h, _ *machine.Guest) { h.Config["startup"] = "order=1" },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 1 to remove\n" +
			"  - delete config startup: order=1 → none\n",
	},
	{
		name: "hot: protection on",
		edit: func(_, w *machine.Guest) { w.Config["protection"] = "1" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config protection: none → 1\n",
	},
	{
		name: "hot: protection off",
		edit: func(h, _ *machine.Guest) { h.Config["protection"] = "1" },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 1 to remove\n" +
			"  - delete config protection: 1 → none\n",
	},
	{
		name: "hot: tags",
		edit: func(h, w *machine.Guest) { h.Config["tags"] = "dev;old"; w.Config["tags"] = "dev;shop" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config tags: dev;old → dev;shop\n",
	},
	{
		name: "hot: tags removed",
		edit: func(h, _ *machine.Guest) { h.Config["tags"] = "dev" },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 1 to remove\n" +
			"  - delete config tags: dev → none\n",
	},
	{
		name: "hot: disk grows",
		edit: func(_, w *machine.Guest) { w.Origin.DiskGiB = 32 },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ grow disk rootfs: 16G → 32G\n",
	},
	{
		name: "hot: disk of an odd size grows",
		edit: func(h, _ *machine.Guest) { h.Config["rootfs"] = "local-lvm:vm-101-disk-0,size=8704M" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ grow disk rootfs: 8704M → 16G\n",
	},
	{
		name: "hot: a further mount point",
		edit: func(_, w *machine.Guest) { w.Config["mp0"] = "local-lvm:8,mp=/data" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config mp0: none → local-lvm:8,mp=/data\n",
	},
	{
		name: "hot: several keys in the order of the table",
		edit: func(_, w *machine.Guest) {
			w.Config["memory"] = "4096"
			w.Config["cores"] = "4"
			w.Config["tags"] = "dev"
		},
		plan: "" +
			"shop/dev: 0 to add, 3 to change, 0 to remove\n" +
			"  ~ set config cores: 2 → 4\n" +
			"  ~ set config memory: 2048 → 4096\n" +
			"  ~ set config tags: none → dev\n",
	},
	{
		name: "hot: HA",
		edit: func(_, w *machine.Guest) { w.HA = true },
		plan: "" +
			"shop/dev: 1 to add, 0 to change, 0 to remove\n" +
			"  + add ha ct:101: wanted\n",
	},
	{
		name: "hot: HA no longer",
		edit: func(h, _ *machine.Guest) { h.HA = true },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 1 to remove\n" +
			"  - remove ha ct:101: no longer in the stack\n",
	},
	{
		name: "restart: nameserver",
		edit: func(_, w *machine.Guest) { w.Config["nameserver"] = "10.0.10.2" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config nameserver: none → 10.0.10.2 (restart)\n" +
			"  > restart guest 101: for nameserver (restart)\n",
	},
	{
		name: "restart: nameserver removed",
		edit: func(h, _ *machine.Guest) { h.Config["nameserver"] = "10.0.10.2" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 1 to remove\n" +
			"  - delete config nameserver: 10.0.10.2 → none (restart)\n" +
			"  > restart guest 101: for nameserver (restart)\n",
	},
	{
		name: "restart: searchdomain",
		edit: func(_, w *machine.Guest) { w.Config["searchdomain"] = "lan" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config searchdomain: none → lan (restart)\n" +
			"  > restart guest 101: for searchdomain (restart)\n",
	},
	{
		name: "restart: timezone",
		edit: func(h, w *machine.Guest) { h.Config["timezone"] = "host"; w.Config["timezone"] = "Europe/Madrid" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config timezone: host → Europe/Madrid (restart)\n" +
			"  > restart guest 101: for timezone (restart)\n",
	},
	{
		name: "restart: nesting off",
		edit: func(_, w *machine.Guest) { w.Config["features"] = "nesting=0" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config features: nesting 1 → none (restart)\n" +
			"  > restart guest 101: for features (restart)\n",
	},
	{
		name: "restart: keyctl on",
		edit: func(_, w *machine.Guest) { w.Config["features"] = "nesting=1,keyctl=1" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config features: keyctl none → 1 (restart)\n" +
			"  > restart guest 101: for features (restart)\n",
	},
	{
		name: "restart: mount point made read-only",
		edit: func(h, w *machine.Guest) {
			h.Config["mp0"] = "local-lvm:vm-101-disk-1,mp=/data,size=8G"
			w.Config["mp0"] = "local-lvm:8,mp=/data,ro=1"
		},
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config mp0: ro none → 1 (restart)\n" +
			"  > restart guest 101: for mp0 (restart)\n",
	},
	{
		name: "restart: one for all",
		edit: func(_, w *machine.Guest) {
			w.Config["nameserver"] = "10.0.10.2"
			w.Config["timezone"] = "host"
			w.Config["cores"] = "4"
		},
		plan: "" +
			"shop/dev: 0 to add, 4 to change, 0 to remove\n" +
			"  ~ set config cores: 2 → 4\n" +
			"  ~ set config nameserver: none → 10.0.10.2 (restart)\n" +
			"  ~ set config timezone: none → host (restart)\n" +
			"  > restart guest 101: for nameserver, timezone (restart)\n",
	},
	{
		name: "restart: not allowed",
		edit: func(_, w *machine.Guest) { w.MayRestart = false; w.Config["nameserver"] = "10.0.10.2" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config nameserver: none → 10.0.10.2 (restart)\n" +
			"  note: nameserver: in force when the guest restarts, which the stack does not allow now (`restart: allowed`)\n",
	},
	{
		name: "restart: for what an earlier run left waiting",
		edit: func(h, w *machine.Guest) {
			h.Pending = machine.Config{"nameserver": "10.0.10.2"}
			w.Config["nameserver"] = "10.0.10.2"
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  > restart guest 101: for nameserver (restart)\n",
	},
	{
		name: "restart: for a deletion that waits",
		edit: func(h, _ *machine.Guest) {
			h.Config["searchdomain"] = "lan"
			h.Pending = machine.Config{"searchdomain": ""}
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  > restart guest 101: for searchdomain (restart)\n",
	},
	{
		name: "restart: waits and is not allowed",
		edit: func(h, w *machine.Guest) {
			h.Pending = machine.Config{"nameserver": "10.0.10.2"}
			w.MayRestart = false
			w.Config["nameserver"] = "10.0.10.2"
		},
		plan: "" +
			"shop/dev: no changes\n" +
			"  note: nameserver: in force when the guest restarts, which the stack does not allow now (`restart: allowed`)\n",
	},
	{
		name: "restart: not for a foreign key that waits",
		edit: func(h, _ *machine.Guest) { h.Pending = machine.Config{"cmode": "shell"} },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "restart: not for a change that is taken back",
		edit: func(h, _ *machine.Guest) {
			h.Config["features"] = "nesting=1"
			h.Pending = machine.Config{"features": "nesting=0"}
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config features: nesting none → 1\n",
	},
	{
		name: "restart: a waiting value is replaced",
		edit: func(h, w *machine.Guest) {
			h.Pending = machine.Config{"nameserver": "10.0.10.2"}
			w.Config["nameserver"] = "10.0.10.3"
		},
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config nameserver: 10.0.10.2 → 10.0.10.3 (restart)\n" +
			"  > restart guest 101: for nameserver (restart)\n",
	},
	{
		name: "stopped: start",
		edit: func(h, _ *machine.Guest) { h.Running = false },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  > start guest 101: it is stopped\n",
	},
	{
		name: "stopped: everything at once",
		edit: func(h, w *machine.Guest) {
			h.Running = false
			w.Config["nameserver"] = "10.0.10.2"
			w.Config["features"] = "nesting=0"
		},
		plan: "" +
			"shop/dev: 0 to add, 3 to change, 0 to remove\n" +
			"  ~ set config nameserver: none → 10.0.10.2\n" +
			"  ~ set config features: nesting 1 → none\n" +
			"  > start guest 101: it is stopped\n",
	},
	{
		name: "moved to another node",
		edit: func(h, _ *machine.Guest) { h.Node = "pve2" },
		plan: "" +
			"shop/dev: no changes\n" +
			"  note: the guest is on node pve2, the stack says pve1: it is left where it is\n",
	},
	{
		name: "in another pool",
		edit: func(h, w *machine.Guest) { h.Pool = "people"; w.Pool = "appstack" },
		plan: "" +
			"shop/dev: no changes\n" +
			"  note: the guest is in pool people, the stack says appstack: it is left where it is\n",
	},
	{
		name: "owner: the repository joins",
		edit: func(h, _ *machine.Guest) { h.Block.Repository = "" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config description: owner: shop/dev → shop/dev (org/shop)\n",
	},
	{
		name: "owner: host keys from the stack",
		edit: func(h, w *machine.Guest) {
			h.Block.HostKeys = []string{"SHA256:a"}
			w.Block.HostKeys = []string{"SHA256:b"}
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config description: SSH host keys: SHA256:a → SHA256:b\n",
	},
	{
		name: "owner: a creation that was cut short",
		edit: func(h, w *machine.Guest) {
			h.Block.Creating = true
			h.Running = false
			h.Config["tags"] = ""
			w.Config["tags"] = "dev"
		},
		plan: "" +
			"shop/dev: 0 to add, 3 to change, 0 to remove\n" +
			"  ~ set config description: the guest's creation was cut short: complete it\n" +
			"  ~ set config tags: none → dev\n" +
			"  > start guest 101: it is stopped\n",
	},
	{
		name: "foreign: refused",
		edit: func(h, _ *machine.Guest) { h.Block = nil; h.Config["hostname"] = "mail" },
		plan: "" +
			"shop/dev: 1 to add, 0 to change, 0 to remove\n" +
			"  + adopt guest 101: mail on pve1: it is not appstack's\n" +
			"    refused: it is somebody else's guest; choose another vmid, or take it over with `adopt: true`\n",
	},
	{
		name: "foreign: adopted", policy: Policy{Adopt: true},
		edit: func(h, _ *machine.Guest) { h.Block = nil; h.Config["hostname"] = "mail" },
		plan: "" +
			"shop/dev: 1 to add, 1 to change, 0 to remove\n" +
			"  + adopt guest 101: mail on pve1: it is not appstack's\n" +
			"  ~ set config hostname: mail → shop-dev\n",
	},
	{
		name: "foreign: another environment's",
		edit: func(h, _ *machine.Guest) { h.Block.Env = "qa" },
		plan: "" +
			"shop/dev: 1 to add, 0 to change, 0 to remove\n" +
			"  + adopt guest 101: shop-dev on pve1: it belongs to shop/qa (org/shop)\n" +
			"    refused: it is somebody else's guest; choose another vmid, or take it over with `adopt: true`\n",
	},
	{
		name: "foreign: another repository's",
		edit: func(h, _ *machine.Guest) { h.Block.Repository = "org/other" },
		plan: "" +
			"shop/dev: 1 to add, 0 to change, 0 to remove\n" +
			"  + adopt guest 101: shop-dev on pve1: it belongs to shop/dev (org/other)\n" +
			"    refused: it is somebody else's guest; choose another vmid, or take it over with `adopt: true`\n",
	},
	{
		name: "foreign: another environment's, adopted", policy: Policy{Adopt: true},
		edit: func(h, _ *machine.Guest) { h.Block.Env = "qa" },
		plan: "" +
			"shop/dev: 1 to add, 0 to change, 0 to remove\n" +
			"  + adopt guest 101: shop-dev on pve1: it belongs to shop/qa (org/shop)\n",
	},
	{
		name: "destroys: a smaller disk",
		edit: func(_, w *machine.Guest) { w.Origin.DiskGiB = 8 },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ± recreate guest 101: disk 16G → 8G, and a disk cannot shrink (destroys)\n" +
			"    refused: everything in the guest would be lost; change the stack back, or allow it with `allow-destroy`\n",
	},
	{
		name: "destroys: a smaller disk, allowed", policy: Policy{AllowDestroy: true},
		edit: func(_, w *machine.Guest) { w.Origin.DiskGiB = 8; w.Config["memory"] = "4096" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ± recreate guest 101: disk 16G → 8G, and a disk cannot shrink (destroys)\n" +
			"  > start guest 101: it is new\n",
	},
	{
		name: "destroys: a smaller disk, allowed but protected", policy: Policy{AllowDestroy: true},
		edit: func(h, w *machine.Guest) {
			h.Config["protection"] = "1"
			w.Origin.DiskGiB = 8
			w.Config["protection"] = "1"
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ± recreate guest 101: disk 16G → 8G, and a disk cannot shrink (destroys)\n" +
			"    refused: the guest is protected; change the stack back, or make another guest\n",
	},
	{
		name: "destroys: another storage",
		edit: func(_, w *machine.Guest) { w.Origin.Storage = "tank" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ± recreate guest 101: storage local-lvm → tank (destroys)\n" +
			"    refused: everything in the guest would be lost; change the stack back, or allow it with `allow-destroy`\n",
	},
	{
		name: "destroys: privileged",
		edit: func(_, w *machine.Guest) { w.Config["unprivileged"] = "0" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ± recreate guest 101: unprivileged yes → no (destroys)\n" +
			"    refused: everything in the guest would be lost; change the stack back, or allow it with `allow-destroy`\n",
	},
	{
		name: "destroys: unprivileged",
		edit: func(h, _ *machine.Guest) { delete(h.Config, "unprivileged") },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ± recreate guest 101: unprivileged no → yes (destroys)\n" +
			"    refused: everything in the guest would be lost; change the stack back, or allow it with `allow-destroy`\n",
	},
	{
		name: "destroys: another operating system",
		edit: func(_, w *machine.Guest) { w.Origin.Template = "ubuntu-24.04-standard" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ± recreate guest 101: operating system debian → ubuntu (destroys)\n" +
			"    refused: everything in the guest would be lost; change the stack back, or allow it with `allow-destroy`\n",
	},
	{
		name: "destroys: another kind",
		edit: func(_, w *machine.Guest) { w.Kind = machine.KVM },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ± recreate guest 101: type lxc → qemu (destroys)\n" +
			"    refused: everything in the guest would be lost; change the stack back, or allow it with `allow-destroy`\n",
	},
	{
		name: "destroys: several causes, other changes shown",
		edit: func(_, w *machine.Guest) {
			w.Origin.Storage = "tank"
			w.Config["unprivileged"] = "0"
			w.Config["cores"] = "4"
		},
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ± recreate guest 101: storage local-lvm → tank; unprivileged yes → no (destroys)\n" +
			"    refused: everything in the guest would be lost; change the stack back, or allow it with `allow-destroy`\n" +
			"  ~ set config cores: 2 → 4\n",
	},
	{
		name: "no change: another release of the same system",
		edit: func(_, w *machine.Guest) { w.Origin.Template = "local:vztmpl/debian-13-standard_13.1-1_amd64.tar.zst" },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "create", missing: true,
		edit: func(_, w *machine.Guest) { w.Origin.Template = "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst" },
		plan: "" +
			"shop/dev: 1 to add, 1 to change, 0 to remove\n" +
			"  + create guest 101: shop-dev on pve1 from local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst, 2 cores, 2048 MiB, 16 GiB on local-lvm, 10.0.10.101/24\n" +
			"  > start guest 101: it is new\n",
	},
	{
		name: "create: with reasons and HA", missing: true,
		edit: func(_, w *machine.Guest) {
			w.HA = true
			w.Origin.Reasons = []string{"node pve1: most free memory (12 GiB) of 3"}
		},
		plan: "" +
			"shop/dev: 2 to add, 1 to change, 0 to remove\n" +
			"  + create guest 101: shop-dev on pve1 from debian-12-standard, 2 cores, 2048 MiB, 16 GiB on local-lvm, 10.0.10.101/24\n" +
			"  + add ha ct:101: wanted\n" +
			"  > start guest 101: it is new\n" +
			"  note: node pve1: most free memory (12 GiB) of 3\n",
	},
	{
		name: "create: not started", missing: true,
		edit: func(_, w *machine.Guest) { w.Running = false },
		plan: "" +
			"shop/dev: 1 to add, 0 to change, 0 to remove\n" +
			"  + create guest 101: shop-dev on pve1 from debian-12-standard, 2 cores, 2048 MiB, 16 GiB on local-lvm, 10.0.10.101/24\n",
	},
	{
		name: "kvm: no change", vm: true,
		edit: func(_, _ *machine.Guest) {},
		plan: "shop/dev: no changes\n",
	},
	{
		name: "kvm: host keys that are not pinned yet", vm: true,
		edit: func(h, _ *machine.Guest) { h.Block.HostKeys = nil },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config description: SSH host keys: none → those that the guest agent tells\n",
	},
	{
		name: "kvm: host keys of a stopped VM", vm: true,
		edit: func(h, _ *machine.Guest) { h.Block.HostKeys, h.Running = nil, false },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  > start guest 101: it is stopped\n",
	},
	{
		name: "kvm: host keys without an agent", vm: true,
		edit: func(h, w *machine.Guest) { h.Block.HostKeys = nil; h.Config["agent"] = "0"; w.Config["agent"] = "0" },
		plan: "shop/dev: no changes\n",
	},
	{
		name: "kvm: create", vm: true, missing: true,
		edit: func(_, _ *machine.Guest) {},
		plan: "" +
			"shop/dev: 1 to add, 1 to change, 0 to remove\n" +
			"  + create guest 101: shop-dev on pve1 from 9000, 2 cores, 2048 MiB, 16 GiB on local-lvm, 10.0.10.101/24\n" +
			"  > start guest 101: it is new\n",
	},
	{
		name: "kvm: name and tags are hot", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["name"] = "shop-devel"; w.Config["tags"] = "dev" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config name: shop-dev → shop-devel\n" +
			"  ~ set config tags: none → dev\n",
	},
	{
		name: "kvm: cores need a reboot", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["cores"] = "4" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config cores: 2 → 4 (reboot)\n" +
			"  > restart guest 101: for cores (reboot)\n",
	},
	{
		name: "kvm: memory needs a reboot", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["memory"] = "4096" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config memory: 2048 → 4096 (reboot)\n" +
			"  > restart guest 101: for memory (reboot)\n",
	},
	{
		name: "kvm: memory of a stopped VM", vm: true,
		edit: func(h, w *machine.Guest) { h.Running = false; w.Config["memory"] = "4096" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config memory: 2048 → 4096\n" +
			"  > start guest 101: it is stopped\n",
	},
	{
		name: "kvm: CPU type, not allowed", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["cpu"] = "host"; w.MayRestart = false },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config cpu: x86-64-v2-AES → host (reboot)\n" +
			"  note: cpu: in force when the guest restarts, which the stack does not allow now (`restart: allowed`)\n",
	},
	{
		name: "kvm: network keeps its MAC address", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["net0"] = "virtio,bridge=vmbr1,tag=20" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config net0: bridge vmbr0 → vmbr1, firewall 1 → none, tag none → 20\n",
	},
	{
		name: "kvm: network card of another model", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["net0"] = "e1000,bridge=vmbr0" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config net0: firewall 1 → none, model virtio → e1000\n",
	},
	{
		name: "kvm: cloud-init address", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["ipconfig0"] = "ip=10.0.10.121/24,gw=10.0.10.1" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config ipconfig0: ip 10.0.10.101/24 → 10.0.10.121/24 (reboot)\n" +
			"  > restart guest 101: for ipconfig0 (reboot)\n",
	},
	{
		name: "kvm: cloud-init keys are not shown", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["sshkeys"] = "ssh-ed25519%20BBBB" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config sshkeys: other keys (reboot)\n" +
			"  > restart guest 101: for sshkeys (reboot)\n",
	},
	{
		name: "kvm: disk grows", vm: true,
		edit: func(_, w *machine.Guest) { w.Origin.DiskGiB = 32 },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ grow disk scsi0: 16G → 32G\n",
	},
	{
		name: "kvm: disk on the boot order's first", vm: true,
		edit: func(h, _ *machine.Guest) {
			h.Config["boot"] = "order=virtio0;net0"
			h.Config["virtio0"] = "local-lvm:vm-101-disk-0,size=8G"
			delete(h.Config, "scsi0")
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ grow disk virtio0: 8G → 16G\n",
	},
	{
		name: "kvm: a smaller disk", vm: true,
		edit: func(_, w *machine.Guest) { w.Origin.DiskGiB = 8 },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ± recreate guest 101: disk 16G → 8G, and a disk cannot shrink (destroys)\n" +
			"    refused: everything in the guest would be lost; change the stack back, or allow it with `allow-destroy`\n",
	},
	{
		name: "kvm: foreign", vm: true,
		edit: func(h, _ *machine.Guest) { h.Block = nil },
		plan: "" +
			"shop/dev: 1 to add, 0 to change, 0 to remove\n" +
			"  + adopt guest 101: shop-dev on pve1: it is not appstack's\n" +
			"    refused: it is somebody else's guest; choose another vmid, or take it over with `adopt: true`\n",
	},
	{
		name: "kvm: cpulimit and balloon are hot", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["cpulimit"] = "2"; w.Config["balloon"] = "1024" },
		plan: "" +
			"shop/dev: 0 to add, 2 to change, 0 to remove\n" +
			"  ~ set config cpulimit: none → 2\n" +
			"  ~ set config balloon: 2048 → 1024\n",
	},
}
