package runner_test

import (
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/runner"
	"github.com/org/appstack-action/internal/lab/runner/stage"
)

// TestOtherEvents are the events beside pushes and pull requests, in the life of one
// guest: a person's click deploys it, a schedule only looks, a deleted branch and
// Dependabot change nothing, and it ends when that is asked for.
func TestOtherEvents(t *testing.T) {
	s := newStage(t, "events", project)
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const dev = "refs/heads/dev"
	url := "http://" + s.Addr.Addr().String() + ":3000"
	serves := func(t *testing.T) {
		t.Helper()
		if body, err := get(url); err != nil || body != "hello" {
			t.Errorf("the app answers %q %v", body, err)
		}
	}

	t.Run("workflow_dispatch", func(t *testing.T) {
		res := happens(t, s, "workflow_dispatch", "workflow_dispatch.inputs", dev, head.After, map[string]any{
			"ref": dev, "inputs": map[string]any{"env": "dev", "command": ""},
		}, nil)
		if res.ExitCode != 0 || res.Outputs["env"] != "dev" || res.Outputs["changed"] != "true" {
			t.Errorf("exit %d, outputs %v", res.ExitCode, res.Outputs)
		}
		if d := lastDeployment(t, s); d.State() != "success" || d.SHA != head.After {
			t.Errorf("the deployment of %s is %s", d.SHA, d.State())
		}
		serves(t)
	})
	deployed := len(s.Lab.GitHub.Deployments(s.Repository))
	nothing := func(t *testing.T, res *runner.Result, why string) {
		t.Helper()
		if res.ExitCode != 0 || res.Outputs["changed"] != "false" || res.Outputs["failure-reason"] != "" {
			t.Errorf("exit %d, changed %q, failure-reason %q", res.ExitCode, res.Outputs["changed"], res.Outputs["failure-reason"])
		}
		if !strings.Contains(res.Log, why) {
			t.Errorf("the log does not say %q:\n%s", why, res.Log)
		}
		if n := len(s.Lab.GitHub.Deployments(s.Repository)); n != deployed {
			t.Errorf("there are %d deployments, not %d", n, deployed)
		}
		serves(t)
	}
	t.Run("schedule", func(t *testing.T) {
		res := happens(t, s, "schedule", "schedule", dev, head.After, nil, nil)
		nothing(t, res, "no changes")
	})
	t.Run("a deleted branch", func(t *testing.T) {
		res := happens(t, s, "push", "push.branch-deleted", dev, head.After, map[string]any{
			"ref": dev, "before": head.After, "after": strings.Repeat("0", 40), "deleted": true,
		}, nil)
		nothing(t, res, "was deleted")
	})
	t.Run("delete", func(t *testing.T) {
		res := happens(t, s, "delete", "delete.branch", "refs/heads/main", head.After, map[string]any{"ref": "dev", "ref_type": "branch"}, nil)
		nothing(t, res, `the event "delete" asks for nothing`)
	})
	t.Run("Dependabot", func(t *testing.T) {
		push := func(with map[string]string) *runner.Result {
			job, err := s.PushJob(head)
			if err != nil {
				t.Fatal(err)
			}
			job.Actor, job.With = "dependabot[bot]", with
			return run(t, s, job)
		}
		nothing(t, push(map[string]string{"age-key": ""}), "gets no secrets")
		res := push(map[string]string{"age-key": "", "on-missing-credentials": "fail"})
		if res.ExitCode == 0 || res.Outputs["failure-reason"] != "input" {
			t.Errorf("exit %d, failure-reason %q", res.ExitCode, res.Outputs["failure-reason"])
		}
	})
	t.Run("a forgotten secret", func(t *testing.T) {
		job, err := s.PushJob(head)
		if err != nil {
			t.Fatal(err)
		}
		job.With = map[string]string{"age-key": ""}
		res := run(t, s, job)
		if res.ExitCode == 0 || res.Outputs["failure-reason"] != "secrets" || !strings.Contains(res.Log, "age-key") {
			t.Errorf("exit %d, failure-reason %q:\n%s", res.ExitCode, res.Outputs["failure-reason"], res.Log)
		}
	})
	t.Run("destroy", func(t *testing.T) {
		res := happens(t, s, "workflow_dispatch", "workflow_dispatch", dev, head.After, map[string]any{"ref": dev, "inputs": nil}, map[string]string{
			"command": "destroy", "env": "dev", "allow-destroy": "true",
		})
		if res.ExitCode != 0 || s.Lab.Guests.Running(s.VMID) {
			t.Errorf("exit %d, the guest runs: %t", res.ExitCode, s.Lab.Guests.Running(s.VMID))
		}
		if d := lastDeployment(t, s); d.State() != "inactive" {
			t.Errorf("the deployment is %s", d.State())
		}
		if body := oneComment(t, s).Body; !strings.Contains(body, "is destroyed") {
			t.Errorf("the comment:\n%s", body)
		}
	})
}

// happens runs the job of an event.
func happens(t *testing.T, s *stage.Stage, event, kind, ref, sha string, changes map[string]any, with map[string]string) *runner.Result {
	t.Helper()
	job, err := s.EventJob(event, kind, ref, sha, changes)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range with {
		job.With[name] = value
	}
	return run(t, s, job)
}
