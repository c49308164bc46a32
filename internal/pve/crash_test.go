package pve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// scenario is a run, from a state that earlier runs made.
type scenario struct {
	kind  machine.Kind
	name  string
	setup []*machine.Guest // cycles that come before
	run   func(ctx context.Context, c *Client) error
	end   *machine.Guest // nil: no guest
}

// everyKind are the scenarios for containers and for virtual machines.
func everyKind() []scenario { return slices.Concat(scenarios(machine.LXC), scenarios(machine.KVM)) }

func (sc scenario) String() string { return string(sc.kind) + ", " + sc.name }

// lab is one where guests of the scenario's kind can be made, by the least token.
func (sc scenario) lab(t *testing.T) *lab {
	t.Helper()
	if sc.kind == machine.LXC {
		return leastLab(t)
	}
	l := newVMLab(t)
	l.as = l.tokenWith(documentedVM(t))
	return l
}

func scenarios(kind machine.Kind) []scenario {
	first, changed := wantedInLab(), wantedInLab()
	changed.Config["net0"] = "name=eth0,bridge=vmbr0,gw=10.99.0.1,ip=10.99.0.111/24"
	if kind == machine.KVM {
		first, changed = wantedVM(), wantedVM()
		changed.Config["net0"], changed.Config["ipconfig0"] = "virtio,bridge=vmbr0", "ip=10.99.0.111/24,gw=10.99.0.1"
	}
	changed.Config["cores"], changed.Config["memory"], changed.Config["nameserver"] = "4", "4096", "10.99.0.2"
	changed.Config["tags"], changed.Origin.DiskGiB = "prod", 10
	provision := func(want *machine.Guest) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, _, err := cycle(ctx, c, want, plan.Policy{})
			return err
		}
	}
	destroy := func(ctx context.Context, c *Client) error {
		have, err := c.Observe(ctx, first)
		if have == nil || err != nil {
			return err
		}
		return c.Destroy(ctx, have, first.Block, nil)
	}
	leased := func(want *machine.Guest) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			have, err := c.Observe(ctx, want)
			if err != nil {
				return err
			}
			claim := Claim{Holder: "org/shop/1/1", Finished: func(context.Context, machine.Lease) bool { return true }}
			lease, err := c.Acquire(ctx, have, want, claim, nil)
			if err != nil {
				return err
			}
			_, _, err = cycle(ctx, c, want, plan.Policy{})
			return errors.Join(err, lease.Release(ctx))
		}
	}
	return []scenario{
		{kind, "create", nil, provision(first), first},
		{kind, "create with a lease", nil, leased(first), first},
		{kind, "change with a lease", []*machine.Guest{first}, leased(changed), changed},
		{kind, "change", []*machine.Guest{first}, provision(changed), changed},
		{kind, "destroy", []*machine.Guest{first}, destroy, nil},
	}
}

// outcome is what is left in Proxmox, without what differs from one creation to the next.
func (l *lab) outcome(t *testing.T, sc scenario) string {
	t.Helper()
	c := l.root()
	guests, err := c.Guests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, k := range guests {
		if k.VMID >= 9000 {
			continue // a template
		}
		g, err := c.Observe(t.Context(), &machine.Guest{VMID: k.VMID, Node: k.Node, Kind: k.Kind})
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(l.outcomeOf(t, g))
	}
	if sc.end == nil && b.Len() > 0 {
		t.Errorf("there are guests left: %s", b.String())
	}
	return b.String()
}

// changing is what Proxmox makes anew for each guest.
var changing = regexp.MustCompile(`(hwaddr|virtio|uuid|ctime|smbios1)=[0-9A-Fa-f:-]+`)

func (l *lab) outcomeOf(t *testing.T, g *machine.Guest) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s, running %v, lock %q, pending %v, block %+v\n", describe(g), g.Node, g.Running, g.Lock, g.Pending,
		machine.Block{Project: g.Block.Project, Env: g.Block.Env, Repository: g.Block.Repository, Creating: g.Block.Creating,
			Waits: g.Block.Waits, Lease: g.Block.Lease})
	for _, key := range slices.Sorted(maps.Keys(g.Config)) {
		if key == "vmgenid" {
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", key, changing.ReplaceAllString(g.Config[key], "$1=…"))
	}
	real, ok := l.backend.Guest(g.VMID)
	if !ok {
		t.Fatalf("%s is not behind the lab", describe(g))
	}
	var keys []string
	for _, k := range real.HostKeys {
		keys = append(keys, ssh.FingerprintSHA256(k.PublicKey()))
	}
	slices.Sort(keys)
	if diff := cmp.Diff(keys, g.Block.HostKeys); diff != "" {
		t.Errorf("pinned host keys (-the guest's +pinned):\n%s", diff)
	}
	return b.String()
}

func (l *lab) prepare(t *testing.T, sc scenario) {
	t.Helper()
	for _, want := range sc.setup {
		if _, _, err := cycle(t.Context(), l.client(), want, plan.Policy{}); err != nil {
			t.Fatal(err)
		}
	}
	l.backend.Slow(30 * time.Millisecond) // so that there is something to wait for
}

// slowPolling is a client that looks at a task a few times, not hundreds of times.
func (l *lab) slowPolling() *Client {
	c := l.client()
	c.times.poll, c.times.pollMax = 15*time.Millisecond, 15*time.Millisecond
	return c
}

// undisturbed runs a scenario to its end and counts its requests.
func undisturbed(t *testing.T, sc scenario) (at []point, end string) {
	t.Helper()
	l := sc.lab(t)
	l.prepare(t, sc)
	c := l.slowPolling()
	ctx, s := sabotaged(t.Context(), c, sabotage{}, point{})
	if err := sc.run(ctx, c); err != nil {
		t.Fatal(err)
	}
	return points(s.n, s.w), l.outcome(t, sc)
}

// Wherever a run dies, the next one ends where an undisturbed one ends.
func TestKilledAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes a minute: not with -short")
	}
	kills := []sabotage{
		{name: "before", kills: true},
		{name: "after", kills: true, effect: true},
	}
	n := 0
	for _, sc := range everyKind() {
		at, want := undisturbed(t, sc)
		for _, how := range kills {
			for _, at := range at {
				t.Run(fmt.Sprintf("%s, killed %s %s", sc, how.name, at), func(t *testing.T) {
					t.Parallel()
					l := sc.lab(t)
					l.prepare(t, sc)
					c := l.slowPolling()
					ctx, s := sabotaged(t.Context(), c, how, at)
					if err := sc.run(ctx, c); err == nil && s.hit != "" {
						t.Errorf("died at %s, and the run succeeded", s.hit)
					}
					if err := sc.run(t.Context(), l.client()); err != nil {
						t.Fatalf("died at %s; the next run: %v", s.hit, err)
					}
					if diff := cmp.Diff(want, l.outcome(t, sc)); diff != "" {
						t.Errorf("died at %s; the state (-undisturbed +now):\n%s", s.hit, diff)
					}
				})
				n++
			}
		}
	}
	t.Logf("%d points, each converged in one further run", n)
}

// Every request × every way to fail: a success, or an error of a kind that says what
// happened; and then another run ends where an undisturbed one ends.
func TestFaultAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes a minute: not with -short")
	}
	faults := []sabotage{
		{name: "500", status: 500, reason: "unable to read tail (got 0 bytes)"},
		{name: "503", status: 503, reason: "Service Unavailable"},
		{name: "596 before", status: 596, reason: "Connection timed out"},
		{name: "596 after", status: 596, reason: "Connection timed out", effect: true},
		{name: "reset before"},
		{name: "reset after", effect: true},
		{name: "lock", status: 500, reason: "can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout"},
		{name: "401", status: 401, reason: "Permission denied - invalid token"},
	}
	survives := []string{"503", "596 before", "596 after", "reset before", "reset after", "lock"}
	var total, succeeded atomic.Int64
	for _, sc := range everyKind() {
		at, want := undisturbed(t, sc)
		for _, how := range faults {
			for _, at := range sample(at, 2) {
				t.Run(fmt.Sprintf("%s, %s at %s", sc, how.name, at), func(t *testing.T) {
					t.Parallel()
					l := sc.lab(t)
					l.prepare(t, sc)
					c := l.slowPolling()
					ctx, s := sabotaged(t.Context(), c, how, at)
					err := sc.run(ctx, c)
					total.Add(1)
					if err == nil {
						succeeded.Add(1)
					} else {
						poll := how.name == "500" && strings.Contains(s.hit, "/tasks/UPID:") && strings.HasSuffix(s.hit, "/status")
						if (poll || slices.Contains(survives, how.name)) && !strings.HasPrefix(s.hit, "POST /cluster") {
							t.Errorf("%s at %s is not survived: %v", how.name, s.hit, err)
						}
						if asError(err) == nil && !isTaskError(err) {
							t.Errorf("%s at %s: an error of no kind: %v", how.name, s.hit, err)
						}
						if err := sc.run(t.Context(), l.client()); err != nil {
							t.Fatalf("%s at %s; the next run: %v", how.name, s.hit, err)
						}
					}
					if diff := cmp.Diff(want, l.outcome(t, sc)); diff != "" {
						t.Errorf("%s at %s; the state (-undisturbed +now):\n%s", how.name, s.hit, diff)
					}
				})
			}
		}
	}
	t.Cleanup(func() {
		t.Logf("%d faults, %d survived in the same run, the others converged in the next", total.Load(), succeeded.Load())
	})
}

func isTaskError(err error) bool {
	_, ok := errors.AsType[*TaskError](err)
	return ok
}

// Each task that a run starts, × what can become of it.
func TestTaskFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes a minute: not with -short")
	}
	for kind, tasks := range map[machine.Kind]map[string]string{
		machine.LXC: {"create": "vzcreate", "start": "vzstart", "change": "resize", "restart": "vzreboot", "destroy": "vzdestroy", "stop": "vzstop"},
		machine.KVM: {"create": "qmclone", "start": "qmstart", "change": "resize", "restart": "qmreboot", "destroy": "qmdestroy", "stop": "qmstop"},
	} {
		t.Run(string(kind), func(t *testing.T) { testTaskFaults(t, scenarios(kind), tasks) })
	}
}

func testTaskFaults(t *testing.T, all []scenario, tasks map[string]string) {
	of := map[string]scenario{"create": all[0], "start": all[0], "change": all[3], "restart": all[3], "destroy": all[4], "stop": all[4]}
	for name, kind := range tasks {
		sc := of[name]
		_, want := undisturbed(t, sc)
		for _, fault := range []pveapi.Fault{
			{Task: kind, TaskError: "storage 'local-lvm' is not online"},
			{Task: kind, TaskError: "CT is locked (backup)"},
			{Task: kind, TaskWarn: "Systemd 252 detected. You may need to enable nesting."},
			{Task: kind, TaskHang: true},
		} {
			t.Run(fmt.Sprintf("%s %+v", kind, fault.TaskError+fault.TaskWarn), func(t *testing.T) {
				l := sc.lab(t)
				l.prepare(t, sc)
				if err := l.Inject(fault); err != nil {
					t.Fatal(err)
				}
				c := l.client()
				if fault.TaskHang {
					c.times.task, c.times.create, c.times.shutdown = 300*time.Millisecond, 300*time.Millisecond, 200*time.Millisecond
				}
				err := sc.run(t.Context(), c)
				failed, isTask := errors.AsType[*TaskError](err)
				switch {
				case fault.TaskWarn != "" || strings.Contains(fault.TaskError, "locked"):
					if err != nil {
						t.Errorf("not survived: %v", err)
					}
				case fault.TaskHang:
					if !isTask || !failed.Running {
						t.Errorf("a task that never ends: %v", err)
					}
					return // the task holds its guest until somebody stops it
				case !isTask || !strings.Contains(failed.Status, fault.TaskError) || failed.Hint() == "":
					t.Errorf("a task that fails: %v", err)
				}
				if err := sc.run(t.Context(), l.client()); err != nil {
					t.Fatalf("the next run: %v", err)
				}
				if diff := cmp.Diff(want, l.outcome(t, sc)); diff != "" {
					t.Errorf("the state (-undisturbed +now):\n%s", diff)
				}
			})
		}
	}
}
