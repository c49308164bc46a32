package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/report"
)

// TestThinPath is the way through every room: a guest that was not there, configured,
// left alone the second time, changed outside and inside with a restart between, and
// removed.
func TestThinPath(t *testing.T) { onEveryKind(t, false, testThinPath) }

func testThinPath(t *testing.T, kind guestKind) {
	w := newWorld(t, kind)
	const stack = `    guest: {template: debian-12-warm, cores: 1, memory: 512, disk: 6}
    base: {packages: [tree]}`
	w.stack(stack)
	first := w.ok("apply")
	if first[0].Status != report.Live {
		t.Errorf("the first run ends %s", first[0].Status)
	}
	second := w.ok("apply")
	if second[0].Status != report.Unchanged {
		t.Errorf("the second run ends %s:\n%s", second[0].Status, second[0].Plan)
	}
	t.Logf("nothing to do took %s", second[0].Took)
	w.edit("disk: 6}", "disk: 7, onboot: true, nameserver: "+w.lab.Gateway().String()+"}")
	w.edit("[tree]}", "[tree], timezone: Europe/Madrid}")
	changed := w.ok("apply")
	for _, step := range []string{"set config onboot", "set config nameserver", "grow disk", "restart guest", "timezone"} {
		if !strings.Contains(changed[0].Plan.String(), step) {
			t.Errorf("the plan of the change lacks %q:\n%s", step, changed[0].Plan)
		}
	}
	if again := w.ok("apply"); again[0].Status != report.Unchanged {
		t.Errorf("the run after the change ends %s:\n%s", again[0].Status, again[0].Plan)
	}
	if gone := w.ok("destroy"); gone[0].Status != report.Destroyed {
		t.Errorf("destroy ends %s", gone[0].Status)
	}
}

// TestNodeApp deploys a real app with its dependencies, and again.
func TestNodeApp(t *testing.T) { onEveryKind(t, false, testNodeApp) }

func testNodeApp(t *testing.T, kind guestKind) {
	w := newWorld(t, kind)
	source, sha := w.repository(kind.repo("org/shop"), "shop")
	addr := w.stack(fmt.Sprintf(`    guest: {template: debian-12-warm, cores: 2, memory: 1024, swap: 0, disk: 8}
    app:
      runtime: node
      source: {git: "%s", key: "${secret.deploy_key}", host_key: "%s"}
      services:
        backend:  {dir: backend, port: 3001, public: true, build: npm ci, migrate: npm run migrate, start: npm start, health: /healthz}
        frontend: {dir: frontend, port: 3000, public: true, build: npm ci && npm run build, start: npm start}`, source, w.lab.Info.GitHostKey))
	deploy := func(sha string) []report.Report {
		reports, err := w.run(t.Context(), "apply", func(r *app.Run) { r.Request.Ref = sha })
		w.must(err)
		if reports[0].Failed() {
			t.Fatalf("the deploy failed (%s): %s\n%s", reports[0].Reason, reports[0].Error, reports[0].Hint)
		}
		return reports
	}
	deploy(sha)
	if body := get(t, fmt.Sprintf("http://%s:3000/", addr)); body == "" {
		t.Error("the frontend is empty")
	}
	if r := deploy(sha); r[0].Status != report.Unchanged {
		t.Errorf("the second run ends %s:\n%s", r[0].Status, r[0].Plan)
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
