package pve

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
)

// newVMLab has a template VM, 9000, that boots Debian with cloud-init.
func newVMLab(t *testing.T, edit ...func(*pveapi.Options)) *lab {
	t.Helper()
	l := newLab(t, edit...)
	l.putImage("pve1", "debian-12.qcow2")
	l.make("/nodes/pve1/qemu", params{"vmid": "9000", "name": "debian-12-cloud", "scsi0": "local-lvm:0,import-from=local:import/debian-12.qcow2", "scsihw": "virtio-scsi-single",
		"ide2": "local-lvm:cloudinit", "boot": "order=scsi0", "net0": "virtio,bridge=vmbr0", "serial0": "socket", "description": "golden"})
	c := l.client()
	var upid string
	if err := c.call(t.Context(), "POST", "/nodes/pve1/qemu/9000/template", nil, &upid); err != nil {
		t.Fatal(err)
	}
	if _, err := c.wait(t.Context(), upid, "the template", c.times.task); err != nil {
		t.Fatal(err)
	}
	return l
}

// putImage puts a cloud image on the storage local.
func (l *lab) putImage(node, file string) {
	l.t.Helper()
	dir, err := l.TemplateDir(node, "local")
	if err == nil {
		dir = filepath.Join(dir, "../../import")
		err = errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, file), make([]byte, 4096), 0o600))
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func wantedVM() *machine.Guest {
	return &machine.Guest{
		Kind: machine.KVM, VMID: 101, Node: "pve1", Pool: "appstack", Running: true, MayRestart: true,
		Config: machine.Config{"name": "shop-dev", "cores": "2", "sockets": "1", "cpu": "host", "memory": "2048", "balloon": "2048",
			"net0": "virtio,bridge=vmbr0,firewall=1", "ipconfig0": "ip=10.99.0.101/24,gw=10.99.0.1", "ciuser": "root",
			"sshkeys": "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAICs2eE7Xo2u%2Bd%2FsQbmwQK%2BjterZqRupHkGnOkc0FH99b%20ops%40example.org",
			"agent":   "1", "machine": "q35", "bios": "seabios", "tags": "dev;shop"},
		Origin: &machine.Origin{Template: "debian-12-cloud", Storage: "local-lvm", DiskGiB: 8, Full: true},
		Block:  &machine.Block{Project: "shop", Env: "dev", Repository: "org/shop"},
	}
}

const vmCreated = "shop/dev: 1 to add, 0 to change, 0 to remove, 1 to start\n" +
	"  + create guest 101: shop-dev on pve1 from 9000, 2 cores, 2048 MiB, 8 GiB on local-lvm, 10.99.0.101/24\n" +
	"  > start guest 101: it is new\n"

func TestVMLife(t *testing.T) {
	l := newVMLab(t)
	c, want := l.client(), wantedVM()
	now := must(t, c, want, vmCreated)
	if !now.Running || now.Notes != "" || now.Block.Creating || !strings.Contains(now.Config["scsi0"], "size=8G") {
		t.Errorf("%+v, block %+v", now, now.Block)
	}
	real, _ := l.backend.Guest(101)
	var keys []string
	for _, k := range real.HostKeys {
		keys = append(keys, ssh.FingerprintSHA256(k.PublicKey()))
	}
	slices.Sort(keys)
	if !slices.Equal(keys, now.Block.HostKeys) {
		t.Errorf("pinned %q, the guest has %q", now.Block.HostKeys, keys)
	}
	must(t, c, want, noChanges)
	if err := c.Destroy(t.Context(), now, want.Block, nil); err != nil {
		t.Fatal(err)
	}
	if have, err := c.Observe(t.Context(), want); have != nil || err != nil {
		t.Errorf("%+v, %v", have, err)
	}
}

func TestVMReconcileEachKey(t *testing.T) {
	l := newVMLab(t)
	c, want := l.client(), wantedVM()
	created := must(t, c, want, vmCreated)
	set := func(key, value string) func(*machine.Guest) {
		return func(g *machine.Guest) { g.Config[key] = value }
	}
	drop := func(key string) func(*machine.Guest) {
		return func(g *machine.Guest) { delete(g.Config, key) }
	}
	changed := "shop/dev: 0 to add, 1 to change, 0 to remove\n  ~ set config "
	removed := "shop/dev: 0 to add, 0 to change, 1 to remove\n  - delete config "
	rebooted := "shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n  ~ set config %s (reboot)\n  > restart guest 101: for %s (reboot)\n"
	steps := []struct {
		name string
		edit func(*machine.Guest)
		plan string
	}{
		{"name", set("name", "shop-devel"), changed + "name: shop-dev → shop-devel\n"},
		{"cores", set("cores", "4"), fmt.Sprintf(rebooted, "cores: 2 → 4", "cores")},
		{"CPU type", set("cpu", "x86-64-v2-AES"), fmt.Sprintf(rebooted, "cpu: host → x86-64-v2-AES", "cpu")},
		{"memory and balloon", func(g *machine.Guest) { g.Config["memory"], g.Config["balloon"] = "4096", "1024" },
			"shop/dev: 0 to add, 2 to change, 0 to remove, 1 to restart\n  ~ set config memory: 2048 → 4096 (reboot)\n  ~ set config balloon: 2048 → 1024\n  > restart guest 101: for memory (reboot)\n"},
		{"cpulimit", set("cpulimit", "1.5"), changed + "cpulimit: none → 1.5\n"},
		{"cpulimit removed", drop("cpulimit"), removed + "cpulimit: 1.5 → none\n"},
		{"firewall", set("net0", "virtio,bridge=vmbr0"), changed + "net0: firewall 1 → none\n"},
		{"address", set("ipconfig0", "ip=10.99.0.111/24,gw=10.99.0.1"), fmt.Sprintf(rebooted, "ipconfig0: ip 10.99.0.101/24 → 10.99.0.111/24", "ipconfig0")},
		{"nameserver", set("nameserver", "10.99.0.2"), fmt.Sprintf(rebooted, "nameserver: none → 10.99.0.2", "nameserver")},
		{"onboot", set("onboot", "1"), changed + "onboot: none → 1\n"},
		{"protection", set("protection", "1"), changed + "protection: none → 1\n"},
		{"protection removed", drop("protection"), removed + "protection: 1 → none\n"},
		{"tags", set("tags", "prod"), changed + "tags: dev;shop → prod\n"},
		{"disk", func(g *machine.Guest) { g.Origin.DiskGiB = 10 }, "shop/dev: 0 to add, 1 to change, 0 to remove\n  ~ grow disk scsi0: 8G → 10G\n"},
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
			if mac(now) != mac(created) || mac(now) == "" {
				t.Errorf("MAC address %q, it was %q", mac(now), mac(created))
			}
		})
	}
}

func TestVMLinkedClone(t *testing.T) {
	l := newVMLab(t)
	c, want := l.client(), wantedVM()
	want.Origin.Full = false
	must(t, c, want, vmCreated)
	must(t, c, want, noChanges)
}

// From a cloud image that Proxmox downloads, with its checksum.
func TestVMFromImage(t *testing.T) {
	source := filepath.Join(t.TempDir(), "debian-12-genericcloud-amd64.qcow2")
	if err := os.WriteFile(source, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, func(o *pveapi.Options) {
		o.Appliances = []pveapi.Appliance{{Template: filepath.Base(source), Source: source}}
	})
	c, want := l.client(), wantedVM()
	want.Origin = &machine.Origin{Image: true, Template: "https://cloud.debian.org/images/" + filepath.Base(source), Storage: "local-lvm", DiskGiB: 8,
		Checksum: "sha256:" + strings.Repeat("0", 64), Password: secret.New("hunter22")}
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Fatalf("a wrong checksum: %v", err)
	}
	want.Origin.Checksum = fmt.Sprintf("sha256:%x", sha256.Sum256(make([]byte, 4096)))
	c.Refresh()
	p, now, err := cycle(t.Context(), c, want, plan.Policy{})
	if err != nil || !strings.Contains(p.String(), "note: image debian-12-genericcloud-amd64.qcow2 is not on node pve1 yet") {
		t.Fatalf("%v\n%s", err, p)
	}
	if now.Config["machine"] != "q35" || !strings.Contains(now.Config["scsi1"], "cloudinit") || now.Config["ide2"] != "" {
		t.Errorf("a machine that the image's kernel finds no cloud-init drive in: %v", now.Config)
	}
	if now.Config["cipassword"] == "" || !strings.Contains(now.Config["scsi0"], "size=8G") || len(now.Block.HostKeys) == 0 {
		t.Errorf("%v, %+v", now.Config, now.Block)
	}
	must(t, c, want, noChanges)
}

// What the stack does not say of a clone's hardware is the template's.
func TestVMHardwareIsTheTemplates(t *testing.T) {
	l := newVMLab(t)
	c, want := l.client(), wantedVM()
	delete(want.Config, "machine")
	delete(want.Config, "bios")
	if now := must(t, c, want, vmCreated); now.Config["machine"] != "" || !strings.Contains(now.Config["ide2"], "cloudinit") {
		t.Errorf("%v", now.Config)
	}
	must(t, c, want, noChanges)
	l.ask("PUT", "/nodes/pve1/qemu/101/config", "bios=ovmf&machine=q35")
	if now := must(t, c, want, noChanges); now.Pending["machine"] != "q35" || now.Pending["bios"] != "ovmf" {
		t.Errorf("%+v", now)
	}
}

func TestCloudInitSlot(t *testing.T) {
	for want, config := range map[string]machine.Config{
		"ide2":  {"scsi0": "local-lvm:vm-1-disk-0"}, // Proxmox's standard controller: LSI 53C895A
		"scsi1": {"scsi0": "local-lvm:vm-1-disk-0", "scsihw": "virtio-scsi-single"},
		"scsi2": {"scsi0": "local-lvm:vm-1-disk-0", "scsi1": "local-lvm:vm-1-disk-1", "scsihw": "virtio-scsi-pci"},
	} {
		if got := cloudInitSlot(config); got != want {
			t.Errorf("%v: %s, want %s", config, got, want)
		}
	}
}

func TestVMPlace(t *testing.T) {
	l := newVMLab(t)
	for name, edit := range map[string]func(*machine.Guest){
		"by name":    func(*machine.Guest) {},
		"by vmid":    func(g *machine.Guest) { g.Origin.Template = "9000" },
		"node: auto": func(g *machine.Guest) { g.Node = "auto" },
	} {
		want := wantedVM()
		edit(want)
		if err := l.client().Place(t.Context(), want); err != nil || want.Origin.Template != "9000" || want.Node != "pve1" {
			t.Errorf("%s: %s on %s, %v", name, want.Origin.Template, want.Node, err)
		}
	}
	want := wantedVM()
	want.Origin.Template = "ubuntu"
	err := l.client().Place(t.Context(), want)
	if veto, ok := errors.AsType[*FindingsError](err); !ok || !strings.Contains(veto.Hint(), "9000 (debian-12-cloud)") {
		t.Errorf("no such template: %v", err)
	}
}

// Cloud-init's changes wait for the next boot, and are not forgotten by a run that
// dies before it.
func TestVMCloudInitWaits(t *testing.T) {
	l := newVMLab(t)
	c, want := l.client(), wantedVM()
	must(t, c, want, vmCreated)
	want.Config["nameserver"], want.MayRestart = "10.99.0.2", false
	must(t, c, want, "shop/dev: 0 to add, 1 to change, 0 to remove\n  ~ set config nameserver: none → 10.99.0.2 (reboot)\n"+
		"  note: nameserver: in force when the guest restarts, which the stack does not allow now (`restart: allowed`)\n")
	must(t, c, want, noChanges+"  note: nameserver: in force when the guest restarts, which the stack does not allow now (`restart: allowed`)\n")
	want.MayRestart = true
	must(t, c, want, "shop/dev: 0 to add, 0 to change, 0 to remove, 1 to restart\n  > restart guest 101: for nameserver (reboot)\n")
	must(t, c, want, noChanges)
}

// A cloud-init drive that a run did not come to write is written by the next: a guest that
// boots from inside finds what the stack says.
func TestVMDriveIsWrittenByTheNext(t *testing.T) {
	l := newVMLab(t)
	c, want := l.client(), wantedVM()
	must(t, c, want, vmCreated)
	want.Config["nameserver"], want.MayRestart = "10.99.0.2", false
	if err := l.Inject(pveapi.Fault{Method: "PUT", Path: "/nodes/*/qemu/101/cloudinit", Times: -1, Status: 500, Reason: "storage is not online"}); err != nil {
		t.Fatal(err)
	}
	c.Refresh()
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err == nil || !strings.Contains(err.Error(), "storage is not online") {
		t.Fatalf("%v", err)
	}
	l.ClearFaults()
	const waits = "  note: nameserver: in force when the guest restarts, which the stack does not allow now (`restart: allowed`)\n"
	must(t, c, want, "shop/dev: 0 to add, 1 to change, 0 to remove\n  ~ set cloudinit drive: it was not written when nameserver changed\n"+waits)
	if g, _ := l.backend.Guest(101); !strings.Contains(g.Drive["network-config"], "10.99.0.2") {
		t.Errorf("the drive says %q", g.Drive)
	}
	must(t, c, want, noChanges+waits)
}

// Where the guest agent stays silent after a boot, the pinned host keys stay: SSH tells
// whether they are still the guest's.
func TestVMKeysWithoutAgent(t *testing.T) {
	l := newVMLab(t)
	c, want := l.client(), wantedVM()
	created := must(t, c, want, vmCreated)
	if err := l.Inject(pveapi.Fault{Path: "/nodes/*/qemu/101/agent/file-read", Times: -1, Status: 500, Reason: "QEMU guest agent is not running"}); err != nil {
		t.Fatal(err)
	}
	c.times.agent = 10 * c.times.backoff
	want.Config["nameserver"] = "10.99.0.2"
	now := must(t, c, want, "shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart\n  ~ set config nameserver: none → 10.99.0.2 (reboot)\n"+
		"  > restart guest 101: for nameserver (reboot)\n")
	if !slices.Equal(now.Block.HostKeys, created.Block.HostKeys) || len(now.Block.Waits) > 0 || now.Block.Stale {
		t.Errorf("pinned %q, waits %q, stale %v; it was %q", now.Block.HostKeys, now.Block.Waits, now.Block.Stale, created.Block.HostKeys)
	}
	must(t, c, want, noChanges)

	_, err := c.HostKeys(t.Context(), now)
	if silent, ok := errors.AsType[*NoHostKeysError](err); !ok || silent.Hint() == "" {
		t.Errorf("asked for the keys themselves: %v", err)
	}
}
