package resolve

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/sample"
	"github.com/org/appstack-action/internal/machine"
)

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

	p.killedWhileRedirected(second)
	p.keepsServing(second, files)
}

// killedWhileRedirected kills a deploy while connections go to its candidate.
func (p *place) killedWhileRedirected(sha string) {
	p.t.Helper()
	const left = "; iptables-save | grep -c appstack-handover; ls /run/systemd/system | grep -c appstack-next; true"
	out := p.guest.Run(p.t, "APPSTACK_CRASH=redirected deploy_app.sh "+sha+" </dev/null >/dev/null 2>&1; systemctl stop shop-frontend"+left)
	if strings.HasPrefix(out, "0\n") {
		p.t.Errorf("nothing was redirected when the run was killed: %s", out)
	}
	if got := p.get(":3000/"); !strings.HasPrefix(got, "200 ") {
		p.t.Errorf("after a killed deploy, with the service down: %s", got)
	}
	if out := p.guest.Run(p.t, "deploy_app.sh "+sha+" </dev/null >/dev/null"+left); out != "0\n0\n" {
		p.t.Errorf("left behind: %s", out)
	}
	if got := p.get(":3000/healthz"); !strings.Contains(got, sha) {
		p.t.Errorf("after a killed deploy and another: %s", got)
	}
}

// keepsServing deploys commits that do not build, migrate or start, each of which has
// to leave the release that serves alone.
func (p *place) keepsServing(second string, files gitrepo.Files) {
	p.t.Helper()
	t := p.t
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
