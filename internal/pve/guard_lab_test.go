package pve

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// make makes somebody else's guest.
func (l *lab) make(path string, p params) {
	l.t.Helper()
	c := l.root()
	var upid string
	if err := c.call(l.t.Context(), "POST", path, p, &upid); err != nil {
		l.t.Fatal(err)
	}
	if _, err := c.wait(l.t.Context(), upid, "it", c.times.task); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) makeCT(vmid, name, net string, more params) {
	p := params{"vmid": vmid, "ostemplate": "local:vztmpl/" + labTemplate, "rootfs": "local-lvm:1", "hostname": name, "net0": net,
		"unprivileged": "1", "features": "nesting=1"}
	for k, v := range more {
		p[k] = v
	}
	l.make("/nodes/pve1/lxc", p)
}

func TestGuards(t *testing.T) {
	tests := []struct {
		name  string
		guard string
		setup func(*lab)
		edit  func(*machine.Guest)
		ping  string
		want  string
	}{
		{name: "a container has the address", guard: GuardIP,
			setup: func(l *lab) { l.makeCT("200", "mail", "name=eth0,bridge=vmbr0,ip=10.99.0.101/24", nil) },
			want:  "CT 200 (mail) on node pve1 has the address 10.99.0.101 already (net0)"},
		{name: "a container has it on its second card", guard: GuardIP,
			setup: func(l *lab) {
				l.makeCT("200", "mail", "name=eth0,bridge=vmbr0", params{"net1": "name=eth1,bridge=vmbr0,ip=10.99.0.101/16"})
			},
			want: "CT 200 (mail) on node pve1 has the address 10.99.0.101 already (net1)"},
		{name: "a VM has the address by cloud-init", guard: GuardIP,
			setup: func(l *lab) {
				l.make("/nodes/pve1/qemu", params{"vmid": "201", "name": "win", "net0": "virtio,bridge=vmbr0", "ipconfig0": "ip=10.99.0.101/24"})
			},
			want: "VM 201 (win) on node pve1 has the address 10.99.0.101 already (ipconfig0)"},
		{name: "a container has the MAC address", guard: GuardMAC,
			setup: func(l *lab) { l.makeCT("200", "mail", "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01", nil) },
			edit:  func(g *machine.Guest) { g.Config["net0"] += ",hwaddr=BC:24:11:00:00:01" },
			want:  "CT 200 (mail) on node pve1 has the MAC address BC:24:11:00:00:01 already (net0)"},
		{name: "a container has the name", guard: GuardName,
			setup: func(l *lab) { l.makeCT("200", "shop-dev", "name=eth0,bridge=vmbr0", nil) },
			want:  "CT 200 (shop-dev) on node pve1 has the name already"},
		{name: "something answers", guard: GuardIP, ping: "ping",
			want: "something answers at 10.99.0.101 (ping) although the guest does not run"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			if tt.setup != nil {
				tt.setup(l)
			}
			c, want := l.client(), wantedInLab()
			if tt.edit != nil {
				tt.edit(want)
			}
			c.ping = func(_ context.Context, ip netip.Addr) string {
				if ip.String() == "10.99.0.101" {
					return tt.ping
				}
				return ""
			}
			_, _, err := cycle(t.Context(), c, want, plan.Policy{})
			veto, ok := errors.AsType[*FindingsError](err)
			if !ok || len(veto.Findings) != 1 || veto.Findings[0].Guard != tt.guard || veto.Findings[0].Summary != tt.want || veto.Hint() == "" {
				t.Fatalf("not refused as it should be: %v", err)
			}
			if _, made := l.backend.Guest(101); made {
				t.Error("the guest was made all the same")
			}
			if err := c.Place(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			findings, err := c.Check(t.Context(), nil, nil, want, Overrides{tt.guard})
			if err != nil || Veto(findings) != nil || len(findings) != 1 || !findings[0].Overridden {
				t.Errorf("overridden: %+v, %v", findings, err)
			}
		})
	}
}

func TestPlace(t *testing.T) {
	threeNodes := func(o *pveapi.Options) { o.Nodes = []string{"pve1", "pve2", "pve3"} }
	onlyOn2 := func(o *pveapi.Options) {
		threeNodes(o)
		o.Storages = []pveapi.Storage{
			{ID: "local", Type: "dir", Path: "/var/lib/vz", Content: []string{"vztmpl", "rootdir"}},
			{ID: "local-lvm", Type: "lvmthin", Content: []string{"rootdir", "images"}, Nodes: []string{"pve2"}},
			{ID: "backups", Type: "dir", Path: "/b", Content: []string{"backup"}},
		}
	}
	tests := []struct {
		name    string
		options func(*pveapi.Options)
		setup   func(*lab)
		edit    func(*machine.Guest)
		node    string
		guards  []string // what is missing, where it cannot be placed
	}{
		{name: "the node of the stack", options: threeNodes, edit: func(g *machine.Guest) { g.Node = "pve3" }, node: "pve3"},
		{name: "auto: the only one with the storage", options: onlyOn2, edit: func(g *machine.Guest) { g.Node = "auto" }, node: "pve2"},
		{name: "auto: not one that is offline", options: threeNodes, edit: func(g *machine.Guest) { g.Node = "auto" },
			setup: func(l *lab) { l.SetOffline("pve1", true); l.SetOffline("pve2", true) }, node: "pve3"},
		{name: "a node that is not there", edit: func(g *machine.Guest) { g.Node = "pve9" }, guards: []string{GuardNode}},
		{name: "no such storage", edit: func(g *machine.Guest) { g.Origin.Storage = "tank" }, guards: []string{GuardStorage}},
		{name: "a storage for backups", options: onlyOn2, edit: func(g *machine.Guest) { g.Node, g.Origin.Storage = "pve2", "backups" }, guards: []string{GuardStorage}},
		{name: "no such bridge", edit: func(g *machine.Guest) { g.Config["net0"] = "name=eth0,bridge=vmbr9" }, guards: []string{GuardBridge}},
		{name: "everything at once", edit: func(g *machine.Guest) {
			g.Origin.Storage, g.Config["net0"], g.Config["mp0"] = "tank", "name=eth0,bridge=vmbr9", "pool2:8,mp=/data"
		}, guards: []string{GuardStorage, GuardStorage, GuardBridge}},
		{name: "no such template", edit: func(g *machine.Guest) { g.Origin.Template = "debian-99-standard" }, guards: []string{GuardTemplate}},
		{name: "no such volume", edit: func(g *machine.Guest) { g.Origin.Template = "local:vztmpl/x.tar.zst" }, guards: []string{GuardTemplate}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var options []func(*pveapi.Options)
			if tt.options != nil {
				options = append(options, tt.options)
			}
			l := newLab(t, options...)
			if tt.setup != nil {
				tt.setup(l)
			}
			c, want := l.client(), wantedInLab()
			tt.edit(want)
			err := c.Place(t.Context(), want)
			if tt.guards == nil {
				if err != nil || want.Node != tt.node || want.Origin.Template != "local:vztmpl/"+labTemplate {
					t.Errorf("node %s, template %s, %v", want.Node, want.Origin.Template, err)
				}
				return
			}
			veto, ok := errors.AsType[*FindingsError](err)
			if !ok {
				t.Fatalf("%v", err)
			}
			var guards []string
			for _, f := range veto.Findings {
				guards = append(guards, f.Guard)
				if f.Hint == "" {
					t.Errorf("no hint: %+v", f)
				}
			}
			if diff := cmp.Diff(tt.guards, guards); diff != "" {
				t.Errorf("%s\n%v", diff, err)
			}
		})
	}
}

// A template that is not there is downloaded, once for all that want it.
func TestDownload(t *testing.T) {
	l := applianceLab(t)
	c, want := l.client(), wantedInLab()
	p, _, err := cycle(t.Context(), c, want, plan.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.String(), "note: template "+labTemplate+" is not on node pve1 yet: Proxmox downloads it to storage local") {
		t.Errorf("the plan does not tell:\n%s", p)
	}
	must(t, c, want, noChanges)
}

// A guest that somebody moved is found where it is.
func TestMovedGuest(t *testing.T) {
	l := newLab(t, func(o *pveapi.Options) { o.Nodes = []string{"pve1", "pve2"} })
	c, want := l.client(), wantedInLab()
	want.Node = "pve2"
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err != nil {
		t.Fatal(err)
	}
	want.Node = "pve1"
	must(t, c, want, noChanges+"  note: the guest is on node pve2, the stack says pve1: it is left where it is\n")
	want.Node = "auto"
	must(t, c, want, noChanges)
}

// A bridge that an existing guest is to move to is looked for first.
func TestNewBridgeIsMissing(t *testing.T) {
	l := newLab(t)
	c, want := l.client(), wantedInLab()
	_, before, err := cycle(t.Context(), c, want, plan.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	want.Config["net0"] = "name=eth0,bridge=vmbr9,gw=10.99.0.1,ip=10.99.0.101/24"
	c.Refresh()
	_, _, err = cycle(t.Context(), c, want, plan.Policy{})
	if veto, ok := errors.AsType[*FindingsError](err); !ok || veto.Findings[0].Guard != GuardBridge {
		t.Fatalf("%v", err)
	}
	// Proxmox unplugs the card before it finds out: then the former one comes back.
	if _, err := c.update(t.Context(), before, change{set: machine.Config{"net0": want.Config["net0"]}}); err == nil {
		t.Fatal("a bridge that is not there was taken")
	}
	after, err := c.Observe(t.Context(), want)
	if err != nil || after.Config["net0"] != before.Config["net0"] || len(after.Pending) > 0 {
		t.Errorf("net0 %q, pending %v, it was %q, %v", after.Config["net0"], after.Pending, before.Config["net0"], err)
	}
}

// HA comes and goes with the stack's wish.
func TestHA(t *testing.T) {
	l := leastLab(t)
	l.AddRole("Test-HA", "Sys.Console")
	for _, who := range []string{"appstack@pve", "appstack@pve!ci"} {
		l.Grant("/", who, "Test-HA")
	}
	c, want := l.client(), wantedInLab()
	must(t, c, want, made)
	want.HA = true
	must(t, c, want, "shop/dev: 1 to add, 0 to change, 0 to remove\n  + add ha ct:101: wanted\n")
	must(t, c, want, noChanges)
	want.HA = false
	must(t, c, want, "shop/dev: 0 to add, 0 to change, 1 to remove\n  - remove ha ct:101: no longer in the stack\n")
	must(t, c, want, noChanges)
}

// HA where the token may not have it: the plan says so, and goes on without.
func TestHAWithoutPrivilege(t *testing.T) {
	l := newLab(t)
	c, want := l.client(l.tokenWith(documented(t))), wantedInLab()
	want.HA = true
	p, _, err := cycle(t.Context(), c, want, plan.Policy{})
	if err != nil || !strings.Contains(p.String(), "note: ha: the token may not add HA resources") {
		t.Errorf("%v\n%s", err, p)
	}
	c.Refresh()
	l.ResetRequests()
	if p, _, err = cycle(t.Context(), c, want, plan.Policy{}); err != nil || !p.Empty() || len(l.Requests()) > 4 {
		t.Errorf("%v, %d requests\n%s", err, len(l.Requests()), p)
	}
}
