package labtest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/template"
)

// Guest is a booted container whose sshd answers.
type Guest struct {
	VMID     int
	Name     string       // its hostname
	Addr     netip.Addr   // its static address
	Prefix   netip.Prefix // the same with the subnet's length
	Gateway  netip.Addr
	Key      ssh.Signer        // logs root in
	KeyPEM   []byte            // the same in OpenSSH's private-key format
	HostKeys []string          // SHA256:… fingerprints, as the creation's log gave them
	Config   map[string]string // its Proxmox configuration

	backend *lxc.Backend
}

// Draft is a guest with a vmid, an address and a key of its own that is not there yet: the
// test creates it through the Proxmox API, and gives the task's log to [Guest.ReadLog].
func (l *Lab) Draft(t testing.TB) *Guest {
	t.Helper()
	vmid, prefix := l.Allocate(t)
	g := &Guest{VMID: vmid, Name: fmt.Sprintf("ct%d", vmid), Addr: prefix.Addr(), Prefix: prefix, Gateway: l.lab.Gateway(), backend: l.lab.Guests}
	g.newKey(t)
	return g
}

// Setup changes what a guest is created with.
type Setup func(*lxc.Spec)

// With sets a key of the guest's Proxmox configuration.
func With(key, value string) Setup {
	return func(s *lxc.Spec) { s.Config[key] = value }
}

// From lets a guest be made from another template than the lab's first, which is built if
// it is not cached: that takes minutes.
func (l *Lab) From(t testing.TB, other template.Template) Setup {
	t.Helper()
	_, err := l.Up(t).Offer(context.Background(), other)
	if err != nil {
		t.Fatalf("labtest: %v", err)
	}
	path := filepath.Join(filepath.Dir(l.Template(t)), other.Name)
	return func(s *lxc.Spec) { s.Template = path }
}

// Guest creates and starts a container (Debian 12, unprivileged, nesting, 2 cores,
// 1 GiB, 4 GiB disk unless set up otherwise), waits for its sshd and destroys it when
// the test ends.
func (l *Lab) Guest(t testing.TB, setup ...Setup) *Guest {
	t.Helper()
	g := l.Draft(t)
	spec := l.spec(t, g)
	for _, s := range setup {
		s(&spec)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	t.Cleanup(func() { l.destroy(t, g.VMID) })
	if err := l.lab.Guests.Create(ctx, g.VMID, spec, g.ReadLog); err != nil {
		t.Fatalf("labtest: cannot create a guest: %v", err)
	}
	if err := l.lab.Guests.Start(ctx, g.VMID, spec.Config, g.ReadLog); err != nil {
		t.Fatalf("labtest: cannot start a guest: %v", err)
	}
	g.Config = spec.Config
	g.Wait(t)
	return g
}

func (l *Lab) spec(t testing.TB, g *Guest) lxc.Spec {
	t.Helper()
	return lxc.Spec{
		Template: l.Template(t), Size: 4 << 30, Unprivileged: true,
		SSHKeys: string(ssh.MarshalAuthorizedKey(g.Key.PublicKey())),
		Config: map[string]string{
			"hostname": g.Name, "cores": "2", "memory": "1024", "swap": "512", "features": "nesting=1",
			"net0": fmt.Sprintf("name=eth0,bridge=vmbr0,hwaddr=BC:24:11:%02X:%02X:%02X,ip=%s,gw=%s,type=veth",
				g.VMID>>16&255, g.VMID>>8&255, g.VMID&255, g.Prefix, g.Gateway),
		},
	}
}

// Template is the path of the lab's first template on its first node.
func (l *Lab) Template(t testing.TB) string {
	t.Helper()
	l.Up(t)
	dir, err := l.lab.PVE.TemplateDir(l.lab.Info.Nodes[0], "local")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, path.Base(l.lab.Info.Template))
}

// destroy takes the guest away, whatever state the test left it in.
func (l *Lab) destroy(t testing.TB, vmid int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.lab.Guests.Stop(ctx, vmid); err != nil {
		t.Errorf("labtest: %v", err)
	}
	if err := l.lab.Guests.Destroy(ctx, vmid); err != nil {
		t.Errorf("labtest: cannot destroy guest %d: %v", vmid, err)
	}
}

func (g *Guest) newKey(t testing.TB) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if g.Key, err = ssh.NewSignerFromKey(private); err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "labtest")
	if err != nil {
		t.Fatal(err)
	}
	g.KeyPEM = pem.EncodeToMemory(block)
}

// ReadLog picks the host keys' fingerprints out of a line of the creation's log.
func (g *Guest) ReadLog(line string) {
	if rest, ok := strings.CutPrefix(line, "done: SHA256:"); ok {
		fingerprint, _, _ := strings.Cut(rest, " ")
		g.HostKeys = append(g.HostKeys, "SHA256:"+fingerprint)
	}
}

// Dial connects to the guest as root, trusting the pinned host keys only.
func (g *Guest) Dial(ctx context.Context) (*ssh.Client, error) {
	d := net.Dialer{Timeout: 2 * time.Second}
	addr := netip.AddrPortFrom(g.Addr, 22).String()
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, addr, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(g.Key)},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if !slices.Contains(g.HostKeys, ssh.FingerprintSHA256(key)) {
				return fmt.Errorf("unknown host key %s", ssh.FingerprintSHA256(key))
			}
			return nil
		},
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return ssh.NewClient(c, chans, reqs), nil
}

// Wait returns when root can log in: after a start or a reboot.
func (g *Guest) Wait(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		client, err := g.Dial(ctx)
		if err == nil {
			client.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("labtest: guest %d has no sshd: %v\nits console:\n%s", g.VMID, err, g.backend.ConsoleLog(g.VMID))
		case <-tick.C:
		}
	}
}

// Run runs a shell command as root and returns its output; failure fails the test.
func (g *Guest) Run(t testing.TB, command string) string {
	t.Helper()
	out, err := g.Try(context.Background(), command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// Try runs a shell command as root and returns its standard output and error together.
func (g *Guest) Try(ctx context.Context, command string) (string, error) {
	client, err := g.Dial(ctx)
	if err != nil {
		return "", err
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	out, err := session.CombinedOutput(command)
	return string(out), err
}
