package runner

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/lab/runner/docker"
)

// The command line is that of DockerCommandManager.DockerRun and ContainerActionHandler.
func TestCommandLine(t *testing.T) {
	r := &Runner{Docker: &docker.Engine{Socket: "/run/docker.sock"}, GitHub: "http://github.lab", image: "action:1"}
	f, err := newFolders(t.TempDir(), "org/shop")
	if err != nil {
		t.Fatal(err)
	}
	job := Job{
		Repository: "org/shop", Event: "push", Payload: []byte("{}"), Ref: "refs/heads/dev", SHA: strings.Repeat("a", 40), RunID: 7,
		Actor: "octocat", Token: "ghs_1",
	}
	files, err := f.prepare(job)
	if err != nil {
		t.Fatal(err)
	}
	env, err := r.environ(job, f, files)
	if err != nil {
		t.Fatal(err)
	}
	s := &Step{runner: r, job: job, at: f, files: files, name: "action1_a"}
	cmd := s.command(env, "/appstack-post")
	var args []string
	for i := 1; i < len(cmd.Args); i++ {
		if _, own := env[cmd.Args[min(i+1, len(cmd.Args)-1)]]; own && cmd.Args[i] == "-e" {
			i++ // a variable of the step's, checked below
			continue
		}
		args = append(args, cmd.Args[i])
	}
	want := []string{
		"run", "--name", "action1_a", "--label", label + "=action:1", "--workdir", "/github/workspace", "--rm",
		"-e", "GITHUB_ACTIONS=true", "-e", "CI=true", "--entrypoint", "/appstack-post", "--network", "host",
		"-v", "/run/docker.sock:/var/run/docker.sock", "-v", f.temp + ":/github/runner_temp", "-v", f.home + ":/github/home",
		"-v", f.workflow + ":/github/workflow", "-v", f.commands + ":/github/file_commands", "-v", f.workspace + ":/github/workspace", "action:1",
	}
	if diff := cmp.Diff(want, args); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{
		"GITHUB_WORKSPACE=/github/workspace", "GITHUB_EVENT_PATH=/github/workflow/event.json", "HOME=/github/home", "RUNNER_TEMP=/github/runner_temp",
		"GITHUB_REF_NAME=dev", "GITHUB_REF_TYPE=branch", "GITHUB_RUN_ID=7", "GITHUB_API_URL=http://github.lab", "GITHUB_HEAD_REF=",
	} {
		if !slices.Contains(cmd.Env, want) {
			t.Errorf("%s is not in the environment", want)
		}
	}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH"} {
		if !slices.ContainsFunc(cmd.Env, func(kv string) bool { return strings.HasPrefix(kv, name+"=/github/file_commands/") }) {
			t.Errorf("%s is not in the environment", name)
		}
	}
	if slices.ContainsFunc(cmd.Args, func(arg string) bool { return strings.Contains(arg, "ghs_1") }) {
		t.Error("the token is on the command line")
	}
}

func TestPayloads(t *testing.T) {
	base := []byte(`{"ref": "refs/heads/main", "repository": {"id": 1, "full_name": "a/b"}, "installation": {"id": 2}}`)
	push, err := Push(base, "org/shop", "dev", strings.Repeat("0", 40), strings.Repeat("a", 40), "m", "octocat")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"ref": "refs/heads/dev"`, `"full_name": "org/shop"`, `"id": 1`, `"installation"`, `"created": true`} {
		if !strings.Contains(string(push), want) {
			t.Errorf("the payload has no %s:\n%s", want, push)
		}
	}
	if _, err := PullRequest([]byte("no JSON"), Pull{}); err == nil {
		t.Error("what is no payload is taken for one")
	}
}
