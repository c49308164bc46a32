package lxc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/pveapi"
)

// soakCycles is how many containers TestSoak makes and destroys: a few, or as many as
// APPSTACK_LAB_SOAK says (200 for a real soak, some ten minutes on two cores).
func soakCycles() int {
	if n, err := strconv.Atoi(os.Getenv("APPSTACK_LAB_SOAK")); err == nil {
		return n
	}
	return 4
}

// TestSoak creates, troubles and destroys containers in batches, and expects the
// machine to be afterwards what it was before.
func TestSoak(t *testing.T) {
	const batch = 4
	lab.Guest(t) // the template is unpacked and the lab's helpers run
	before := traces(t)
	for done := 0; done < soakCycles(); done += batch {
		var g errgroup.Group
		for i := range batch {
			vmid, addr := 10000+done+i, lab.Up(t).Gateway()
			for range 100 + i {
				addr = addr.Next()
			}
			g.Go(func() error { return cycle(t, vmid, netip.PrefixFrom(addr, 24)) })
		}
		if err := g.Wait(); err != nil {
			t.Fatalf("after %d cycles: %v", done, err)
		}
	}
	eventually(t, "as before: "+before, func() bool { return traces(t) == before })
}

// cycle is one container's life with one thing that goes wrong.
func cycle(t *testing.T, vmid int, addr netip.Prefix) error {
	b, ctx := lab.Backend(t), t.Context()
	config := map[string]string{
		"hostname": "soak", "memory": "256", "features": "nesting=1",
		"net0": fmt.Sprintf("name=eth0,bridge=vmbr0,ip=%s", addr),
	}
	spec := lxc.Spec{Template: lab.Template(t), Size: 2 << 30, Unprivileged: rand.IntN(4) > 0, Config: config}
	trouble := rand.IntN(5)
	if trouble == 0 { // a creation that is called off
		short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(500))*time.Millisecond)
		err := b.Create(short, vmid, spec, func(string) {})
		cancel()
		if err != nil {
			return b.Destroy(ctx, vmid)
		}
	} else if err := b.Create(ctx, vmid, spec, func(string) {}); err != nil {
		return err
	}
	if trouble == 1 {
		if err := lab.Up(t).PVE.Inject(pveapi.Fault{Guest: vmid, RebootAfter: time.Second}); err != nil {
			return err
		}
	}
	if err := b.Start(ctx, vmid, config, func(string) {}); err != nil {
		return err
	}
	if err := meddle(ctx, b, vmid, trouble); err != nil {
		return err
	}
	if err := b.Stop(ctx, vmid); err != nil {
		return err
	}
	return b.Destroy(ctx, vmid)
}

func meddle(ctx context.Context, b *lxc.Backend, vmid, trouble int) error {
	switch trouble {
	case 1: // it reboots by itself meanwhile
		first, err := b.Usage(ctx, vmid)
		if err != nil {
			return err
		}
		for u := first; u.PID == first.PID || u.PID == 0; {
			if u, err = b.Usage(ctx, vmid); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(20 * time.Millisecond):
			}
		}
	case 2:
		if err := b.Snapshot(ctx, vmid, "s"); err != nil {
			return err
		}
	case 3:
		return b.Shutdown(ctx, vmid, 30*time.Second)
	}
	return nil
}

// traces counts what containers leave on the machine and in this process.
func traces(t *testing.T) string {
	t.Helper()
	l := lab.Up(t)
	dir := filepath.Join("/var/lib/pvelab", l.Bridge())
	count := func(pattern string) int {
		found, err := filepath.Glob(pattern)
		must(t, err)
		return len(found)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	loops := 0
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && strings.HasPrefix(string(text), dir) {
			loops++
		}
	}
	return fmt.Sprintf("%d mounts, %d loop devices, %d veths, %d cgroups, %d directories, %d images, %d containers, %d files open",
		strings.Count(string(mounts), dir+"/"), loops, count("/sys/class/net/"+l.Bridge()+"/brif/*"),
		count("/sys/fs/cgroup/*/"+l.Bridge()+"/*/"), count(dir+"/ct/*"), count(dir+"/store/*"),
		lxc.Count(l.Bridge()), count("/proc/self/fd/*"))
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
