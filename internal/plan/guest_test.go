package plan

import (
	"slices"
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
	for _, c := range slices.Concat(steadyPlans, hotPlans, restartPlans, ownerPlans, vmPlans) {
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

// guestPlan is one difference and the plan that mends it.
type guestPlan struct {
	name    string
	vm      bool // a virtual machine, not a container
	missing bool // there is no guest yet
	policy  Policy
	edit    func(h, w *machine.Guest)
	plan    string
}
