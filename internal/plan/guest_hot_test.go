package plan

import "github.com/org/appstack-action/internal/machine"

// hotPlans: what a running container takes at once.
var hotPlans = []guestPlan{
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
}
