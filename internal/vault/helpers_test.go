package vault_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/vault"
)

// key is a private key and its public half, as text.
type key struct{ private, public string }

var (
	alice  = sync.OnceValue(newX25519)
	bob    = sync.OnceValue(newX25519)
	hybrid = sync.OnceValue(func() key {
		id, err := age.GenerateHybridIdentity()
		must(err)
		return key{id.String(), id.Recipient().String()}
	})
	sshEd25519 = sync.OnceValue(func() key {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		must(err)
		return sshKey(private, "")
	})
	sshLocked = sync.OnceValue(func() key {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		must(err)
		return sshKey(private, "open sesame")
	})
	sshRSA = sync.OnceValue(func() key {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		must(err)
		return sshKey(private, "")
	})
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func newX25519() key {
	id, err := age.GenerateX25519Identity()
	must(err)
	return key{id.String(), id.Recipient().String()}
}

func sshKey(private crypto.Signer, passphrase string) key {
	signer, err := ssh.NewSignerFromKey(private)
	must(err)
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	must(err)
	return key{string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))}
}

// sealed encrypts text to public keys.
func sealed(t testing.TB, plain string, armored bool, public ...string) []byte {
	t.Helper()
	var recipients []age.Recipient
	for _, p := range public {
		var r age.Recipient
		var err error
		switch {
		case strings.HasPrefix(p, "ssh-"):
			r, err = agessh.ParseRecipient(p)
		case strings.HasPrefix(p, "age1pq1"):
			r, err = age.ParseHybridRecipient(p)
		default:
			r, err = age.ParseX25519Recipient(p)
		}
		if err != nil {
			t.Fatal(err)
		}
		recipients = append(recipients, r)
	}
	return encrypt(t, plain, armored, recipients...)
}

func encrypt(t testing.TB, plain string, armored bool, recipients ...age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	out := armor.NewWriter(&b)
	w, err := age.Encrypt(out, recipients...)
	if !armored {
		b.Reset()
		w, err = age.Encrypt(&b, recipients...)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if armored {
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// repo is a directory with a vault in it.
type repo struct {
	t   testing.TB
	dir string
}

func newRepo(t testing.TB) repo { return repo{t, t.TempDir()} }

func (r repo) write(file string, data []byte) {
	r.t.Helper()
	path := filepath.Join(r.dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r repo) read(file string) string {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, file))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

// files lists all files of the repository.
func (r repo) files() []string {
	r.t.Helper()
	var all []string
	err := filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(r.dir, path)
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// vault opens the repository's vault with private keys.
func (r repo) vault(private ...string) *vault.Vault {
	r.t.Helper()
	v, err := vault.At(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range private {
		ids, err := vault.ParseIdentities(nil, vault.Source{Name: "a test", Text: p})
		if err != nil {
			r.t.Fatal(err)
		}
		v.Identities = ids
	}
	v.Hide = new(secret.Redactor)
	return v
}

// values reveals all of a file's values.
func values(t testing.TB, v *vault.Vault, files ...string) map[string]string {
	t.Helper()
	s, err := v.Open(files...)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range s.Names() {
		value, _ := s.Get(name)
		got[name] = value.Reveal()
	}
	return got
}

// advice returns the error's text with its hint, as the command shows it.
func advice(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error() + " / " + adviceOf(err)
}

func adviceOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}
