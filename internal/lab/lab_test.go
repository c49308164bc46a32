package lab_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/lxc"
)

// bringUp brings a lab up in the first place from n on that no other process has; it
// is gone at the end of the test in any case.
func bringUp(t *testing.T, o lab.Options) (*lab.Lab, lab.Options) {
	t.Helper()
	labtest.RequireOrSkip(t)
	for n := byte(64); n < 250; n++ {
		o.Bridge = fmt.Sprintf("pvelab%d", n)
		o.Subnet = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 86, n, 0}), 24)
		o.Fresh, o.GuardHost = true, true
		l, err := lab.Up(t.Context(), o)
		if errors.Is(err, lab.ErrBusy) {
			continue
		}
		must(t, err)
		o.Fresh = false
		t.Cleanup(func() { must(t, lab.Down(context.Background(), o.Bridge, "")) })
		return l, o
	}
	t.Fatal("no place for a lab")
	return nil, o
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// leftovers is what this machine still has of a lab.
func leftovers(t *testing.T, o lab.Options) []string {
	t.Helper()
	dir := filepath.Join("/var/lib/pvelab", o.Bridge)
	var left []string
	grep := func(what, needle string, command ...string) {
		out, err := exec.Command(command[0], command[1:]...).Output()
		must(t, err)
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, needle) {
				left = append(left, what+": "+strings.TrimSpace(line))
			}
		}
	}
	grep("mount", dir+"/", "cat", "/proc/self/mountinfo")
	grep("loop device", dir+"/", "losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE")
	grep("link", o.Bridge, "ip", "-o", "link")
	grep("routing rule", "iif "+o.Bridge+" ", "ip", "rule")
	grep("packet filter", "LAB-"+o.Bridge, "iptables", "-w", "-S")
	grep("NAT", "LAB-"+o.Bridge, "iptables", "-w", "-t", "nat", "-S")
	grep("process", dir, "ps", "-e", "-o", "args")
	for _, pattern := range []string{dir, "/sys/fs/cgroup/*/" + o.Bridge, "/sys/fs/cgroup/" + o.Bridge, "/run/pvelab/" + o.Bridge + ".json"} {
		found, _ := filepath.Glob(pattern)
		left = append(left, found...)
	}
	return left
}

// boot starts a container in the lab; it need not be reached.
func boot(t *testing.T, l *lab.Lab) (vmid int) {
	t.Helper()
	vmid, addr, err := l.Allocate()
	must(t, err)
	dir, err := l.PVE.TemplateDir(l.Info.Nodes[0], "local")
	must(t, err)
	config := map[string]string{
		"hostname": "crash", "memory": "256", "features": "nesting=1",
		"net0": "name=eth0,bridge=vmbr0,ip=" + addr.String() + ",gw=" + l.Gateway().String(),
	}
	spec := lxc.Spec{Template: filepath.Join(dir, filepath.Base(l.Info.Template)), Size: 2 << 30, Unprivileged: true, Config: config}
	must(t, l.Guests.Create(t.Context(), vmid, spec, func(string) {}))
	must(t, l.Guests.Start(t.Context(), vmid, config, func(string) {}))
	return vmid
}

func TestAPIAnswersOnTheBridge(t *testing.T) {
	l, _ := bringUp(t, lab.Options{Nodes: 3})
	pem, err := os.ReadFile(l.Info.Certificate)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer c.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, l.Info.URL+"/api2/json/nodes", nil)
	must(t, err)
	req.Header.Set("Authorization", "PVEAPIToken="+l.Info.Token)
	resp, err := c.Do(req)
	must(t, err)
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	must(t, err)
	for _, node := range []string{"pve1", "pve2", "pve3"} {
		if !strings.Contains(body.String(), `"node":"`+node+`"`) {
			t.Errorf("no %s in %s", node, &body)
		}
	}
	must(t, l.Down(t.Context()))
}

func TestLabSurvivesRestartAndLeavesNothing(t *testing.T) {
	l, o := bringUp(t, lab.Options{})
	vmid := boot(t, l)
	token := l.Info.Token
	must(t, l.Close())
	if n := lxc.Count(o.Bridge); n != 1 {
		t.Fatalf("%d containers run after the lab was closed, want 1", n)
	}
	l, err := lab.Up(t.Context(), o)
	must(t, err)
	if !l.Guests.Running(vmid) {
		t.Error("the lab lost sight of its container")
	}
	if l.Info.Token != token {
		t.Error("the lab has another token")
	}
	if _, err := lab.Up(t.Context(), o); !errors.Is(err, lab.ErrBusy) {
		t.Errorf("the same lab twice: %v", err)
	}
	must(t, l.Down(t.Context()))
	if left := leftovers(t, o); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

func TestTwoLabsAreStrangers(t *testing.T) {
	a, ao := bringUp(t, lab.Options{})
	b, bo := bringUp(t, lab.Options{})
	if a.Info.URL == b.Info.URL || a.Info.Fingerprint == b.Info.Fingerprint || a.Info.Token == b.Info.Token {
		t.Errorf("two labs share %+v and %+v", a.Info, b.Info)
	}
	// A guest of one has no way to the other.
	from := a.Gateway().Next().String()
	for from, to := range map[string]string{a.Gateway().Next().String(): "10.1.2.3", "": "10.1.2.3"} {
		args := []string{"route", "get", to}
		if from != "" {
			args = append(args, "from", from, "iif", a.Bridge())
		}
		if out, err := exec.Command("ip", args...).Output(); err == nil {
			t.Errorf("a packet from %q to %s would go %s", from, to, out)
		}
	}
	if out, err := exec.Command("ip", "route", "get", b.Gateway().Next().String(), "from", from, "iif", a.Bridge()).Output(); err == nil {
		t.Errorf("a packet from lab to lab would go %s", out)
	}
	must(t, a.Down(t.Context()))
	if left := leftovers(t, ao); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	if left := leftovers(t, bo); len(left) < 5 {
		t.Errorf("one lab's end took from the other: only %v is left", left)
	}
	must(t, b.Down(t.Context()))
}
