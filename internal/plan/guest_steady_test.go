package plan

import "github.com/org/appstack-action/internal/machine"

// steadyPlans: nothing differs, or nothing can be compared.
var steadyPlans = []guestPlan{
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
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set pool 101: people → appstack\n",
	},
	{
		name: "in no pool",
		edit: func(_, w *machine.Guest) { w.Pool = "appstack" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set pool 101: none → appstack\n",
	},
	{
		name: "in a pool of which the stack says nothing",
		edit: func(h, _ *machine.Guest) { h.Pool = "people" },
		plan: "shop/dev: no changes\n",
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
			"shop/dev: 1 to add, 0 to change, 0 to remove, 1 to start\n" +
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
			"shop/dev: 2 to add, 0 to change, 0 to remove, 1 to start\n" +
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
}
