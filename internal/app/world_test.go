package app_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
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
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/vault"
)

var lab labtest.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// world is a Proxmox with real containers, and a repository with a stack file.
type world struct {
	t        testing.TB
	pve      *pveapi.Server
	dir      string
	identity string
	log      *logView
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), log: &logView{t: t}}
	backend := lab.Backend(t)
	server, err := pveapi.New(pveapi.Options{Dir: t.TempDir(), Backend: containers{backend}})
	w.must(err)
	w.pve = server
	templates, err := server.TemplateDir("pve1", "local")
	w.must(err)
	template := lab.Template(t)
	w.must(os.Link(template, filepath.Join(templates, filepath.Base(template))))
	token, err := server.AddToken("root@pam", "ci", false, "")
	w.must(err)
	url, err := server.Listen(t.Context(), "127.0.0.1:0")
	w.must(err)
	fingerprint, err := server.Fingerprint()
	w.must(err)
	id, err := age.GenerateX25519Identity()
	w.must(err)
	w.identity = id.String()
	w.write(".appstack/recipients", id.Recipient().String()+"\n")
	for name, value := range map[string]string{
		"proxmox_url": url, "proxmox_token": "root@pam!ci=" + token, "proxmox_fingerprint": fingerprint, "ssh_key": newKey(t),
		"greeting": "hello, secret world",
	} {
		w.secret(name, value)
	}
	t.Cleanup(func() { w.must(server.Close()) })
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

// newKey returns a private key in OpenSSH's format.
func newKey(t testing.TB) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "test")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
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
func (s *logShow) Close()                        {}
func (s *logShow) Begin(step plan.Step)          { s.logf("> %s", step) }
func (s *logShow) Line(_ plan.Step, line string) { s.logf("    %s", line) }
func (s *logShow) End(step plan.Step, o plan.Outcome) {
	s.logf("< %s %s %v %v", step.Verb, step.Resource, o.Took.Round(time.Millisecond), o.Err)
}
func (s *logShow) Wait(what string, since time.Duration) { s.logf("… %s %s", what, since) }

// stack returns a stack file with one environment whose guest is at a free address.
func (w *world) stack(body string) {
	w.t.Helper()
	vmid, addr := lab.Allocate(w.t)
	gateway := lab.Network(w.t).Gateway()
	w.write("appstack.yaml", strings.TrimLeft(fmt.Sprintf(`
proxmox: {url: "${secret.proxmox_url}", token: "${secret.proxmox_token}", fingerprint: "${secret.proxmox_fingerprint}", node: pve1}
secrets: [secrets.yaml.age]
ssh: {user: root, key: "${secret.ssh_key}"}
projects:
  shop:
    envs:
      dev: {name: shop-dev, vmid: %d, ip: %s, gateway: %s, branch: dev}
%s`, vmid, addr, gateway, body), "\n"))
}

// containers makes the lab's containers the API's guests.
type containers struct{ *lxc.Backend }

func (c containers) Create(ctx context.Context, vmid int, spec pveapi.Spec, progress func(string)) error {
	return c.Backend.Create(ctx, vmid, lxc.Spec(spec), progress)
}

func (c containers) Usage(ctx context.Context, vmid int) (pveapi.Usage, error) {
	u, err := c.Backend.Usage(ctx, vmid)
	return pveapi.Usage(u), err
}

func (c containers) Interfaces(ctx context.Context, vmid int) ([]pveapi.Interface, error) {
	found, err := c.Backend.Interfaces(ctx, vmid)
	var all []pveapi.Interface
	for _, i := range found {
		all = append(all, pveapi.Interface(i))
	}
	return all, err
}
