package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/machine"
)

// guestKind is a row of the tables of scenarios: what differs between a container and a
// virtual machine.
type guestKind struct {
	name string // as reports call it
	kind machine.Kind

	// Properties of guests in memory: first and changed differ in what is hot, what takes
	// a restart, and what grows; third is another commit's, without what the changed one
	// has; hot differs from the first in what third has not, and has the same disk.
	first, changed, third, hot string

	from string // what a real guest is made from, as the stack file says it
}

// guestKinds are all rows.
func guestKinds() []guestKind {
	const ct = "template: debian-12-standard, storage: local-lvm, bridge: vmbr0, swap: "
	const vm = "type: kvm, clone: debian-12-cloud, storage: local-lvm, bridge: vmbr0, cpuunits: "
	row := func(name string, kind machine.Kind, common, one, two string) guestKind {
		return guestKind{name, kind,
			fmt.Sprintf("{%s, cores: 2, memory: 1024, disk: 8, tags: [dev]}", common+one),
			fmt.Sprintf("{%s, cores: 4, memory: 2048, disk: 10, tags: [dev, web], nameserver: 10.99.0.2}", common+two),
			fmt.Sprintf("{%s, cores: 1, memory: 1536, disk: 8, tags: [third]}", common+one),
			fmt.Sprintf("{%s, cores: 4, memory: 2048, disk: 8, tags: [hot], nameserver: 10.99.0.2}", common+two),
			map[machine.Kind]string{machine.LXC: warmTemplate, machine.KVM: "type: kvm, clone: " + lab.TemplateVMName}[kind],
		}
	}
	return []guestKind{row("CT", machine.LXC, ct, "0", "256"), row("VM", machine.KVM, vm, "100", "200")}
}

// warmTemplate is what stack files of tests make real guests from; made puts what a
// virtual machine is made from in its place.
const warmTemplate = "template: debian-12-warm"

// made is a stack file for guests of this kind.
func (k guestKind) made(stack string) string {
	if k.from == "" {
		return stack
	}
	return strings.ReplaceAll(stack, warmTemplate, k.from)
}

// onEveryKind runs a test with real guests for each row: with containers in any case, with
// virtual machines where that is essential, or everything is asked for. Such tests run
// beside one another: they wait more than they compute.
func onEveryKind(t *testing.T, essential bool, test func(*testing.T, guestKind)) {
	t.Helper()
	t.Parallel()
	for _, kind := range guestKinds() {
		t.Run(kind.name, func(t *testing.T) {
			if kind.kind == machine.KVM && !essential && !torture() {
				t.Skip("its row with virtual machines is for make torture (APPSTACK_TORTURE=1)")
			}
			began := time.Now()
			test(t, kind)
			if kind.kind == machine.KVM {
				name, _, _ := strings.Cut(t.Name(), "/")
				figureRow(t, "vms", name, fmt.Sprintf("%d s", int(time.Since(began).Seconds())))
			}
		})
	}
}

// one is the kind that a world was asked for; a container where none was.
func one(kinds []guestKind) guestKind { return append(kinds, guestKinds()[0])[0] }

// repo is a repository's name, of which each kind has its own.
func (k guestKind) repo(name string) string { return name + "-" + strings.ToLower(k.name) }

// inEveryKind runs a test in memory for each row, in a bubble of its own.
func inEveryKind(t *testing.T, test func(*testing.T, guestKind)) {
	t.Helper()
	for _, kind := range guestKinds() {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, kind) })
		})
	}
}

// path is a guest's in Proxmox's API.
func (w *memWorld) path(vmid int) string { return fmt.Sprintf("/nodes/pve1/%s/%d", w.kind.kind, vmid) }

// templateVM is the vmid of the template VM.
const templateVM = 9000

// guests are the vmids of all guests but the template.
func (w *memWorld) guests() []int {
	return slices.DeleteFunc(w.proxmox.GuestIDs(), func(id int) bool { return id == templateVM })
}

// seedTemplate puts in place what guests are made from: a container template, or a
// template VM that was made from a cloud image.
func (w *memWorld) seedTemplate() {
	w.t.Helper()
	dir, err := w.proxmox.TemplateDir("pve1", "local")
	w.must(err)
	if w.kind.kind == machine.LXC {
		w.must(os.WriteFile(filepath.Join(dir, "debian-12-standard_12.12-1_amd64.tar.zst"), make([]byte, 4096), 0o600))
		return
	}
	image := filepath.Join(dir, "../../import/debian-12.qcow2")
	w.must(os.MkdirAll(filepath.Dir(image), 0o700))
	w.must(os.WriteFile(image, make([]byte, 4096), 0o600))
	w.ask("POST", "/nodes/pve1/qemu", "vmid=9000&name=debian-12-cloud&scsihw=virtio-scsi-single&scsi0=local-lvm:0,import-from=local:import/debian-12.qcow2"+
		"&ide2=local-lvm:cloudinit&boot=order%3Dscsi0&net0=virtio,bridge%3Dvmbr0&serial0=socket&agent=1")
	w.settle()
	w.ask("POST", w.path(templateVM)+"/template", "")
	w.settle()
}
