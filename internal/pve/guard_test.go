package pve

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/machine"
)

func newCT(edit func(*machine.Guest)) *machine.Guest {
	g := &machine.Guest{
		Kind: machine.LXC, VMID: 101, Node: "pve1", Running: true,
		Config: machine.Config{"hostname": "shop-dev", "cores": "2", "memory": "2048", "swap": "512",
			"unprivileged": "1", "features": "nesting=1",
			"net0": "name=eth0,bridge=vmbr0,firewall=1,gw=10.99.0.1,ip=10.99.0.101/24"},
		Origin: &machine.Origin{Template: "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst", Storage: "local-lvm", DiskGiB: 8},
		Block:  &machine.Block{Project: "shop", Env: "dev", Repository: "org/shop"},
	}
	if edit != nil {
		edit(g)
	}
	return g
}

func summaries(findings []Finding) []string {
	var s []string
	for _, f := range findings {
		s = append(s, f.Guard+": "+f.Summary)
	}
	return s
}

func TestConflicts(t *testing.T) {
	neighbourOf := func(kind machine.Kind, vmid int, name string, config machine.Config, live ...string) neighbour {
		n := neighbour{Known: Known{Kind: kind, VMID: vmid, Name: name, Node: "pve1"}, macs: map[string]string{}, ips: map[netip.Addr]string{}}
		n.add(config)
		m := map[netip.Addr]string{}
		for _, ip := range live {
			m[netip.MustParseAddr(ip)] = "eth0"
		}
		n.addLive(m)
		return n
	}
	tests := []struct {
		name  string
		other neighbour
		edit  func(*machine.Guest)
		want  []string
	}{
		{"a container's second interface", neighbourOf(machine.LXC, 200, "a", machine.Config{"net1": "name=eth1,bridge=vmbr0,ip=10.99.0.101/16"}), nil,
			[]string{"ip-conflicts: CT 200 (a) on node pve1 has the address 10.99.0.101 already (net1)"}},
		{"a VM's cloud-init address", neighbourOf(machine.KVM, 201, "b", machine.Config{"ipconfig1": "ip=10.99.0.101/24,gw=10.99.0.1"}), nil,
			[]string{"ip-conflicts: VM 201 (b) on node pve1 has the address 10.99.0.101 already (ipconfig1)"}},
		{"an address from DHCP, live", neighbourOf(machine.LXC, 202, "c", machine.Config{"net0": "name=eth0,ip=dhcp"}, "10.99.0.101", "127.0.0.1"), nil,
			[]string{"ip-conflicts: CT 202 (c) on node pve1 has the address 10.99.0.101 already (live on eth0)"}},
		{"IPv6 in another notation", neighbourOf(machine.LXC, 203, "d", machine.Config{"net0": "name=eth0,ip6=fd00:0:0::101/64"}),
			func(g *machine.Guest) { g.Config["net0"] += ",ip6=fd00::101/64" },
			[]string{"ip-conflicts: CT 203 (d) on node pve1 has the address fd00::101 already (net0)"}},
		{"the MAC address in another case", neighbourOf(machine.KVM, 204, "e", machine.Config{"net0": "virtio=bc:24:11:00:00:01,bridge=vmbr0"}),
			func(g *machine.Guest) { g.Config["net0"] += ",hwaddr=BC:24:11:00:00:01" },
			[]string{"mac-conflicts: VM 204 (e) on node pve1 has the MAC address BC:24:11:00:00:01 already (net0)"}},
		{"the name", neighbourOf(machine.KVM, 205, "SHOP-dev", nil), nil,
			[]string{"name-conflicts: VM 205 (SHOP-dev) on node pve1 has the name already"}},
		{"the name in a configuration that is newer than the list", neighbourOf(machine.LXC, 205, "", machine.Config{"hostname": "shop-dev"}), nil,
			[]string{"name-conflicts: CT 205 (shop-dev) on node pve1 has the name already"}},
		{"the guest itself", neighbourOf(machine.LXC, 101, "shop-dev", machine.Config{"net0": "ip=10.99.0.101/24"}, "10.99.0.101"), nil, nil},
		{"a neighbour in peace", neighbourOf(machine.LXC, 206, "f", machine.Config{"net0": "name=eth0,hwaddr=BC:24:11:00:00:02,ip=10.99.0.102/24"}), nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := conflicts(newCT(tt.edit), nil, []neighbour{tt.other})
			if diff := cmp.Diff(tt.want, summaries(got)); diff != "" {
				t.Error(diff)
			}
			for _, f := range got {
				allowed := Overrides{f.Guard}.apply([]Finding{f})
				if Veto([]Finding{f}) == nil || Veto(allowed) != nil || !allowed[0].Overridden {
					t.Errorf("veto %v; overridden %+v, veto %v", Veto([]Finding{f}), allowed[0], Veto(allowed))
				}
			}
		})
	}
}

// Addresses that are up inside, as Proxmox tells a container's and as a VM's agent does.
func TestLiveAddresses(t *testing.T) {
	f := newFake(t, map[string][]answer{
		"GET /nodes/pve1/lxc/200/config": {{data: `{"hostname":"mail","net0":"name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=dhcp","digest":"aa"}`}},
		"GET /nodes/pve1/lxc/200/interfaces": {{data: `[{"name":"lo","hwaddr":"00:00:00:00:00:00","inet":"127.0.0.1/8","inet6":"::1/128"},
			{"name":"eth0","hwaddr":"bc:24:11:00:00:01","inet":"10.99.0.101/24","inet6":"fe80::be24:11ff:fe00:1/64"}]`}},
		"GET /nodes/pve1/qemu/201/config": {{data: `{"name":"win","net0":"virtio=BC:24:11:00:00:02,bridge=vmbr0","agent":"enabled=1","memory":2048}`}},
		"GET /nodes/pve1/qemu/201/agent/network-get-interfaces": {{data: `{"result":[{"name":"Ethernet","hardware-address":"bc:24:11:00:00:02",
			"ip-addresses":[{"ip-address":"fe80::1%4","ip-address-type":"ipv6","prefix":64},{"ip-address":"10.99.0.102","ip-address-type":"ipv4","prefix":24}]}]}`}},
		"GET /nodes/pve1/qemu/202/config":                       {{data: `{"name":"mute","agent":"1"}`}},
		"GET /nodes/pve1/qemu/202/agent/network-get-interfaces": {refused(500, "QEMU guest agent is not running")},
		"GET /nodes/pve1/lxc/203/config":                        {{data: `{"hostname":"off","net0":"name=eth0,ip=10.99.0.103/24"}`}},
		"GET /nodes/pve1/lxc/204/config":                        {refused(500, "Configuration file 'nodes/pve1/lxc/204.conf' does not exist")},
	})
	c := f.client()
	for r, want := range map[resource]string{
		{Type: "lxc", VMID: 200, Node: "pve1", Status: "running"}:  "CT 200 (mail) on node pve1 map[10.99.0.101:live on eth0]",
		{Type: "qemu", VMID: 201, Node: "pve1", Status: "running"}: "VM 201 (win) on node pve1 map[10.99.0.102:live on Ethernet]",
		{Type: "qemu", VMID: 202, Node: "pve1", Status: "running"}: "VM 202 (mute) on node pve1 map[]",
		{Type: "lxc", VMID: 203, Node: "pve1", Status: "stopped"}:  "CT 203 (off) on node pve1 map[10.99.0.103:net0]",
		{Type: "lxc", VMID: 204, Node: "pve1", Name: "gone"}:       "CT 204 (gone) on node pve1 map[]",
	} {
		n, err := c.neighbour(t.Context(), r)
		if got := fmt.Sprint(n, n.ips); err != nil || got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}

// Other guests are looked at when the guest is to have what it has not.
func TestExposes(t *testing.T) {
	have := newCT(func(g *machine.Guest) { g.Config["net0"] += ",hwaddr=BC:24:11:00:00:01,type=veth" })
	tests := []struct {
		name string
		edit func(*machine.Guest)
		want bool
	}{
		{"nothing new", func(*machine.Guest) {}, false},
		{"memory", func(g *machine.Guest) { g.Config["memory"] = "4096" }, false},
		{"address", func(g *machine.Guest) { g.Config["net0"] = "name=eth0,ip=10.99.0.111/24" }, true},
		{"prefix length alone", func(g *machine.Guest) { g.Config["net0"] = "name=eth0,ip=10.99.0.101/16" }, false},
		{"MAC address", func(g *machine.Guest) { g.Config["net0"] += ",hwaddr=BC:24:11:00:00:02" }, true},
		{"name", func(g *machine.Guest) { g.Config["hostname"] = "x" }, true},
		{"another owner: it is adopted", func(g *machine.Guest) { g.Block.Env = "qa" }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := exposes(have, newCT(tt.edit)); got != tt.want {
				t.Errorf("exposes = %v, want %v", got, tt.want)
			}
		})
	}
	if !exposes(nil, newCT(nil)) {
		t.Error("a new guest exposes nothing?")
	}
}

func TestNewestTemplate(t *testing.T) {
	volumes := []string{
		"local:vztmpl/debian-12-standard_12.9-1_amd64.tar.zst",
		"local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst",
		"nfs:vztmpl/debian-12-standard_12.12-2_amd64.tar.zst",
		"local:vztmpl/debian-12-turnkey_18.1-1_amd64.tar.gz",
		"local:vztmpl/my.tar.zst",
	}
	for name, want := range map[string]string{
		"debian-12-standard":                      "nfs:vztmpl/debian-12-standard_12.12-2_amd64.tar.zst",
		"debian-12-standard_12.9-1_amd64.tar.zst": "local:vztmpl/debian-12-standard_12.9-1_amd64.tar.zst",
		"local:vztmpl/my.tar.zst":                 "local:vztmpl/my.tar.zst",
		"my.tar.zst":                              "local:vztmpl/my.tar.zst",
		"debian-12":                               "",
		"debian-13-standard":                      "",
		"nfs:vztmpl/debian-12-standard_12.9-1_amd64.tar.zst": "",
	} {
		if got := newestTemplate(volumes, name); got != want {
			t.Errorf("newestTemplate(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestChoose(t *testing.T) {
	node := func(name string, gib float64, template bool) nodeFacts {
		f := nodeFacts{name: name, visible: true, free: gib * (1 << 30)}
		if template {
			f.templates = []string{"local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst"}
		}
		return f
	}
	want := newCT(func(g *machine.Guest) { g.Node, g.Origin.Template = "auto", "debian-12-standard" }) // of 2 GiB
	const all = "the storage, the bridge and the template, of 3 online"
	tests := []struct {
		name, node, reason string
		fit                []nodeFacts
	}{
		{"most free memory", "pve2", "node pve2: it has the most free memory (12.0 GiB) of 2 that have 2.0 GiB free, " + all,
			[]nodeFacts{node("pve1", 4, true), node("pve2", 12, true)}},
		{"the template goes before memory", "pve1", "node pve1: it has the most free memory (4.0 GiB) of 1 that have 2.0 GiB free, " + all,
			[]nodeFacts{node("pve1", 4, true), node("pve2", 12, false)}},
		{"but not before enough memory", "pve2", "node pve2: it has the most free memory (12.0 GiB) of 1 that have 2.0 GiB free, the storage and the bridge, of 3 online",
			[]nodeFacts{node("pve1", 1.9, true), node("pve2", 12, false)}},
		{"just enough", "pve1", "of 1 that have", []nodeFacts{node("pve1", 2, true), node("pve2", 1.9, true)}},
		{"none has enough", "pve2", "node pve2: none of 2 that have the storage and the bridge, of 3 online, has the guest's 2.0 GiB of memory free; this one has the most (1.5 GiB)",
			[]nodeFacts{node("pve1", 1, true), node("pve2", 1.5, true)}},
		{"equals: the first", "pve1", "(4.0 GiB) of 2", []nodeFacts{node("pve1", 4, true), node("pve2", 4, true)}},
		{"memory that is not visible", "pve1", "node pve1: the first of 2 that fit (their free memory is not visible: Sys.Audit on /nodes shows it)",
			[]nodeFacts{{name: "pve1"}, {name: "pve2"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, reason := newFake(t, nil).client().choose(tt.fit, want, 3)
			if got.name != tt.node || !strings.Contains(reason, tt.reason) {
				t.Errorf("%s: %s", got.name, reason)
			}
		})
	}
	c := newFake(t, nil).client()
	if got, reason := c.choose([]nodeFacts{{name: "pve9"}}, newCT(nil), 1); got.name != "pve9" || reason != "" {
		t.Errorf("a node that the stack names: %s: %s", got.name, reason)
	}
}

// What the guests of a run are to use counts, although Proxmox sees none of them run.
func TestChooseForMany(t *testing.T) {
	l := newLab(t, func(o *pveapi.Options) { o.Nodes = []string{"pve1", "pve2", "pve3"} })
	c := l.client()
	nodes := make(map[string]int)
	for i := range 6 {
		for range 2 { // planning a guest again takes its memory once
			want := wantedInLab()
			want.VMID, want.Node = 101+i, "auto"
			if err := c.Place(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if want.Origin.Reasons[0] == "" {
				t.Error("no reason")
			}
			nodes[want.Node]++
		}
	}
	if diff := cmp.Diff(map[string]int{"pve1": 4, "pve2": 4, "pve3": 4}, nodes); diff != "" {
		t.Error(diff)
	}
}

func TestPermissions(t *testing.T) {
	p := permissions{
		"/":                             {"Sys.Audit": 1},
		"/pool/ci":                      {"VM.Allocate": 1, "VM.Audit": 0},
		"/storage":                      {"Datastore.Audit": 0},
		"/storage/local":                {"Datastore.AllocateSpace": 1},
		"/sdn/zones/localnetwork/vmbr0": {"SDN.Use": 0},
		"/sdn/zones/lan/net7":           {"SDN.Use": 1},
		"/vms/102":                      {"VM.Audit": 0},
	}
	tests := []struct {
		path, privilege string
		want            bool
	}{
		{"/nodes/pve", "Sys.Audit", true}, {"/", "Sys.Audit", true},
		{"/pool/ci", "VM.Allocate", true}, {"/pool/ci", "VM.Audit", true}, {"/pool/other", "VM.Allocate", false},
		{"/storage", "Datastore.Audit", true}, {"/storage/nfs", "Datastore.Audit", false},
		{"/storage/local", "Datastore.AllocateSpace", true}, {"/storage/local", "Datastore.Audit", false},
		{"/sdn/zones/localnetwork/vmbr0", "SDN.Use", true}, {"/sdn/zones/localnetwork/vmbr0/20", "SDN.Use", false},
		{"/vms/102", "VM.Audit", true}, {"/vms/103", "VM.Audit", false},
	}
	for _, tt := range tests {
		if got := p.has(tt.path, tt.privilege); got != tt.want {
			t.Errorf("%s on %s: %v", tt.privilege, tt.path, got)
		}
	}
	vnet := need{[]string{"/sdn/zones/localnetwork/net7"}, "SDN.Use"}
	if !vnet.anywhere(p) {
		t.Error("a vnet of another zone is not found")
	}
}
