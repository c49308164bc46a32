package runner

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Job is one job with one step, which uses the action.
type Job struct {
	Repository string // owner/name
	Event      string // push, pull_request, …
	Payload    []byte // the event, as GitHub sends it
	Ref        string // refs/heads/dev; refs/pull/7/merge of a pull request
	SHA        string // GITHUB_SHA: of a pull request, a merge commit of GitHub's own
	HeadRef    string // of a pull request: its branch
	BaseRef    string // of a pull request: the branch it goes to
	Actor      string
	RunID      int64
	ID         int64             // of its check run; 0: a server that does not tell it
	Workflow   string            // default: appstack
	With       map[string]string // the step's `with:`
	Token      string            // GITHUB_TOKEN
	Secrets    []string          // further values that the runner hides
	Env        map[string]string // the step's `env:`
	Debug      bool              // step debug logging is on

	// Checkout fills the workspace, as actions/checkout would; nil leaves it empty.
	Checkout func(dir string) error
}

// folders are the runner's own on the host, and where the container sees them.
type folders struct {
	root                                            string
	home, workflow, commands, temp, workspace, tool string
}

func newFolders(root, repository string) (folders, error) {
	_, name, _ := strings.Cut(repository, "/")
	f := folders{
		root: root, home: filepath.Join(root, "_temp", "_github_home"), workflow: filepath.Join(root, "_temp", "_github_workflow"),
		commands: filepath.Join(root, "_temp", "_runner_file_commands"), temp: filepath.Join(root, "_temp"),
		workspace: filepath.Join(root, name, name), tool: filepath.Join(root, "_tool"),
	}
	for _, dir := range []string{f.home, f.workflow, f.commands, f.workspace, f.tool} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return f, err
		}
	}
	return f, nil
}

// mount is a folder of the host in the container.
type mount struct{ from, to string }

// mounts are in the runner's order.
func (f folders) mounts(socket string) []mount {
	return []mount{
		{socket, "/var/run/docker.sock"},
		{f.temp, "/github/runner_temp"},
		{f.home, "/github/home"},
		{f.workflow, "/github/workflow"},
		{f.commands, "/github/file_commands"},
		{f.workspace, "/github/workspace"},
	}
}

// translate makes a path of the container's out of one of the host's. The folders
// inside the temporary one come before it.
func (f folders) translate(value string) string {
	for _, m := range []mount{
		{f.home, "/github/home"}, {f.workflow, "/github/workflow"}, {f.commands, "/github/file_commands"},
		{f.workspace, "/github/workspace"}, {f.temp, "/github/runner_temp"},
	} {
		if rest, ok := strings.CutPrefix(value, m.from); ok && (rest == "" || rest[0] == '/') {
			return m.to + rest
		}
	}
	return value
}

// Names of the files by which a step hands something back, as in FileCommandManager.cs.
var fileCommands = map[string]string{
	"GITHUB_PATH": "add_path", "GITHUB_ENV": "set_env", "GITHUB_STEP_SUMMARY": "step_summary",
	"GITHUB_STATE": "save_state", "GITHUB_OUTPUT": "set_output",
}

// environ is the step's environment with the host's paths.
func (r *Runner) environ(job Job, f folders, files map[string]string) (map[string]string, error) {
	env, err := r.manifest.inputs(job)
	if err != nil {
		return nil, err
	}
	owner, _, _ := strings.Cut(job.Repository, "/")
	kind, short := "branch", strings.TrimPrefix(job.Ref, "refs/heads/")
	if tag, ok := strings.CutPrefix(job.Ref, "refs/tags/"); ok {
		kind, short = "tag", tag
	}
	workflow := cmp.Or(job.Workflow, "appstack")
	add(env, map[string]string{
		"HOME":          f.home,
		"GITHUB_ACTION": "__org_appstack-action", "GITHUB_ACTION_REF": "v1", "GITHUB_ACTION_REPOSITORY": "org/appstack-action",
		"GITHUB_ACTOR": job.Actor, "GITHUB_ACTOR_ID": "1", "GITHUB_TRIGGERING_ACTOR": job.Actor,
		"GITHUB_API_URL": r.GitHub, "GITHUB_SERVER_URL": r.GitHub, "GITHUB_GRAPHQL_URL": r.GitHub + "/graphql",
		"GITHUB_BASE_REF": job.BaseRef, "GITHUB_HEAD_REF": job.HeadRef,
		"GITHUB_EVENT_NAME": job.Event, "GITHUB_EVENT_PATH": filepath.Join(f.workflow, "event.json"),
		"GITHUB_JOB": "deploy", "GITHUB_REF": job.Ref, "GITHUB_REF_NAME": strings.TrimPrefix(short, "refs/"), "GITHUB_REF_PROTECTED": "false",
		"GITHUB_REF_TYPE": kind, "GITHUB_REPOSITORY": job.Repository, "GITHUB_REPOSITORY_ID": "1", "GITHUB_REPOSITORY_OWNER": owner,
		"GITHUB_REPOSITORY_OWNER_ID": "1", "GITHUB_RETENTION_DAYS": "90", "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_RUN_ID": strconv.FormatInt(job.RunID, 10), "GITHUB_RUN_NUMBER": "1", "GITHUB_SHA": job.SHA,
		"GITHUB_WORKFLOW": workflow, "GITHUB_WORKFLOW_REF": job.Repository + "/.github/workflows/appstack.yml@" + job.Ref,
		"GITHUB_WORKFLOW_SHA": job.SHA, "GITHUB_WORKSPACE": f.workspace,
		"RUNNER_ARCH": "X64", "RUNNER_OS": "Linux", "RUNNER_NAME": "lab", "RUNNER_ENVIRONMENT": "self-hosted",
		"RUNNER_TEMP": f.temp, "RUNNER_TOOL_CACHE": f.tool, "RUNNER_WORKSPACE": filepath.Dir(f.workspace),
		"ACTIONS_RUNTIME_URL": r.GitHub + "/_apis/", "ACTIONS_RUNTIME_TOKEN": "none", "ACTIONS_RESULTS_URL": r.GitHub + "/_results/",
	}, files, job.Env)
	if job.Debug {
		env["RUNNER_DEBUG"] = "1"
	}
	return env, nil
}

func add(to map[string]string, from ...map[string]string) {
	for _, m := range from {
		for k, v := range m {
			to[k] = v
		}
	}
}

// prepare writes the event and the empty files of one step.
func (f folders) prepare(job Job) (map[string]string, error) {
	if err := os.WriteFile(filepath.Join(f.workflow, "event.json"), job.Payload, 0o644); err != nil {
		return nil, err
	}
	files := map[string]string{}
	for variable, prefix := range fileCommands {
		files[variable] = filepath.Join(f.commands, prefix+"_"+random(16))
		if err := os.WriteFile(files[variable], nil, 0o644); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// random is a random name of n bytes in hexadecimal.
func random(n int) string {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(fmt.Sprintf("runner: %v", err)) // never happens: see crypto/rand
	}
	return hex.EncodeToString(b)
}
