package runner_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/githubapi"
	"github.com/org/appstack-action/internal/lab/runner"
	"github.com/org/appstack-action/internal/lab/runner/stage"
)

// other is a further project of the stack file, on the same branch.
const other = `  %s:
    guest: {template: debian-12-warm, cores: 1, memory: 512, swap: 0, disk: 6}
    app:
      services:
        till: {port: 3000, public: true, build: "%s", start: perl server.pl, health: /}
    env_vars: {GREETING: hello from %[1]s}
    envs:
      dev: {name: %[1]s-dev-%[3]d, vmid: %[3]d, ip: %[4]s, gateway: %[5]s, branch: dev}
`

// TestSeveral is one push that concerns three environments, of which one does not build.
func TestSeveral(t *testing.T) {
	s := newStage(t, "several", project)
	yard := add(t, s, "yard", "true")
	ruin := add(t, s, "ruin", "echo no roof; exit 9")
	res := push(t, s)
	if res.ExitCode == 0 || res.Outputs["failure-reason"] != "build" || res.Outputs["project"] != "ruin" {
		t.Errorf("exit %d, failure-reason %q of %q", res.ExitCode, res.Outputs["failure-reason"], res.Outputs["project"])
	}
	for addr, want := range map[netip.Addr]string{s.Addr.Addr(): "hello", yard: "hello from yard"} {
		if body, err := get("http://" + addr.String() + ":3000"); err != nil || body != want {
			t.Errorf("%s answers %q %v", addr, body, err)
		}
	}
	if body, err := get("http://" + ruin.String() + ":3000"); err == nil {
		t.Errorf("what did not build answers %q", body)
	}
	var matrix struct {
		Include []struct{ Project, Env string }
	}
	if err := json.Unmarshal([]byte(res.Outputs["matrix"]), &matrix); err != nil || len(matrix.Include) != 3 {
		t.Errorf("matrix %q: %v", res.Outputs["matrix"], err)
	}
	want := map[string]string{"shop": "is live", "yard": "is live", "ruin": "does not build"}
	comments, deployments := s.Lab.GitHub.Comments(s.Repository, s.Pull), states(s)
	if len(comments) != len(want) || len(deployments) != len(want) {
		t.Errorf("there are %d comments and the deployments %v", len(comments), deployments)
	}
	for name, sentence := range want {
		if !hasComment(comments, name, sentence) {
			t.Errorf("no comment says that %s %s: %v", name, sentence, comments)
		}
		state := "success"
		if name == "ruin" {
			state = "failure"
		}
		if deployments[name+"/dev"] != state {
			t.Errorf("the deployment of %s is %q", name, deployments[name+"/dev"])
		}
	}
	apart(t, res, want)

	t.Run("one job of the matrix", func(t *testing.T) {
		job := headJob(t, s)
		job.With["project"], job.With["env"] = "yard", "dev"
		res := run(t, s, job)
		if res.ExitCode != 0 || res.Outputs["project"] != "yard" || res.Outputs["changed"] != "false" {
			t.Errorf("exit %d, project %q, changed %q", res.ExitCode, res.Outputs["project"], res.Outputs["changed"])
		}
	})
}

// add gives the stack file another project on dev and returns its guest's address.
func add(t *testing.T, s *stage.Stage, name, build string) netip.Addr {
	t.Helper()
	vmid, addr, err := s.Lab.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	change(t, s, "appstack.yaml", "projects:\n", "projects:\n"+fmt.Sprintf(other, name, build, vmid, addr, s.Lab.Gateway()))
	return addr.Addr()
}

func headJob(t *testing.T, s *stage.Stage) runner.Job {
	t.Helper()
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	job, err := s.PushJob(head)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// states are the deployments' states by environment.
func states(s *stage.Stage) map[string]string {
	m := map[string]string{}
	for _, d := range s.Lab.GitHub.Deployments(s.Repository) {
		m[d.Environment] = d.State()
	}
	return m
}

func hasComment(comments []githubapi.Comment, project, sentence string) bool {
	for _, c := range comments {
		if strings.Contains(c.Body, ":"+project+"/dev -->") && strings.Contains(c.Body, sentence) {
			return true
		}
	}
	return false
}

// apart checks that no group of the log has lines of another environment.
func apart(t *testing.T, res *runner.Result, projects map[string]string) {
	t.Helper()
	seen, group := map[string]bool{}, ""
	for line := range strings.Lines(res.Raw) {
		if title, ok := strings.CutPrefix(line, "::group::"); ok {
			group, _, _ = strings.Cut(title, "/")
			seen[group] = true
			continue
		}
		if strings.HasPrefix(line, "::endgroup::") {
			group = ""
		}
		for name := range projects {
			if group != "" && name != group && strings.Contains(line, name+"/dev") {
				t.Errorf("the group of %s has a line of %s: %s", group, name, line)
			}
		}
	}
	if len(seen) != len(projects) {
		t.Errorf("there are groups of %v", seen)
	}
}
