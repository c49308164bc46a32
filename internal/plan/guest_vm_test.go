package plan

import "github.com/org/appstack-action/internal/machine"

// vmPlans: virtual machines.
var vmPlans = []guestPlan{
	{
		name: "kvm: no change", vm: true,
		edit: func(_, _ *machine.Guest) {},
		plan: "shop/dev: no changes\n",
	},
	{
		name: "kvm: a cloud-init drive that was not written", vm: true,
		edit: func(h, w *machine.Guest) {
			h.Block.Waits, h.Block.Stale, w.MayRestart = []string{"nameserver"}, true, false
			h.Config["nameserver"], w.Config["nameserver"] = "10.0.10.1", "10.0.10.1"
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set cloudinit drive: it was not written when nameserver changed\n" +
			"  note: nameserver: in force when the guest restarts, which the stack does not allow now (`restart: allowed`)\n",
	},
	{
		name: "kvm: a cloud-init drive that the restart writes", vm: true,
		edit: func(h, w *machine.Guest) {
			h.Block.Waits, h.Block.Stale, w.MayRestart = []string{"nameserver"}, true, true
			h.Config["nameserver"], w.Config["nameserver"] = "10.0.10.1", "10.0.10.1"
		},
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 0 to remove, 1 to restart\n" +
			"  > restart guest 101: for nameserver (reboot)\n",
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
			"shop/dev: 0 to add, 0 to change, 0 to remove, 1 to start\n" +
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
			"shop/dev: 1 to add, 0 to change, 0 to remove, 1 to start\n" +
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
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config cores: 2 → 4 (reboot)\n" +
			"  > restart guest 101: for cores (reboot)\n",
	},
	{
		name: "kvm: memory needs a reboot", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["memory"] = "4096" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config memory: 2048 → 4096 (reboot)\n" +
			"  > restart guest 101: for memory (reboot)\n",
	},
	{
		name: "kvm: memory of a stopped VM", vm: true,
		edit: func(h, w *machine.Guest) { h.Running = false; w.Config["memory"] = "4096" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to start\n" +
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
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config ipconfig0: ip 10.0.10.101/24 → 10.0.10.121/24 (reboot)\n" +
			"  > restart guest 101: for ipconfig0 (reboot)\n",
	},
	{
		name: "kvm: cloud-init keys are not shown", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["sshkeys"] = "ssh-ed25519%20BBBB" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
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
	{
		name: "kvm: memory with hotplug", vm: true,
		edit: func(h, w *machine.Guest) {
			h.Config["hotplug"], h.Config["numa"], w.Config["memory"] = "network,memory", "1", "4096"
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove\n" +
			"  ~ set config memory: 2048 → 4096\n",
	},
	{
		name: "kvm: less memory, even with hotplug", vm: true,
		edit: func(h, w *machine.Guest) {
			h.Config["hotplug"], h.Config["numa"], w.Config["memory"] = "network,memory", "1", "1024"
		},
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config memory: 2048 → 1024 (reboot)\n" +
			"  > restart guest 101: for memory (reboot)\n",
	},
	{
		name: "kvm: balloon off", vm: true,
		edit: func(_, w *machine.Guest) { w.Config["balloon"] = "0" },
		plan: "" +
			"shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n" +
			"  ~ set config balloon: 2048 → 0 (reboot)\n" +
			"  > restart guest 101: for balloon (reboot)\n",
	},
	{
		name: "kvm: cloud-init keys that an earlier run left waiting", vm: true,
		edit: func(h, _ *machine.Guest) { h.Block.Waits = []string{"ipconfig0", "sshkeys"} },
		plan: "" +
			"shop/dev: 0 to add, 0 to change, 0 to remove, 1 to restart\n" +
			"  > restart guest 101: for ipconfig0, sshkeys (reboot)\n",
	},
}
