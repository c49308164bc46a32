package githubapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

const (
	owner, shop = "org", "shop"
	full        = owner + "/" + shop
)

// world is a server with one repository, its git and a client for each kind of token.
type world struct {
	*Server
	t    *testing.T
	git  gitrepo.Repo
	url  string
	main string // the SHA of main
	head string // the SHA of the branch dev
	ctx  context.Context
}

// descriptions are loaded once: that takes longer than most tests.
var descriptions = sync.OnceValues(func() ([2]*Description, error) {
	shared := os.Getenv("APPSTACK_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "..", "shared")
	}
	var both [2]*Description
	for i, name := range []string{"github-openapi-subset.json", "github-openapi-subset-ghes-3.17.json"} {
		var err error
		if both[i], err = LoadDescription(filepath.Join(shared, "data", name)); err != nil {
			return [2]*Description{}, err
		}
	}
	return both, nil
})

func newWorld(t *testing.T, opt Options) *world {
	t.Helper()
	both, err := descriptions()
	if err != nil {
		t.Logf("nothing is checked against GitHub's API description: %v", err)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fail()
		}
	}
	opt.Description, opt.DescriptionEnterprise = both[0], both[1]
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Server: s, t: t, ctx: t.Context()}
	if w.git, err = gitrepo.Init(t.TempDir() + "/shop.git"); err != nil {
		t.Fatal(err)
	}
	w.main = w.commit("main", gitrepo.Files{"README.md": []byte("# shop\n"), "src/app.js": []byte("1\n")}, "first")
	w.head = w.commit("dev", gitrepo.Files{"src/app.js": []byte("2\n")}, "second")
	s.AddRepository(full, w.git.Dir)
	s.AddToken(Token{Value: "ghs_job", Kind: JobToken, Repos: []string{full}, Permissions: map[string]string{
		"contents": "write", "deployments": "write", "pull-requests": "write", "checks": "write", "statuses": "write", "actions": "write"}})
	s.AddToken(Token{Value: "ghp_admin", Kind: ClassicPAT, Permissions: map[string]string{"repo": "admin"}, Login: "octocat"})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) commit(branch string, files gitrepo.Files, message string) string {
	w.t.Helper()
	sha, err := w.git.Write(branch, files, message, gitrepo.CommitOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return sha
}

func (w *world) client(token, prefix string) *github.Client {
	w.t.Helper()
	c := github.NewClient(nil).WithAuthToken(token)
	var err error
	if c.BaseURL, err = url.Parse(w.url + prefix + "/"); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) clean() {
	w.t.Helper()
	for _, v := range w.Violations() {
		w.t.Errorf("violation: %v", v)
	}
}

func (w *world) pull() int {
	w.t.Helper()
	n, err := w.OpenPull(full, Pull{Title: "Second", Body: "Why.", Head: "dev", Base: "main"})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// result is what a call of go-github returned.
type result[T any] struct {
	value T
	err   error
}

func check[T any](v T, _ *github.Response, err error) result[T] { return result[T]{v, err} }

// or fails the test when the call failed.
func (r result[T]) or(t *testing.T) T {
	t.Helper()
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.value
}

// wantStatus checks how a call was refused.
func wantStatus(t *testing.T, err error, status int, words string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %d %q", status, words)
		return
	}
	if !strings.Contains(err.Error(), http.StatusText(status)) && !strings.Contains(err.Error(), " "+itoa(status)) || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want %d %q", err, status, words)
	}
}

func TestEveryEndpoint(t *testing.T) {
	for _, tt := range []struct{ name, prefix string }{{"github.com", ""}, {"enterprise", "/api/v3"}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			t.Cleanup(w.clean)
			n := w.pull()
			job, admin := w.client("ghs_job", tt.prefix), w.client("ghp_admin", tt.prefix)
			driveMeta(w, job, admin)
			drivePulls(w, job, n)
			driveComments(w, job, n)
			driveDeployments(w, job, admin)
			driveChecks(w, job)
			driveContents(w, job)
			driveRefs(w, job)
			driveRuns(w, job, admin)
		})
	}
}

func driveMeta(w *world, job, admin *github.Client) {
	t := w.t
	if u := check(admin.Users.Get(w.ctx, "")).or(t); u.GetLogin() != "octocat" {
		t.Errorf("user %q", u.GetLogin())
	}
	_, _, err := job.Users.Get(w.ctx, "")
	wantStatus(t, err, 403, "Resource not accessible by integration")
	if l := check(job.RateLimit.Get(w.ctx)).or(t); l.Core.Limit != 1000 {
		t.Errorf("limit %d", l.Core.Limit)
	}
	check(job.Meta.Get(w.ctx)).or(t)
	if r := check(job.Repositories.Get(w.ctx, owner, shop)).or(t); r.GetDefaultBranch() != "main" || !r.GetPrivate() {
		t.Errorf("repository %+v", r)
	}
}

func drivePulls(w *world, job *github.Client, n int) {
	t := w.t
	pr := check(job.PullRequests.Get(w.ctx, owner, shop, n)).or(t)
	if pr.GetHead().GetSHA() != w.head || pr.GetBase().GetSHA() != w.main || !pr.GetMergeable() || pr.GetChangedFiles() != 1 || pr.GetCommits() != 1 {
		t.Errorf("pull request %+v", pr)
	}
	for _, opt := range []*github.PullRequestListOptions{nil, {Head: "org:dev"}, {State: "all", Base: "main", Sort: "updated"}} {
		if list := check(job.PullRequests.List(w.ctx, owner, shop, opt)).or(t); len(list) != 1 {
			t.Errorf("%+v: %d pull requests", opt, len(list))
		}
	}
	if list := check(job.PullRequests.List(w.ctx, owner, shop, &github.PullRequestListOptions{Head: "fork:dev"})).or(t); len(list) != 0 {
		t.Errorf("a fork's: %d pull requests", len(list))
	}
	if list := check(job.PullRequests.ListPullRequestsWithCommit(w.ctx, owner, shop, w.head, nil)).or(t); len(list) != 1 {
		t.Errorf("of a commit: %d pull requests", len(list))
	}
	if files := check(job.PullRequests.ListFiles(w.ctx, owner, shop, n, nil)).or(t); len(files) != 1 || files[0].GetPatch() == "" {
		t.Errorf("files %+v", files)
	}
	if pr = check(job.PullRequests.Edit(w.ctx, owner, shop, n, &github.PullRequest{Title: github.String("New")})).or(t); pr.GetTitle() != "New" {
		t.Errorf("title %q", pr.GetTitle())
	}
	w.commit("topic", gitrepo.Files{"t": []byte("t")}, "topic")
	second := check(job.PullRequests.Create(w.ctx, owner, shop, &github.NewPullRequest{
		Title: github.String("Topic"), Head: github.String("topic"), Base: github.String("main"), Body: github.String("b"),
	})).or(t)
	if second.GetUser().GetLogin() != "github-actions[bot]" || second.GetNumber() != n+1 {
		t.Errorf("opened %+v", second)
	}
	_, _, err := job.PullRequests.Create(w.ctx, owner, shop, &github.NewPullRequest{Title: github.String("x"), Head: github.String("topic"), Base: github.String("main")})
	wantStatus(t, err, 422, "already exists")
	check(job.Issues.Get(w.ctx, owner, shop, n)).or(t)
}

func driveComments(w *world, job *github.Client, n int) {
	t := w.t
	one := check(job.Issues.CreateComment(w.ctx, owner, shop, n, &github.IssueComment{Body: github.String("one")})).or(t)
	if one.GetUser().GetLogin() != "github-actions[bot]" || one.GetUser().GetType() != "Bot" {
		t.Errorf("author %+v", one.GetUser())
	}
	edited := check(job.Issues.EditComment(w.ctx, owner, shop, one.GetID(), &github.IssueComment{Body: github.String("two")})).or(t)
	if got := check(job.Issues.GetComment(w.ctx, owner, shop, one.GetID())).or(t); edited.GetBody() != "two" || got.GetBody() != "two" {
		t.Errorf("body %q", got.GetBody())
	}
	for _, number := range []int{n, 0} {
		if list := check(job.Issues.ListComments(w.ctx, owner, shop, number, nil)).or(t); len(list) != 1 {
			t.Errorf("%d comments", len(list))
		}
	}
	if _, err := job.Issues.DeleteComment(w.ctx, owner, shop, one.GetID()); err != nil {
		t.Error(err)
	}
	_, _, err := job.Issues.GetComment(w.ctx, owner, shop, one.GetID())
	wantStatus(t, err, 404, "Not Found")
}

func driveDeployments(w *world, job, admin *github.Client) {
	t := w.t
	d := check(job.Repositories.CreateDeployment(w.ctx, owner, shop, &github.DeploymentRequest{
		Ref: &w.head, AutoMerge: github.Bool(false), RequiredContexts: &[]string{}, Environment: github.String("pr-1"),
		Payload: map[string]any{"run": 1}, TransientEnvironment: github.Bool(true), Description: github.String("d"), ProductionEnvironment: github.Bool(false),
	})).or(t)
	if d.GetSHA() != w.head || string(d.Payload) != `{"run":1}` {
		t.Errorf("deployment %+v", d)
	}
	st := check(job.Repositories.CreateDeploymentStatus(w.ctx, owner, shop, d.GetID(), &github.DeploymentStatusRequest{
		State: github.String("success"), LogURL: github.String("https://x.invalid/l"), EnvironmentURL: github.String("https://x.invalid"), AutoInactive: github.Bool(false),
	})).or(t)
	check(job.Repositories.GetDeploymentStatus(w.ctx, owner, shop, d.GetID(), st.GetID())).or(t)
	if list := check(job.Repositories.ListDeploymentStatuses(w.ctx, owner, shop, d.GetID(), nil)).or(t); len(list) != 1 {
		t.Errorf("%d statuses", len(list))
	}
	if list := check(job.Repositories.ListDeployments(w.ctx, owner, shop, &github.DeploymentsListOptions{Environment: "pr-1", SHA: w.head})).or(t); len(list) != 1 {
		t.Errorf("%d deployments", len(list))
	}
	check(job.Repositories.GetDeployment(w.ctx, owner, shop, d.GetID())).or(t)
	if all := check(job.Repositories.ListEnvironments(w.ctx, owner, shop, nil)).or(t); all.GetTotalCount() != 1 {
		t.Errorf("environments %+v", all)
	}
	check(job.Repositories.GetEnvironment(w.ctx, owner, shop, "pr-1")).or(t)
	_, err := job.Repositories.DeleteEnvironment(w.ctx, owner, shop, "pr-1")
	wantStatus(t, err, 403, "Resource not accessible by integration")
	check(admin.Repositories.CreateUpdateEnvironment(w.ctx, owner, shop, "prod", &github.CreateUpdateEnvironment{WaitTimer: github.Int(5)})).or(t)
	if _, err := admin.Repositories.DeleteEnvironment(w.ctx, owner, shop, "prod"); err != nil {
		t.Error(err)
	}
	if _, err := job.Repositories.DeleteDeployment(w.ctx, owner, shop, d.GetID()); err != nil {
		t.Error(err)
	}
}

func driveChecks(w *world, job *github.Client) {
	t := w.t
	run := check(job.Checks.CreateCheckRun(w.ctx, owner, shop, github.CreateCheckRunOptions{
		Name: "plan", HeadSHA: w.head, Status: github.String("in_progress"), Output: &github.CheckRunOutput{Title: github.String("t"), Summary: github.String("s")},
	})).or(t)
	run = check(job.Checks.UpdateCheckRun(w.ctx, owner, shop, run.GetID(), github.UpdateCheckRunOptions{Name: "plan", Conclusion: github.String("success")})).or(t)
	if got := check(job.Checks.GetCheckRun(w.ctx, owner, shop, run.GetID())).or(t); got.GetStatus() != "completed" {
		t.Errorf("status %q", got.GetStatus())
	}
	if list := check(job.Checks.ListCheckRunsForRef(w.ctx, owner, shop, "dev", nil)).or(t); list.GetTotal() != 1 {
		t.Errorf("%d check runs", list.GetTotal())
	}
	check(job.Repositories.CreateStatus(w.ctx, owner, shop, w.head, &github.RepoStatus{State: github.String("pending"), Context: github.String("ci")})).or(t)
	if st := check(job.Repositories.GetCombinedStatus(w.ctx, owner, shop, "dev", nil)).or(t); st.GetState() != "pending" {
		t.Errorf("combined %q", st.GetState())
	}
	if list := check(job.Repositories.ListStatuses(w.ctx, owner, shop, w.head, nil)).or(t); len(list) != 1 {
		t.Errorf("%d statuses", len(list))
	}
}

func driveContents(w *world, job *github.Client) {
	t := w.t
	file, dir, _, err := job.Repositories.GetContents(w.ctx, owner, shop, "src/app.js", &github.RepositoryContentGetOptions{Ref: "dev"})
	if err != nil || dir != nil {
		t.Fatal(err)
	}
	if text, err := file.GetContent(); err != nil || text != "2\n" {
		t.Errorf("content %q, %v", text, err)
	}
	if _, dir, _, err = job.Repositories.GetContents(w.ctx, owner, shop, "", nil); err != nil || len(dir) != 2 {
		t.Errorf("root %+v, %v", dir, err)
	}
	_, _, _, err = job.Repositories.GetContents(w.ctx, owner, shop, "none", nil)
	wantStatus(t, err, 404, "Not Found")
	opt := github.RepositoryContentFileOptions{Message: github.String("m"), Content: []byte("new"), Branch: github.String("dev")}
	put := check(job.Repositories.CreateFile(w.ctx, owner, shop, "new", &opt)).or(t)
	_, _, err = job.Repositories.UpdateFile(w.ctx, owner, shop, "new", &opt)
	wantStatus(t, err, 422, "sha")
	opt.SHA = github.String(strings.Repeat("0", 40))
	_, _, err = job.Repositories.UpdateFile(w.ctx, owner, shop, "new", &opt)
	wantStatus(t, err, 409, "does not match")
	opt.SHA, opt.Content = put.Content.SHA, []byte("newer")
	put = check(job.Repositories.UpdateFile(w.ctx, owner, shop, "new", &opt)).or(t)
	opt.SHA, opt.Content = put.Content.SHA, nil
	check(job.Repositories.DeleteFile(w.ctx, owner, shop, "new", &opt)).or(t)
	c := check(job.Repositories.GetCommit(w.ctx, owner, shop, "dev", nil)).or(t)
	if c.GetStats().GetDeletions() != 1 {
		t.Errorf("stats %+v", c.GetStats())
	}
	cmp := check(job.Repositories.CompareCommits(w.ctx, owner, shop, "main", "dev", nil)).or(t)
	if cmp.GetStatus() != "ahead" || cmp.GetAheadBy() != 4 || len(cmp.Files) != 1 {
		t.Errorf("comparison %s %d %+v", cmp.GetStatus(), cmp.GetAheadBy(), cmp.Files)
	}
}

func driveRefs(w *world, job *github.Client) {
	t := w.t
	ref := check(job.Git.GetRef(w.ctx, owner, shop, "heads/main")).or(t)
	if ref.GetObject().GetSHA() != w.main {
		t.Errorf("ref %+v", ref)
	}
	made := check(job.Git.CreateRef(w.ctx, owner, shop, &github.Reference{Ref: github.String("refs/heads/feature/x"), Object: ref.Object})).or(t)
	_, _, err := job.Git.CreateRef(w.ctx, owner, shop, made)
	wantStatus(t, err, 422, "Reference already exists")
	made.Object.SHA = &w.head
	check(job.Git.UpdateRef(w.ctx, owner, shop, made, false)).or(t)
	made.Object.SHA = &w.main
	_, _, err = job.Git.UpdateRef(w.ctx, owner, shop, made, false)
	wantStatus(t, err, 422, "not a fast forward")
	if b := check(job.Repositories.GetBranch(w.ctx, owner, shop, "feature/x", 0)).or(t); b.GetCommit().GetSHA() != w.head {
		t.Errorf("branch %+v", b)
	}
	if list := check(job.Repositories.ListBranches(w.ctx, owner, shop, nil)).or(t); len(list) != 4 {
		t.Errorf("%d branches", len(list))
	}
	if list := check(job.Git.ListMatchingRefs(w.ctx, owner, shop, &github.ReferenceListOptions{Ref: "heads/feature"})).or(t); len(list) != 1 {
		t.Errorf("%d refs", len(list))
	}
	if _, err := job.Git.DeleteRef(w.ctx, owner, shop, "heads/feature/x"); err != nil {
		t.Error(err)
	}
}

func driveRuns(w *world, job, admin *github.Client) {
	t := w.t
	id, err := w.AddRun(full, Run{Name: "Deploy", Event: "push", Branch: "dev", SHA: w.head, Jobs: []Job{{Name: "deploy"}}, Pending: []string{"prod"}})
	if err != nil {
		t.Fatal(err)
	}
	if run := check(job.Actions.GetWorkflowRunByID(w.ctx, owner, shop, id)).or(t); run.GetHeadSHA() != w.head {
		t.Errorf("run %+v", run)
	}
	if jobs := check(job.Actions.ListWorkflowJobs(w.ctx, owner, shop, id, nil)).or(t); jobs.GetTotalCount() != 1 {
		t.Errorf("%d jobs", jobs.GetTotalCount())
	}
	check(job.Actions.ListWorkflowJobsAttempt(w.ctx, owner, shop, id, 1, nil)).or(t)
	// go-github v60 can review pending deployments but not list them.
	req, err := admin.NewRequest("GET", fmt.Sprintf("repos/%s/actions/runs/%d/pending_deployments", full, id), nil)
	if err != nil {
		t.Fatal(err)
	}
	var waiting []struct{ Environment *github.Environment }
	if _, err := admin.Do(w.ctx, req, &waiting); err != nil || len(waiting) != 1 || waiting[0].Environment.GetName() != "prod" {
		t.Fatalf("waiting %+v, %v", waiting, err)
	}
	check(admin.Actions.PendingDeployments(w.ctx, owner, shop, id, &github.PendingDeploymentsRequest{
		EnvironmentIDs: []int64{waiting[0].Environment.GetID()}, State: "approved", Comment: "ok",
	})).or(t)
	if err := w.CompleteRun(full, id, "success"); err != nil {
		t.Fatal(err)
	}
	if _, err := job.Actions.DeleteWorkflowRun(w.ctx, owner, shop, id); err != nil {
		t.Error(err)
	}
}
