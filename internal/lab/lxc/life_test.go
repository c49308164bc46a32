package lxc_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/lxc"
)

// eventually polls for what must become true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLimitsAreHot(t *testing.T) {
	g := lab.Guest(t, labtest.With("cores", "1"), labtest.With("memory", "512"))
	if got := strings.TrimSpace(g.Run(t, "nproc")); got != "1" {
		t.Errorf("nproc says %s of 1 core", got)
	}
	config := maps.Clone(g.Config)
	config["memory"], config["cores"] = "768", "2"
	must(t, lab.Backend(t).Update(t.Context(), g.VMID, config))
	if got := strings.TrimSpace(g.Run(t, "nproc")); got != "2" {
		t.Errorf("nproc says %s after a second core came", got)
	}
	config["memory"] = "256"
	must(t, lab.Backend(t).Update(t.Context(), g.VMID, config))
	out, err := g.Try(t.Context(), "systemd-run -q --wait -P python3 -V; head -c 400M /dev/zero | tail")
	if err == nil {
		t.Errorf("400 MiB fit into 256 MiB: %s", out)
	}
}

func TestInterfacesAreHot(t *testing.T) {
	g := lab.Guest(t)
	b := lab.Backend(t)
	_, second := lab.Allocate(t)
	config := maps.Clone(g.Config)
	config["net1"] = "name=eth1,bridge=vmbr0,hwaddr=BC:24:11:AA:00:01,ip=" + second.String()
	must(t, b.Update(t.Context(), g.VMID, config))
	if out := g.Run(t, "ip -o -4 addr show eth1; cat /sys/class/net/eth1/address"); !strings.Contains(out, second.String()) || !strings.Contains(out, "bc:24:11:aa:00:01") {
		t.Errorf("eth1 was not plugged as asked: %s", out)
	}
	list, err := b.Interfaces(t.Context(), g.VMID)
	must(t, err)
	if len(list) != 3 {
		t.Errorf("want lo, eth0 and eth1, got %v", list)
	}
	delete(config, "net1")
	must(t, b.Update(t.Context(), g.VMID, config))
	if out, err := g.Try(t.Context(), "ip link show eth1"); err == nil {
		t.Errorf("eth1 is still there: %s", out)
	}
}

func TestResizeShowsInDf(t *testing.T) {
	g := lab.Guest(t)
	b := lab.Backend(t)
	df := func() string { return strings.Fields(g.Run(t, "df --block-size=1G --output=size /"))[1] }
	if err := b.Resize(t.Context(), g.VMID, "rootfs", 6<<30, func(string) {}); err != nil {
		// Growing a mounted ext4 needs CAP_SYS_RESOURCE, which a sandboxed root lacks.
		if !strings.Contains(err.Error(), "Permission denied to resize filesystem") {
			t.Fatal(err)
		}
		t.Log("no online resize on this machine; after a restart:", err)
		must(t, b.Shutdown(t.Context(), g.VMID, patience))
		must(t, b.Start(t.Context(), g.VMID, g.Config, func(string) {}))
		g.Wait(t)
	}
	if got := df(); got != "6" {
		t.Errorf("df says %s GiB of 6", got)
	}
	if err := b.Resize(t.Context(), g.VMID, "rootfs", 5<<30, func(string) {}); err == nil {
		t.Error("a disk shrank")
	}
}

func TestRollbackRestoresEveryFile(t *testing.T) {
	g := lab.Guest(t)
	b := lab.Backend(t)
	g.Run(t, "echo before > /root/state")
	must(t, b.Snapshot(t.Context(), g.VMID, "good"))
	g.Run(t, "echo after > /root/state; rm /etc/motd; touch /new")
	if err := b.Rollback(t.Context(), g.VMID, "good"); err != lxc.ErrRunning {
		t.Fatalf("rollback of a running container: %v", err)
	}
	must(t, b.Stop(t.Context(), g.VMID))
	must(t, b.Rollback(t.Context(), g.VMID, "good"))
	must(t, b.Start(t.Context(), g.VMID, g.Config, func(string) {}))
	g.Wait(t)
	if got := strings.TrimSpace(g.Run(t, "cat /root/state; ls /etc/motd; ls /new 2>/dev/null || true")); got != "before\n/etc/motd" {
		t.Errorf("after the rollback: %q", got)
	}
	must(t, b.DeleteSnapshot(t.Context(), g.VMID, "good"))
	must(t, b.Stop(t.Context(), g.VMID))
	if err := b.Rollback(t.Context(), g.VMID, "good"); err == nil {
		t.Error("a deleted snapshot came back")
	}
}

func TestCloneKeepsHostKeysButNotItsID(t *testing.T) {
	g := lab.Guest(t)
	b := lab.Backend(t)
	vmid, addr := lab.Allocate(t)
	must(t, b.Snapshot(t.Context(), g.VMID, "base"))
	t.Cleanup(func() {
		must(t, b.Stop(context.Background(), vmid))
		must(t, b.Destroy(context.Background(), vmid))
	})
	must(t, b.Clone(t.Context(), g.VMID, vmid, "base", func(string) {}))
	config := maps.Clone(g.Config)
	config["hostname"] = "copy"
	config["net0"] = "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:AA:00:02,ip=" + addr.String() + ",gw=" + g.Gateway.String()
	must(t, b.Start(t.Context(), vmid, config, func(string) {}))
	c := *g
	c.VMID, c.Addr, c.Prefix = vmid, addr.Addr(), addr
	c.Wait(t) // Dial accepts the source's host keys only
	id := "cat /etc/machine-id"
	if got := c.Run(t, id); got == g.Run(t, id) {
		t.Errorf("the clone has its source's machine id %s", got)
	}
	if got := strings.TrimSpace(c.Run(t, "hostname")); got != "copy" {
		t.Errorf("the clone calls itself %q", got)
	}
}

func TestGuestEndsByItself(t *testing.T) {
	g := lab.Guest(t)
	b := lab.Backend(t)
	before, err := b.Usage(t.Context(), g.VMID)
	must(t, err)
	g.Try(t.Context(), "reboot")
	eventually(t, "the container reboots", func() bool {
		u, err := b.Usage(t.Context(), g.VMID)
		return err == nil && u.PID != 0 && u.PID != before.PID
	})
	g.Wait(t)
	g.Try(t.Context(), "poweroff")
	eventually(t, "the container is off", func() bool { return !b.Running(g.VMID) })
	u, err := b.Usage(t.Context(), g.VMID)
	must(t, err)
	if u.PID != 0 || u.Mem != 0 || u.Disk == 0 || u.MaxDisk == 0 {
		t.Errorf("a stopped container uses %+v", u)
	}
}

func TestShutdownIsClean(t *testing.T) {
	g := lab.Guest(t)
	b := lab.Backend(t)
	g.Run(t, `mkdir /etc/systemd/system/x.service.d; printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/touch /stopped\n' > /etc/systemd/system/x.service; systemctl start x`)
	must(t, b.Shutdown(t.Context(), g.VMID, patience))
	must(t, b.Start(t.Context(), g.VMID, g.Config, func(string) {}))
	g.Wait(t)
	g.Run(t, "test -e /stopped")
}

func TestConsoleIsARootShell(t *testing.T) {
	g := lab.Guest(t)
	c, err := lab.Backend(t).Console(t.Context(), g.VMID, true)
	must(t, err)
	defer c.Close()
	term := c.(*lxc.Terminal)
	must(t, term.Resize(132, 50))
	must(t, term.SetReadDeadline(time.Now().Add(patience)))
	var seen strings.Builder
	expect := func(what string) {
		t.Helper()
		buf := make([]byte, 4096)
		for !strings.Contains(seen.String(), what) {
			n, err := c.Read(buf)
			seen.Write(buf[:n])
			if err != nil {
				t.Fatalf("no %q in %q: %v", what, seen.String(), err)
			}
		}
	}
	expect("# ")
	_, err = c.Write([]byte("echo I-am-$(id -un)-on-$(hostname)-with-$(tput cols)\n"))
	must(t, err)
	expect("I-am-root-on-" + g.Name + "-with-132")
}

func TestVolumesAndNesting(t *testing.T) {
	t.Run("mount point", func(t *testing.T) {
		t.Parallel()
		g := lab.Guest(t, labtest.With("mp0", "local-lvm:vm-1-disk-1,mp=/srv/data,size=2G"))
		g.Run(t, "touch /srv/data/x && mountpoint -q /srv/data && test $(stat -c %U /srv/data) = root")
	})
	unit := "systemd-run --quiet --wait --pipe --property=PrivateTmp=yes true"
	t.Run("with nesting", func(t *testing.T) { t.Parallel(); lab.Guest(t).Run(t, unit) })
	t.Run("without nesting", func(t *testing.T) {
		t.Parallel()
		if out, err := lab.Guest(t, labtest.With("features", "")).Try(t.Context(), unit); err == nil {
			t.Errorf("systemd's sandboxing works without nesting, as it does not on Proxmox: %s", out)
		}
	})
}
