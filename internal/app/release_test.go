package app_test

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
)

// tiny is an app that needs nothing: its page is the file version.
func tiny() gitrepo.Files {
	return gitrepo.Files{
		"server.js": []byte(`const fs = require('fs')
require('http').createServer((q, r) => r.end(fs.readFileSync(__dirname + '/version'))).listen(process.env.PORT)
`),
		"build.js":   []byte("console.log('built')\n"),
		"migrate.js": []byte("console.log('migrated')\n"),
		"version":    []byte("one"),
	}
}

// tinyStack is the stack of the tiny app, whose source is given.
func tinyStack(source string) string {
	return `    guest: {template: debian-12-warm, cores: 1, memory: 512, swap: 0, disk: 6}
    app:
      runtime: node
      source: ` + source + `
      services:
        web: {port: 3000, public: true, build: node build.js, migrate: node migrate.js, start: node server.js, health: {path: /, timeout: 60s}}`
}

// tinyWorld is a world with the tiny app in a repository.
type tinyWorld struct {
	*world
	repo string
	addr netip.Addr
}

func newTinyWorld(t *testing.T, repo string, kinds ...guestKind) *tinyWorld {
	t.Helper()
	repo = one(kinds).repo(repo)
	w := &tinyWorld{world: newWorld(t, kinds...), repo: repo}
	w.must(w.lab.AddRepository(repo))
	private, public := newKey(t)
	w.secret("deploy_key", private)
	w.must(w.lab.Git.AddDeployKey(repo, public, false))
	w.addr = w.stack(tinyStack(fmt.Sprintf(`{git: "ssh://git@%s/%s.git", key: "${secret.deploy_key}", host_key: "%s"}`,
		w.lab.Info.GitSSH, repo, w.lab.Info.GitHostKey)))
	return w
}

// commit makes a commit of the tiny app with some files changed.
func (w *tinyWorld) commit(message string, change gitrepo.Files) string {
	w.t.Helper()
	files := tiny()
	maps.Copy(files, change)
	sha, err := w.lab.Git.Commit(w.repo, "dev", files, message)
	w.must(err)
	return sha
}

// do runs a command that is about a commit, and returns the report, failed or not.
func (w *world) do(command, ref string) report.Report {
	w.t.Helper()
	reports, err := w.run(w.t.Context(), command, func(r *app.Run) { r.Request.Ref = ref })
	w.must(err)
	return reports[0]
}

// live runs a command after which a release has to serve.
func (w *tinyWorld) live(command, ref, release, page string) report.Report {
	w.t.Helper()
	r := w.do(command, ref)
	if r.Status != report.Live || r.Release != release {
		w.t.Fatalf("%s ends %s with the release %q, want %q (%s): %s\n%s", command, r.Status, r.Release, release, r.Reason, r.Error, r.Hint)
	}
	w.serves(page)
	return r
}

func (w *tinyWorld) serves(page string) {
	w.t.Helper()
	if got := get(w.t, fmt.Sprintf("http://%s:3000/", w.addr)); got != page {
		w.t.Errorf("the app answers %q, want %q", got, page)
	}
}

// steps are a plan's steps without their causes.
func steps(p plan.Plan) string {
	var all []string
	for _, s := range p.Steps {
		all = append(all, fmt.Sprintf("%s %s", s.Verb, s.Resource))
	}
	return strings.Join(all, "\n")
}

// TestReleases goes back and forth between releases of an app, and has commits
// that fail in every way, each of which must leave the release that serves alone.
func TestReleases(t *testing.T) { onEveryKind(t, false, testReleases) }

func testReleases(t *testing.T, kind guestKind) {
	w := newTinyWorld(t, "org/tiny", kind)
	one := w.commit("one", nil)
	if r := w.do("rollback", ""); r.Reason != report.BadInput {
		t.Errorf("a rollback without a guest: %s %s", r.Reason, r.Error)
	}
	w.live("apply", one, one, "one")
	if r := w.do("rollback", ""); r.Status != report.Failed || r.Release != one || !strings.Contains(r.Error, "no previous release") {
		t.Errorf("a rollback without an earlier release: %s, %s serves: %s", r.Status, r.Release, r.Error)
	}
	two := w.commit("two", gitrepo.Files{"version": []byte("two")})
	w.live("apply", two, two, "two")

	w.live("rollback", "", one, "one")
	todo := w.do("plan", two)
	if got, want := steps(todo.Plan), "deploy release "+two; got != want || todo.Release != one {
		t.Errorf("the plan after a rollback, with %s serving:\n%s\nwant\n%s", todo.Release, got, want)
	}
	w.live("rollback", two, two, "two")
	if r := w.do("apply", two); r.Status != report.Unchanged || r.Release != two {
		t.Errorf("nothing differs, but apply ends %s with %s serving:\n%s", r.Status, r.Release, r.Plan)
	}
	const unknown = "0123456789012345678901234567890123456789"
	if r := w.do("rollback", unknown); r.Status != report.Failed || r.Release != two || !strings.Contains(r.Error, "is not kept here") {
		t.Errorf("a rollback to an unknown release: %s, %s serves: %s", r.Status, r.Release, r.Error)
	}
	w.serves("two")
	w.failures(two)
}

// failures deploys commits that fail while a release serves.
func (w *tinyWorld) failures(serving string) {
	w.t.Helper()
	for _, c := range []struct {
		name   string
		change gitrepo.Files
		reason report.Reason
		status report.Status
		says   string
	}{
		{"build", gitrepo.Files{"build.js": []byte("console.log('no build today'); process.exit(7)")}, report.BuildFailed, report.Failed, "exit status 7"},
		{"migration", gitrepo.Files{"migrate.js": []byte("process.exit(3)")}, report.MigrateFailed, report.Failed, "exit status 3"},
		{"start", gitrepo.Files{"server.js": []byte("console.log('goodbye'); process.exit(1)")}, report.Unhealthy, report.Failed, "goodbye"},
		{"restart", gitrepo.Files{"server.js": []byte(onlyOnce)}, report.Unhealthy, report.RolledBack, "rolled back"},
	} {
		bad := w.commit(c.name, c.change)
		r := w.do("apply", bad)
		text := r.Error
		for _, d := range r.Done {
			text += "\n" + d.Outcome.Tail
		}
		if r.Reason != c.reason || r.Status != c.status || r.Release != serving || r.SHA != bad || !strings.Contains(text, c.says) {
			w.t.Errorf("a broken %s ends %s (%s) with %s serving: %s", c.name, r.Status, r.Reason, r.Release, text)
		}
		if comment := report.Comment(r); !regexp.MustCompile("`" + serving[:7] + "` (still )?serves").MatchString(comment) {
			w.t.Errorf("the comment does not say what serves:\n%s", comment)
		}
		w.serves("two")
	}
}

// onlyOnce serves on the candidate's port, and not on its own.
const onlyOnce = `if (process.env.PORT === '3000') process.exit(1)
require('http').createServer((q, r) => r.end('three')).listen(process.env.PORT)
`
