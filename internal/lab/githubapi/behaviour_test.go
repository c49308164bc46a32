package githubapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// raw sends one request without go-github's help.
func (w *world) raw(token, method, path, body string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(b)
}

func TestPermissions(t *testing.T) {
	w := newWorld(t, Options{})
	n := w.pull()
	w.AddRepository("org/other", w.git.Dir)
	add := func(value string, kind TokenKind, permissions map[string]string) {
		w.AddToken(Token{Value: value, Kind: kind, Repos: []string{full}, Permissions: permissions, Login: "helper"})
	}
	add("default", JobToken, DefaultPermissions())
	add("readonly", JobToken, map[string]string{"contents": "read", "pull-requests": "read", "deployments": "read"})
	add("issues", AppToken, map[string]string{"issues": "write"})
	add("fine", FineGrained, map[string]string{"pull_requests": "read"})
	add("noscope", ClassicPAT, nil)
	comments := fmt.Sprintf("/repos/%s/issues/%d/comments", full, n)
	const body = `{"body":"x"}`
	for _, tt := range []struct {
		token, method, path, body string
		status                    int
		words                     string
	}{
		{"default", "POST", comments, body, 201, `"login":"github-actions[bot]"`},
		{"issues", "POST", comments, body, 201, `"login":"helper[bot]"`},
		{"ghp_admin", "POST", comments, body, 201, `"login":"octocat"`},
		{"readonly", "POST", comments, body, 403, "Resource not accessible by integration"},
		{"fine", "POST", comments, body, 403, "Resource not accessible by personal access token"},
		{"noscope", "POST", comments, body, 404, "Not Found"},
		{"readonly", "GET", comments, "", 200, "["},
		{"issues", "GET", "/repos/org/shop/deployments", "", 403, "Resource not accessible by integration"},
		{"default", "GET", "/repos/org/other/pulls", "", 404, "Not Found"},
		{"default", "GET", "/repos/ORG/Shop/pulls", "", 200, "["},
		{"wrong", "GET", "/repos/org/shop/pulls", "", 401, "Bad credentials"},
		{"", "GET", "/repos/org/shop/pulls", "", 404, "Not Found"},
		{"", "GET", "/user", "", 401, "Requires authentication"},
		{"fine", "GET", "/user", "", 200, `"login":"helper"`},
		{"issues", "GET", "/user", "", 403, "Resource not accessible by integration"},
		{"default", "POST", "/repos/org/shop/check-runs", fmt.Sprintf(`{"name":"x","head_sha":%q}`, w.head), 403, "integration"},
		{"ghp_admin", "POST", "/repos/org/shop/check-runs", fmt.Sprintf(`{"name":"x","head_sha":%q}`, w.head), 403, "You must authenticate via a GitHub App."},
	} {
		resp, got := w.raw(tt.token, tt.method, tt.path, tt.body)
		if resp.StatusCode != tt.status || !strings.Contains(got, tt.words) {
			t.Errorf("%s %s with %q: got %d %.300s, want %d %q", tt.method, tt.path, tt.token, resp.StatusCode, got, tt.status, tt.words)
		}
	}
	resp, _ := w.raw("readonly", "POST", comments, body)
	if got := resp.Header.Get("X-Accepted-GitHub-Permissions"); got != "issues=write; pull_requests=write" {
		t.Errorf("accepted permissions %q", got)
	}
	w.clean()
	if known, read, write := w.GitAccess("default", full); !known || !read || write {
		t.Errorf("git access: %v %v %v", known, read, write)
	}
	w.RevokeToken("default")
	if resp, _ := w.raw("default", "GET", comments, ""); resp.StatusCode != 401 {
		t.Errorf("revoked token: %d", resp.StatusCode)
	}
}

func TestViolationsAreRefusedAndRecorded(t *testing.T) {
	w := newWorld(t, Options{})
	if w.opt.Description == nil {
		t.Skip("GitHub's API description is absent: set APPSTACK_SHARED")
	}
	n := w.pull()
	comments := fmt.Sprintf("/repos/%s/issues/%d/comments", full, n)
	deploy := "/repos/org/shop/deployments"
	for _, tt := range []struct {
		method, path, body string
		status             int
		words, violation   string
	}{
		{"POST", comments, `{}`, 422, `\"body\" wasn't supplied.`, "request"},
		{"POST", comments, `{"body":7}`, 422, "is not a string", "request"},
		{"POST", comments, `{"body":`, 400, "Problems parsing JSON", "request"},
		{"POST", comments, `{"body":"x","titel":"y"}`, 201, "", "unknown"},
		{"GET", comments + "?perpage=100", "", 200, "", "unknown"},
		{"GET", comments + "?per_page=many", "", 422, "per_page", "request"},
		{"GET", "/repos/org/shop/pulls?state=merged", "", 422, "state", "request"},
		{"POST", deploy, `{"ref":"dev","required_contexts":"none"}`, 422, "required_contexts", "request"},
		{"POST", deploy, `{"environment":"x"}`, 422, "ref", "request"},
		{"GET", "/repos/org/shop/labels", "", 501, "pvelab does not serve", "unserved"},
		{"POST", "/graphql", "{}", 501, "pvelab does not serve", "unserved"},
	} {
		w.ResetJournal()
		resp, got := w.raw("ghs_job", tt.method, tt.path, tt.body)
		if resp.StatusCode != tt.status || !strings.Contains(got, tt.words) {
			t.Errorf("%s %s %s: got %d %s, want %d %q", tt.method, tt.path, tt.body, resp.StatusCode, got, tt.status, tt.words)
		}
		if v := w.Violations(); len(v) != 1 || v[0].Kind != tt.violation {
			t.Errorf("%s %s %s: violations %v, want one of kind %s", tt.method, tt.path, tt.body, v, tt.violation)
		}
	}
}

// An answer that GitHub would not give must be noticed, or the check proves nothing.
func TestOwnAnswersAreChecked(t *testing.T) {
	w := newWorld(t, Options{})
	if w.opt.Description == nil {
		t.Skip("GitHub's API description is absent: set APPSTACK_SHARED")
	}
	c := &call{Server: w.Server, r: httptest.NewRequest("GET", "/repos/org/shop/deployments/1", nil)}
	for _, name := range []string{"owner", "repo", "deployment_id"} {
		c.r.SetPathValue(name, "1")
	}
	rt := route{method: "GET", path: "/repos/{owner}/{repo}/deployments/{deployment_id}"}
	for status, body := range map[int]any{200: obj{"id": "one"}, 202: obj{}} {
		w.ResetJournal()
		w.opt.Description.response(c, rt, &reply{status: status, body: body})
		if v := w.Violations(); len(v) != 1 || v[0].Kind != "response" {
			t.Errorf("%d %v: violations %v", status, body, v)
		}
	}
}

func TestCommentsLimitAndPages(t *testing.T) {
	w := newWorld(t, Options{SecondaryPerMinute: 1000})
	n := w.pull()
	job := w.client("ghs_job", "")
	say := func(body string) error {
		_, _, err := job.Issues.CreateComment(w.ctx, owner, shop, n, &github.IssueComment{Body: &body})
		return err
	}
	if err := say(strings.Repeat("ü", 65536)); err != nil {
		t.Errorf("65,536 characters: %v", err)
	}
	wantStatus(t, say(strings.Repeat("ü", 65537)), 422, "Body is too long (maximum is 65536 characters)")
	wantStatus(t, say(""), 422, "body")
	for i := 2; i <= 205; i++ {
		if _, err := w.AddComment(full, n, "octocat", itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	opt := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 100}}
	for pages := 1; ; pages++ {
		list, resp, err := job.Issues.ListComments(w.ctx, owner, shop, n, opt)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			got = append(got, c.GetBody())
		}
		if opt.Page = resp.NextPage; opt.Page == 0 {
			if pages != 3 || resp.FirstPage != 1 || resp.PrevPage != 2 {
				t.Errorf("%d pages, last %+v", pages, resp)
			}
			break
		}
	}
	if len(got) != 205 || got[1] != "2" || got[204] != "205" {
		t.Errorf("%d comments", len(got))
	}
	if list := check(job.Issues.ListComments(w.ctx, owner, shop, n, nil)).or(t); len(list) != 30 {
		t.Errorf("a page has %d comments", len(list))
	}
	later := w.now().Add(time.Hour)
	if list := check(job.Issues.ListComments(w.ctx, owner, shop, n, &github.IssueListCommentsOptions{Since: &later})).or(t); len(list) != 0 {
		t.Errorf("%d comments of the future", len(list))
	}
	w.clean()
}

// deploy makes a deployment and gives it states, and returns its ID.
func (w *world) deploy(r *github.DeploymentRequest, states ...string) int64 {
	w.t.Helper()
	r.AutoMerge, r.RequiredContexts = github.Bool(false), &[]string{}
	c := w.client("ghs_job", "")
	d := check(c.Repositories.CreateDeployment(w.ctx, owner, shop, r)).or(w.t)
	for _, state := range states {
		check(c.Repositories.CreateDeploymentStatus(w.ctx, owner, shop, d.GetID(), &github.DeploymentStatusRequest{State: &state})).or(w.t)
	}
	return d.GetID()
}

func TestAutoInactive(t *testing.T) {
	w := newWorld(t, Options{})
	plain := func(env string) *github.DeploymentRequest {
		return &github.DeploymentRequest{Ref: &w.head, Environment: &env}
	}
	transient := plain("pr-1")
	transient.TransientEnvironment = github.Bool(true)
	w.deploy(plain("dev"), "success")
	w.deploy(plain("dev"), "failure")
	w.deploy(plain("qa"), "success")
	w.deploy(plain("production"), "success")
	w.deploy(transient, "success")
	last := w.deploy(plain("dev"), "in_progress")
	w.deploy(plain("production"), "success")
	w.deploy(transient, "success")
	c := w.client("ghs_job", "")
	check(c.Repositories.CreateDeploymentStatus(w.ctx, owner, shop, last, &github.DeploymentStatusRequest{State: github.String("success")})).or(t)
	got := map[string]string{}
	for _, d := range w.Deployments(full) {
		got[d.Environment] += d.State() + " "
	}
	want := map[string]string{
		"dev": "inactive failure success ", "qa": "success ", "production": "success success ", "pr-1": "success success ",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("states (-want +got):\n%s", d)
	}
	w.clean()
}

func TestDeploymentConflicts(t *testing.T) {
	w := newWorld(t, Options{})
	c := w.client("ghs_job", "")
	run, err := w.AddRun(full, Run{Name: "Deploy", Event: "push", Branch: "dev", SHA: w.head, Jobs: []Job{{Name: "deploy"}}})
	if err != nil {
		t.Fatal(err)
	}
	create := func(r github.DeploymentRequest) (*github.Deployment, *github.Response, error) {
		return c.Repositories.CreateDeployment(w.ctx, owner, shop, &r)
	}
	off := github.Bool(false)
	_, _, err = create(github.DeploymentRequest{Ref: &w.head, AutoMerge: off})
	wantStatus(t, err, 409, "Commit status checks failed")
	_, _, err = create(github.DeploymentRequest{Ref: &w.head, AutoMerge: off, RequiredContexts: &[]string{"ci/none"}})
	wantStatus(t, err, 409, "Commit status checks failed")
	_, _, err = create(github.DeploymentRequest{Ref: github.String("gone"), AutoMerge: off})
	wantStatus(t, err, 422, "No ref found for: gone")
	if err := w.CompleteRun(full, run, "success"); err != nil {
		t.Fatal(err)
	}
	first := check(create(github.DeploymentRequest{Ref: &w.head, AutoMerge: off})).or(t)
	if first.GetEnvironment() != "production" || !w.Deployments(full)[0].Production {
		t.Errorf("defaults: %+v", first)
	}
	w.commit("main", gitrepo.Files{"other": []byte("x")}, "third")
	_, _, err = create(github.DeploymentRequest{Ref: github.String("dev")})
	var accepted *github.AcceptedError
	if !errors.As(err, &accepted) || !strings.Contains(string(accepted.Raw), "Auto-merged main into dev on deployment.") {
		t.Errorf("a branch that is behind: %v", err)
	}
	w.commit("clash", gitrepo.Files{"other": []byte("mine")}, "clash")
	w.commit("main", gitrepo.Files{"other": []byte("yours")}, "fourth")
	_, _, err = create(github.DeploymentRequest{Ref: github.String("clash")})
	wantStatus(t, err, 409, "Conflict merging main into clash")
	check(create(github.DeploymentRequest{Ref: &w.head, AutoMerge: off})).or(t)
	_, err = c.Repositories.DeleteDeployment(w.ctx, owner, shop, first.GetID())
	wantStatus(t, err, 422, "cannot delete an active deployment")
	w.clean()
}

func TestStatusRules(t *testing.T) {
	w := newWorld(t, Options{})
	id := w.deploy(&github.DeploymentRequest{Ref: &w.head, Environment: github.String("dev")})
	path := fmt.Sprintf("/repos/%s/deployments/%d/statuses", full, id)
	for _, tt := range []struct {
		body, words string
		status      int
	}{
		{`{"state":"success","description":"` + strings.Repeat("ü", 140) + `"}`, "", 201},
		{`{"state":"success","description":"` + strings.Repeat("ü", 141) + `"}`, "maximum is 140 characters", 422},
		{`{"state":"success","environment_url":"10.0.10.101:3000"}`, "must use http(s) scheme", 422},
		{`{"state":"success","log_url":"ftp://x"}`, "must use http(s) scheme", 422},
		{`{"state":"in_progress","environment":"dev2"}`, `"environment":"dev2"`, 201},
	} {
		if resp, got := w.raw("ghs_job", "POST", path, tt.body); resp.StatusCode != tt.status || !strings.Contains(got, tt.words) {
			t.Errorf("%.80s: got %d %s", tt.body, resp.StatusCode, got)
		}
	}
	w.clean()
	if resp, got := w.raw("ghs_job", "POST", path, `{"state":"done"}`); resp.StatusCode != 422 || !strings.Contains(got, "state") {
		t.Errorf("state done: %d %s", resp.StatusCode, got)
	}
}

func TestPullsFollowTheirBranches(t *testing.T) {
	w := newWorld(t, Options{})
	n := w.pull()
	second := w.commit("dev", gitrepo.Files{"more": []byte("x")}, "more")
	c := w.client("ghs_job", "")
	if pr := check(c.PullRequests.Get(w.ctx, owner, shop, n)).or(t); pr.GetHead().GetSHA() != second || pr.GetCommits() != 2 {
		t.Errorf("head %s, %d commits", pr.GetHead().GetSHA(), pr.GetCommits())
	}
	if err := w.MergePull(full, n, "octocat"); err != nil {
		t.Fatal(err)
	}
	w.commit("dev", gitrepo.Files{"after": []byte("x")}, "after the merge")
	pr := check(c.PullRequests.Get(w.ctx, owner, shop, n)).or(t)
	if !pr.GetMerged() || pr.GetHead().GetSHA() != second || pr.GetMergedBy().GetLogin() != "octocat" || pr.GetCommits() != 2 {
		t.Errorf("merged %+v", pr)
	}
	for _, sha := range []string{pr.GetMergeCommitSHA(), second} {
		if list := check(c.PullRequests.ListPullRequestsWithCommit(w.ctx, owner, shop, sha, nil)).or(t); len(list) != 1 {
			t.Errorf("%s: %d pull requests", sha, len(list))
		}
	}
	if list := check(c.PullRequests.ListPullRequestsWithCommit(w.ctx, owner, shop, w.main, nil)).or(t); len(list) != 0 {
		t.Errorf("the commit before the merge: %d pull requests", len(list))
	}
	if err := w.MergePull(full, n, "octocat"); err == nil {
		t.Error("merged twice")
	}
	if _, body := w.read("/org/shop/pull/1"); !strings.Contains(body, "Merged") {
		t.Error("the page does not say that it is merged")
	}
	w.clean()
}

func TestForkPull(t *testing.T) {
	w := newWorld(t, Options{})
	fork, err := gitrepo.Init(t.TempDir() + "/fork.git")
	if err != nil {
		t.Fatal(err)
	}
	sha, err := fork.Write("patch", gitrepo.Files{"x": []byte("x")}, "patch", gitrepo.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.AddRepository("guest/shop", fork.Dir)
	n, err := w.OpenPull(full, Pull{Title: "From a fork", Author: "guest", Head: "patch", HeadRepo: "guest/shop", Base: "main"})
	if err != nil {
		t.Fatal(err)
	}
	pr := check(w.client("ghs_job", "").PullRequests.Get(w.ctx, owner, shop, n)).or(t)
	if pr.GetHead().GetRepo().GetFullName() != "guest/shop" || pr.GetHead().GetSHA() != sha || pr.GetHead().GetLabel() != "guest:patch" {
		t.Errorf("head %+v", pr.GetHead())
	}
	w.clean()
}

func TestRawContents(t *testing.T) {
	w := newWorld(t, Options{})
	req, err := http.NewRequest("GET", w.url+"/repos/org/shop/contents/src/app.js?ref=dev", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("x-access-token:ghs_job")))
	req.Header.Set("Accept", "application/vnd.github.raw+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b [10]byte
	n, _ := resp.Body.Read(b[:])
	if string(b[:n]) != "2\n" {
		t.Errorf("raw content %q", b[:n])
	}
	w.clean()
}
