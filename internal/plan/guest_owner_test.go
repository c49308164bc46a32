package plan

import "github.com/org/appstack-action/internal/machine"

// ownerPlans: whose the guest is, and what would destroy it.
var ownerPlans = []guestPlan{
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
			"shop/dev: 0 to add, 2 to change, 0 to remove, 1 to start\n" +
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
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to start\n" +
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
			"    refused: everything in the guest would be lost; move the disk, which keeps it (as root on the node, the container stopped:" +
			" pct move-volume 101 rootfs tank --delete 1), change the stack back, or allow it with `allow-destroy`\n",
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
}
