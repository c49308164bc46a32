package app_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/report"
)

// foreign makes somebody else's guest, perhaps with an address.
func (w *memWorld) foreign(vmid, name, ip string) {
	w.t.Helper()
	if w.kind.kind == machine.KVM {
		w.ask("POST", w.path(templateVM)+"/clone", url.Values{"newid": {vmid}, "name": {name}, "full": {"1"}}.Encode())
		w.settle()
		if ip != "" {
			w.ask("PUT", "/nodes/pve1/qemu/"+vmid+"/config", url.Values{"ipconfig0": {"ip=" + ip}}.Encode())
		}
		return
	}
	net := "name=eth0,bridge=vmbr0"
	if ip != "" {
		net += ",ip=" + ip
	}
	w.ask("POST", "/nodes/pve1/lxc", url.Values{"vmid": {vmid}, "hostname": {name}, "net0": {net}, "rootfs": {"local-lvm:1"},
		"ostemplate": {"local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst"}}.Encode())
	w.settle()
}

// What a guard finds stops a run before its first write; what a run is told to let pass
// is in its report.
func TestGuards(t *testing.T) {
	conflicts := func(r *app.Run) { r.Overrides = pve.Overrides{pve.GuardIP, pve.GuardMAC, pve.GuardName} }
	tests := []struct {
		name     string
		vmid     string
		hostname string
		ip       string
		reason   report.Reason
		told     string
		allow    func(*app.Run)
		reported func(report.Report) []string
		want     string
	}{
		{"address", "200", "mail", memAddr + "/24", report.Guarded, "KIND 200 (mail) on node pve1 has the address 10.99.0.101 already (CARD)",
			conflicts, func(r report.Report) []string { return r.Overrides }, "ip-conflicts: KIND 200 (mail) on node pve1 has the address 10.99.0.101 already (CARD)"},
		{"name", "200", "shop-dev", "", report.Guarded, "KIND 200 (shop-dev) on node pve1 has the name already",
			conflicts, func(r report.Report) []string { return r.Overrides }, "name-conflicts: KIND 200 (shop-dev) on node pve1 has the name already"},
		{"vmid", "101", "mail", "", report.Refused, "somebody else's guest",
			func(r *app.Run) { r.Policy = plan.Policy{Adopt: true} }, func(r report.Report) []string { return []string{r.Plan.String()} },
			"+ adopt guest 101: mail on pve1: it is not appstack's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inEveryKind(t, func(t *testing.T, kind guestKind) {
				w := newMemWorld(t, kind)
				defer w.end()
				w.foreign(tt.vmid, tt.hostname, tt.ip)
				words := strings.NewReplacer("KIND", kind.name, "CARD", map[string]string{"CT": "net0", "VM": "ipconfig0"}[kind.name])
				told, want := words.Replace(tt.told), words.Replace(tt.want)
				before := w.proxmox.GuestIDs()
				w.gate.disturb(nil)
				r, err := w.do(t.Context(), "provision")
				w.must(err)
				if r.Reason != tt.reason || !strings.Contains(r.Error+r.Plan.String(), told) || r.Hint == "" {
					t.Errorf("it ends %s (%s): %s\nhint: %s\n%s", r.Status, r.Reason, r.Error, r.Hint, r.Plan)
				}
				requests, _ := w.gate.log()
				if slices.ContainsFunc(requests, func(s string) bool { return !strings.HasPrefix(s, "GET ") }) || !slices.Equal(before, w.proxmox.GuestIDs()) {
					t.Errorf("something was written: %v", requests)
				}
				r, err = w.do(t.Context(), "provision", tt.allow)
				w.must(err)
				if r.Failed() || !slices.ContainsFunc(tt.reported(r), func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("allowed, it ends %s: %s, and reports %q", r.Status, r.Error, tt.reported(r))
				}
			})
		})
	}
}

// A guest is removed when its name was typed, and not otherwise.
func TestDestroyIsConfirmed(t *testing.T) {
	inEveryKind(t, func(t *testing.T, kind guestKind) {
		w := newMemWorld(t, kind)
		defer w.end()
		w.finish("provision")
		asked := ""
		no := func(r *app.Run) {
			r.Confirm = func(target string) error { asked = target; return &app.UsageError{Text: "not confirmed"} }
		}
		w.gate.disturb(nil)
		r, err := w.do(t.Context(), "destroy", no)
		w.must(err)
		requests, _ := w.gate.log()
		written := slices.ContainsFunc(requests, func(s string) bool { return !strings.HasPrefix(s, "GET ") })
		if asked != "shop/dev" || r.Status != report.Failed || !strings.Contains(r.Error, "not confirmed") || written {
			t.Errorf("asked for %q, it ends %s: %s; requests %v", asked, r.Status, r.Error, requests)
		}
		r, err = w.do(t.Context(), "destroy", func(r *app.Run) { r.Confirm = func(string) error { return nil } })
		w.must(err)
		if r.Status != report.Destroyed || len(w.guests()) > 0 {
			t.Errorf("confirmed, it ends %s: %s", r.Status, r.Error)
		}
	})
}

// Who waited for another run looks again at what speaks against the plan: it is another
// plan now, of another guest, among other neighbours.
func TestGuardsAfterAWait(t *testing.T) {
	inEveryKind(t, func(t *testing.T, kind guestKind) {
		w := newMemWorld(t, kind)
		defer w.end()
		w.finish("provision")
		w.occupy("org/shop/77/1", 4*time.Minute)
		w.guest(kind.changed)
		var r report.Report
		var err error
		var late sync.WaitGroup
		late.Go(func() {
			r, err = w.do(t.Context(), "provision", func(r *app.Run) {
				r.LockWait = time.Hour
				r.RunOver = func(context.Context, string) (bool, error) { return false, nil }
			})
		})
		time.Sleep(time.Minute) // it waits for the lease now
		w.ask("PUT", w.path(memVMID)+"/config", form(map[string]string{"CT": "hostname", "VM": "name"}[kind.name], "shop-old"))
		w.foreign("200", "shop-dev", "")
		late.Wait()
		w.must(err)
		if want := "KIND 200 (shop-dev) on node pve1 has the name already"; r.Reason != report.Guarded || !strings.Contains(r.Error, strings.ReplaceAll(want, "KIND", kind.name)) {
			t.Errorf("it ends %s (%s): %s\n%s", r.Status, r.Reason, r.Error, r.Plan)
		}
		w.fence()
	})
}
