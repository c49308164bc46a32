package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab/runner"
	"github.com/org/appstack-action/internal/lab/runner/stage"
)

// slow is the app with a build in which a run can be stopped.
var slow = strings.Replace(project, "start: perl", "build: sleep 15, start: perl", 1)

// midway starts the first deployment and returns when it builds the release.
func midway(t *testing.T, s *stage.Stage) (*runner.Step, runner.Job) {
	t.Helper()
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	job, err := s.PushJob(head)
	if err != nil {
		t.Fatal(err)
	}
	step, err := s.Runner.Start(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(step.Seen(), "==> build") {
		select {
		case <-step.Done():
			t.Fatal("the run ended before it could be stopped")
		case <-ctx.Done():
			step.Cancel()
			t.Fatal("the run does not come to its build")
		case <-tick.C:
		}
	}
	return step, job
}

// TestCancel is a person who cancels the run, and one who then runs it again.
func TestCancel(t *testing.T) {
	s := newStage(t, "cancelled", slow)
	s.Runner.Patience = time.Minute // how long it takes is judged below
	step, job := midway(t, s)
	began := time.Now()
	step.Cancel()
	res, err := step.Wait()
	if err != nil {
		t.Fatal(err)
	}
	// GitHub's runner sends SIGTERM after 7.5 s and kills after 10 s.
	took := time.Since(began)
	bare := bareRun(t, s)
	t.Logf("the run ends %s after SIGINT, on a machine where a container that does nothing takes %s", took, bare)
	if allowed := max(5*time.Second, 10*bare); took > allowed {
		t.Errorf("the run ends %s after SIGINT, not within %s", took, allowed)
	}
	clean(t, s, job, res)
	if res.ExitCode == 0 || res.Outputs["failure-reason"] != "cancelled" {
		t.Errorf("exit %d, failure-reason %q", res.ExitCode, res.Outputs["failure-reason"])
	}
	if body := oneComment(t, s).Body; !strings.Contains(body, "cancelled") {
		t.Errorf("the comment does not say that the run was cancelled:\n%s", body)
	}
	if !strings.Contains(res.Summary, "cancelled") {
		t.Errorf("the summary does not say that the run was cancelled:\n%s", res.Summary)
	}
	if d := lastDeployment(t, s); d.State() != "error" {
		t.Errorf("the deployment is %s", d.State())
	}
	if _, err := s.Runner.Post(t.Context(), job, res); err != nil {
		t.Error(err)
	}
	if err := s.Over(job, res); err != nil {
		t.Error(err)
	}
	change(t, s, "appstack.yaml", "build: sleep 15, ", "")
	again := push(t, s)
	if body, err := get("http://" + s.Addr.Addr().String() + ":3000"); again.ExitCode != 0 || err != nil || body != "hello" {
		t.Errorf("run again it ends with %d, and the app answers %q %v", again.ExitCode, body, err)
	}
}

// bareRun is how long the machine takes for the action's container when there is nothing
// to do.
func bareRun(t *testing.T, s *stage.Stage) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := s.Runner.Docker.Run(t.Context(), nil, "run", "--rm", "--network", "host", "--entrypoint", "/appstack", s.Runner.Image(), "--version"); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// TestKill is a machine that dies: nothing but the post step is left to tell of it.
func TestKill(t *testing.T) {
	s := newStage(t, "killed", slow)
	step, job := midway(t, s)
	if err := step.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	res, err := step.Wait()
	if err != nil {
		t.Fatal(err)
	}
	clean(t, s, job, res)
	if d := lastDeployment(t, s); d.State() != "in_progress" {
		t.Fatalf("the deployment is %s before the post step: nothing is left to test", d.State())
	}
	post, err := s.Runner.Post(t.Context(), job, res)
	if err != nil {
		t.Fatal(err)
	}
	clean(t, s, job, post)
	if d := lastDeployment(t, s); post.ExitCode != 0 || d.State() != "error" {
		t.Errorf("the post step ends with %d and the deployment is %s", post.ExitCode, d.State())
	}
	if err := s.Over(job, res); err != nil {
		t.Error(err)
	}
	change(t, s, "appstack.yaml", "build: sleep 15, ", "")
	again := push(t, s)
	if again.ExitCode != 0 {
		t.Errorf("after a kill the next run ends with %d", again.ExitCode)
	}
}
