package plan

import "github.com/org/appstack-action/internal/machine"

// restartPlans: what waits for a restart, and stopped guests.
var restartPlans = []guestPlan{
	{
		name: "restart: nameserver",
		edit: func(_, w *machine.Guest) { w.Config["nameserver"] = "10.0.10.2" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config nameserver: none → 10.0.10.2 (restart)\n" +
			"  > restart guest 101: for nameserver (restart)\n",
	},
	{
		name: "restart: nameserver removed",
		edit: func(h, _ *machine.Guest) { h.Config["nameserver"] = "10.0.10.2" },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 1 to remove, 1 to restart\n" +
			"  - delete config nameserver: 10.0.10.2 → none (restart)\n" +
			"  > restart guest 101: for nameserver (restart)\n",
	},
	{
		name: "restart: searchdomain",
		edit: func(_, w *machine.Guest) { w.Config["searchdomain"] = "lan" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config searchdomain: none → lan (restart)\n" +
			"  > restart guest 101: for searchdomain (restart)\n",
	},
	{
		name: "restart: timezone",
		edit: func(h, w *machine.Guest) { h.Config["timezone"] = "host"; w.Config["timezone"] = "Europe/Madrid" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config timezone: host → Europe/Madrid (restart)\n" +
			"  > restart guest 101: for timezone (restart)\n",
	},
	{
		name: "restart: nesting off",
		edit: func(_, w *machine.Guest) { w.Config["features"] = "nesting=0" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config features: nesting 1 → none (restart)\n" +
			"  > restart guest 101: for features (restart)\n",
	},
	{
		name: "restart: keyctl on",
		edit: func(_, w *machine.Guest) { w.Config["features"] = "nesting=1,keyctl=1" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
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
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
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
			"shop/dev: 0 to add, 3 to change, 0 to remove, 1 to restart\n" +
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
			"shop/dev: 0 to add, 0 to change, 0 to remove, 1 to restart\n" +
			"  > restart guest 101: for nameserver (restart)\n",
	},
	{
		name: "restart: for a deletion that waits",
		edit: func(h, _ *machine.Guest) {
			h.Config["searchdomain"] = "lan"
			h.Pending = machine.Config{"searchdomain": ""}
		},
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 0 to remove, 1 to restart\n" +
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
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config nameserver: 10.0.10.2 → 10.0.10.3 (restart)\n" +
			"  > restart guest 101: for nameserver (restart)\n",
	},
	{
		name: "stopped: start",
		edit: func(h, _ *machine.Guest) { h.Running = false },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 0 to remove, 1 to start\n" +
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
			"shop/dev: 0 to add, 2 to change, 0 to remove, 1 to start\n" +
			"  ~ set config nameserver: none → 10.0.10.2\n" +
			"  ~ set config features: nesting 1 → none\n" +
			"  > start guest 101: it is stopped\n",
	},
}
