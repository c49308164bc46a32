package resolve

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/stack"
)

func env(project, name, branch string) *stack.Env {
	e := &stack.Env{Project: project, Name: name}
	e.Branch = branch
	return e
}

func TestSelect(t *testing.T) {
	st := &stack.Stack{Envs: []*stack.Env{
		env("pote", "prod", "main"), env("shop", "dev", "dev"), env("shop", "prod", "main"),
	}}
	pr := func(base, repo, author string) event.Event {
		return event.Event{
			Name: "pull_request", Action: "opened", Repository: "o/r", Branch: base, SHA: "head", Actor: author,
			PullRequest: &event.PullRequest{Number: 1, HeadRepository: repo, Author: author},
		}
	}
	with := func(ev event.Event, change func(*event.Event)) event.Event { change(&ev); return ev }
	tests := []struct {
		name   string
		ev     event.Event
		req    Request
		want   string // command, environments and commit
		reason string
	}{
		{"push", event.Event{Name: "push", Branch: "dev", SHA: "1"}, Request{}, "apply shop/dev @1", ""},
		{"push to two", event.Event{Name: "push", Branch: "main", SHA: "1"}, Request{}, "apply pote/prod shop/prod @1", ""},
		{"push, one project", event.Event{Name: "push", Branch: "main", SHA: "1"}, Request{Project: "pote"}, "apply pote/prod @1", ""},
		{"push, one env by name", event.Event{Name: "push", Branch: "feature", SHA: "1"}, Request{Env: "dev"}, "apply shop/dev @1", ""},
		{"push, plan", event.Event{Name: "push", Branch: "dev", SHA: "1"}, Request{Command: "plan"}, "plan shop/dev @1", ""},
		{"push, ref", event.Event{Name: "push", Branch: "dev", SHA: "1"}, Request{Ref: "v1"}, "apply shop/dev @v1", ""},
		{"push elsewhere", event.Event{Name: "push", Branch: "x", SHA: "1"}, Request{}, "apply @1", `no environment of the stack has the branch "x"`},
		{"push by Dependabot", event.Event{Name: "push", Branch: "dev", SHA: "1", Actor: "dependabot[bot]"}, Request{}, "validate shop/dev @1", "gets no secrets"},
		{"push by Dependabot with its own secrets", event.Event{Name: "push", Branch: "dev", SHA: "1", Actor: "dependabot[bot]"}, Request{Credentials: true}, "apply shop/dev @1", ""},
		{"tag", event.Event{Name: "push", Tag: "v1", SHA: "1"}, Request{}, " @1", "a tag (v1) deploys nothing"},
		{"branch deleted", event.Event{Name: "push", Branch: "dev", Deleted: true}, Request{}, " @", "was deleted"},
		{"pull request", pr("main", "o/r", "me"), Request{}, "plan pote/prod shop/prod @head", ""},
		{"pull request of a fork", pr("main", "evil/r", "me"), Request{}, "validate pote/prod shop/prod @head", "comes from a fork"},
		{"fork with credentials", pr("main", "evil/r", "me"), Request{Credentials: true}, "validate pote/prod shop/prod @head", "comes from a fork"},
		{"deleted fork", pr("main", "", "me"), Request{}, "validate pote/prod shop/prod @head", "comes from a fork"},
		{"dependabot", pr("dev", "o/r", "dependabot[bot]"), Request{}, "validate shop/dev @head", "Dependabot"},
		{"dependabot with its own secrets", pr("dev", "o/r", "dependabot[bot]"), Request{Credentials: true}, "plan shop/dev @head", ""},
		{"closed", with(pr("dev", "o/r", "me"), func(e *event.Event) { e.Action = "closed" }), Request{}, "plan @head", "is closed"},
		{"dispatch", event.Event{Name: "workflow_dispatch", Branch: "dev", SHA: "1"}, Request{}, "apply shop/dev @1", ""},
		{
			"dispatch with inputs", event.Event{Name: "workflow_dispatch", Branch: "dev", SHA: "1", Inputs: map[string]string{"command": "rollback", "project": "shop", "env": "prod", "ref": "abc"}},
			Request{}, "rollback shop/prod @abc", "",
		},
		{"the action's input wins", event.Event{Name: "workflow_dispatch", Branch: "dev", Inputs: map[string]string{"command": "destroy"}}, Request{Command: "plan"}, "plan shop/dev @", ""},
		{"schedule", event.Event{Name: "schedule", Branch: "main", SHA: "1"}, Request{}, "plan pote/prod shop/dev shop/prod @1", ""},
		{"unknown event", event.Event{Name: "issue_comment", Branch: "main"}, Request{}, " @", `the event "issue_comment" asks for nothing`},
		{"unknown event, all said", event.Event{Name: "workflow_run", Branch: "main", SHA: "1"}, Request{Command: "apply", Env: "dev"}, "apply shop/dev @1", ""},
		{"terminal", event.Event{}, Request{Command: "status"}, "status pote/prod shop/dev shop/prod @", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Select(st, tt.ev, tt.req)
			if err != nil {
				t.Fatal(err)
			}
			text := got.Command
			for _, e := range got.Envs {
				text += " " + e.String()
			}
			if text += " @" + cmp.Or(got.Ref, got.SHA); text != tt.want {
				t.Errorf("selected %q, want %q", text, tt.want)
			}
			if (tt.reason == "") != (got.Reason == "") || !strings.Contains(got.Reason, tt.reason) {
				t.Errorf("the reason is %q, want %q", got.Reason, tt.reason)
			}
		})
	}
}

func TestSelectRefuses(t *testing.T) {
	st := &stack.Stack{Envs: []*stack.Env{env("shop", "dev", "dev"), env("pote", "prod", "main")}}
	fork := event.Event{Name: "pull_request_target", Repository: "o/r", Branch: "dev", PullRequest: &event.PullRequest{HeadRepository: "evil/r"}}
	var forked *ForkError
	if _, err := Select(st, fork, Request{}); !errors.As(err, &forked) {
		t.Errorf("a fork's head under pull_request_target: %v", err)
	}
	fork.Name = "pull_request"
	if _, err := Select(st, fork, Request{Command: "apply", Credentials: true}); !errors.As(err, &forked) {
		t.Errorf("deploying a fork's head: %v", err)
	}
	_, err := Select(st, event.Event{}, Request{Project: "shop", Env: "prod"})
	if want := `the stack has no environment "prod"; it has shop/dev`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	_, err = Select(st, event.Event{}, Request{Project: "shops"})
	if want := `the stack has no project "shops"; it has pote, shop`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestSelectOnEveryRecordedEvent lets nothing that GitHub sends deploy a fork or
// what nobody asked for.
func TestSelectOnEveryRecordedEvent(t *testing.T) {
	shared := os.Getenv("APPSTACK_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(shared, "data", "github-events")
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	derived, _ := filepath.Glob(filepath.Join(dir, "derived", "*.json"))
	if files = append(files, derived...); len(files) == 0 {
		t.Skipf("the recorded GitHub events are not at %s", dir)
	}
	st := &stack.Stack{Envs: []*stack.Env{env("shop", "prod", "master")}}
	deploys := map[string]bool{"push.json": true, "push.branch-created-2.json": true, "push.commits.json": true, "push.forced.json": true, "workflow_dispatch.json": true}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(file)
		name, _, _ := strings.Cut(base, ".")
		ev, err := event.Parse(name, text, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		got, err := Select(st, ev, Request{Credentials: true})
		if err != nil {
			t.Errorf("%s: %v", base, err)
		}
		if want := deploys[base]; (got.Command == "apply" && len(got.Envs) > 0) != want {
			t.Errorf("%s: %s for %d environments; deploys should be %v", base, got.Command, len(got.Envs), want)
		}
		if len(got.Envs) == 0 && got.Reason == "" {
			t.Errorf("%s: nothing is done and nothing is said", base)
		}
	}
}
