package pve

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	pvelab "github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/pveapi/membackend"
	"github.com/org/appstack-action/internal/lab/template"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/ssh"
)

// requireQEMU skips the test, aloud, where no virtual machine can be booted.
func requireQEMU(t *testing.T) {
	t.Helper()
	if os.Getenv("APPSTACK_TORTURE") == "" {
		t.Skip("a real virtual machine boots for minutes where it is emulated: make torture (APPSTACK_TORTURE=1)")
	}
	if os.Getuid() != 0 {
		t.Skip("not root: mmdebstrap makes the virtual machine's disk")
	}
	for program, pkg := range map[string]string{"qemu-system-x86_64": "qemu-system-x86", "genisoimage": "genisoimage", "mmdebstrap": "mmdebstrap"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is missing: apt-get install --no-install-recommends qemu-system-x86 genisoimage mmdebstrap (here: %s)", program, pkg)
		}
	}
}

// accelerator is kvm where this machine has it, and plain emulation elsewhere.
func accelerator() string {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return "tcg"
	}
	_ = f.Close()
	cpu, _ := os.ReadFile("/proc/cpuinfo")
	if !strings.Contains(string(cpu), " vmx") && !strings.Contains(string(cpu), " svm") {
		return "tcg"
	}
	return "kvm"
}

// bootLog is the progress of a test that boots.
type bootLog struct {
	unheard
	t *testing.T
}

func (l bootLog) Wait(what string, since time.Duration) { l.t.Log(what, since.Round(time.Second)) }

// A virtual machine that is one: what the stack's settings become on Proxmox's cloud-init
// drive makes Debian's cloud-init let our key in at our address, and its guest agent tells
// the host keys that its SSH server then shows.
func TestVMBoots(t *testing.T) {
	requireQEMU(t)
	machine, err := template.BuildMachine(t.Context(), pvelab.CacheDir(), "bookworm", func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close() // QEMU takes it
	vm := &realVM{Backend: membackend.New(), machine: machine, accel: accelerator(), dir: t.TempDir(), port: port}
	t.Cleanup(vm.Close)
	t.Cleanup(vm.end)
	l := newVMLab(t, func(o *pveapi.Options) { o.Backend, o.Nameservers = vm, []string{"10.0.2.3"} })
	c := l.client()
	c.times.agent = 40 * time.Minute // emulated, it took 9 on two busy cores
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := xssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	want := wantedVM()
	want.Origin.Image, want.Origin.Template = true, "local:import/debian-12.qcow2"
	want.Config["ipconfig0"], want.Config["searchdomain"] = "ip=10.0.2.15/24,gw=10.0.2.2", "lab.example"
	want.Config["sshkeys"] = strings.ReplaceAll(url.QueryEscape(string(xssh.MarshalAuthorizedKey(key))), "+", "%20")
	begun := time.Now()
	_, now, err := cycle(withProgress(t.Context(), bootLog{t: t}), c, want, plan.Policy{})
	if err != nil {
		console, _ := os.ReadFile(vm.console())
		t.Fatalf("%v\nits console:\n%s", err, console[max(0, len(console)-4000):])
	}
	if !strings.Contains(now.Config["scsi1"], "cloudinit") {
		t.Errorf("the drive is at another controller than the machine's: %v", now.Config)
	}
	t.Logf("%s: created, booted, and its keys read in %s", vm.accel, time.Since(begun).Round(time.Second))
	if len(now.Block.HostKeys) != 3 {
		t.Errorf("pinned %q", now.Block.HostKeys)
	}
	block, err := xssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	out := loginTo(t, port, string(pem.EncodeToMemory(block)), now.Block.HostKeys,
		"cloud-init status || cat /run/cloud-init/result.json; hostname -f; ip -br -4 addr show eth0; ip route show default; cat /etc/ssh/ssh_host_ed25519_key.pub")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 5 || lines[0] != "status: done" || lines[1] != "shop-dev.lab.example" || !strings.Contains(lines[2], " 10.0.2.15/24") ||
		!strings.Contains(lines[3], "default via 10.0.2.2 dev eth0") {
		t.Fatalf("inside:\n%s", out)
	}
	shown, _, _, _, err := xssh.ParseAuthorizedKey([]byte(lines[4]))
	if err != nil || !slices.Contains(now.Block.HostKeys, xssh.FingerprintSHA256(shown)) {
		t.Errorf("its key %q is not pinned: %q, %v", lines[4], now.Block.HostKeys, err)
	}
}

// loginTo runs a command as root, behind a port of this machine, with pinned keys.
func loginTo(t *testing.T, port int, key string, pins []string, command string) string {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", port)
	if err := WaitSSH(t.Context(), nil, address, 5*time.Minute, bootLog{t: t}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	conn, err := ssh.Dial(ctx, ssh.Options{Address: address, Users: []string{"root"}, Key: secret.New(key), HostKeys: pins, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p, err := conn.Start(ctx, command)
	if err != nil {
		t.Fatal(err)
	}
	p.Stdin.Close()
	out, err := io.ReadAll(p.Stdout)
	if _, exit := p.Wait(); err != nil || exit != nil {
		t.Fatalf("%v, %v: %s", err, exit, out)
	}
	return string(out)
}
