package runner_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/runner"
	"github.com/org/appstack-action/internal/lab/runner/docker"
	"github.com/org/appstack-action/internal/lab/runner/stage"
)

// TestQuickStart runs the workflow of README.md as it stands there, with act. act does
// not pass on signals and state, which the other tests here do.
func TestQuickStart(t *testing.T) {
	s := newStage(t, "quickstart", project)
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	job, err := s.PushJob(head)
	if err != nil {
		t.Fatal(err)
	}
	log := act(t, s, job)
	clean(t, s, job, &runner.Result{Raw: log})
	if body, err := get("http://" + s.Addr.Addr().String() + ":3000"); err != nil || body != "hello" {
		t.Errorf("the app answers %q %v", body, err)
	}
	if c := oneComment(t, s); !strings.Contains(c.Body, "live") {
		t.Errorf("the comment:\n%s", c.Body)
	}
	if d := lastDeployment(t, s); d.State() != "success" || d.SHA != head.After {
		t.Errorf("the deployment of %s is %s", d.SHA, d.State())
	}
}

// act runs the quick start's job and returns its log.
func act(t *testing.T, s *stage.Stage, job runner.Job) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	git(t, ".", "clone", "--quiet", "--branch", "dev", s.Dir, dir)
	git(t, dir, "remote", "set-url", "origin", "https://github.com/"+s.Repository+".git")
	write(t, filepath.Join(dir, ".github", "workflows", "appstack.yml"), quickStart(t))
	event := filepath.Join(t.TempDir(), "event.json")
	write(t, event, string(job.Payload))
	cmd := exec.CommandContext(t.Context(), buildAct(t), "push", "--eventpath", event,
		"--platform", "ubuntu-latest="+docker.GoImage, "--pull=false", "--network", "host", "--container-daemon-socket", "-",
		"--no-cache-server", "--action-cache-path", t.TempDir(), "--local-repository", "org/appstack-action@v1="+release(t, s.Runner),
		"--env", "GITHUB_API_URL="+s.Lab.Info.GitHub, "--env", "GITHUB_SERVER_URL="+s.Lab.Info.GitHub, "--env", "GITHUB_REPOSITORY="+s.Repository,
		"--secret", "GITHUB_TOKEN", "--secret", "APPSTACK_AGE_KEY")
	cmd.Dir = dir
	cmd.Env = append(s.Runner.Docker.Environ(), "GITHUB_TOKEN="+job.Token, "APPSTACK_AGE_KEY="+s.Identity, "HOME="+t.TempDir())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("act: %v\n%s", err, &out)
	}
	t.Logf("%s", &out)
	return out.String()
}

var workflowBlock = regexp.MustCompile(`(?s)<!-- workflow -->\n( *)` + "```yaml\n(.*?)\n *```")

// quickStart is the README's workflow.
func quickStart(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(source, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := workflowBlock.FindSubmatch(readme)
	if m == nil {
		t.Fatal("README.md has no workflow")
	}
	return strings.ReplaceAll("\n"+string(m[2]), "\n"+string(m[1]), "\n")[1:] + "\n"
}

// release is the action as a release publishes it: action.yml names a built image.
func release(t *testing.T, r *runner.Runner) string {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join(source, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	published := strings.Replace(string(manifest), "\n  image: Dockerfile\n", "\n  image: docker://"+r.Image()+"\n", 1)
	if published == string(manifest) {
		t.Fatal("action.yml has no line `image: Dockerfile` to replace, as .github/workflows/release.yml does")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "action.yml"), published)
	return dir
}

// buildAct builds the act that .github/tools pins.
func buildAct(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "act")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-modfile=.github/tools/go.mod", "-o", bin, "github.com/nektos/act")
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("act cannot be built here: %v\n%s", err, out)
	}
	return bin
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
