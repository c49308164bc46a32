package pveapi_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/luthermonson/go-proxmox"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

// patience is for what takes milliseconds on a machine that has nothing else to do.
const patience = 2 * time.Minute

// waitFor waits for a task by go-proxmox's own means and fails unless it ended well.
func waitFor(ctx context.Context, t *testing.T, task *proxmox.Task, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Wait(ctx, 20*time.Millisecond, patience); err != nil {
		t.Fatal(err)
	}
	if !task.IsSuccessful {
		t.Fatalf("task %s ended in %q", task.UPID, task.ExitStatus)
	}
}

func createOptions() (opts []proxmox.ContainerOption) {
	for k, v := range createForm("101") {
		if k != "vmid" {
			opts = append(opts, proxmox.ContainerOption{Name: k, Value: v[0]})
		}
	}
	return opts
}

// TestGoProxmoxDrivesContainer takes a container through its life with the client library
// that the product uses.
func TestGoProxmoxDrivesContainer(t *testing.T) {
	l := newLab(t, pveapi.Options{})
	ctx := t.Context()
	c := proxmox.NewClient(l.url+"/api2/json", proxmox.WithHTTPClient(l.client), proxmox.WithAPIToken("root@pam!ci", l.secret))
	version, err := c.Version(ctx)
	if err != nil || version.Release != "9.2" {
		t.Fatalf("version %+v, %v", version, err)
	}
	node, err := c.Node(ctx, "pve1")
	if err != nil {
		t.Fatal(err)
	}
	task, err := node.NewContainer(ctx, 101, createOptions()...)
	waitFor(ctx, t, task, err)
	ct, err := node.Container(ctx, 101)
	if err != nil {
		t.Fatal(err)
	}
	task, err = ct.Start(ctx)
	waitFor(ctx, t, task, err)
	l.backend.SetFile(101, "/etc/motd", "before")
	if _, err := ct.Config(ctx, proxmox.ContainerOption{Name: "memory", Value: 384}, proxmox.ContainerOption{Name: "description", Value: "life"}); err != nil {
		t.Fatal(err)
	}
	task, err = ct.Resize(ctx, "rootfs", "+1G")
	waitFor(ctx, t, task, err)
	task, err = ct.NewSnapshot(ctx, "before")
	waitFor(ctx, t, task, err)
	l.backend.SetFile(101, "/etc/motd", "after")
	task, err = ct.Snapshot("before").Rollback(ctx, true)
	waitFor(ctx, t, task, err)
	if g, _ := l.backend.Guest(101); g.Files["/etc/motd"] != "before" {
		t.Errorf("rolled back, yet the file says %q", g.Files["/etc/motd"])
	}
	l.eventually(t, "the rollback's start", func() bool { return l.backend.Running(101) })
	ifs, err := ct.Interfaces(ctx)
	if err != nil || len(ifs) != 2 {
		t.Errorf("interfaces %v, %v", ifs, err)
	}
	task, err = ct.Stop(ctx)
	waitFor(ctx, t, task, err)
	newid, task, err := ct.Clone(ctx, &proxmox.ContainerCloneOptions{NewID: 102, Full: true, Hostname: "copy"})
	waitFor(ctx, t, task, err)
	copied, err := node.Container(ctx, newid)
	if err != nil || copied.ContainerConfig.Hostname != "copy" || *copied.ContainerConfig.Memory != 384 || copied.ContainerConfig.Description != "life\n" {
		t.Fatalf("clone %+v, %v", copied, err)
	}
	for _, guest := range []*proxmox.Container{ct, copied} {
		task, err = guest.Delete(ctx, nil)
		waitFor(ctx, t, task, err)
	}
	if left := l.GuestIDs(); len(left) > 0 {
		t.Errorf("guests left: %v", left)
	}
}

// eventually polls until ok.
func (l *lab) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
		<-tick.C
	}
}

// templateVM makes the VM template 9000 from a cloud image.
func (l *lab) templateVM(t *testing.T) {
	t.Helper()
	dir, err := l.TemplateDir("pve1", "local")
	if err != nil {
		t.Fatal(err)
	}
	imports := filepath.Join(dir, "..", "..", "import")
	if err := os.MkdirAll(imports, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(imports, "debian-12.qcow2"), make([]byte, 1024), 0o600); err != nil {
		t.Fatal(err)
	}
	l.task(t, "OK", "POST", "/nodes/pve1/qemu", url.Values{
		"vmid": {"9000"}, "name": {"debian-12"}, "memory": {"512"}, "scsihw": {"virtio-scsi-pci"}, "scsi0": {"local-lvm:0,import-from=local:import/debian-12.qcow2"},
		"ide2": {"local-lvm:cloudinit"}, "net0": {"virtio,bridge=vmbr0"}, "agent": {"1"}, "boot": {"order=scsi0"},
	})
	l.task(t, "OK", "POST", "/nodes/pve1/qemu/9000/template", url.Values{})
}

// TestVirtualMachineLife makes a template from a cloud image and clones it, as a user does.
func TestVirtualMachineLife(t *testing.T) {
	l := newLab(t, pveapi.Options{})
	l.templateVM(t)
	l.task(t, "OK", "POST", "/nodes/pve1/qemu/9000/clone", url.Values{"newid": {"201"}, "name": {"shop-dev"}, "full": {"1"}})
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICs2eE7Xo2u+d/sQbmwQK+jterZqRupHkGnOkc0FH99b ops@example.org"
	if r := l.call(t, "PUT", "/nodes/pve1/qemu/201/config", url.Values{
		"ciuser": {"deploy"}, "sshkeys": {strings.ReplaceAll(url.QueryEscape(key), "+", "%20")}, "ipconfig0": {"ip=10.99.0.201/24,gw=10.99.0.1"}, "memory": {"1024"}, "cores": {"2"},
	}); r.Status != 200 {
		t.Fatalf("put: %+v", r)
	}
	l.task(t, "OK", "PUT", "/nodes/pve1/qemu/201/resize", url.Values{"disk": {"scsi0"}, "size": {"8G"}})
	if r := l.call(t, "POST", "/nodes/pve1/qemu/201/agent/ping", url.Values{}); r.Reason != "VM 201 is not running" {
		t.Errorf("agent of a stopped VM: %d %s", r.Status, r.Reason)
	}
	l.task(t, "OK", "POST", "/nodes/pve1/qemu/201/status/start", url.Values{})
	if r := l.call(t, "POST", "/nodes/pve1/qemu/201/agent/ping", url.Values{}); r.Status != 200 {
		t.Errorf("ping: %d %s", r.Status, r.Reason)
	}
	r := l.call(t, "GET", "/nodes/pve1/qemu/201/agent/file-read?file=/etc/ssh/ssh_host_ed25519_key.pub", nil)
	if data, _ := r.Data.(map[string]any); !strings.HasPrefix(data["content"].(string), "ssh-ed25519 AAAA") {
		t.Errorf("host key by the agent: %+v", r)
	}
	g, _ := l.backend.Guest(201)
	if want := "name=eth0,bridge=vmbr0"; !strings.HasPrefix(g.Config["net0"], want) || !strings.Contains(g.Config["net0"], "ip=10.99.0.201/24") || g.Config["memory"] != "1024" {
		t.Errorf("machine's configuration %v", g.Config)
	}
	if g.AuthorizedKeys != key+"\n" {
		t.Errorf("cloud-init's user has the keys %q", g.AuthorizedKeys)
	}
	if r := l.call(t, "PUT", "/nodes/pve1/qemu/201/config", url.Values{"memory": {"2048"}, "onboot": {"1"}}); r.Status != 200 {
		t.Fatalf("put while running: %+v", r)
	}
	conf := l.call(t, "GET", "/nodes/pve1/qemu/201/config?current=1", nil).Data.(map[string]any)
	if conf["memory"] != "1024" || conf["onboot"] != 1.0 || conf["scsi0"] != "local-lvm:vm-201-disk-0,size=8G" {
		t.Errorf("running configuration %v", conf)
	}
	l.task(t, "OK", "POST", "/nodes/pve1/qemu/201/status/shutdown", url.Values{})
	l.task(t, "OK", "DELETE", "/nodes/pve1/qemu/201?purge=1", nil)
}

// TestConsole types into a container by termproxy and its websocket, as a token.
func TestConsole(t *testing.T) {
	l := newLab(t, pveapi.Options{})
	l.task(t, "OK", "POST", "/nodes/pve1/lxc", createForm("101"))
	l.task(t, "OK", "POST", "/nodes/pve1/lxc/101/status/start", url.Values{})
	term := l.call(t, "POST", "/nodes/pve1/lxc/101/termproxy", url.Values{}).Data.(map[string]any)
	ticket, user := term["ticket"].(string), term["user"].(string)
	q := url.Values{"port": {"5900"}, "vncticket": {ticket}}
	dial := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Subprotocols: []string{"binary"}}
	h := http.Header{"Authorization": {"PVEAPIToken=root@pam!ci=" + l.secret}}
	target := strings.Replace(l.url, "https", "wss", 1) + "/api2/json/nodes/pve1/lxc/101/vncwebsocket?"
	if _, res, err := dial.Dial(target+"port=5900&vncticket=PVEVNC:x", h); err == nil || res.StatusCode != 403 {
		t.Errorf("a wrong ticket: %v, %v", res, err)
	}
	ws, _, err := dial.Dial(target+q.Encode(), h)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	send := func(s string) {
		t.Helper()
		if err := ws.WriteMessage(websocket.BinaryMessage, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(want string) {
		t.Helper()
		_ = ws.SetReadDeadline(time.Now().Add(patience))
		if _, msg, err := ws.ReadMessage(); err != nil || string(msg) != want {
			t.Fatalf("got %q, %v, want %q", msg, err, want)
		}
	}
	send(user + ":" + ticket + "\n")
	read("OK")
	send("1:80:24:")
	send("0:5:hel") // a frame in two messages
	send("lo")
	read("hello")
	ws.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if status, err := l.WaitTask(ctx, term["upid"].(string)); err != nil || status != "OK" {
		t.Errorf("console's task: %q, %v", status, err)
	}
}

// TestRefusals looks at what the wire shows where a login is refused.
func TestRefusals(t *testing.T) {
	const delay = 300 * time.Millisecond
	l := newLab(t, pveapi.Options{AuthDelay: delay, RootPassword: rand.Text()})
	start := time.Now()
	r := l.as(t, "root@pam!ci=wrong", "GET", "/version")
	if r.Status != 401 || r.Reason != "Authentication failed!" || time.Since(start) < delay {
		t.Errorf("wrong secret: %d %q after %v", r.Status, r.Reason, time.Since(start))
	}
	// Who is known does not wait at all: the test would not end.
	if r := newLab(t, pveapi.Options{AuthDelay: time.Hour}).call(t, "GET", "/version", nil); r.Status != 200 {
		t.Errorf("right secret: %d", r.Status)
	}
	if r := l.call(t, "POST", "/access/ticket", url.Values{"username": {"root@pam"}, "password": {"wrong"}}); r.Status != 401 || r.Reason != "authentication failure" {
		t.Errorf("wrong password: %d %q", r.Status, r.Reason)
	}
	if r := l.call(t, "GET", "/nodes/pve1/replication", nil); r.Status != 501 || r.Reason != "Method 'GET /nodes/pve1/replication' not implemented" {
		t.Errorf("a path that is not served: %d %q", r.Status, r.Reason)
	}
}
