package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/action"
	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/event"
)

// The command destroy takes the inputs env and allow-destroy, whoever says it: the input
// command, or the form of a workflow_dispatch, which fills in for inputs that are left out.
func TestDestroyIsAskedForInFull(t *testing.T) {
	form := func(pairs ...string) event.Event {
		e := event.Event{Name: "workflow_dispatch", Branch: "dev", Inputs: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			e.Inputs[pairs[i]] = pairs[i+1]
		}
		return e
	}
	for name, c := range map[string]struct {
		in    action.Inputs
		event event.Event
		want  string
	}{
		"the input alone":               {action.Inputs{Command: "destroy"}, form(), "needs the inputs"},
		"the input without allow":       {action.Inputs{Command: "destroy", Env: "dev"}, form(), "needs the inputs"},
		"the form alone":                {action.Inputs{}, form("command", "destroy"), "needs the inputs"},
		"the form without allow":        {action.Inputs{}, form("command", "destroy", "env", "dev"), "needs the inputs"},
		"the form without env":          {action.Inputs{AllowDestroy: true}, form("command", "destroy"), "needs the inputs"},
		"both":                          {action.Inputs{AllowDestroy: true}, form("command", "destroy", "env", "dev"), ""},
		"a form's command for a person": {action.Inputs{}, form("command", "restore"), "restore"},
	} {
		a := &actionRun{g: &globals{}, in: c.in, event: c.event}
		a.run.Workspace = t.TempDir()
		_, err := a.prepare()
		usage, refused := errors.AsType[*app.UsageError](err)
		if c.want == "" && err != nil || c.want != "" && (!refused || !strings.Contains(usage.Text, c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
