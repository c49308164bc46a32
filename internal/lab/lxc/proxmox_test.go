package lxc_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/luthermonson/go-proxmox"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/labtest"
)

// patience is for what takes seconds on a machine that has nothing else to do.
const patience = 5 * time.Minute

// httpClient trusts the lab's own certificate and keeps no connection open.
func httpClient(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(lab.Up(t).Info.Certificate)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
}

// client is the library that the product speaks to Proxmox with.
func client(t *testing.T) *proxmox.Client {
	t.Helper()
	info := lab.Up(t).Info
	id, secret, _ := strings.Cut(info.Token, "=")
	return proxmox.NewClient(info.URL+"/api2/json", proxmox.WithHTTPClient(httpClient(t)), proxmox.WithAPIToken(id, secret))
}

// finish waits for a task by the library's own means and fails unless it ended well.
func finish(t *testing.T, task *proxmox.Task, err error) *proxmox.Task {
	t.Helper()
	must(t, err)
	must(t, task.Wait(t.Context(), 50*time.Millisecond, patience))
	if !task.IsSuccessful {
		t.Fatalf("task %s ended in %q:\n%s", task.UPID, task.ExitStatus, strings.Join(logOf(t, task), "\n"))
	}
	return task
}

func logOf(t *testing.T, task *proxmox.Task) []string {
	t.Helper()
	byLine, err := task.Log(t.Context(), 0, 500)
	must(t, err)
	lines := make([]string, len(byLine))
	for i, line := range byLine {
		lines[min(max(i, 0), len(lines)-1)] = line
	}
	return lines
}

// order is what the guest's creation asks for.
func order(t *testing.T, g *labtest.Guest) []proxmox.ContainerOption {
	t.Helper()
	var options []proxmox.ContainerOption
	for _, o := range [][2]any{
		{"ostemplate", lab.Up(t).Info.Template}, {"storage", "local-lvm"}, {"rootfs", "local-lvm:4"},
		{"hostname", g.Name}, {"memory", 512}, {"cores", 2}, {"features", "nesting=1"}, {"unprivileged", 1},
		{"net0", fmt.Sprintf("name=eth0,bridge=vmbr0,ip=%s,gw=%s", g.Prefix, g.Gateway)},
		{"ssh-public-keys", string(ssh.MarshalAuthorizedKey(g.Key.PublicKey()))},
	} {
		options = append(options, proxmox.ContainerOption{Name: o[0].(string), Value: o[1]})
	}
	return options
}

// create makes a guest through the API, learns its host keys from the task's log, and
// destroys it at the end of the test if the test does not. A later option wins.
func create(t *testing.T, node *proxmox.Node, g *labtest.Guest, but ...proxmox.ContainerOption) *proxmox.Container {
	t.Helper()
	t.Cleanup(func() { destroyLeft(t, g.VMID) })
	task, err := node.NewContainer(t.Context(), g.VMID, append(order(t, g), but...)...)
	for _, line := range logOf(t, finish(t, task, err)) {
		g.ReadLog(line)
	}
	if len(g.HostKeys) != 3 {
		t.Errorf("the creation's log tells the host keys %v", g.HostKeys)
	}
	ct, err := node.Container(t.Context(), g.VMID)
	must(t, err)
	return ct
}

// destroyLeft ends a guest's machine if a test that failed left it.
func destroyLeft(t *testing.T, vmid int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if b := lab.Backend(t); slices.Contains(lab.Up(t).PVE.GuestIDs(), vmid) {
		must(t, errors.Join(b.Stop(ctx, vmid), b.Destroy(ctx, vmid)))
	}
}

func set(t *testing.T, ct *proxmox.Container, name string, value any) {
	t.Helper()
	if _, err := ct.Config(t.Context(), proxmox.ContainerOption{Name: name, Value: value}); err != nil {
		t.Fatalf("cannot set %s: %v", name, err)
	}
}

// says compares what a command prints in a guest.
func says(t *testing.T, g *labtest.Guest, command, want string) {
	t.Helper()
	if got := strings.TrimSpace(g.Run(t, command)); got != want {
		t.Errorf("%s in guest %d says %q, want %q", command, g.VMID, got, want)
	}
}

// TestGoProxmoxLife takes a real container through its whole life with the client library
// that the product uses, and looks at each step inside the machine.
func TestGoProxmoxLife(t *testing.T) {
	g := lab.Draft(t)
	node, err := client(t).Node(t.Context(), "pve1")
	must(t, err)
	ct := create(t, node, g)
	task, err := ct.Start(t.Context())
	finish(t, task, err)
	g.Wait(t)
	says(t, g, "hostname", g.Name)
	seesChange(t, ct, g)
	seesRollback(t, ct, g)
	seesClone(t, node, ct, g)
	seesResizeAndReboot(t, ct, g)
	seesEnd(t, node, ct)
}

// seesChange sets what Proxmox changes at once, and looks at the interfaces.
func seesChange(t *testing.T, ct *proxmox.Container, g *labtest.Guest) {
	t.Helper()
	set(t, ct, "cores", 1)
	says(t, g, "nproc", "1")
	interfaces, err := ct.Interfaces(t.Context())
	must(t, err)
	var addresses []string
	for _, i := range interfaces {
		addresses = append(addresses, i.Name+" "+i.Inet)
	}
	if want := []string{"lo 127.0.0.1/8", "eth0 " + g.Prefix.String()}; !slices.Equal(addresses, want) {
		t.Errorf("interfaces %v, want %v", addresses, want)
	}
}

// seesRollback undoes what happened to a running container's files since a snapshot.
func seesRollback(t *testing.T, ct *proxmox.Container, g *labtest.Guest) {
	t.Helper()
	g.Run(t, "echo before > /root/state")
	task, err := ct.NewSnapshot(t.Context(), "good")
	finish(t, task, err)
	g.Run(t, "echo after > /root/state; rm /etc/motd; touch /new")
	task, err = ct.Snapshot("good").Rollback(t.Context(), true)
	finish(t, task, err)
	g.Wait(t)
	says(t, g, "cat /root/state; ls /etc/motd; ls /new 2>/dev/null || true", "before\n/etc/motd")
}

// seesClone copies the snapshot into a second container, which runs beside the first.
func seesClone(t *testing.T, node *proxmox.Node, ct *proxmox.Container, g *labtest.Guest) {
	t.Helper()
	c := lab.Draft(t)
	c.Key, c.HostKeys = g.Key, g.HostKeys
	t.Cleanup(func() { destroyLeft(t, c.VMID) })
	newid, task, err := ct.Clone(t.Context(), &proxmox.ContainerCloneOptions{NewID: c.VMID, Full: true, SnapName: "good", Hostname: c.Name})
	finish(t, task, err)
	clone, err := node.Container(t.Context(), newid)
	must(t, err)
	set(t, clone, "net0", fmt.Sprintf("name=eth0,bridge=vmbr0,ip=%s,gw=%s", c.Prefix, c.Gateway))
	task, err = clone.Start(t.Context())
	finish(t, task, err)
	c.Wait(t)
	says(t, c, "hostname; cat /root/state", c.Name+"\nbefore")
	says(t, g, "hostname", g.Name)
	task, err = clone.Delete(t.Context(), &proxmox.ContainerDeleteOptions{Force: true, Purge: true})
	finish(t, task, err)
}

// seesResizeAndReboot grows the disk, and changes what waits for a reboot.
func seesResizeAndReboot(t *testing.T, ct *proxmox.Container, g *labtest.Guest) {
	t.Helper()
	const df = "df --block-size=1G --output=size / | tail -1 | tr -d ' '"
	task, err := ct.Resize(t.Context(), "rootfs", "+2G")
	finish(t, task, err)
	refused := strings.Contains(strings.Join(logOf(t, task), "\n"), "Permission denied to resize filesystem")
	if refused { // docs/lab.md: growing a mounted ext4 needs CAP_SYS_RESOURCE
		t.Log("this machine's root cannot grow a mounted file system; the task says so")
	} else {
		says(t, g, df, "6")
	}
	set(t, ct, "hostname", "renamed")
	says(t, g, "hostname", g.Name)
	task, err = ct.Reboot(t.Context())
	finish(t, task, err)
	g.Wait(t)
	says(t, g, "hostname; "+df, "renamed\n6")
}

// seesEnd shuts the container down and destroys it with its snapshot.
func seesEnd(t *testing.T, node *proxmox.Node, ct *proxmox.Container) {
	t.Helper()
	task, err := ct.Shutdown(t.Context(), false, int(patience.Seconds()))
	finish(t, task, err)
	must(t, ct.Ping(t.Context()))
	if ct.Status != "stopped" {
		t.Errorf("after its shutdown the container is %s", ct.Status)
	}
	task, err = ct.Snapshot("good").Delete(t.Context())
	finish(t, task, err)
	task, err = ct.Delete(t.Context(), nil)
	finish(t, task, err)
	if _, err := node.Container(t.Context(), int(ct.VMID)); err == nil {
		t.Error("the container is still there after its end")
	}
}
