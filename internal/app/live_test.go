package app_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/report"
)

// guardsLiveAddress gives a running guest an address that its configuration does not
// tell, and wants another environment at that address: Proxmox knows it from the
// container's interfaces, and from the virtual machine's guest agent; and it answers there.
func (w *databaseWorld) guardsLiveAddress(dev report.Report) {
	w.t.Helper()
	vmid, addr := machines.Allocate(w.t)
	w.shell(fmt.Sprintf("ip address add %s/32 dev eth0", addr.Addr()), "")
	qa := fmt.Sprintf("      qa: {name: shop-qa-%d, vmid: %d, ip: %s, gateway: %s, branch: qa}\n", vmid, vmid, addr, w.lab.Gateway())
	w.edit("branch: dev}\n", "branch: dev}\n"+qa)
	defer w.edit(qa, "")
	want := fmt.Sprintf("%s %d (shop-dev-%d) on node pve1 has the address %s already (live on eth0)", w.kind.name, dev.VMID, dev.VMID, addr.Addr())
	answers := fmt.Sprintf("something answers at %s (ping) although the guest does not run", addr.Addr())
	for _, allow := range []pve.Overrides{nil, {pve.GuardIP}} {
		reports, err := w.run(w.t.Context(), "plan", func(r *app.Run) { r.Request.Env, r.Overrides = "qa", allow })
		w.must(err)
		r := reports[0]
		if allow == nil && (r.Reason != report.Guarded || !strings.Contains(r.Error, want) || !strings.Contains(r.Error, answers)) {
			w.t.Errorf("beside a guest that has its address live, the plan of qa ends %s (%s): %s", r.Status, r.Reason, r.Error)
		}
		if allow != nil && (r.Failed() || !slices.Contains(r.Overrides, "ip-conflicts: "+want) || !slices.Contains(r.Overrides, "ip-conflicts: "+answers)) {
			w.t.Errorf("allowed, the plan of qa ends %s: %s, and reports %q", r.Status, r.Error, r.Overrides)
		}
	}
}

// readsKeysAgain gives a virtual machine other SSH host keys than the pinned ones, as
// cloud-init does at a boot after its drive has changed: they are asked of the guest agent.
func (w *databaseWorld) readsKeysAgain() {
	w.t.Helper()
	w.shell("rm /etc/ssh/ssh_host_* && ssh-keygen -q -A && systemctl restart ssh", "")
	if r := w.ok("apply"); steps(r[0].Plan) != "set config description" || !strings.Contains(r[0].Plan.String(), "SSH host keys: other ones since cloud-init ran again") {
		w.t.Errorf("with new host keys:\n%s", r[0].Plan)
	}
	if r := w.ok("apply"); r[0].Status != report.Unchanged {
		w.t.Errorf("after its host keys were read again, the run ends %s:\n%s", r[0].Status, r[0].Plan)
	}
}
