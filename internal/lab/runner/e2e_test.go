package runner_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/githubapi"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/runner"
	"github.com/org/appstack-action/internal/lab/runner/docker"
	"github.com/org/appstack-action/internal/lab/runner/stage"
	"github.com/org/appstack-action/internal/lab/template"
)

// source is the repository's root: the action itself.
const source = "../../.."

var (
	machines = labtest.Lab{Options: lab.Options{Templates: []template.Template{template.Warm()}, OpenAPI: description()}}
	engine   sharedEngine
)

func TestMain(m *testing.M) {
	code := machines.Main(m)
	os.Exit(max(code, engine.stop()))
}

// sharedEngine is the Docker engine with the action's image, for all tests.
type sharedEngine struct {
	once   sync.Once
	engine *docker.Engine
	runner *runner.Runner
	err    error
	dir    string
}

func (s *sharedEngine) up(t *testing.T) *runner.Runner {
	t.Helper()
	labtest.RequireOrSkip(t)
	if err := docker.Missing(); err != nil {
		t.Skip(err)
	}
	s.once.Do(func() { s.err = s.start(context.Background()) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.runner
}

func (s *sharedEngine) start(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "appstack-runner-"); err != nil {
		return err
	}
	if s.engine, err = docker.Start(ctx, filepath.Join(lab.CacheDir(), "docker")); err != nil {
		return err
	}
	if err := s.engine.GoBase(ctx, source, lab.CacheDir()); err != nil {
		return err
	}
	s.runner = &runner.Runner{Docker: s.engine, Action: source, Dir: s.dir}
	return s.runner.Build(ctx, nil)
}

func (s *sharedEngine) stop() int {
	code := 0
	note := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if s.runner != nil && s.runner.Image() != "" {
		note(s.runner.Close())
	}
	if s.engine != nil {
		note(s.engine.Stop())
	}
	if s.dir != "" {
		note(os.RemoveAll(s.dir))
	}
	return code
}

// server is an app without dependencies: Debian's perl is in every template.
const server = `use strict; use IO::Socket::INET; $| = 1;
my $port = $ENV{PORT} || 3000;
my $s = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => $port, Listen => 16, ReuseAddr => 1) or die "listen: $!";
print "till listens on $port\n";
while (my $c = $s->accept) {
  while (defined(my $l = <$c>)) { last if $l =~ /^\r?\n$/ }
  my $b = ($ENV{GREETING} || 'no greeting') . "\n";
  print $c "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " . length($b) . "\r\nConnection: close\r\n\r\n$b";
  close $c;
}
`

const project = `    guest: {template: debian-12-warm, cores: 1, memory: 512, swap: 0, disk: 6}
    app:
      services:
        till: {port: 3000, public: true, start: perl server.pl, health: /}
    env_vars: {GREETING: hello, API_KEY: "${secret.api_key}"}`

const apiKey = "sk-live-3b1f6c0a9d7e4f52"

// newStage sets a stage of its own on the shared lab.
func newStage(t *testing.T, name, project string) *stage.Stage {
	t.Helper()
	shared := engine.up(t)
	l := machines.Up(t)
	work := *shared
	work.GitHub = l.Info.GitHub
	work.Log = &testLog{t: t}
	s, err := stage.New(t.Context(), stage.Options{
		Lab: l, Runner: &work, Repository: "org/" + name, Dir: t.TempDir(), Project: project,
		App:     gitrepo.Files{"server.pl": []byte(server)},
		Secrets: map[string]string{"api_key": apiKey}, Payload: realPayload,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// testLog writes the runner's log to the test's.
type testLog struct{ t *testing.T }

func (l *testLog) Write(p []byte) (int, error) {
	l.t.Logf("    %s", strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// shared is the folder of data that is not part of the repository.
func shared() string {
	if dir := os.Getenv("APPSTACK_SHARED"); dir != "" {
		return dir
	}
	return filepath.Join(source, "..", "shared")
}

// description is GitHub's API description, empty where it is not at hand: then
// requests are not held against it.
func description() string {
	file := filepath.Join(shared(), "data", "github-openapi-subset.json")
	if _, err := os.Stat(file); err != nil {
		fmt.Fprintln(os.Stderr, "requests are not held against GitHub's API description:", err)
		return ""
	}
	return file
}

// realPayload is a payload that GitHub sent, where there are some; else events have
// only what identifies them.
func realPayload(event string) []byte {
	for _, name := range []string{"derived/" + event + ".commits.json", "derived/" + event + ".json", event + ".json"} {
		if text, err := os.ReadFile(filepath.Join(shared(), "data", "github-events", name)); err == nil {
			return text
		}
	}
	return nil
}

// push runs the job of dev's head.
func push(t *testing.T, s *stage.Stage) *runner.Result {
	t.Helper()
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	job, err := s.PushJob(head)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, s, job)
}

func run(t *testing.T, s *stage.Stage, job runner.Job) *runner.Result {
	t.Helper()
	res, err := s.Run(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	clean(t, s, job, res)
	return res
}

// clean checks what holds for every run: no secret is written but to be masked, masks
// come first, and the workspace stays as it was.
func clean(t *testing.T, s *stage.Stage, job runner.Job, res *runner.Result) {
	t.Helper()
	log, first := "", true
	for line := range strings.Lines(res.Raw) {
		if strings.HasPrefix(line, "::add-mask::") {
			continue
		}
		if first && strings.TrimSpace(line) != "" {
			first = false
			if !strings.HasPrefix(res.Raw, "::add-mask::") && len(res.Masks) > 0 {
				t.Errorf("the log begins with %q before anything is masked", line)
			}
		}
		log += line
	}
	for where, text := range map[string]string{"log": log, "summary": res.Summary, "outputs": fmt.Sprint(res.Outputs), "state": fmt.Sprint(res.State), "comment": comment(s)} {
		for _, secret := range append(s.Hidden, job.Token) {
			if strings.Contains(text, secret) {
				t.Errorf("a secret is in the %s", where)
			}
		}
	}
	if len(res.Written) > 0 {
		t.Errorf("the run wrote into the workspace: %v", res.Written)
	}
	if len(res.Env)+len(res.Path) > 0 {
		t.Errorf("the run changed the job's environment: %v %v", res.Env, res.Path)
	}
	if v := s.Lab.GitHub.Violations(); len(v) > 0 {
		t.Errorf("requests do not fit GitHub's description: %v", v)
	}
}

// comment is the text of all comments of the pull request.
func comment(s *stage.Stage) string {
	var b strings.Builder
	for _, c := range s.Lab.GitHub.Comments(s.Repository, s.Pull) {
		b.WriteString(c.Body)
	}
	return b.String()
}

// oneComment is the comment of the pull request, which must be the only one.
func oneComment(t *testing.T, s *stage.Stage) githubapi.Comment {
	t.Helper()
	all := s.Lab.GitHub.Comments(s.Repository, s.Pull)
	if len(all) != 1 {
		t.Fatalf("the pull request has %d comments", len(all))
	}
	return all[0]
}

// lastDeployment is the newest deployment.
func lastDeployment(t *testing.T, s *stage.Stage) githubapi.Deployment {
	t.Helper()
	all := s.Lab.GitHub.Deployments(s.Repository)
	if len(all) == 0 {
		t.Fatal("there is no deployment")
	}
	return all[len(all)-1]
}

func get(url string) (string, error) {
	client := &http.Client{Timeout: 5 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, res.Status)
	}
	return strings.TrimSpace(string(body)), err
}

// TestPush is a team's day: a push that makes the guest, the same again, a small
// change, and one that does not work.
func TestPush(t *testing.T) {
	s := newStage(t, "shop", project)
	res := push(t, s)
	if res.ExitCode != 0 {
		t.Fatalf("the run ends with %d", res.ExitCode)
	}
	url := "http://" + s.Addr.Addr().String() + ":3000"
	if body, err := get(url); err != nil || body != "hello" {
		t.Errorf("the app answers %q %v", body, err)
	}
	first := oneComment(t, s)
	if first.Author != "github-actions[bot]" || !strings.Contains(first.Body, "live") {
		t.Errorf("the comment of %s:\n%s", first.Author, first.Body)
	}
	d := lastDeployment(t, s)
	if d.State() != "success" || !strings.HasPrefix(d.URL(), url) || d.Statuses[0].LogURL == "" {
		t.Errorf("the deployment is %s at %q", d.State(), d.URL())
	}
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"project": "shop", "env": "dev", "changed": "true", "failure-reason": "", "ip": s.Addr.Addr().String(), "node": "pve1",
		"vmid": fmt.Sprint(s.VMID), "release": head.After, "deployment-id": fmt.Sprint(d.ID),
	} {
		if res.Outputs[name] != want {
			t.Errorf("output %s is %q, not %q", name, res.Outputs[name], want)
		}
	}
	manifest, err := runner.ReadManifest(source)
	if err != nil {
		t.Fatal(err)
	}
	for name := range res.Outputs {
		if _, ok := manifest.Outputs[name]; !ok {
			t.Errorf("output %s is not in action.yml", name)
		}
	}
	if !strings.Contains(res.Summary, "shop/dev") {
		t.Errorf("the summary is\n%s", res.Summary)
	}
	if len(res.Masks) == 0 {
		t.Error("nothing is masked")
	}

	t.Run("again", func(t *testing.T) {
		res := push(t, s)
		if res.ExitCode != 0 || res.Outputs["changed"] != "false" {
			t.Errorf("the second run ends with %d, changed %q", res.ExitCode, res.Outputs["changed"])
		}
		if n := len(s.Lab.GitHub.Deployments(s.Repository)); n != 1 {
			t.Errorf("a run without a change makes a deployment: there are %d", n)
		}
	})
	t.Run("small change, in a job with an environment", func(t *testing.T) {
		change(t, s, "appstack.yaml", "GREETING: hello", "GREETING: good evening")
		s.Environment = "production"
		res := push(t, s)
		s.Environment = ""
		d := lastDeployment(t, s)
		if n := len(s.Lab.GitHub.Deployments(s.Repository)); n != 2 || d.Environment != "production" || d.State() != "success" || d.URL() == "" {
			t.Errorf("of %d deployments the last is %s at %q, %s", n, d.Environment, d.URL(), d.State())
		}
		if res.Outputs["deployment-id"] != fmt.Sprint(d.ID) {
			t.Errorf("the deployment is said to be %s", res.Outputs["deployment-id"])
		}
		if body, err := get(url); err != nil || body != "good evening" || res.ExitCode != 0 {
			t.Errorf("exit %d, the app answers %q %v", res.ExitCode, body, err)
		}
		if c := oneComment(t, s); c.ID != first.ID || c.Body == first.Body {
			t.Error("the comment was not edited in place")
		}
	})
	t.Run("few permissions", func(t *testing.T) {
		change(t, s, "appstack.yaml", "GREETING: good evening", "GREETING: good night")
		head, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		job, err := s.PushJob(head)
		if err != nil {
			t.Fatal(err)
		}
		s.Lab.GitHub.AddToken(githubapi.Token{
			Value: job.Token, Kind: githubapi.JobToken, Repos: []string{s.Repository}, Permissions: map[string]string{"contents": "read"},
		})
		res := run(t, s, job)
		if body, err := get(url); err != nil || body != "good night" || res.ExitCode != 0 {
			t.Errorf("exit %d, the app answers %q %v", res.ExitCode, body, err)
		}
		if text := fmt.Sprint(res.Annotations("warning")); !strings.Contains(text, "deployments: write") || !strings.Contains(text, "pull-requests: ") {
			t.Errorf("the warnings do not name the lines to add: %s", text)
		}
	})
	t.Run("broken", func(t *testing.T) {
		change(t, s, "server.pl", "use strict;", "die 'the till is jammed';")
		res := push(t, s)
		if res.ExitCode == 0 || res.Outputs["failure-reason"] != "unhealthy" {
			t.Errorf("exit %d, failure-reason %q", res.ExitCode, res.Outputs["failure-reason"])
		}
		if body, err := get(url); err != nil || body != "good night" {
			t.Errorf("the release before does not serve: %q %v", body, err)
		}
		if d := lastDeployment(t, s); d.State() != "failure" {
			t.Errorf("the deployment is %s", d.State())
		}
		if body := oneComment(t, s).Body; !strings.Contains(body, "the till is jammed") {
			t.Errorf("the comment does not show why:\n%s", body)
		}
		if len(res.Annotations("error")) == 0 {
			t.Error("there is no annotation")
		}
	})
}

func change(t *testing.T, s *stage.Stage, file, old, new string) {
	t.Helper()
	files, err := s.Change(file, old, new)
	if err == nil {
		_, err = s.Push(t.Context(), files, "change "+file)
	}
	if err != nil {
		t.Fatal(err)
	}
}
