package resolve

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/stack"
)

// shopDev is an environment as the stack file's defaults leave it.
func shopDev() *stack.Env {
	return &stack.Env{Project: "shop", Name: "dev", Settings: stack.Settings{
		Hostname: "shop-dev", VMID: 101, IP: "10.0.10.101/24", Gateway: "10.0.10.1", Restart: "auto",
		Guest: stack.Guest{Type: "lxc", Template: "debian-12-standard", Cores: 2, Memory: 2048, Swap: 512,
			Storage: "local-lvm", Disk: 16, Bridge: "vmbr0", Firewall: true, Start: true, Onboot: true,
			Unprivileged: true, Nesting: true},
	}}
}

func TestGuestState(t *testing.T) {
	px := Proxmox{Node: "pve1", Pool: "appstack"}
	got := guestState(shopDev(), px, "org/shop", []string{"ssh-ed25519 AAAA ops"})
	want := &machine.Guest{
		Kind: machine.LXC, VMID: 101, Node: "pve1", Pool: "appstack", Running: true, MayRestart: true,
		Config: machine.Config{
			"hostname": "shop-dev", "cores": "2", "memory": "2048", "swap": "512", "unprivileged": "1",
			"features": "nesting=1", "onboot": "1",
			"net0": "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,ip=10.0.10.101/24",
		},
		Block:  &machine.Block{Project: "shop", Env: "dev", Repository: "org/shop"},
		Origin: &machine.Origin{Template: "debian-12-standard", Storage: "local-lvm", DiskGiB: 16, SSHKeys: []string{"ssh-ed25519 AAAA ops"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each setting of the stack file, alone, and the key of Proxmox's that it becomes.
func TestGuestConfig(t *testing.T) {
	tests := []struct {
		name string
		edit func(*stack.Env)
		key  string
		want string // "": the key is absent
	}{
		{"name", func(e *stack.Env) { e.Hostname = "x" }, "hostname", "x"},
		{"cores", func(e *stack.Env) { e.Guest.Cores = 4 }, "cores", "4"},
		{"cpulimit", func(e *stack.Env) { e.Guest.CPULimit = 1.5 }, "cpulimit", "1.5"},
		{"no cpulimit", func(*stack.Env) {}, "cpulimit", ""},
		{"cpuunits", func(e *stack.Env) { e.Guest.CPUUnits = 200 }, "cpuunits", "200"},
		{"no swap", func(e *stack.Env) { e.Guest.Swap = 0 }, "swap", "0"},
		{"VLAN, MTU and rate", func(e *stack.Env) { e.Guest.VLAN, e.Guest.MTU, e.Guest.Rate = 20, 1400, 12.5 }, "net0",
			"name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,ip=10.0.10.101/24,mtu=1400,rate=12.5,tag=20"},
		{"no firewall", func(e *stack.Env) { e.Guest.Firewall = false }, "net0", "name=eth0,bridge=vmbr0,gw=10.0.10.1,ip=10.0.10.101/24"},
		{"MAC address", func(e *stack.Env) { e.Guest.MAC = "bc:24:11:00:00:01" }, "net0",
			"name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,hwaddr=BC:24:11:00:00:01,ip=10.0.10.101/24"},
		{"IPv6", func(e *stack.Env) { e.IP6, e.Gateway6 = "fd00::101/64", "fd00::1" }, "net0",
			"name=eth0,bridge=vmbr0,firewall=1,gw=10.0.10.1,gw6=fd00::1,ip=10.0.10.101/24,ip6=fd00::101/64"},
		{"nameservers", func(e *stack.Env) { e.Guest.Nameserver = stack.OneOrMore{"10.0.10.2", "1.1.1.1"} }, "nameserver", "10.0.10.2 1.1.1.1"},
		{"searchdomain", func(e *stack.Env) { e.Guest.Searchdomain = stack.OneOrMore{"lan"} }, "searchdomain", "lan"},
		{"timezone", func(e *stack.Env) { e.Guest.Timezone = "host" }, "timezone", "host"},
		{"not at boot", func(e *stack.Env) { e.Guest.Onboot = false }, "onboot", ""},
		{"startup", func(e *stack.Env) { e.Guest.Startup = "order=2" }, "startup", "order=2"},
		{"protection", func(e *stack.Env) { e.Guest.Protection = true }, "protection", "1"},
		{"tags as Proxmox keeps them", func(e *stack.Env) { e.Guest.Tags = stack.OneOrMore{"Shop", "dev", "shop"} }, "tags", "dev;shop"},
		{"privileged", func(e *stack.Env) { e.Guest.Unprivileged = false }, "unprivileged", "0"},
		{"no nesting, said", func(e *stack.Env) { e.Guest.Nesting = false }, "features", "nesting=0"},
		{"keyctl and fuse", func(e *stack.Env) { e.Guest.Keyctl, e.Guest.Fuse = true, true }, "features", "nesting=1,keyctl=1,fuse=1"},
		{"new mount point", func(e *stack.Env) {
			e.Guest.Mounts = map[string]stack.Mount{"mp0": {Path: "/data", Storage: "tank", Size: 8, Backup: true}}
		}, "mp0", "tank:8,mp=/data,backup=1"},
		{"mount point of a volume", func(e *stack.Env) {
			e.Guest.Mounts = map[string]stack.Mount{"mp1": {Path: "/srv", Volume: "tank:vm-101-disk-3", ReadOnly: true}}
		}, "mp1", "tank:vm-101-disk-3,mp=/srv,ro=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := shopDev()
			tt.edit(e)
			if got := guestState(e, Proxmox{}, "", nil).Config[tt.key]; got != tt.want {
				t.Errorf("%s: %q, want %q", tt.key, got, tt.want)
			}
		})
	}
}

func TestGuestVM(t *testing.T) {
	e := shopDev()
	e.Guest = stack.Guest{Type: "kvm", Clone: "9000", Cores: 2, Sockets: 1, CPU: "host", Memory: 2048, Balloon: 1024,
		Storage: "local-lvm", Disk: 16, Bridge: "vmbr0", Firewall: true, VLAN: 20, Start: true, Machine: "q35",
		BIOS: "ovmf", Agent: true, CIUser: "root", Nameserver: stack.OneOrMore{"10.0.10.2"}, Password: "hunter22"}
	got := guestState(e, Proxmox{Node: "pve1"}, "org/shop", []string{"ssh-ed25519 AA+A ops@x", "ssh-ed25519 BB/B"})
	want := machine.Config{
		"name": "shop-dev", "cores": "2", "sockets": "1", "cpu": "host", "memory": "2048", "balloon": "1024",
		"net0": "virtio,bridge=vmbr0,firewall=1,tag=20", "ipconfig0": "ip=10.0.10.101/24,gw=10.0.10.1",
		"nameserver": "10.0.10.2", "ciuser": "root", "machine": "q35", "bios": "ovmf", "agent": "1",
		"sshkeys": "ssh-ed25519%20AA%2BA%20ops%40x%0Assh-ed25519%20BB%2FB",
	}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Error(diff)
	}
	if got.Kind != machine.KVM || got.Origin.Template != "9000" || !got.Origin.Full || got.Origin.Image ||
		got.Origin.Password.Reveal() != "hunter22" {
		t.Errorf("%+v", got.Origin)
	}
	e.Guest.Clone, e.Guest.Image, e.Guest.Checksum, e.Guest.Linked = "", "https://cloud.debian.org/x.qcow2", "sha512:00", true
	if got := guestState(e, Proxmox{}, "", nil).Origin; !got.Image || got.Template != e.Guest.Image || got.Checksum != "sha512:00" || got.Full {
		t.Errorf("%+v", got)
	}
}

func TestGuestPolicy(t *testing.T) {
	for _, tt := range []struct {
		restart   string
		protected bool
		want      bool
	}{
		{"auto", false, true}, {"auto", true, false}, {"allowed", true, true}, {"allowed", false, true},
		{"forbidden", false, false}, {"forbidden", true, false}, {"", false, true},
	} {
		e := shopDev()
		e.Restart, e.Protected = tt.restart, tt.protected
		if got := guestState(e, Proxmox{}, "", nil).MayRestart; got != tt.want {
			t.Errorf("restart %q, protected %v: %v", tt.restart, tt.protected, got)
		}
	}
	e := shopDev()
	e.Guest.Node, e.Guest.Pool, e.SSHFingerprint = "pve2", "mine", stack.OneOrMore{"SHA256:x"}
	got := guestState(e, Proxmox{Node: "pve1", Pool: "appstack"}, "", nil)
	if got.Node != "pve2" || got.Pool != "mine" || len(got.Block.HostKeys) != 1 {
		t.Errorf("%+v", got)
	}
}
