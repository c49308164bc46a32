package app_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/report"
)

// TestUpload deploys what is checked out, to a guest that needs no git server.
func TestUpload(t *testing.T) { onEveryKind(t, false, testUpload) }

func testUpload(t *testing.T, kind guestKind) {
	w := &tinyWorld{world: newWorld(t, kind)}
	for name, text := range tiny() {
		w.write("app/"+name, string(text))
	}
	w.write(".gitignore", "*.log\n")
	w.write("app/debug.log", "not for the guest")
	w.addr = w.stack(tinyStack("{upload: app}"))
	first := w.do("apply", "")
	if first.Status != report.Live || !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(first.Release) {
		t.Fatalf("the first run ends %s with the release %q: %s\n%s", first.Status, first.Release, first.Error, first.Hint)
	}
	w.serves("one")
	w.write("app/debug.log", "changed, and of no interest")
	if r := w.do("apply", ""); r.Status != report.Unchanged || r.Release != first.Release {
		t.Errorf("the second run ends %s with %s serving:\n%s", r.Status, r.Release, r.Plan)
	}
	w.write("app/version", "two")
	planned := w.do("plan", "")
	second := w.do("apply", "")
	w.serves("two")
	if got, want := steps(second.Plan), "deploy release "+second.Release; got != want || second.Release == first.Release || steps(planned.Plan) != want {
		t.Errorf("after a change of one file:\n%s\nplanned:\n%s\nwant\n%s", got, steps(planned.Plan), want)
	}
	w.live("rollback", "", first.Release, "one")

	if r := w.do("plan", "main"); r.Reason != report.BadInput || !strings.Contains(r.Error, "check main out") {
		t.Errorf("asked for a commit: %s %s", r.Reason, r.Error)
	}
	reports, err := w.run(t.Context(), "plan", func(r *app.Run) { r.Source.Temp = t.TempDir() })
	w.must(err)
	if r := reports[0]; r.Reason != report.BadInput || !strings.Contains(r.Error, "nothing was checked out") || !strings.Contains(r.Hint, "actions/checkout") {
		t.Errorf("nothing is checked out: %s %s\n%s", r.Reason, r.Error, r.Hint)
	}
}
