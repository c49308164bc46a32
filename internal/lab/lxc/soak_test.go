package lxc_test

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/pveapi"
)

// soakCycles is how many containers TestSoak makes and destroys: with each mishap once, or as
// many as APPSTACK_LAB_SOAK says (200 for a real soak).
func soakCycles() int {
	if n, err := strconv.Atoi(os.Getenv("APPSTACK_LAB_SOAK")); err == nil {
		return n
	}
	return len(mishaps)
}

// mishap is what goes wrong once in a container's life; %d is its vmid.
type mishap struct {
	pveapi.Fault
	life      func(*cycle, context.Context) error // one that the fault has a place in; nil: any
	stops     string                              // type of a task that is stopped, as a person would,
	impatient time.Duration                       // once it takes longer than that
}

// hangs is how long a person looks at a task that never ends.
const hangs = 2 * time.Second

var mishaps = []mishap{
	{},
	{Fault: pveapi.Fault{Method: "POST", Path: "/nodes/*/lxc", Drop: "before"}},
	{Fault: pveapi.Fault{Method: "POST", Path: "/nodes/*/lxc", Drop: "after"}},
	{Fault: pveapi.Fault{Method: "POST", Path: "/nodes/*/lxc", Status: 596}},
	{Fault: pveapi.Fault{Task: "vzcreate:%d", TaskLine: 3, TaskError: "interrupted by signal"}},
	{Fault: pveapi.Fault{Task: "vzcreate:%d", TaskError: "disk on fire"}},
	{Fault: pveapi.Fault{Task: "vzcreate:%d", TaskHang: true}},
	{stops: "vzcreate", impatient: 100 * time.Millisecond},
	{stops: "vzcreate", impatient: 400 * time.Millisecond},
	{stops: "vzstart", impatient: 100 * time.Millisecond},
	{stops: "vzstart", impatient: 500 * time.Millisecond},
	{stops: "vzrollback", impatient: 20 * time.Millisecond, life: (*cycle).isRolledBack},
	{stops: "vzclone", impatient: 20 * time.Millisecond, life: (*cycle).isCloned},
	{Fault: pveapi.Fault{Storage: "local-lvm"}},
	{Fault: pveapi.Fault{Guest: 1, Lock: "backup"}},
	{Fault: pveapi.Fault{Guest: 1, Hold: time.Second, Skip: 1}},
	{Fault: pveapi.Fault{Method: "POST", Path: "/nodes/*/lxc/%d/status/start", Drop: "after"}},
	{Fault: pveapi.Fault{Task: "vzstart:%d", TaskError: "startup failed"}},
	{Fault: pveapi.Fault{Task: "vzstart:%d", TaskHang: true}},
	{Fault: pveapi.Fault{Guest: 1, RebootAfter: time.Second}, life: (*cycle).rebootsItself},
	{Fault: pveapi.Fault{Guest: 1, LateSSH: time.Hour}},
	{Fault: pveapi.Fault{Task: "vzsnapshot:%d", TaskError: "no space"}, life: (*cycle).isCloned},
	{Fault: pveapi.Fault{Method: "POST", Path: "/nodes/*/lxc/%d/snapshot", Drop: "after"}, life: (*cycle).isCloned},
	{Fault: pveapi.Fault{Task: "vzrollback:%d", TaskHang: true}, life: (*cycle).isRolledBack},
	{Fault: pveapi.Fault{Task: "vzshutdown:%d", TaskHang: true}, life: (*cycle).isRolledBack},
	{Fault: pveapi.Fault{Method: "DELETE", Path: "/nodes/*/lxc/%d", Drop: "after"}},
	{Fault: pveapi.Fault{Task: "vzdestroy:%d", TaskError: "lvremove failed"}},
	{Fault: pveapi.Fault{Task: "vzdestroy:%d", TaskHang: true}},
}

// TestSoak takes containers through their lives by the API, in batches and with something
// going wrong in each, and expects the machine to be after every batch what it was before.
func TestSoak(t *testing.T) {
	const batch = 4
	t.Run("warm-up", func(t *testing.T) { lab.Guest(t) }) // the template is unpacked, the lab's helpers run
	api := newAPI(t)
	before, began := traces(t), time.Now()
	for done := 0; done < soakCycles(); done += batch {
		g, ctx := errgroup.WithContext(t.Context())
		for i := done; i < min(done+batch, soakCycles()); i++ {
			c := newCycle(api, i)
			g.Go(func() error {
				if err := c.run(ctx); err != nil {
					return fmt.Errorf("cycle %d (%+v): %w", c.number, c.Fault, err)
				}
				return nil
			})
		}
		must(t, g.Wait())
		if left := api.server.Faults(); len(left) > 0 {
			t.Errorf("what was to go wrong did not: %+v", left)
		}
		leavesAsBefore(t, before)
	}
	t.Logf("%d cycles in %s, leaving what was before: %s", soakCycles(), time.Since(began).Round(time.Second), before)
}

// cycle is one container's life.
type cycle struct {
	*api
	mishap
	number, vmid int
	addr         netip.Prefix
}

func newCycle(api *api, number int) *cycle {
	c := &cycle{api: api, mishap: mishaps[number%len(mishaps)], number: number, vmid: 10000 + number}
	c.Path = strings.ReplaceAll(c.Path, "%d", strconv.Itoa(c.vmid))
	c.Task = strings.ReplaceAll(c.Task, "%d", strconv.Itoa(c.vmid))
	if c.Guest != 0 {
		c.Guest = c.vmid
	}
	addr := api.gateway
	for range 100 + number%100 {
		addr = addr.Next()
	}
	c.addr = netip.PrefixFrom(addr, 24)
	return c
}

// run lives one life with its mishap; at its end the container is gone.
func (c *cycle) run(ctx context.Context) error {
	if c.Fault != (pveapi.Fault{}) {
		if err := c.server.Inject(c.Fault); err != nil {
			return err
		}
	}
	lives := []func(*cycle, context.Context) error{(*cycle).isChanged, (*cycle).isRolledBack, (*cycle).isRebooted, (*cycle).isCloned}
	live := c.life
	if live == nil {
		live = lives[c.number%len(lives)]
	}
	for _, do := range []func(*cycle, context.Context) error{(*cycle).begins, live, (*cycle).ends} {
		if err := do(c, ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *cycle) begins(ctx context.Context) error {
	form := url.Values{
		"vmid": {strconv.Itoa(c.vmid)}, "ostemplate": {c.template}, "storage": {"local-lvm"}, "rootfs": {"local-lvm:2"},
		"hostname": {"soak"}, "memory": {"256"}, "features": {"nesting=1"}, "unprivileged": {"1"},
		"net0": {"name=eth0,bridge=vmbr0,ip=" + c.addr.String()},
	}
	if c.number%5 == 0 { // only root@pam gives a privileged one features
		form.Del("features")
		form.Set("unprivileged", "0")
	}
	if err := c.insist(ctx, "POST", "/nodes/pve1/lxc", form, c.is("stopped")); err != nil {
		return err
	}
	return c.insist(ctx, "POST", c.path("/status/start"), nil, c.is("running"))
}

func (c *cycle) ends(ctx context.Context) error {
	return c.insist(ctx, "DELETE", c.path("?force=1&purge=1"), nil, c.is("gone"))
}

func (c *cycle) isChanged(ctx context.Context) error {
	if err := c.insist(ctx, "PUT", c.path("/config"), url.Values{"memory": {"320"}, "cores": {"1"}}, nil); err != nil {
		return err
	}
	return c.insist(ctx, "POST", c.path("/status/stop"), nil, c.is("stopped"))
}

func (c *cycle) isRebooted(ctx context.Context) error {
	if err := c.insist(ctx, "PUT", c.path("/resize"), url.Values{"disk": {"rootfs"}, "size": {"+1G"}}, nil); err != nil {
		return err
	}
	return c.insist(ctx, "POST", c.path("/status/reboot"), url.Values{"timeout": {"120"}}, c.is("running"))
}

func (c *cycle) isRolledBack(ctx context.Context) error {
	err := c.insist(ctx, "POST", c.path("/snapshot"), url.Values{"snapname": {"good"}}, c.hasSnapshot)
	if err == nil {
		err = c.insist(ctx, "POST", c.path("/status/shutdown"), url.Values{"timeout": {"120"}}, c.is("stopped"))
	}
	if err == nil {
		err = c.insist(ctx, "POST", c.path("/snapshot/good/rollback"), url.Values{"start": {"1"}}, nil)
	}
	return err
}

// isCloned leaves no clone behind.
func (c *cycle) isCloned(ctx context.Context) error {
	clone := &cycle{api: c.api, number: c.number, vmid: c.vmid + 10000}
	err := c.insist(ctx, "POST", c.path("/snapshot"), url.Values{"snapname": {"good"}}, c.hasSnapshot)
	if err == nil {
		form := url.Values{"newid": {strconv.Itoa(clone.vmid)}, "snapname": {"good"}, "full": {"1"}}
		err = c.insist(ctx, "POST", c.path("/clone"), form, clone.is("stopped"))
	}
	if err == nil {
		err = clone.ends(ctx)
	}
	return err
}

// rebootsItself waits until another init runs.
func (c *cycle) rebootsItself(ctx context.Context) error {
	first := 0
	return poll(ctx, func() (bool, error) {
		u, err := c.guests.Usage(ctx, c.vmid)
		if first == 0 {
			first = u.PID
		}
		return u.PID != 0 && u.PID != first, err
	})
}

// TestTwentyAtOnce is the target that the lab was built for: 20 containers on two
// cores in less than 6 GiB. It takes a machine of its own: APPSTACK_LAB_SOAK.
func TestTwentyAtOnce(t *testing.T) {
	if os.Getenv("APPSTACK_LAB_SOAK") == "" {
		t.Skip("20 containers at once: only with APPSTACK_LAB_SOAK set")
	}
	began := time.Now()
	var guests []*labtest.Guest
	for range 20 {
		guests = append(guests, lab.Guest(t))
	}
	t.Logf("20 containers with sshd after %s", time.Since(began))
	var total int64
	for _, guest := range guests {
		guest.Run(t, "systemctl is-system-running --wait || { systemctl --failed; journalctl -b -p warning; exit 1; }")
		u, err := lab.Backend(t).Usage(t.Context(), guest.VMID)
		must(t, err)
		total += u.Mem
	}
	t.Logf("they use %d MiB, page cache included", total>>20)
	if total > 6<<30 {
		t.Error("more than 6 GiB")
	}
}
