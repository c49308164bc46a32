package github_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/github"
	"github.com/org/appstack-action/internal/lab/githubapi"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/gitserver"
	"github.com/org/appstack-action/internal/secret"
)

const repo = "org/shop"

// hub is a GitHub with one repository and one pull request.
type hub struct {
	*githubapi.Server
	client *github.Client
	url    string
	sha    string
	pull   int
}

func newHub(t *testing.T, enterprise bool, permissions map[string]string) *hub {
	t.Helper()
	var o githubapi.Options
	data := os.Getenv("APPSTACK_SHARED")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared")
	}
	if file := filepath.Join(data, "data", "github-openapi-subset.json"); exists(file) {
		o.OpenAPI, o.OpenAPIEnterprise = file, filepath.Join(data, "data", "github-openapi-subset-ghes-3.17.json")
	} else {
		t.Logf("requests are not checked against GitHub's description: %s is not here", file)
	}
	h := &hub{}
	var err error
	if h.Server, err = githubapi.New(o); err != nil {
		t.Fatal(err)
	}
	git, err := gitserver.New(gitserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { git.Close() })
	bare, err := git.Create(repo)
	if err != nil {
		t.Fatal(err)
	}
	h.AddRepository(repo, bare.Dir)
	commit := func(branch, text string) string {
		sha, err := git.Commit(repo, branch, gitrepo.Files{"appstack.yaml": []byte(text)}, "change")
		if err != nil {
			t.Fatal(err)
		}
		return sha
	}
	commit("main", "a: 1\n")
	h.sha = commit("dev", "a: 2\n")
	if h.pull, err = h.OpenPull(repo, githubapi.Pull{Title: "Change", Author: "mona", Head: "dev", Base: "main"}); err != nil {
		t.Fatal(err)
	}
	h.AddToken(githubapi.Token{Value: "ghs_test", Kind: githubapi.JobToken, Repos: []string{repo}, Permissions: permissions})
	server := httptest.NewServer(h.Server)
	t.Cleanup(server.Close)
	h.url = server.URL
	if enterprise {
		h.url += "/api/v3"
	}
	h.client = h.newClient(t, "ghs_test")
	return h
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func (h *hub) newClient(t *testing.T, token string) *github.Client {
	t.Helper()
	c, err := github.New(github.Options{APIURL: h.url, Token: secret.New(token), Repository: repo})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// proper fails the test if a request was not as GitHub's description has it.
func (h *hub) proper(t *testing.T) {
	t.Helper()
	for _, v := range h.Violations() {
		t.Errorf("violation: %s", v)
	}
}

func both(t *testing.T, test func(t *testing.T, h *hub)) {
	t.Run("github.com", func(t *testing.T) { test(t, newHub(t, false, githubapi.DefaultPermissions())) })
	t.Run("enterprise", func(t *testing.T) { test(t, newHub(t, true, githubapi.DefaultPermissions())) })
}

func TestOneCommentOverAllPages(t *testing.T) {
	both(t, func(t *testing.T, h *hub) {
		const marker = "<!-- appstack:appstack.yaml:shop/dev -->"
		ctx := t.Context()
		// Somebody else plants our marker, and 250 comments push ours to the third page.
		if _, err := h.AddComment(repo, h.pull, "mallory", marker+"\nnot ours"); err != nil {
			t.Fatal(err)
		}
		for i := range 250 {
			if _, err := h.AddComment(repo, h.pull, "mona", fmt.Sprint("comment ", i)); err != nil {
				t.Fatal(err)
			}
		}
		for _, text := range []string{"planned", "deploying", "live", "live"} {
			if err := h.client.Comment(ctx, h.pull, marker, marker+"\n"+text); err != nil {
				t.Fatal(err)
			}
		}
		var ours []string
		for _, c := range h.Comments(repo, h.pull) {
			if c.Author == "github-actions[bot]" {
				ours = append(ours, c.Body)
			}
		}
		if len(ours) != 1 || ours[0] != marker+"\nlive" {
			t.Errorf("our comments are %q", ours)
		}
		edits := 0
		for _, r := range h.Requests() {
			if r.Method == http.MethodPatch {
				edits++
			}
		}
		if edits != 2 {
			t.Errorf("%d edits; the same text again must be none", edits)
		}
		h.proper(t)
	})
}

func TestPullRequestOfACommit(t *testing.T) {
	both(t, func(t *testing.T, h *hub) {
		n, err := h.client.PullRequest(t.Context(), h.sha, "dev")
		if err != nil || n != h.pull {
			t.Errorf("pull request %d, %v; want %d", n, err, h.pull)
		}
		if err := h.ClosePull(repo, h.pull); err != nil {
			t.Fatal(err)
		}
		if n, err := h.client.PullRequest(t.Context(), h.sha, "dev"); err != nil || n != 0 {
			t.Errorf("a closed pull request is found: %d, %v", n, err)
		}
		h.proper(t)
	})
}

func TestFileAndCommit(t *testing.T) {
	both(t, func(t *testing.T, h *hub) {
		text, err := h.client.File(t.Context(), "appstack.yaml", h.sha)
		if err != nil || string(text) != "a: 2\n" {
			t.Errorf("the file is %q, %v", text, err)
		}
		if _, err := h.client.File(t.Context(), "nothing.yaml", h.sha); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a missing file: %v", err)
		}
		if sha, err := h.client.Commit(t.Context(), "dev"); err != nil || sha != h.sha {
			t.Errorf("the commit of dev is %q, %v", sha, err)
		}
		h.proper(t)
	})
}

func TestMissingPermissionNamesTheLine(t *testing.T) {
	h := newHub(t, false, map[string]string{"contents": "read", "metadata": "read", "pull-requests": "read"})
	var missing *github.PermissionError
	err := h.client.Comment(t.Context(), h.pull, "<!-- m -->", "<!-- m -->\nx")
	if !errors.As(err, &missing) || missing.Permission != "pull-requests: write" {
		t.Errorf("comment: %v", err)
	}
	_, err = h.client.OpenDeployment(t.Context(), github.Deployment{SHA: h.sha, Environment: "shop/dev"})
	if !errors.As(err, &missing) || missing.Permission != "deployments: write" {
		t.Errorf("deployment: %v", err)
	}
}

func TestFaults(t *testing.T) {
	const marker = "<!-- m -->"
	ours := func(h *hub) (n int) {
		for _, c := range h.Comments(repo, h.pull) {
			if strings.HasPrefix(c.Body, marker) {
				n++
			}
		}
		return n
	}
	tests := []struct {
		name  string
		fault githubapi.Fault
		ok    bool
	}{
		{"502 at the look", githubapi.Fault{Method: "GET", PathGlob: "**/comments", Status: 502}, true},
		{"reset before the comment", githubapi.Fault{Method: "POST", PathGlob: "**/comments", DropBefore: true}, false},
		{"reset after the comment", githubapi.Fault{Method: "POST", PathGlob: "**/comments", DropAfter: true}, true},
		{"500 after the comment", githubapi.Fault{Method: "POST", PathGlob: "**/comments", Status: 500, AfterFact: true}, true},
		{"429 with Retry-After", githubapi.Fault{Method: "POST", PathGlob: "**/comments", Status: 429, Limit: "secondary", RetryAfter: time.Second}, true},
		{"403 secondary with Retry-After", githubapi.Fault{Method: "POST", PathGlob: "**/comments", Status: 403, Limit: "secondary", RetryAfter: time.Second}, true},
		{"429 for an hour", githubapi.Fault{Method: "POST", PathGlob: "**/comments", Status: 429, Limit: "primary", RetryAfter: time.Hour, Count: -1}, false},
		{"422", githubapi.Fault{Method: "POST", PathGlob: "**/comments", Status: 422}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t, false, githubapi.DefaultPermissions())
			h.Inject(tt.fault)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), github.Patience+10*time.Second)
			defer cancel()
			err := h.client.Comment(ctx, h.pull, marker, marker+"\nx")
			if (err == nil) != tt.ok {
				t.Errorf("the comment ends with %v", err)
			}
			if n := ours(h); tt.ok && n != 1 || n > 1 {
				t.Errorf("there are %d comments of ours", n)
			}
			if took := time.Since(start); took > github.Patience {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestPersonalTokenKnowsItself(t *testing.T) {
	h := newHub(t, false, githubapi.DefaultPermissions())
	h.AddToken(githubapi.Token{Value: "ghp_mona", Kind: githubapi.ClassicPAT, Login: "mona", Permissions: map[string]string{"repo": "write"}})
	c := h.newClient(t, "ghp_mona")
	for _, text := range []string{"1", "2"} {
		if err := c.Comment(t.Context(), h.pull, "<!-- m -->", "<!-- m -->\n"+text); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.Comments(repo, h.pull); len(got) != 1 || got[0].Author != "mona" {
		t.Errorf("the comments are %+v", got)
	}
	h.proper(t)
}

func TestRunOver(t *testing.T) {
	h := newHub(t, false, map[string]string{"actions": "read", "contents": "read", "metadata": "read"})
	id, err := h.AddRun(repo, githubapi.Run{Name: "Deploy", Path: ".github/workflows/deploy.yml", Event: "push", Branch: "dev", SHA: h.sha, Actor: "mona", Status: "in_progress"})
	if err != nil {
		t.Fatal(err)
	}
	if over, err := h.client.RunOver(t.Context(), fmt.Sprint(id)); over || err != nil {
		t.Errorf("a run at work is over: %v, %v", over, err)
	}
	if err := h.CompleteRun(repo, id, "cancelled"); err != nil {
		t.Fatal(err)
	}
	if over, err := h.client.RunOver(t.Context(), fmt.Sprint(id)); !over || err != nil {
		t.Errorf("a completed run is not over: %v, %v", over, err)
	}
	if over, err := h.client.RunOver(t.Context(), "424242"); over || err == nil {
		t.Errorf("an unknown run: %v, %v", over, err)
	}
}
