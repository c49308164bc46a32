package ssh

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/ssh/sshtest"
)

// server starts one with all three types of host keys, which lets root in by a key
// of that type.
func server(t *testing.T, kind string) (*sshtest.Server, Options) {
	t.Helper()
	text, signer := sshtest.Key(t, kind)
	var hostKeys []xssh.Signer
	for _, k := range []string{"rsa", "ecdsa", "ed25519"} {
		_, s := sshtest.Key(t, k)
		hostKeys = append(hostKeys, s)
	}
	s := sshtest.Start(t, hostKeys, map[string]xssh.PublicKey{"root": signer.PublicKey()})
	return s, Options{Address: s.Addr, Users: []string{"root"}, Key: secret.New(text), HostKeys: s.HostKeys}
}

func output(t *testing.T, c *Client, command string) (string, int) {
	t.Helper()
	p, err := c.Start(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	p.Stdin.Close()
	go func() { _, _ = io.Copy(io.Discard, p.Stderr) }()
	out, _ := io.ReadAll(p.Stdout)
	code, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return string(out), code
}

func TestClientKeys(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		t.Run(kind, func(t *testing.T) {
			_, o := server(t, kind)
			c, err := Dial(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if out, code := output(t, c, "echo hello; exit 3"); out != "hello\n" || code != 3 {
				t.Errorf("got %q, %d", out, code)
			}
		})
	}
}

// Only a fingerprint is known, not its type: each must be found, whichever the
// server would rather show.
func TestHostKeyOfEachType(t *testing.T) {
	s, o := server(t, "ed25519")
	for i, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		o.HostKeys = s.HostKeys[i : i+1]
		c, err := Dial(t.Context(), o)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if c.HostKey() != s.HostKeys[i] {
			t.Errorf("%s: HostKey() = %s", kind, c.HostKey())
		}
		c.Close()
	}
}

func TestHostKeyWhole(t *testing.T) {
	text, signer := sshtest.Key(t, "ed25519")
	_, host := sshtest.Key(t, "ecdsa")
	s := sshtest.Start(t, []xssh.Signer{host}, map[string]xssh.PublicKey{"root": signer.PublicKey()})
	o := Options{Address: s.Addr, Users: []string{"root"}, Key: secret.New(text)}
	o.HostKeys = []string{string(xssh.MarshalAuthorizedKey(host.PublicKey()))}
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	o.HostKeys = []string{"nonsense"}
	if _, err := Dial(t.Context(), o); err == nil || !strings.Contains(err.Error(), `"nonsense" is neither`) {
		t.Errorf("got %v", err)
	}
}

func TestHostKeyChanged(t *testing.T) {
	s, o := server(t, "ed25519")
	o.HostKeys = []string{"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
	_, err := Dial(t.Context(), o)
	var changed *HostKeyError
	if !errors.As(err, &changed) {
		t.Fatalf("got %v", err)
	}
	if len(changed.Got) != 3 || !strings.Contains(err.Error(), s.HostKeys[2]) || !strings.Contains(err.Error(), o.HostKeys[0]) {
		t.Errorf("the error does not tell both: %v", err)
	}
	if len(s.Logins()) > 0 {
		t.Error("it logged in nevertheless")
	}
}

func TestNoHostKey(t *testing.T) {
	s, o := server(t, "ed25519")
	o.HostKeys = nil
	_, err := Dial(t.Context(), o)
	var none *HostKeyError
	if !errors.As(err, &none) || !strings.Contains(err.Error(), s.HostKeys[2]) {
		t.Fatalf("got %v", err)
	}
	o.TrustOnFirstUse = true
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.HostKey() != s.HostKeys[2] {
		t.Errorf("HostKey() = %s, want the ed25519 one", c.HostKey())
	}
}

func TestUsersInTurn(t *testing.T) {
	s, o := server(t, "ed25519")
	o.Users = []string{"appuser", "root"}
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.User() != "root" || len(s.Logins()) != 1 {
		t.Errorf("user %s, logins %v", c.User(), s.Logins())
	}
	o.Users = []string{"appuser", "admin"}
	_, err = Dial(t.Context(), o)
	var denied *AuthError
	if !errors.As(err, &denied) || !strings.Contains(err.Error(), "appuser, admin") {
		t.Errorf("got %v", err)
	}
}

func TestKeyErrors(t *testing.T) {
	for _, key := range []string{"", "not a key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"} {
		_, err := Dial(t.Context(), Options{Address: "127.0.0.1:1", Users: []string{"root"}, Key: secret.New(key)})
		var bad *KeyError
		if !errors.As(err, &bad) {
			t.Errorf("%q: got %v", key, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	_, o := server(t, "ed25519")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, address := range map[string]string{"closed": closed.Addr().String(), "silent": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Address, o.Timeout = address, 200*time.Millisecond
			_, err := Dial(t.Context(), o)
			var unreachable *UnreachableError
			if !errors.As(err, &unreachable) || unreachable.Address != address {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestJumpHost(t *testing.T) {
	jump, jo := server(t, "rsa")
	_, o := server(t, "ed25519")
	j, err := DialJump(t.Context(), jo)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	o.Via = j
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if out, _ := output(t, c, "echo through"); out != "through\n" {
		t.Errorf("got %q", out)
	}
	jump.Cut()
	if _, err := c.Start(t.Context(), "true"); err == nil {
		t.Error("a connection outlives its jump host")
	}
	jo.HostKeys = []string{"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
	var changed *HostKeyError
	if _, err := DialJump(t.Context(), jo); !errors.As(err, &changed) {
		t.Errorf("the jump host's key is not checked: %v", err)
	}
}

func TestJumpHostCannotReach(t *testing.T) {
	_, jo := server(t, "ed25519")
	j, err := DialJump(t.Context(), jo)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	_, o := server(t, "ed25519")
	o.Via, o.Address = j, "127.0.0.1:1"
	_, err = Dial(t.Context(), o)
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) {
		t.Errorf("got %v", err)
	}
}

func TestDeadConnectionIsNoticed(t *testing.T) {
	s, o := server(t, "ed25519")
	s.Mute = true
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := c.Start(t.Context(), "exec cat")
	if err != nil {
		t.Fatal(err)
	}
	go c.keepalive(t.Context(), 10*time.Millisecond, 50*time.Millisecond)
	_, err = p.Wait()
	var dead *DeadError
	if !errors.As(err, &dead) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v", err)
	}
	s.Cut()
}

// cutter is a way out whose last connection can be cut.
type cutter struct {
	net.Dialer
	conn net.Conn
}

func (c *cutter) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	c.conn, err = c.Dialer.DialContext(ctx, network, address)
	return c.conn, err
}

func TestIdleConnectionIsCut(t *testing.T) {
	_, o := server(t, "ed25519")
	way := &cutter{}
	o.Via = way
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	way.conn.Close()
	var dead *DeadError
	if _, err := c.Start(t.Context(), "true"); !errors.As(err, &dead) {
		t.Errorf("got %v", err)
	}
}

// Whenever a machine goes away while a command is started, that is what is said.
func TestConnectionIsCutMeanwhile(t *testing.T) {
	s, o := server(t, "ed25519")
	for n := range 30 {
		c, err := Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var cut sync.WaitGroup
		later := time.NewTimer(time.Duration(n) * 20 * time.Microsecond)
		cut.Go(func() { <-later.C; s.Cut() })
		var dead *DeadError
		if _, err := c.Start(t.Context(), "true"); err != nil && !errors.As(err, &dead) {
			t.Errorf("got %v", err)
		}
		cut.Wait()
		c.Close()
	}
}

func TestClosedConnectionIsDead(t *testing.T) {
	s, o := server(t, "ed25519")
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := c.Start(t.Context(), "echo begun; exec cat")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = p.Stdout.Read(make([]byte, 10))
	s.Cut()
	_, err = p.Wait()
	var dead *DeadError
	if !errors.As(err, &dead) {
		t.Errorf("got %v", err)
	}
}

func TestCancel(t *testing.T) {
	_, o := server(t, "ed25519")
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p, err := c.Start(ctx, "exec cat")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := p.Wait(); err == nil {
		t.Error("it waits for the command nevertheless")
	}
}

// Keepalives must notice a dead connection within 30 s.
func TestKeepaliveBound(t *testing.T) {
	if keepaliveEvery+keepaliveWait > 30*time.Second {
		t.Errorf("%s", keepaliveEvery+keepaliveWait)
	}
}
