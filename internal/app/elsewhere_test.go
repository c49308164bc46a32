package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/report"
)

// elsewhere is a machine in another network than the lab: a network namespace that
// shares one cable with this machine, and whose way to everywhere else ends nowhere.
type elsewhere struct {
	t     testing.TB
	ns    string
	cable netip.Addr // this machine's end
	typed string     // what the program reads
}

// newElsewhere skips where namespaces cannot be made.
func newElsewhere(t testing.TB) *elsewhere {
	t.Helper()
	labtest.RequireOrSkip(t)
	id := os.Getpid() % 10000
	e := &elsewhere{t: t, ns: fmt.Sprintf("appstack-%d", id), cable: netip.AddrFrom4([4]byte{10, 87, byte(id / 64), byte(id % 64 * 4)}).Next()}
	ours, theirs := fmt.Sprintf("asel%d", id), fmt.Sprintf("aselp%d", id)
	if out, err := exec.Command("ip", "netns", "add", e.ns).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %v %s", err, out)
	}
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", ours).Run() // gone with the namespace, mostly
		if out, err := exec.Command("ip", "netns", "del", e.ns).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	e.ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", e.ns)
	e.ip("addr", "add", e.cable.String()+"/30", "dev", ours)
	e.ip("link", "set", ours, "up")
	inside := func(args ...string) { e.ip(append([]string{"-n", e.ns}, args...)...) }
	inside("link", "set", "lo", "up")
	inside("addr", "add", e.cable.Next().String()+"/30", "dev", theirs)
	inside("link", "set", theirs, "up")
	inside("link", "add", "nowhere", "type", "veth", "peer", "name", "nobody")
	inside("addr", "add", "192.0.2.1/24", "dev", "nowhere")
	inside("link", "set", "nowhere", "up")
	inside("link", "set", "nobody", "up")
	inside("neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "nowhere")
	inside("route", "add", "default", "via", "192.0.2.2")
	return e
}

func (e *elsewhere) ip(args ...string) {
	e.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		e.t.Fatalf("ip %s: %v %s", strings.Join(args, " "), err, out)
	}
}

// open lets the machine reach an address here, at the returned one.
func (e *elsewhere) open(address string) string {
	e.t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(e.cable.String(), "0"))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go pass(near, address)
		}
	}()
	return l.Addr().String()
}

// pass carries a connection on.
func pass(near net.Conn, address string) {
	defer near.Close()
	far, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(near, far)
}

// ending is what a report in JSON says of the end.
type ending struct {
	Status report.Status
	Reason report.Reason `json:"failure_reason"`
	Error  string
	Hint   string
}

// run runs the program there, and returns its one report.
func (e *elsewhere) run(w *world, binary string, args ...string) (r ending, said string) {
	e.t.Helper()
	// Not by ip netns exec: it copies all mounts, and no guest's disk could be unmounted until it ends.
	cmd := exec.CommandContext(e.t.Context(), "nsenter", append([]string{"--net=/run/netns/" + e.ns, binary, "--json"}, args...)...)
	cmd.Dir, cmd.Env = w.dir, append(os.Environ(), "APPSTACK_AGE_KEY="+w.identity)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(e.typed), &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		e.t.Fatal(err, exit)
	}
	var reports []ending
	if err := json.Unmarshal(out.Bytes(), &reports); err != nil || len(reports) != 1 {
		return ending{}, out.String() + errs.String()
	}
	return reports[0], errs.String()
}

// TestFromElsewhere runs the program where there is no way to Proxmox and to the guests
// but a jump host, a container with Debian's own sshd.
func TestFromElsewhere(t *testing.T) { onEveryKind(t, false, testFromElsewhere) }

func testFromElsewhere(t *testing.T, kind guestKind) {
	w := &tinyWorld{world: newWorld(t, kind)}
	e, binary := newElsewhere(t), build(t)
	for name, text := range tiny() {
		w.write("app/"+name, string(text))
	}
	w.addr = w.stack(tinyStack("{upload: app}"))
	direct := w.read("appstack.yaml")

	began := time.Now()
	if r, said := e.run(w.world, binary, "plan"); r.Reason != report.Unreachable || !strings.Contains(r.Hint, "is private and this runner is not in it: use a self-hosted runner there, a jump host") {
		t.Errorf("without a way: %s %s\n%s\n%s", r.Reason, r.Error, r.Hint, said)
	}
	t.Logf("that there is no way to Proxmox is said after %s", time.Since(began))

	jump := machines.Guest(t)
	w.secret("jump_key", string(jump.KeyPEM))
	through := func(key string) string {
		text := strings.Replace(direct, "node: pve1}", "node: pve1, via: jump}", 1)
		return strings.Replace(text, "ssh: {", fmt.Sprintf("ssh: {jump: {to: \"root@%s\", key: \"${secret.jump_key}\", host_key: \"%s\"}, ",
			e.open(net.JoinHostPort(jump.Addr.String(), "22")), key), 1)
	}
	key := strings.TrimSpace(login(t, jump.Addr.String(), jump.Key, "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub"))
	_, other := newKey(t)
	w.write("appstack.yaml", through(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(other)))))
	if r, said := e.run(w.world, binary, "plan"); r.Reason != report.HostKey && !strings.Contains(said, "is not the pinned one") {
		t.Errorf("another jump host than the pinned one: %s %s\n%s", r.Reason, r.Error, said)
	}

	w.write("appstack.yaml", through(key))
	for _, want := range []report.Status{report.Live, report.Unchanged} {
		if r, said := e.run(w.world, binary, "apply"); r.Status != want {
			t.Fatalf("apply ends %s, want %s (%s): %s\n%s\n%s", r.Status, want, r.Reason, r.Error, r.Hint, said)
		}
		w.serves("one")
	}

	// The API is open to the world and the guests are not.
	w.secret("proxmox_url", "https://"+e.open(strings.TrimPrefix(w.lab.Info.URL, "https://")))
	w.write("appstack.yaml", direct)
	began = time.Now()
	want := w.addr.String() + " is private and this runner is not in it: use a self-hosted runner there, a jump host"
	if r, said := e.run(w.world, binary, "plan"); r.Reason != report.Unreachable || !strings.Contains(r.Hint, want) {
		t.Errorf("without a way to the guest: %s %s\n%s\n%s", r.Reason, r.Error, r.Hint, said)
	}
	t.Logf("that there is no way to the guest is said after %s", time.Since(began))

	w.write("appstack.yaml", through(key))
	for _, tt := range []struct {
		typed string
		want  report.Status
	}{{"yes\n", report.Failed}, {"shop/dev\n", report.Destroyed}} {
		e.typed = tt.typed
		if r, said := e.run(w.world, binary, "destroy", "--env", "dev"); r.Status != tt.want {
			t.Errorf("destroy with %q typed ends %s, want %s: %s\n%s", tt.typed, r.Status, tt.want, r.Error, said)
		}
	}
}

// read returns a file of the repository.
func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.dir + "/" + name)
	w.must(err)
	return string(text)
}
