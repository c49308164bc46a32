package runner_test

import (
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/runner"
	"github.com/org/appstack-action/internal/lab/runner/stage"
)

// TestPullRequest is what a pull request to dev gets: a plan, and from a fork only a
// check of the stack file. Neither changes anything.
func TestPullRequest(t *testing.T) {
	s := newStage(t, "reviewed", project)
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pull := runner.Pull{Number: s.Pull, Action: "opened", Title: "Sell things", Author: stage.Actor, Base: "dev", Head: "dev", HeadSHA: head.After}

	t.Run("plan", func(t *testing.T) {
		res := pulled(t, s, pull, nil)
		if res.ExitCode != 0 || res.Outputs["changed"] != "false" {
			t.Errorf("exit %d, changed %q", res.ExitCode, res.Outputs["changed"])
		}
		if body := oneComment(t, s).Body; !strings.Contains(body, "shop/dev") || !strings.Contains(body, "create") {
			t.Errorf("the comment has no plan:\n%s", body)
		}
		untouched(t, s)
	})
	t.Run("hostile title", func(t *testing.T) {
		hostile := pull
		hostile.Title = "::error::x\n--> </details> @everyone `id` $(id)"
		hostile.Head = "$(touch${IFS}x)`id`"
		res := pulled(t, s, hostile, nil)
		if res.ExitCode != 0 {
			t.Errorf("exit %d", res.ExitCode)
		}
		if body := oneComment(t, s).Body; strings.Contains(body, "@everyone") {
			t.Errorf("the title is in the comment:\n%s", body)
		}
	})
	t.Run("fork", func(t *testing.T) {
		fork := pull
		fork.HeadRepo = "mallory/shop"
		res := pulled(t, s, fork, map[string]string{"age-key": ""})
		if res.ExitCode != 0 {
			t.Errorf("exit %d", res.ExitCode)
		}
		if !strings.Contains(res.Log, "fork") || !strings.Contains(res.Summary, "fork") {
			t.Errorf("neither log nor summary say why so little is done:\n%s\n%s", res.Log, res.Summary)
		}
		untouched(t, s)
	})
}

func pulled(t *testing.T, s *stage.Stage, p runner.Pull, with map[string]string) *runner.Result {
	t.Helper()
	job, err := s.PullJob(p)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range with {
		job.With[name] = value
	}
	return run(t, s, job)
}

// untouched checks that nothing was deployed.
func untouched(t *testing.T, s *stage.Stage) {
	t.Helper()
	if n := len(s.Lab.GitHub.Deployments(s.Repository)); n != 0 {
		t.Errorf("there are %d deployments", n)
	}
	if s.Lab.Guests.Running(s.VMID) {
		t.Error("the guest was made")
	}
}
