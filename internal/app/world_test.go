package app_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/template"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/vault"
	"github.com/org/appstack-action/testdata/apps"
)

// machines is the lab, with a template that has the sample apps' packages: only
// TestFirstConfigure installs them.
var machines = labtest.Lab{Options: lab.Options{Templates: []template.Template{template.Default(), template.Warm()}}}

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	os.Exit(machines.Main(m))
}

// world is a lab, and a repository with a stack file.
type world struct {
	t        testing.TB
	kind     guestKind
	lab      *lab.Lab
	dir      string
	identity string
	log      *logView
}

// newWorld is for containers, unless another kind is given.
func newWorld(t testing.TB, kinds ...guestKind) *world {
	t.Helper()
	w := &world{t: t, kind: one(kinds), lab: machines.Up(t), dir: t.TempDir(), log: &logView{t: t}}
	if w.kind.kind == machine.KVM {
		w.must(w.lab.OfferVMs(t.Context(), template.CloudImage(template.Warm())))
	}
	id, err := age.GenerateX25519Identity()
	w.must(err)
	w.identity = id.String()
	w.write(".appstack/recipients", id.Recipient().String()+"\n")
	key, _ := newKey(t)
	info := w.lab.Info
	for name, value := range map[string]string{
		"proxmox_url": info.URL, "proxmox_token": info.Token, "proxmox_fingerprint": info.Fingerprint, "ssh_key": key,
	} {
		w.secret(name, value)
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if name == "appstack.yaml" {
		text = w.kind.made(text)
	}
	path := filepath.Join(w.dir, name)
	w.must(os.MkdirAll(filepath.Dir(path), 0o755))
	w.must(os.WriteFile(path, []byte(text), 0o644))
}

// secret sets a value in the repository's secrets file.
func (w *world) secret(name, value string) {
	w.t.Helper()
	v, err := vault.At(w.dir)
	w.must(err)
	v.Identities, err = vault.ParseIdentities(nil, vault.Source{Name: "test", Text: w.identity})
	w.must(err)
	w.must(v.Set("secrets.yaml.age", name, secret.New(value)))
}

// newKey returns a private key in OpenSSH's format, and its public half.
func newKey(t testing.TB) (string, ssh.PublicKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), signer.PublicKey()
}

// run does a command for the stack file as it is now.
func (w *world) run(ctx context.Context, command string, change func(*app.Run)) ([]report.Report, error) {
	w.t.Helper()
	r := &app.Run{
		Source: app.Source{Dir: w.dir}, Stack: "appstack.yaml",
		Keys:    []vault.Source{{Name: "test", Text: w.identity}},
		Request: resolve.Request{Command: command, Credentials: true}, Hide: &secret.Redactor{}, View: w.log, Parallel: 4,
		Tell: func(l diag.List) { w.t.Log(l.Error()) },
	}
	if change != nil {
		change(r)
	}
	return r.Do(ctx)
}

// ok does a command that must succeed, and returns its reports.
func (w *world) ok(command string) []report.Report {
	w.t.Helper()
	reports, err := w.run(w.t.Context(), command, nil)
	w.must(err)
	for _, r := range reports {
		if r.Failed() {
			w.t.Fatalf("%s of %s failed (%s): %s\nhint: %s", command, r.Target(), r.Reason, r.Error, r.Hint)
		}
	}
	return reports
}

// logView writes a run's progress to the test's log.
type logView struct {
	t  testing.TB
	mu sync.Mutex
}

func (v *logView) Open(target string) app.Show { return &logShow{v, target} }

func (v *logView) logf(format string, args ...any) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.t.Logf(format, args...)
}

type logShow struct {
	*logView
	target string
}

func (s *logShow) Stage(name string)             { s.logf("%s == %s", s.target, name) }
func (s *logShow) Say(text string)               { s.logf("%s", text) }
func (s *logShow) Conclude(text string)          { s.logf("%s", text) }
func (s *logShow) Close()                        {}
func (s *logShow) Begin(step plan.Step)          { s.logf("> %s", step) }
func (s *logShow) Line(_ plan.Step, line string) { s.logf("    %s", line) }
func (s *logShow) End(step plan.Step, o plan.Outcome) {
	s.logf("< %s %s %v %v", step.Verb, step.Resource, o.Took.Round(time.Millisecond), o.Err)
}
func (s *logShow) Wait(what string, since time.Duration) { s.logf("… %s %s", what, since) }

// stack writes a stack file with one environment whose guest is at a free address,
// which it returns. body is the rest of the project.
func (w *world) stack(body string) netip.Addr {
	w.t.Helper()
	vmid, addr := machines.Allocate(w.t)
	w.write("appstack.yaml", strings.TrimLeft(fmt.Sprintf(`
proxmox: {url: "${secret.proxmox_url}", token: "${secret.proxmox_token}", fingerprint: "${secret.proxmox_fingerprint}", node: pve1}
secrets: [secrets.yaml.age]
ssh: {user: root, key: "${secret.ssh_key}"}
projects:
  shop:
%s
    envs:
      dev: {name: shop-dev-%d, vmid: %d, ip: %s, gateway: %s, branch: dev}
`, body, vmid, vmid, addr, w.lab.Gateway()), "\n"))
	return addr.Addr()
}

// edit changes the stack file.
func (w *world) edit(from, to string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "appstack.yaml"))
	w.must(err)
	if !strings.Contains(string(text), from) {
		w.t.Fatalf("the stack file has no %q", from)
	}
	w.write("appstack.yaml", strings.Replace(string(text), from, to, 1))
}

// repository makes a repository with a sample app on the lab's git server, and a
// deploy key for it. It returns the source's address and the first commit.
func (w *world) repository(name, sample string) (source, sha string) {
	w.t.Helper()
	w.must(w.lab.AddRepository(name))
	private, public := newKey(w.t)
	w.secret("deploy_key", private)
	w.must(w.lab.Git.AddDeployKey(name, public, false))
	sha, err := w.lab.Git.Commit(name, "dev", w.sample(sample), "first")
	w.must(err)
	return "ssh://git@" + w.lab.Info.GitSSH + "/" + name + ".git", sha
}

// sample are the files of a sample app.
func (w *world) sample(name string) gitrepo.Files {
	w.t.Helper()
	tree, err := fs.Sub(apps.FS, name)
	w.must(err)
	files := gitrepo.Files{}
	w.must(fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(tree, path)
		files[path] = text
		return err
	}))
	return files
}
