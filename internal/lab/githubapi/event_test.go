package githubapi

import (
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

func TestEvents(t *testing.T) {
	w := newWorld(t, Options{})
	n := w.pull()
	raw, err := w.PullEvent(w.url, full, n, "opened")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := github.ParseWebHook("pull_request", raw)
	if err != nil {
		t.Fatal(err)
	}
	pr := parsed.(*github.PullRequestEvent)
	if pr.GetAction() != "opened" || pr.GetPullRequest().GetHead().GetSHA() != w.head || pr.GetRepo().GetFullName() != full || pr.GetSender().GetLogin() != "octocat" {
		t.Errorf("pull request event %s", raw)
	}
	rewritten := w.commit("rewritten", gitrepo.Files{"x": []byte("x")}, "x")
	for _, tt := range []struct {
		name, branch, before, after string
		created, deleted, forced    bool
	}{
		{"push", "dev", w.main, w.head, false, false, false},
		{"new branch", "dev", "", w.head, true, false, false},
		{"forced", "dev", rewritten, w.head, false, false, true},
		{"deleted", "gone", w.head, zeroSHA, false, true, false},
	} {
		raw, err := w.PushEvent(w.url, full, tt.branch, tt.before)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := github.ParseWebHook("push", raw)
		if err != nil {
			t.Fatal(err)
		}
		e := parsed.(*github.PushEvent)
		if e.GetAfter() != tt.after || e.GetCreated() != tt.created || e.GetDeleted() != tt.deleted || e.GetForced() != tt.forced || e.GetRef() != "refs/heads/"+tt.branch {
			t.Errorf("%s: %s", tt.name, raw)
		}
		if tt.deleted != (e.GetHeadCommit() == nil) {
			t.Errorf("%s: head commit %v", tt.name, e.GetHeadCommit())
		}
	}
	if _, err := w.PullEvent(w.url, full, 9, "opened"); err == nil {
		t.Error("an event of a pull request that does not exist")
	}
}
