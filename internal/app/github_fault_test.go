package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/github"
	"github.com/org/appstack-action/internal/lab/githubapi"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/secret"
)

// hub is a GitHub in memory, with a repository, a pull request and a workflow run, and
// the way there, on which one request goes wrong, or all from there on.
type hub struct {
	*githubapi.Server
	t    testing.TB
	sha  string
	pull int
	run  int64 // a workflow run that is over

	mu    sync.Mutex
	seen  []string
	wrong func(n int) *githubapi.Fault
}

const hubRepo = "org/shop"

// hubSource is a bare repository with the branches main and dev.
func hubSource(t testing.TB) (dir, sha string) {
	t.Helper()
	dir = t.TempDir()
	source, err := gitrepo.Init(dir)
	if err == nil {
		_, err = source.Write("main", gitrepo.Files{"README.md": []byte("main")}, "main", gitrepo.CommitOptions{})
	}
	if err == nil {
		sha, err = source.Write("dev", gitrepo.Files{"README.md": []byte("dev")}, "dev", gitrepo.CommitOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, sha
}

func newHub(t testing.TB, dir, sha string) *hub {
	t.Helper()
	h := &hub{t: t, sha: sha}
	var err error
	if h.Server, err = githubapi.New(githubapi.Options{}); err != nil {
		t.Fatal(err)
	}
	h.AddRepository(hubRepo, dir)
	if h.pull, err = h.OpenPull(hubRepo, githubapi.Pull{Title: "Change", Author: "mona", Head: "dev", Base: "main"}); err != nil {
		t.Fatal(err)
	}
	if h.run, err = h.AddRun(hubRepo, githubapi.Run{Name: "Deploy", SHA: sha}); err == nil {
		err = h.CompleteRun(hubRepo, h.run, "failure")
	}
	if err != nil {
		t.Fatal(err)
	}
	permissions := githubapi.DefaultPermissions()
	permissions["actions"] = "read"
	h.AddToken(githubapi.Token{Value: "ghs_test", Kind: githubapi.JobToken, Repos: []string{hubRepo}, Permissions: permissions})
	return h
}

// RoundTrip implements http.RoundTripper.
func (h *hub) RoundTrip(r *http.Request) (res *http.Response, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, r.Method+" "+r.URL.Path)
	if h.wrong != nil {
		if f := h.wrong(len(h.seen) - 1); f != nil {
			h.Inject(*f)
		}
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			res, err = nil, io.ErrUnexpectedEOF
		default:
			panic(p)
		}
	}()
	answer, asked := httptest.NewRecorder(), r.Clone(r.Context())
	if asked.Body == nil {
		asked.Body = http.NoBody // as a server's request has it
	}
	h.ServeHTTP(answer, asked)
	if err := r.Context().Err(); err != nil {
		return nil, err // nobody waited for the answer
	}
	return answer.Result(), nil
}

// disturb sets what goes wrong from here on, and counts anew.
func (h *hub) disturb(wrong func(n int) *githubapi.Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen, h.wrong = nil, wrong
}

// client is a run's own.
func (h *hub) client() *github.Client {
	h.t.Helper()
	c, err := github.New(github.Options{APIURL: "https://api.github.test", Token: secret.New("ghs_test"), Repository: hubRepo, Transport: h})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// hubFault is something that goes wrong with a request of GitHub's.
type hubFault struct {
	name    string
	fault   githubapi.Fault
	forGood bool
}

func hubFaults() []hubFault {
	return []hubFault{
		{name: "403", fault: githubapi.Fault{Status: 403}},
		{name: "404", fault: githubapi.Fault{Status: 404}},
		{name: "422", fault: githubapi.Fault{Status: 422}},
		{name: "429", fault: githubapi.Fault{Status: 429}},
		{name: "429, Retry-After", fault: githubapi.Fault{Status: 429, RetryAfter: 7 * time.Second}},
		{name: "429, an hour", fault: githubapi.Fault{Status: 429, RetryAfter: time.Hour}},
		{name: "403, rate limit", fault: githubapi.Fault{Status: 403, Limit: "secondary", RetryAfter: 9 * time.Second}},
		{name: "500", fault: githubapi.Fault{Status: 500}},
		{name: "500 after", fault: githubapi.Fault{Status: 500, AfterFact: true}},
		{name: "reset before", fault: githubapi.Fault{DropBefore: true}},
		{name: "reset after", fault: githubapi.Fault{DropAfter: true}},
		{name: "gone for good", fault: githubapi.Fault{DropBefore: true}, forGood: true},
		{name: "403 for good", fault: githubapi.Fault{Status: 403}, forGood: true},
	}
}

// hubWorld is a world with a GitHub.
type hubWorld struct {
	*memWorld
	hub *hub
}

// deploy provisions for a push to dev, and tells GitHub.
func (w *hubWorld) deploy(runID string) (report.Report, error) {
	w.t.Helper()
	return w.do(w.t.Context(), "provision", func(r *app.Run) {
		client := w.hub.client()
		r.Event = event.Event{Name: "push", Repository: hubRepo, Branch: "dev", SHA: w.hub.sha}
		r.Request.Ref = "dev"
		r.Repository, r.CloneURL = hubRepo, "https://github.com/"+hubRepo+".git"
		r.Commit, r.RunOver = client.Commit, client.RunOver
		r.Holder, r.LockWait = hubRepo+"/"+runID+"/1", time.Hour
		r.Publisher = &app.GitHub{Client: client, Comment: true, Deployment: true, Job: github.Job{Run: runID}}
	})
}

// hubScenarios begin with nothing, and with a guest, a comment and a deployment of an
// earlier run; the guest is held by a run that was killed.
func hubScenarios() map[string]func(*hubWorld) {
	return map[string]func(*hubWorld){
		"first deploy": func(*hubWorld) {},
		"second deploy": func(w *hubWorld) {
			if r, err := w.deploy("7001"); err != nil || r.Failed() || len(r.Warnings) > 0 {
				w.t.Fatalf("the first deploy: %s %v %q", r.Error, err, r.Warnings)
			}
			w.occupy(fmt.Sprintf("%s/%d/1", hubRepo, w.hub.run), 5*time.Minute)
			w.guest(w.kind.changed)
		},
	}
}

// TestFaultAtEveryGitHubRequest lets every request to GitHub go wrong in every way: the
// deploy goes on, what GitHub could not be told is a warning, and is right otherwise.
func TestFaultAtEveryGitHubRequest(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes a while: not with -short")
	}
	dir, sha := hubSource(t)
	var mu sync.Mutex
	table := newMatrix()
	for _, f := range hubFaults() {
		table.columns = append(table.columns, f.name)
	}
	faults := 0
	t.Run("points", func(t *testing.T) {
		for name, setup := range hubScenarios() {
			requests := hubRequests(t, dir, sha, setup)
			for at, request := range requests {
				for i, f := range hubFaults() {
					if table.row(genericHub(request)); !sampled(at+i, 6) {
						continue
					}
					t.Run(fmt.Sprintf("%s, %s at %d %s", name, f.name, at, request), func(t *testing.T) {
						t.Parallel()
						said := hubFaulted(t, dir, sha, setup, at, f)
						mu.Lock()
						defer mu.Unlock()
						faults++
						table.add(genericHub(request), f.name, said)
					})
				}
			}
		}
	})
	t.Logf("%d faults of GitHub: each deploy that had its commit went on", faults)
	table.document(t, "github", "request")
}

// hubRequests are the requests of an undisturbed run.
func hubRequests(t *testing.T, dir, sha string, setup func(*hubWorld)) (requests []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &hubWorld{newMemWorld(t, guestKinds()[0]), newHub(t, dir, sha)}
		defer w.end()
		setup(w)
		w.hub.disturb(nil)
		r, err := w.deploy("7002")
		w.right(r, err)
		if len(r.Warnings) > 0 {
			t.Errorf("undisturbed, it warns %q", r.Warnings)
		}
		requests = slices.Clone(w.hub.seen)
	})
	return requests
}

// hubFaulted lets a request go wrong, and returns what became of it.
func hubFaulted(t *testing.T, dir, sha string, setup func(*hubWorld), at int, f hubFault) (said string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &hubWorld{newMemWorld(t, guestKinds()[0]), newHub(t, dir, sha)}
		defer w.end()
		setup(w)
		w.hub.disturb(func(n int) *githubapi.Fault {
			if n == at || f.forGood && n > at {
				return &f.fault
			}
			return nil
		})
		r, err := w.deploy("7002")
		w.hub.disturb(nil)
		w.hub.ClearFaults()
		switch {
		case err != nil:
			if reason := app.Reason(err); reason == report.Internal {
				t.Errorf("it ends for no reason: %v", err)
			}
			said = "`" + string(app.Reason(err)) + "`"
		case len(r.Warnings) == 0:
			w.right(r, err)
			said = "survived"
		default:
			w.said(r, f)
			said = "warning"
		}
	})
	return said
}

// right demands that the run succeeded and that GitHub shows it.
func (w *hubWorld) right(r report.Report, err error) {
	w.t.Helper()
	if err != nil || r.Status != report.Live {
		w.t.Errorf("it ends %s (%s): %s %v", r.Status, r.Reason, r.Error, err)
	}
	if body := w.comment(); !strings.Contains(body, "live") {
		w.t.Errorf("the comment says:\n%s", body)
	}
	states := w.states()
	if n := len(states); n == 0 || states[0] != "success" || slices.Contains(states[1:], "success") {
		w.t.Errorf("the deployments are %q", states)
	}
}

// said demands that the run succeeded, and that what GitHub does not show was said: once
// for the comment, once for the deployment.
func (w *hubWorld) said(r report.Report, f hubFault) {
	w.t.Helper()
	warned := strings.Join(r.Warnings, "\n")
	most := 1
	if f.forGood {
		most = 2
	}
	if r.Status != report.Live || len(r.Warnings) > most || !strings.HasPrefix(warned, "cannot ") {
		w.t.Errorf("it ends %s (%s) %s and warns %q", r.Status, r.Reason, r.Error, r.Warnings)
	}
	if states := w.states(); (len(states) == 0 || states[0] != "success" || slices.Contains(states[1:], "success")) && !strings.Contains(warned, "deployment") {
		w.t.Errorf("the deployments are %q, and that is not said: %q", states, warned)
	}
	if body := w.comment(); !strings.Contains(body, "live") && !strings.Contains(warned, "pull request") {
		w.t.Errorf("the comment is not right, and that is not said: %q\n%s", warned, body)
	}
}

// comment is ours, of which there must not be two.
func (w *hubWorld) comment() string {
	w.t.Helper()
	var ours []string
	for _, c := range w.hub.Comments(hubRepo, w.hub.pull) {
		ours = append(ours, c.Body)
	}
	if len(ours) > 1 {
		w.t.Errorf("there are %d comments:\n%s", len(ours), strings.Join(ours, "\n---\n"))
	}
	return strings.Join(ours, "")
}

// states are those of the deployments, newest first.
func (w *hubWorld) states() []string {
	var states []string
	for _, d := range w.hub.Deployments(hubRepo) {
		states = append(states, d.State())
	}
	slices.Reverse(states)
	return states
}

var numberInPath = regexp.MustCompile(`/\d+`)

// genericHub is a request without what differs from one run to the other.
func genericHub(request string) string {
	request = strings.Replace(request, "/repos/"+hubRepo, "", 1)
	request = commitInPath.ReplaceAllString(request, "SHA")
	return numberInPath.ReplaceAllString(request, "/N")
}

var commitInPath = regexp.MustCompile(`[0-9a-f]{40}`)
