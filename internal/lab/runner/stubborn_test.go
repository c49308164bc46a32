package runner_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab/runner"
	"github.com/org/appstack-action/internal/lab/runner/docker"
)

// TestStubborn holds the look-alike itself to what actions/runner does with an action
// that ignores a cancel: SIGINT, after 7.5 s SIGTERM, after 2.5 s the end of the docker
// client, which leaves the container running.
func TestStubborn(t *testing.T) {
	shared := engine.up(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "action.yml"), "name: stubborn\nruns:\n  using: docker\n  image: Dockerfile\n")
	write(t, filepath.Join(dir, "Dockerfile"), "FROM "+docker.GoImage+"\nCOPY run.sh /run.sh\nENTRYPOINT [\"sh\", \"/run.sh\"]\n")
	write(t, filepath.Join(dir, "run.sh"), "trap 'echo got INT' INT\ntrap 'echo got TERM' TERM\necho ready\nwhile :; do sleep 0.1; done\n")
	r := &runner.Runner{Docker: shared.Docker, Action: dir, GitHub: "http://127.0.0.1:1", Dir: t.TempDir(), Log: &testLog{t: t}}
	if err := r.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	step, err := r.Start(context.Background(), runner.Job{Repository: "org/shop", Event: "push", Payload: []byte("{}"), Ref: "refs/heads/dev"})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.After(time.Minute); !strings.Contains(step.Seen(), "ready"); {
		select {
		case <-end:
			step.Cancel()
			t.Fatal("the container does not start")
		case <-time.After(20 * time.Millisecond):
		}
	}
	began := time.Now()
	step.Cancel()
	res, err := step.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 9900*time.Millisecond {
		t.Errorf("the client was ended after %s", took)
	}
	if !strings.Contains(res.Raw, "got INT\ngot TERM\n") {
		t.Errorf("the container got\n%s", res.Raw)
	}
	running := func() string {
		out, err := r.Docker.Run(t.Context(), nil, "ps", "--quiet", "--filter", "label=appstack-lab-runner="+r.Image())
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if running() == "" {
		t.Error("the container was ended, too: on a self-hosted runner it lives on")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if left := running(); left != "" {
		t.Errorf("the look-alike leaves %s behind", left)
	}
}
