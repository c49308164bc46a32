package lxc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/pveapi"
)

// restart stops a guest and starts it with what was injected meanwhile.
func restart(t *testing.T, g *labtest.Guest, f pveapi.Fault) (b *lxc.Backend) {
	t.Helper()
	b = lab.Backend(t)
	must(t, b.Stop(t.Context(), g.VMID))
	must(t, lab.Up(t).PVE.Inject(f))
	must(t, b.Start(t.Context(), g.VMID, g.Config, func(string) {}))
	return b
}

func TestSSHComesLate(t *testing.T) {
	const late = 4 * time.Second
	g := lab.Guest(t)
	b := restart(t, g, pveapi.Fault{Guest: g.VMID, LateSSH: late})
	g.Wait(t)
	u, err := b.Usage(t.Context(), g.VMID)
	must(t, err)
	if u.Uptime < late {
		t.Errorf("sshd answered %s after the start already", u.Uptime)
	}
	restart(t, g, pveapi.Fault{Guest: g.VMID + 1, LateSSH: time.Hour})
	g.Wait(t)
	if unit := g.Run(t, "systemctl cat ssh"); strings.Contains(unit, "sleep") {
		t.Errorf("sshd is late a second time, or for another guest's fault:\n%s", unit)
	}
	lab.Up(t).PVE.ClearFaults()
}

func TestGuestRebootsItself(t *testing.T) {
	g := lab.Guest(t)
	b := restart(t, g, pveapi.Fault{Guest: g.VMID, RebootAfter: time.Second, Times: 2})
	pids := map[int]bool{}
	eventually(t, "two reboots", func() bool {
		if u, err := b.Usage(t.Context(), g.VMID); err == nil && u.PID != 0 {
			pids[u.PID] = true
		}
		return len(pids) == 3
	})
	g.Wait(t)
	if left := lab.Up(t).PVE.Faults(); len(left) > 0 {
		t.Errorf("still waiting: %+v", left)
	}
}
