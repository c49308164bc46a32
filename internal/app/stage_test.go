package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
)

// stagesOnly is a View that notes the stages that people see.
type stagesOnly struct{ seen []string }

func (v *stagesOnly) Open(string) Show            { return v }
func (v *stagesOnly) Stage(name string)           { v.seen = append(v.seen, name) }
func (v *stagesOnly) Say(string)                  {}
func (v *stagesOnly) Conclude(string)             {}
func (v *stagesOnly) Close()                      {}
func (v *stagesOnly) Begin(plan.Step)             {}
func (v *stagesOnly) Line(plan.Step, string)      {}
func (v *stagesOnly) End(plan.Step, plan.Outcome) {}
func (v *stagesOnly) Wait(string, time.Duration)  {}

// slowHub is a Publisher that takes two seconds.
type slowHub struct{}

func (slowHub) Publish(context.Context, *report.Report) { time.Sleep(2 * time.Second) }

// TestStages plays a deploy by the clock of a bubble: each of its parts is a stage of the
// report with its time, and people see those that are theirs.
func TestStages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		view := &stagesOnly{}
		r := &Run{View: view, Publisher: slowHub{}, read: 3 * time.Second}
		s := r.newSession("apply", &reach{}, resolve.Target{Name: "shop/dev", Want: machine.State{Guest: &machine.Guest{}}})
		p := &staged{session: s}
		release := plan.Step{Verb: plan.Deploy, Resource: plan.Resource{Kind: "release", Name: "4f2c9e1"}}
		for _, act := range []func(){
			func() { s.stage("observe") },
			func() { s.publish(t.Context(), report.Deploying); p.enter("provision") },
			func() { p.Begin(plan.Step{Verb: plan.Create, Resource: plan.Resource{Kind: "guest", Name: "101"}}) },
			func() { p.enter("observe") },
			func() { p.Begin(plan.Step{Verb: plan.Install, Resource: plan.Resource{Kind: "package", Name: "git"}}) },
			func() { p.Begin(plan.Step{Verb: plan.Write, Resource: plan.Resource{Kind: "file", Name: "/etc/motd"}}) },
			func() { p.Begin(release) },
			func() { p.Line(release, "==> build") },
			func() { p.Line(release, "    ==> not ours"); p.Line(release, "==> switch to 4f2c9e1") },
			func() { s.over(true) },
		} {
			act()
			time.Sleep(time.Second)
		}
		s.publish(t.Context(), report.Failed)
		second := time.Second
		want := []report.Stage{
			{Name: "read", Took: 3 * second}, {Name: "observe", Start: 3 * second, Took: second}, {Name: "report", Start: 4 * second, Took: 2 * second},
			{Name: "provision", Start: 6 * second, Took: 2 * second}, {Name: "observe", Start: 8 * second, Took: second},
			{Name: "configure", Start: 9 * second, Took: 2 * second}, {Name: "deploy", Start: 11 * second, Took: second},
			{Name: "deploy: build", Start: 12 * second, Took: second}, {Name: "deploy: switch", Start: 13 * second, Took: second, Failed: true},
			{Name: "report", Start: 15 * second, Took: 2 * second},
		}
		if diff := cmp.Diff(want, s.report.Stages); diff != "" {
			t.Errorf("stages (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"observe", "provision", "observe", "configure", "deploy"}, view.seen); diff != "" {
			t.Errorf("people see (-want +got):\n%s", diff)
		}
	})
}
