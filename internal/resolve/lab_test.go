package resolve

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/guest"
	pvelab "github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/sample"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/ssh"
)

var lab labtest.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// place is a guest with a sample app's repository.
type place struct {
	t       testing.TB
	guest   *labtest.Guest
	repo    string
	stack   string            // the stack file, with the words that vary
	secrets map[string]string // by name
}

// newPlace boots a guest, and a repository that a deploy key may read.
func newPlace(t testing.TB, repo, stackFile string, setup ...labtest.Setup) *place {
	t.Helper()
	l := lab.Up(t)
	p := &place{t: t, guest: lab.Guest(t, setup...), repo: repo, secrets: maps.Clone(testSecrets)}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := xssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	block, err := xssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Git.Create(repo); err != nil {
		t.Fatal(err)
	}
	if err := l.Git.AddDeployKey(repo, key, false); err != nil {
		t.Fatal(err)
	}
	p.secrets["git_key"] = string(pem.EncodeToMemory(block))
	p.stack = strings.NewReplacer(
		"GIT_URL", "ssh://git@"+l.Info.GitSSH+"/"+repo+".git", "GIT_HOST_KEY", l.Info.GitHostKey,
		"ADDRESS", p.guest.Prefix.String(), "GATEWAY", p.guest.Gateway.String(),
	).Replace(stackFile)
	return p
}

// commit adds a commit to the app's repository.
func (p *place) commit(files gitrepo.Files, message string) string {
	p.t.Helper()
	sha, err := lab.Up(p.t).Git.Commit(p.repo, "main", files, message)
	if err != nil {
		p.t.Fatal(err)
	}
	return sha
}

// want is the desired OS of the stack's only environment.
func (p *place) want(sha string) *machine.OS {
	p.t.Helper()
	maps.Copy(testSecrets, p.secrets)
	in := testInputs(nil)
	in.SHA = sha
	in.DeployPublicKey = strings.TrimSpace(string(xssh.MarshalAuthorizedKey(p.guest.Key.PublicKey())))
	in.Problems = new(diag.List)
	e := loadEnv(p.t, p.stack, strings.TrimPrefix(p.repo, "org/")+"/dev")
	o := osState(e, in)
	if in.Problems.HasErrors() {
		p.t.Fatal(in.Problems)
	}
	return o
}

// apply leads the guest to what is wanted, and returns the plan and what was heard.
func (p *place) apply(want *machine.OS) (plan.Plan, string, error) {
	p.t.Helper()
	c, err := guest.Dial(p.t.Context(), guest.Options{Options: ssh.Options{
		Address: p.guest.Addr.String(), Users: []string{"appuser", "root"},
		Key: secret.New(string(p.guest.KeyPEM)), HostKeys: p.guest.HostKeys,
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	have, err := c.Observe(p.t.Context(), want)
	if err != nil {
		p.t.Fatal(err)
	}
	todo := plan.Diff("lab", machine.State{OS: have}, machine.State{OS: want}, plan.Policy{})
	heard := &listener{t: p.t}
	err = c.Apply(p.t.Context(), todo.Steps, have, want, heard)
	return todo, heard.text.String(), err
}

func (p *place) mustApply(want *machine.OS) (plan.Plan, string) {
	p.t.Helper()
	todo, heard, err := p.apply(want)
	if err != nil {
		p.t.Fatalf("%v\n%s", err, heard)
	}
	return todo, heard
}

func (p *place) get(url string) string {
	p.t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Get(fmt.Sprintf("http://%s%s", p.guest.Addr, url))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

// listener keeps what steps print.
type listener struct {
	t    testing.TB
	text bytes.Buffer
}

func (l *listener) Begin(s plan.Step)             {}
func (l *listener) Line(_ plan.Step, line string) { l.text.WriteString(line + "\n") }
func (l *listener) End(s plan.Step, o plan.Outcome) {
	if o.Took > time.Second {
		l.t.Log(s, o.Took.Round(time.Millisecond))
	}
}
func (l *listener) Wait(s string, d time.Duration) { l.t.Log("waiting for", s, d) }

// poller asks for a page, 50 times a second, and counts what fails.
type poller struct {
	mu       sync.Mutex
	requests int
	failed   []string
	slowest  time.Duration
}

// poll begins to ask; the returned function ends it and waits for what is under way.
func poll(url string, transport *http.Transport) (*poller, func()) {
	p := &poller{}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		client := http.Client{Transport: transport, Timeout: 30 * time.Second}
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				all.Go(func() { p.ask(&client, url) })
			}
		}
	})
	return p, func() { cancel(); all.Wait() }
}

func (p *poller) ask(client *http.Client, url string) {
	begun := time.Now()
	resp, err := client.Get(url)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	p.slowest = max(p.slowest, time.Since(begun))
	if err != nil {
		p.failed = append(p.failed, time.Now().Format("05.000 ")+err.Error())
	}
}

const shopStack = `
proxmox: {url: "https://pve", token: "${secret.proxmox_token}"}
secrets: [a.age]
ssh: {key: "${secret.ssh_key}"}
projects:
  shop:
    base: {timezone: Europe/Berlin}
    app:
      runtime: node
      source: {git: "GIT_URL", key: "${secret.git_key}", host_key: "GIT_HOST_KEY"}
      services:
        backend: {dir: backend, port: 3001, public: false, build: npm ci, migrate: npm run migrate, start: npm start, health: /healthz}
        frontend: {dir: frontend, port: 3000, build: npm ci && npm run build, start: npm start, health: /, after: backend}
    envs: {dev: {vmid: 101, ip: ADDRESS, gateway: GATEWAY, branch: main, env_vars: {GREETING: "it's $5 \"now\"", API_KEY: "${secret.queue}"}}}
`

// TestShop deploys the sample shop onto a fresh guest, and then commits that work, do
// not build, do not migrate and do not become healthy.
func TestShop(t *testing.T) {
	p := newPlace(t, "org/shop", shopStack)
	files, err := sample.Shop()
	if err != nil {
		t.Fatal(err)
	}
	first := p.commit(files, "first")
	p.mustApply(p.want(first))
	if got := p.get(":3000/healthz"); !strings.HasPrefix(got, "200 ") || !strings.Contains(got, first) {
		t.Errorf("the frontend's backend answers %s", got)
	}
	if todo, _, _ := p.apply(p.want(first)); !todo.Empty() {
		t.Errorf("a second run has more to do:\n%s", todo)
	}
	env := p.guest.Run(t, "tr '\\0' '\\n' </proc/$(systemctl show -P MainPID shop-backend)/environ")
	if !strings.Contains(env, "GREETING=it's $5 \"now\"\n") {
		t.Errorf("the backend's variables: %s", env)
	}

	second := p.commit(gitrepo.Files{"backend/extra.txt": []byte("2")}, "second")
	keepAlive, stopKeepAlive := poll(fmt.Sprintf("http://%s:3000/", p.guest.Addr), &http.Transport{})
	fresh, stopFresh := poll(fmt.Sprintf("http://%s:3000/", p.guest.Addr), &http.Transport{DisableKeepAlives: true})
	_, heard := p.mustApply(p.want(second))
	stopKeepAlive()
	stopFresh()
	t.Log(heard)
	for name, c := range map[string]*poller{"kept-alive": keepAlive, "fresh": fresh} {
		t.Logf("%s connections: %d requests, %d failed, the slowest took %v", name, c.requests, len(c.failed), c.slowest)
		if len(c.failed) > 0 {
			t.Errorf("%s connections: %d of %d requests failed: %v", name, len(c.failed), c.requests, c.failed)
		}
	}
	if got := p.get(":3000/healthz"); !strings.Contains(got, second) {
		t.Errorf("after the second deploy: %s", got)
	}

	for name, change := range map[string]struct {
		files gitrepo.Files
		says  string
	}{
		"build":     {gitrepo.Files{"frontend/build.js": []byte("throw new Error('no build today')")}, "no build today"},
		"migration": {gitrepo.Files{"backend/migrate.js": []byte("process.exit(3)")}, "exit status"},
		"start":     {gitrepo.Files{"backend/server.js": []byte("console.log('goodbye'); process.exit(1)")}, "goodbye"},
	} {
		bad := p.commit(change.files, name)
		_, heard, err := p.apply(p.want(bad))
		if err == nil || !strings.Contains(heard+err.Error(), change.says) {
			t.Errorf("a broken %s: %v\n%s", name, err, heard)
		}
		if got := p.get(":3000/healthz"); !strings.Contains(got, second) {
			t.Errorf("after a broken %s: %s", name, got)
		}
		p.commit(gitrepo.Files{"frontend/build.js": files["frontend/build.js"], "backend/migrate.js": files["backend/migrate.js"], "backend/server.js": files["backend/server.js"]}, "better")
	}
	if out := p.guest.Run(t, "iptables-save | grep -c appstack-handover; ls /run/systemd/system | grep -c appstack-next; true"); out != "0\n0\n" {
		t.Errorf("left behind: %s", out)
	}
}

const poteStack = `
proxmox: {url: "https://pve", token: "${secret.proxmox_token}"}
secrets: [a.age]
ssh: {key: "${secret.ssh_key}"}
projects:
  pote:
    app:
      runtime: python
      wheels: wheels
      source: {git: "GIT_URL", key: "${secret.git_key}", host_key: "GIT_HOST_KEY"}
      postgres: {password: "${secret.pote_db_password}", backup: {keep: 2}}
      migrate: .venv/bin/python -m pote.migrate
      cron: [{name: fetch, schedule: "0 5 31 12 *", run: .venv/bin/python -m pote.fetch, notify: ops@example.org}]
      smtp: {host: 127.0.0.1, port: 2525, from: pote@example.org, tls: none}
      services: {web: {start: .venv/bin/python -m pote.web, port: 8000, health: /healthz}}
    envs: {dev: {vmid: 110, ip: ADDRESS, gateway: GATEWAY, branch: main}}
`

// TestPote deploys the sample pote, with its database, its cron job and its backups.
func TestPote(t *testing.T) {
	p := newPlace(t, "org/pote", poteStack)
	files, err := sample.Pote()
	if err != nil {
		t.Fatal(err)
	}
	wheels, err := sample.Wheels(t.Context(), filepath.Join(pvelab.CacheDir(), "wheels"))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(files, wheels)
	first := p.commit(files, "first")
	_, heard := p.mustApply(p.want(first))
	t.Log(heard)
	if got := p.get(":8000/healthz"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("pote answers %s", got)
	}
	if todo, _, _ := p.apply(p.want(first)); !todo.Empty() {
		t.Errorf("a second run has more to do:\n%s", todo)
	}
	p.guest.Run(t, "systemctl start pote-cron-fetch.service")
	if got := p.get(":8000/api/readings"); !strings.Contains(got, "/proc/loadavg") {
		t.Errorf("after the cron job: %s", got)
	}
	p.backsUp(t)
	p.mails(t)

	bad := p.commit(gitrepo.Files{"pote/migrations/003_bad.sql": []byte("SELECT nonsense;")}, "bad migration")
	_, heard, err = p.apply(p.want(bad))
	if err == nil || !strings.Contains(heard+err.Error(), "restore_db.sh /var/backups/postgresql/pote-") {
		t.Errorf("a broken migration: %v\n%s", err, heard)
	}
	if got := p.get(":8000/healthz"); !strings.HasPrefix(got, "200 ") || !strings.Contains(got, first) {
		t.Errorf("after a broken migration: %s", got)
	}
	missing := p.commit(gitrepo.Files{"pote/migrations/003_bad.sql": []byte("SELECT 1;"), "pote/fetch.py": []byte("import no_such_module\n")}, "bad import")
	_, heard, err = p.apply(p.want(missing))
	if err == nil || !strings.Contains(heard+err.Error(), "there is no module no_such_module") {
		t.Errorf("a missing module: %v\n%s", err, heard)
	}
}

// backsUp makes dumps, loses data, and puts it back.
func (p *place) backsUp(t *testing.T) {
	out := p.guest.Run(t, `for i in 1 2 3; do /usr/local/lib/appstack/backup; sleep 1.1; done; ls /var/backups/postgresql | grep -c scheduled
stat -c '%a %U' /var/backups/postgresql; runuser -u postgres -- psql -d pote -qc 'DELETE FROM readings'
restore_db.sh "$(ls /var/backups/postgresql/*scheduled* | tail -1)"; systemctl is-active pote-web`)
	if !strings.Contains(out, "\n2\n700 postgres\n") || !strings.HasSuffix(out, "\nactive\n") {
		t.Errorf("backup and restore: %s", out)
	}
	if got := p.get(":8000/api/readings"); !strings.Contains(got, "/proc/loadavg") {
		t.Errorf("after the restore: %s", got)
	}
}

// mailSink takes one mail on port 2525 and prints it, as an SMTP server would.
const mailSink = `
import socket
s = socket.create_server(("127.0.0.1", 2525)); c, _ = s.accept(); f = c.makefile("rw", newline="\r\n")
def say(x): f.write(x + "\r\n"); f.flush()
say("220 sink")
for line in f:
    w = line.split()[0].upper()
    print(line.strip())
    if w == "DATA":
        say("354 go")
        for line in f:
            print(line.rstrip())
            if line.strip() == ".": break
    say("221 bye" if w == "QUIT" else "250 ok")
    if w == "QUIT": break
`

// mails lets the job fail and reads the mail about it.
func (p *place) mails(t *testing.T) {
	out := p.guest.Run(t, "cat >/root/sink.py <<'EOF'\n"+mailSink+"EOF\n"+`systemd-run -q --unit=sink python3 -u /root/sink.py
mkdir -p /run/systemd/system/pote-cron-fetch.service.d
printf '[Service]\nEnvironment=POTE_SOURCE=/nonexistent\n' >/run/systemd/system/pote-cron-fetch.service.d/fail.conf
systemctl daemon-reload; systemctl start pote-cron-fetch.service || echo it failed
for i in $(seq 100); do [ "$(systemctl is-active sink)" = active ] || break; sleep 0.2; done
journalctl -o cat -u sink; rm -r /run/systemd/system/pote-cron-fetch.service.d; systemctl daemon-reload; systemctl reset-failed`)
	for _, want := range []string{"it failed", "RCPT TO:<ops@example.org>", "Subject: [pote/dev] pote-cron-fetch.service failed (exit-code)", "cannot read /nonexistent"} {
		if !strings.Contains(out, want) {
			t.Errorf("the mail lacks %q:\n%s", want, out)
		}
	}
}

// TestEnvFileReadBySystemd has the guest's systemd read what package templates' test
// has shells read.
func TestEnvFileReadBySystemd(t *testing.T) {
	g := lab.Guest(t)
	values := map[string]string{
		"SPACES": "  two  words  ", "SINGLE": `it's`, "DOUBLE": `say "hi"`, "BOTH": `'"'"'`, "EMPTY": "",
		"DOLLAR": `$HOME ${HOME} $(id) $$ $`, "BACKTICK": "`id`", "HASH": "#no # comment", "SEMICOLON": "; no",
		"BACKSLASH": `C:\new\\table\`, "ESCAPES": `\n \t \x41 \" \$`, "LINES": "one\ntwo\n\nfour\n", "CRLF": "a\r\nb",
		"TRAILING": "ends in \\\nand goes on", "UNICODE": "grüße 世界 🚀", "PERCENT": "100% %n", "BELL": "\a\x1b[31m\x7f",
	}
	b := &osBuilder{env: loadEnv(t, strings.NewReplacer("ADDRESS", "10.0.0.5/24", "GATEWAY", "10.0.0.1", "GIT_URL", "git@github.com:o/r.git", ", host_key: \"GIT_HOST_KEY\"", "").Replace(strings.ReplaceAll(shopStack, "git_key", "shop_deploy_key")), "shop/dev"),
		in: inputs{IsSecret: func(s string) bool { return len(s)%2 == 0 }}, os: &machine.OS{Files: map[string]machine.File{}}}
	b.envFile("/env", values, nil)
	text := b.os.Files["/env"].Content.Reveal()
	g.Run(t, "cat >/root/env <<'END-OF-FILE'\n"+text+"END-OF-FILE\n")
	out := g.Run(t, "systemd-run -q --wait --pipe -p EnvironmentFile=/root/env env -0")
	got := make(map[string]string)
	for entry := range strings.SplitSeq(out, "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		got[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if value, ok := got[name]; !ok || value != values[name] {
			t.Errorf("%s: systemd reads %q, want %q", name, value, values[name])
		}
	}
}
