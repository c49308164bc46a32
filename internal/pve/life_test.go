package pve

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
)

// made is the plan for the guest that a lab can make.
const made = "" +
	"shop/dev: 1 to add, 0 to change, 0 to remove, 1 to start\n" +
	"  + create guest 101: shop-dev on pve1 from local:vztmpl/" + labTemplate + ", 2 cores, 2048 MiB, 8 GiB on local-lvm, 10.99.0.101/24\n" +
	"  > start guest 101: it is new\n"

func TestCreateThenNothing(t *testing.T) {
	l := leastLab(t)
	c, want := l.client(), wantedInLab()
	now := must(t, c, want, made)
	if !now.Running || now.Config["tags"] != "dev;shop" || now.Block.Creating {
		t.Errorf("after the creation: %+v, block %+v", now, now.Block)
	}
	if len(now.Block.HostKeys) != 3 || !strings.HasPrefix(now.Block.HostKeys[0], "SHA256:") {
		t.Errorf("host keys %q", now.Block.HostKeys)
	}
	if now.Block.Project != "shop" || now.Block.Env != "dev" || now.Block.Repository != "org/shop" {
		t.Errorf("block %+v", now.Block)
	}
	must(t, c, want, noChanges)
}

// Everything that the stack can say of a new container arrives, and is there to stay.
func TestCreateWithEverything(t *testing.T) {
	l := leastLab(t)
	c, want := l.client(), wantedInLab()
	more := machine.Config{"cpulimit": "1.5", "cpuunits": "200", "swap": "0", "onboot": "1", "startup": "order=2,up=30", "protection": "1",
		"nameserver": "10.99.0.2 10.99.0.3", "searchdomain": "lan", "timezone": "host", "features": "nesting=1", "unprivileged": "1",
		"net0": "name=eth0,bridge=vmbr0,firewall=1,gw=10.99.0.1,hwaddr=BC:24:11:00:00:01,ip=10.99.0.101/24,ip6=fd00::101/64,gw6=fd00::1,mtu=1400,rate=10",
		"mp0":  "local-lvm:1,mp=/data,backup=1"}
	maps.Copy(want.Config, more)
	want.Origin.Password = secret.New("hunter22hunter22")
	want.Origin.SSHKeys = append(want.Origin.SSHKeys, want.Origin.SSHKeys[0]+".second")
	now := must(t, c, want, made)
	for key, value := range more {
		if key == "mp0" || key == "net0" {
			continue // Proxmox fills these in
		}
		if now.Config[key] != value {
			t.Errorf("%s is %q, want %q", key, now.Config[key], value)
		}
	}
	for _, part := range machine.ParseProperties(more["net0"]) {
		if got := machine.ParseProperties(now.Config["net0"]).Get(part.Key); got != part.Value {
			t.Errorf("net0: %s is %q, want %q", part.Key, got, part.Value)
		}
	}
	if !strings.Contains(now.Config["mp0"], "mp=/data") || now.Pool != "appstack" || !now.Running {
		t.Errorf("mp0 %q, pool %q, running %v", now.Config["mp0"], now.Pool, now.Running)
	}
	inside, _ := l.backend.Guest(101)
	if want := strings.Join(want.Origin.SSHKeys, "\n"); strings.TrimSpace(inside.AuthorizedKeys) != want || inside.Password != "hunter22hunter22" {
		t.Errorf("root's keys %q, want %q; password %q", inside.AuthorizedKeys, want, inside.Password)
	}
	must(t, c, want, noChanges)
}

// A run that finds nothing to do costs 2 requests for all and 2 for each guest.
func TestCallBudget(t *testing.T) {
	l := leastLab(t)
	var wants []*machine.Guest
	for i := range 3 {
		want := newCT(func(g *machine.Guest) {
			g.VMID, g.Pool, g.Origin.Template, g.Block.Env = 101+i, "appstack", "debian-12-standard", fmt.Sprint("env", i)
			g.Config["hostname"] = fmt.Sprint("shop", i)
			g.Config["net0"] = fmt.Sprintf("name=eth0,bridge=vmbr0,ip=10.99.0.%d/24", 101+i)
		})
		wants = append(wants, want)
		if _, _, err := cycle(t.Context(), l.client(), want, plan.Policy{}); err != nil {
			t.Fatal(err)
		}
	}
	for n, most := range map[int]int{1: 4, 2: 6, 3: 8} {
		l.ResetRequests()
		c := l.client()
		for _, want := range wants[:n] {
			p, _, err := cycle(t.Context(), c, want, plan.Policy{})
			if err != nil || !p.Empty() {
				t.Fatalf("%v\n%s", err, p)
			}
		}
		requests := l.Requests()
		if len(requests) > most {
			t.Errorf("%d requests for %d environments, at most %d: %v", len(requests), n, most, requests)
		}
		t.Logf("%d environments without a change: %d requests", n, len(requests))
	}
}

// Every key that the stack can express: changed alone, then there is nothing to do.
func TestReconcileEachKey(t *testing.T) {
	l := leastLab(t)
	c, want := l.client(), wantedInLab()
	created := must(t, c, want, made)
	set := func(key, value string) func(*machine.Guest) {
		return func(g *machine.Guest) { g.Config[key] = value }
	}
	drop := func(key string) func(*machine.Guest) {
		return func(g *machine.Guest) { delete(g.Config, key) }
	}
	net := func(value string) func(*machine.Guest) { return set("net0", value) }
	changed := "shop/dev: 0 to add, 1 to change, 0 to remove\n  ~ set config "
	removed := "shop/dev: 0 to add, 0 to change, 1 to remove\n  - delete config "
	restarted := "shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n  ~ set config %s (restart)\n  > restart guest 101: for %s (restart)\n"
	dropped := "shop/dev: 0 to add, 0 to change, 1 to remove, 1 to restart\n  - delete config %s (restart)\n  > restart guest 101: for %s (restart)\n"
	steps := []struct {
		name string
		edit func(*machine.Guest)
		plan string
	}{
		{"hostname", set("hostname", "shop-devel"), changed + "hostname: shop-dev → shop-devel\n"},
		{"cores", set("cores", "3"), changed + "cores: 2 → 3\n"},
		{"cpulimit", set("cpulimit", "1.5"), changed + "cpulimit: none → 1.5\n"},
		{"cpulimit removed", drop("cpulimit"), removed + "cpulimit: 1.5 → none\n"},
		{"cpuunits", set("cpuunits", "200"), changed + "cpuunits: none → 200\n"},
		{"cpuunits removed", drop("cpuunits"), removed + "cpuunits: 200 → none\n"},
		{"memory", set("memory", "4096"), changed + "memory: 2048 → 4096\n"},
		{"swap", set("swap", "0"), changed + "swap: 512 → 0\n"},
		{"address", net("name=eth0,bridge=vmbr0,firewall=1,gw=10.99.0.1,ip=10.99.0.111/24"), changed + "net0: ip 10.99.0.101/24 → 10.99.0.111/24\n"},
		{"firewall", net("name=eth0,bridge=vmbr0,gw=10.99.0.1,ip=10.99.0.111/24"), changed + "net0: firewall 1 → none\n"},
		{"MTU, rate and VLAN", net("name=eth0,bridge=vmbr0,gw=10.99.0.1,ip=10.99.0.111/24,mtu=1400,rate=10,tag=7"), changed + "net0: mtu none → 1400, rate none → 10, tag none → 7\n"},
		{"MTU, rate and VLAN removed", net("name=eth0,bridge=vmbr0,gw=10.99.0.1,ip=10.99.0.111/24"), changed + "net0: mtu 1400 → none, rate 10 → none, tag 7 → none\n"},
		{"nameserver", set("nameserver", "10.99.0.2"), fmt.Sprintf(restarted, "nameserver: none → 10.99.0.2", "nameserver")},
		{"nameserver removed", drop("nameserver"), fmt.Sprintf(dropped, "nameserver: 10.99.0.2 → none", "nameserver")},
		{"searchdomain", set("searchdomain", "lan"), fmt.Sprintf(restarted, "searchdomain: none → lan", "searchdomain")},
		{"timezone", set("timezone", "Europe/Madrid"), fmt.Sprintf(restarted, "timezone: none → Europe/Madrid", "timezone")},
		{"nesting", set("features", "nesting=0"), fmt.Sprintf(restarted, "features: nesting 1 → none", "features")},
		{"onboot", set("onboot", "1"), changed + "onboot: none → 1\n"},
		{"onboot removed", drop("onboot"), removed + "onboot: 1 → none\n"},
		{"startup", set("startup", "order=2,up=30"), changed + "startup: none → order=2,up=30\n"},
		{"startup removed", drop("startup"), removed + "startup: order=2,up=30 → none\n"},
		{"protection", set("protection", "1"), changed + "protection: none → 1\n"},
		{"protection removed", drop("protection"), removed + "protection: 1 → none\n"},
		{"tags", set("tags", "prod;shop"), changed + "tags: dev;shop → prod;shop\n"},
		{"tags removed", drop("tags"), removed + "tags: prod;shop → none\n"},
		{"disk", func(g *machine.Guest) { g.Origin.DiskGiB = 10 }, "shop/dev: 0 to add, 1 to change, 0 to remove\n  ~ grow disk rootfs: 8G → 10G\n"},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			s.edit(want)
			now := must(t, c, want, s.plan)
			if len(now.Pending) > 0 {
				t.Errorf("pending: %v", now.Pending)
			}
			must(t, c, want, noChanges)
			mac := func(g *machine.Guest) string { return machine.ParseProperties(g.Config["net0"]).MAC() }
			if mac(now) != mac(created) {
				t.Errorf("MAC address %s, it was %s", mac(now), mac(created))
			}
		})
	}
}

// One request for keys that change together, with the digest.
func TestSmallestWrite(t *testing.T) {
	l := leastLab(t)
	c, want := l.client(), wantedInLab()
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err != nil {
		t.Fatal(err)
	}
	want.Config["cores"], want.Config["memory"] = "4", "4096"
	delete(want.Config, "tags")
	l.ResetRequests()
	c.Refresh()
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err != nil {
		t.Fatal(err)
	}
	writes := 0
	for _, r := range l.Requests() {
		if r.Method != "GET" {
			writes++
		}
	}
	if writes != 1 {
		t.Errorf("%d writes, want 1: %v", writes, l.Requests())
	}
}

func TestStoppedGuestIsStarted(t *testing.T) {
	l := leastLab(t)
	c, want := l.client(), wantedInLab()
	_, now, err := cycle(t.Context(), c, want, plan.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.stop(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	must(t, c, want, "shop/dev: 0 to add, 0 to change, 0 to remove, 1 to start\n  > start guest 101: it is stopped\n")
	must(t, c, want, noChanges)
}

func TestAdopt(t *testing.T) {
	l := newLab(t)
	c, want := l.client(), wantedInLab()
	foreign := clone(want)
	foreign.Config["hostname"], foreign.Block = "mail", &machine.Block{Project: "mail", Env: "prod"}
	if _, _, err := cycle(t.Context(), c, foreign, plan.Policy{}); err != nil {
		t.Fatal(err)
	}
	// A person's guest: notes of theirs, no block.
	err := c.call(t.Context(), "PUT", "/nodes/pve1/lxc/101/config", params{"description": "ask *ops*\n\n# Mail"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Refresh()
	before, err := c.Observe(t.Context(), want)
	if err != nil || before.Block != nil {
		t.Fatalf("block %+v, %v", before.Block, err)
	}
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err == nil || !strings.Contains(err.Error(), "somebody else's guest") {
		t.Fatalf("a foreign guest is not refused: %v", err)
	}
	if after, err := c.Observe(t.Context(), want); err != nil || after.Digest != before.Digest {
		t.Fatalf("a refused plan changed the guest: %v", err)
	}
	if err := c.Destroy(t.Context(), before, want.Block, nil); err == nil {
		t.Fatal("a foreign guest was destroyed")
	}
	_, now, err := cycle(t.Context(), c, want, plan.Policy{Adopt: true})
	if err != nil {
		t.Fatal(err)
	}
	if !now.Block.Owns(want.Block) || now.Notes != "ask *ops*\n\n# Mail" || now.Config["hostname"] != "shop-dev" {
		t.Errorf("adopted: %+v, notes %q", now.Block, now.Notes)
	}
	must(t, c, want, noChanges)
}

func TestDestroy(t *testing.T) {
	l := leastLab(t)
	c, want := l.client(), wantedInLab()
	want.Config["protection"] = "1"
	_, now, err := cycle(t.Context(), c, want, plan.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Destroy(t.Context(), now, want.Block, nil)
	if _, ok := errors.AsType[*ProtectedError](err); !ok {
		t.Fatalf("a protected guest: %v", err)
	}
	if err := c.Destroy(t.Context(), now, &machine.Block{Project: "shop", Env: "qa"}, nil); err == nil {
		t.Fatal("somebody else's guest was destroyed")
	}
	delete(want.Config, "protection")
	c.Refresh()
	if _, now, err = cycle(t.Context(), c, want, plan.Policy{}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is gone already
		if err := c.Destroy(t.Context(), now, want.Block, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, there := l.backend.Guest(101); there {
		t.Error("the guest is still there")
	}
	if have, err := c.Observe(t.Context(), want); have != nil || err != nil {
		t.Errorf("observed %+v, %v", have, err)
	}
}

func TestRecreate(t *testing.T) {
	l := leastLab(t)
	c, want := l.client(), wantedInLab()
	_, first, err := cycle(t.Context(), c, want, plan.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	want.Origin.DiskGiB = 4
	c.Refresh()
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err == nil || !strings.Contains(err.Error(), "cannot shrink") {
		t.Fatalf("a smaller disk is not refused: %v", err)
	}
	_, now, err := cycle(t.Context(), c, want, plan.Policy{AllowDestroy: true})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(now.Block.HostKeys, first.Block.HostKeys) || !strings.Contains(now.Config["rootfs"], "size=4G") {
		t.Errorf("recreated: %v", now.Config)
	}
	must(t, c, want, noChanges)
}

func TestManyAtOnce(t *testing.T) {
	l := leastLab(t)
	c := l.client()
	errs := make(chan error)
	for i := range 20 {
		want := newCT(func(g *machine.Guest) {
			g.VMID, g.Pool, g.Origin.Template, g.Block.Env = 101+i, "appstack", "debian-12-standard", fmt.Sprint("env", i)
			g.Config["hostname"] = fmt.Sprint("shop", i)
			g.Config["net0"] = fmt.Sprintf("name=eth0,bridge=vmbr0,ip=10.99.0.%d/24", 101+i)
		})
		go func() {
			_, _, err := cycle(t.Context(), c, want, plan.Policy{})
			errs <- err
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if guests, err := l.client().Guests(t.Context()); err != nil || len(guests) != 20 {
		t.Errorf("%d guests, %v", len(guests), err)
	}
}
