package guest

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	xssh "golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/ssh"
	"github.com/org/appstack-action/internal/ssh/sshtest"
)

// dialed is a connection as root to a machine on which every command is run.
func dialed(t *testing.T, run func(command string, stdin io.Reader, stdout, stderr io.Writer) int) *Conn {
	t.Helper()
	_, host := sshtest.Key(t, "ed25519")
	text, user := sshtest.Key(t, "ed25519")
	server := sshtest.Start(t, []xssh.Signer{host}, map[string]xssh.PublicKey{"root": user.PublicKey()})
	server.Run = run
	conn, err := Dial(t.Context(), Options{
		Options: ssh.Options{Address: server.Addr, Users: []string{"root"}, Key: secret.New(text), HostKeys: server.HostKeys},
		Observe: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A machine that hangs is not taken for a mistake of ours: its silence has a type.
func TestSilence(t *testing.T) {
	hangs := func(_ string, stdin io.Reader, _, _ io.Writer) int {
		_, _ = io.Copy(io.Discard, stdin)
		<-t.Context().Done()
		return 0
	}
	for name, ask := range map[string]func(c *Conn) error{
		"observation": func(c *Conn) error { _, err := c.Observe(t.Context(), &machine.OS{}); return err },
		"app":         func(c *Conn) error { _, err := c.App(t.Context()); return err },
		"cloud-init":  func(c *Conn) error { return c.Settled(t.Context(), 50*time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			err := ask(dialed(t, hangs))
			if slow, ok := errors.AsType[*SlowError](err); !ok || slow.Hint() == "" {
				t.Errorf("got %T: %v", err, err)
			}
		})
	}
}

// An upload that fails is a step that fails: of the release, or of the dump that is sent.
func TestUploadFails(t *testing.T) {
	full := func(_ string, _ io.Reader, stdout, stderr io.Writer) int {
		_, _ = io.WriteString(stdout, "0\n")
		_, _ = io.WriteString(stderr, "cat: write error: No space left on device\n")
		return 1
	}
	file := t.TempDir() + "/pote.dump"
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	const sha = "0123456789012345678901234567890123456789"
	deploy := []plan.Step{{Verb: plan.Deploy, Resource: plan.Resource{Kind: "release", Name: sha}}}
	for want, upload := range map[string]func(c *Conn) error{
		"cannot deploy release " + sha: func(c *Conn) error {
			return c.Apply(t.Context(), deploy, nil, &machine.OS{Release: &machine.Release{SHA: sha, Tree: file}}, nil)
		},
		"cannot restore dump pote.dump": func(c *Conn) error { _, err := c.Send(t.Context(), file, nil); return err },
	} {
		err := upload(dialed(t, full))
		failed, ok := errors.AsType[*StepError](err)
		if !ok || !strings.Contains(failed.Hint(), "disk is full") {
			t.Errorf("got %T: %v", err, err)
			continue
		}
		if diff := cmp.Diff(want+": cat: write error: No space left on device (exit status 1)", failed.Error()); diff != "" {
			t.Error(diff)
		}
	}
}
