package app_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/report"
)

// TestThinPath is the way through every room: a guest that was not there, configured,
// left alone the second time, changed outside and inside with a restart between, and
// removed.
func TestThinPath(t *testing.T) { onEveryKind(t, true, testThinPath) }

func testThinPath(t *testing.T, kind guestKind) {
	w := newShellWorld(t, kind)
	const stack = `    guest: {template: debian-12-warm, cores: 1, memory: 512, disk: 6}
    base: {packages: [tree]}`
	w.addr = w.stack(stack)
	first := w.ok("apply")
	if first[0].Status != report.Live {
		t.Errorf("the first run ends %s", first[0].Status)
	}
	second := w.ok("apply")
	if second[0].Status != report.Unchanged {
		t.Errorf("the second run ends %s:\n%s", second[0].Status, second[0].Plan)
	}
	t.Logf("nothing to do took %s", second[0].Took)
	w.edit("disk: 6}", "disk: 7, tags: [thin], nameserver: "+w.lab.Gateway().String()+"}")
	w.edit("[tree]}", "[tree], timezone: Europe/Madrid}")
	changed := w.ok("apply")
	for _, step := range []string{"set config tags", "set config nameserver", "grow disk", "restart guest", "timezone"} {
		if !strings.Contains(changed[0].Plan.String(), step) {
			t.Errorf("the plan of the change lacks %q:\n%s", step, changed[0].Plan)
		}
	}
	if again := w.ok("apply"); again[0].Status != report.Unchanged {
		t.Errorf("the run after the change ends %s:\n%s", again[0].Status, again[0].Plan)
	}
	w.guardsLiveAddress(first[0])
	if kind.kind == machine.KVM {
		w.readsKeysAgain()
	}
	if gone := w.ok("destroy"); gone[0].Status != report.Destroyed {
		t.Errorf("destroy ends %s", gone[0].Status)
	}
}

// TestNodeApp deploys a real app with its dependencies, and again; it tells no secret,
// and is back after a reboot.
func TestNodeApp(t *testing.T) { onEveryKind(t, false, testNodeApp) }

func testNodeApp(t *testing.T, kind guestKind) {
	w := newShellWorld(t, kind)
	log := &heardTB{TB: t}
	w.log.t = log
	source, sha := w.repository(kind.repo("org/shop"), "shop")
	canaries := map[string]string{"api key": "canary" + rand.Text(), "age identity": w.identity, "ssh key": strings.Split(w.private, "\n")[3]}
	w.secret("api_key", canaries["api key"])
	w.addr = w.stack(fmt.Sprintf(`    guest: {template: debian-12-warm, cores: 2, memory: 1024, disk: 8}
    env_vars: {API_KEY: "${secret.api_key}"}
    app:
      runtime: node
      source: {git: "%s", key: "${secret.deploy_key}", host_key: "%s"}
      services:
        backend:  {dir: backend, port: 3001, public: true, build: npm ci, migrate: npm run migrate, start: npm start, health: /healthz}
        frontend: {dir: frontend, port: 3000, public: true, build: npm ci && npm run build, start: npm start}`, source, w.lab.Info.GitHostKey))
	stop := watchCommandLines(t, canaries)
	first := w.do("apply", sha)
	if first.Status != report.Live {
		t.Fatalf("the deploy ends %s (%s): %s\n%s", first.Status, first.Reason, first.Error, first.Hint)
	}
	pages := []string{fmt.Sprintf("http://%s:3000/", w.addr), fmt.Sprintf("http://%s:3001/healthz", w.addr)}
	for _, page := range pages {
		if get(t, page) == "" {
			t.Errorf("%s is empty", page)
		}
	}
	w.unchanged("the second time", sha)
	for _, line := range stop() {
		t.Errorf("on a command line: %s", line)
	}
	w.searchGuest(canaries, "640 root:appuser /srv/app/.env.dev\n", "shop-backend.service\nshop-frontend.service\n")
	clean(t, canaries, "the log", log.text())

	w.reboot(first)
	for _, page := range pages {
		answers(t, page)
	}
	w.unchanged("after a reboot", sha)
	w.failsWhileOtherBuilds(kind.repo("org/shop"), pages[1])
}

// failsWhileOtherBuilds has a service that cannot be built, beside one whose build takes
// longer than anybody waits: it is ended, and the old release serves.
func (w *databaseWorld) failsWhileOtherBuilds(repo, page string) {
	w.t.Helper()
	sha, err := w.lab.Git.Commit(repo, "dev", gitrepo.Files{"backend/package.json": []byte("{"),
		"frontend/build.js": []byte("setTimeout(() => {}, 3_600_000)")}, "broken")
	w.must(err)
	r := w.do("apply", sha)
	if r.Reason != report.BuildFailed || !strings.Contains(r.Error, "backend: exit status 1") {
		w.t.Errorf("a broken build ends %s (%s): %s", r.Status, r.Reason, r.Error)
	}
	if left := w.shell("systemctl list-units --plain --no-legend 'appstack-step*'; true", ""); left != "" {
		w.t.Errorf("what still runs: %s", left)
	}
	get(w.t, page)
}

func (w *databaseWorld) unchanged(when, sha string) {
	w.t.Helper()
	if r := w.do("apply", sha); r.Status != report.Unchanged {
		w.t.Errorf("%s the run ends %s: %s\n%s", when, r.Status, r.Error, r.Plan)
	}
}

// reboot has Proxmox restart the guest, and returns when its first process is another one.
func (w *databaseWorld) reboot(r report.Report) {
	w.t.Helper()
	const born = "cut -d ' ' -f 22 /proc/1/stat" // proc_pid_stat(5): when it started
	before := w.shell(born, "")
	w.ask(http.MethodPost, fmt.Sprintf("/nodes/%s/%s/%d/status/reboot", r.Node, w.kind.kind, r.VMID), "")
	for deadline := time.Now().Add(2 * time.Minute); ; <-time.After(200 * time.Millisecond) {
		now, err := w.try(born, "")
		switch {
		case err == nil && now != before:
			return
		case time.Now().After(deadline):
			w.t.Fatalf("the guest is not back: %v", err)
		}
	}
}

// answers waits for a page.
func answers(t testing.TB, url string) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second}
	for deadline := time.Now().Add(2 * time.Minute); ; <-time.After(200 * time.Millisecond) {
		res, err := client.Get(url)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", url, err)
		}
	}
}

func get(t testing.TB, url string) string {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s %q %v", url, res.Status, body, err)
	}
	return string(body)
}
