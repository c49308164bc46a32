package plan

import (
	"testing"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
)

// A job with a timer does not run because the stack was applied.
func TestTimedUnitIsNotRun(t *testing.T) {
	unit := func(text string) machine.File {
		return machine.File{Mode: 0o644, Owner: "root", Group: "root", Content: secret.New(text)}
	}
	want := &machine.OS{
		Files: map[string]machine.File{
			"/etc/systemd/system/tick.service": unit("[Service]"), "/etc/systemd/system/tick.timer": unit("[Timer]"),
			"/etc/systemd/system/other.service": unit("[Service]"),
		},
		Units: map[string]machine.Unit{"tick.service": {}, "tick.timer": {Enabled: true, Active: true}, "other.service": {}},
	}
	p := Diff("lab", machine.State{OS: &machine.OS{}}, machine.State{OS: want}, Policy{})
	var got []string
	for _, s := range p.Steps {
		if s.Resource.Kind == "unit" {
			got = append(got, string(s.Verb)+" "+s.Resource.Name)
		}
	}
	if len(got) != 3 || got[0] != "restart other.service" || got[1] != "enable tick.timer" || got[2] != "start tick.timer" {
		t.Errorf("got %q", got)
	}
}
