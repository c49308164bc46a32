package app_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/report"
)

// TestThinPath is the way through every room: a container that was not there,
// configured, and left alone the second time.
func TestThinPath(t *testing.T) {
	w := newWorld(t)
	w.stack(`    guest: {template: debian-12-warm, cores: 1, memory: 512, swap: 0, disk: 6}
    base: {packages: [tree]}`)
	first := w.ok("apply")
	if first[0].Status != report.Live {
		t.Errorf("the first run ends %s", first[0].Status)
	}
	second := w.ok("apply")
	if second[0].Status != report.Unchanged {
		t.Errorf("the second run ends %s:\n%s", second[0].Status, second[0].Plan)
	}
	t.Logf("nothing to do took %s", second[0].Took)
	w.ok("destroy")
}

// TestNodeApp deploys a real app with its dependencies, and again.
func TestNodeApp(t *testing.T) {
	w := newWorld(t)
	source, sha := w.repository("org/shop", "shop")
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
