package app

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/github"
	"github.com/org/appstack-action/internal/guest"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
)

// session is the work on one environment: its target, what is known of it, and
// the report that grows with it.
type session struct {
	run    *Run
	reach  *reach
	target resolve.Target
	show   Show
	began  time.Time // less what the run took before the sessions

	inside bool        // only the inside of the guest is worked on
	fresh  bool        // the guest did not run when it was observed, or may have been started by a run that died: it has to be waited for
	young  bool        // the guest had not run for long when it was observed, whoever started it: it is waited for where it does not answer
	late   bool        // somebody else held the lease since the guest was observed
	conn   *guest.Conn // nil: not connected yet

	mu     sync.Mutex
	report report.Report
	part   string // of the deploy, as its script calls it: "==> migrate"
}

func (r *Run) newSession(command string, reach *reach, t resolve.Target) *session {
	s := &session{
		run: r, reach: reach, target: t, show: r.View.Open(t.Name), began: time.Now().Add(-r.read),
		report: report.Report{
			Stack: r.Stack, Project: t.Project, Env: t.Env, Command: command, Status: report.Planned,
			VMID: t.Want.Guest.VMID, Kind: kindName(t.Want.Guest.Kind), IP: t.SSH.Address, URL: t.URL,
			Branch: t.Branch, SHA: t.SHA, CommitURL: r.commitURL(t.SHA), RunURL: r.RunURL,
			Protected: t.Protected, Plan: plan.Plan{Target: t.Name},
			Stages: []report.Stage{{Name: "read", Took: r.read}},
		},
	}
	if why := r.undeployed(command, t); why != "" {
		s.report.Warnings = append(s.report.Warnings, why)
	}
	return s
}

func kindName(k machine.Kind) string {
	if k == machine.KVM {
		return "VM"
	}
	return "CT"
}

func (r *Run) commitURL(sha string) string {
	if r.ServerURL == "" || r.Repository == "" || sha == "" {
		return ""
	}
	return r.ServerURL + "/" + r.Repository + "/commit/" + sha
}

// publish tells people how far it is.
func (s *session) publish(ctx context.Context, status report.Status) {
	s.report.Status, s.report.Took = status, time.Since(s.began)
	if s.run.Publisher != nil {
		s.span("report")
		s.run.Publisher.Publish(ctx, &s.report)
		s.over(false)
	}
}

// finish ends the report and publishes it, also when ctx is over.
func (s *session) finish(ctx context.Context, err error) {
	s.over(err != nil)
	status := s.report.Status
	if err != nil {
		status = s.fail(ctx, err)
	}
	after, cancel := afterwards(ctx, 2*github.Patience)
	defer cancel()
	s.publish(after, status)
	s.show.Conclude(s.closing())
}

// afterwards returns a context for what is done when the work is over. It ends after the
// given time; from when the run is cancelled on, somebody is in a hurry.
func afterwards(ctx context.Context, calm time.Duration) (context.Context, context.CancelFunc) {
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), calm)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(windDown, cancel) })
	return after, func() { stop(); cancel() }
}

// windDown bounds each of the two things that are done after a cancel, giving the lease
// back and telling GitHub, so that the run ends within 5 s. The runner kills after 10 s.
const windDown = 2 * time.Second

// servingWait bounds the question which release serves, after the work.
const servingWait = 15 * time.Second

// Begin implements plan.Progress.
func (s *session) Begin(step plan.Step) { s.show.Begin(step) }

// Line implements plan.Progress: the dump that a deploy makes is for the report.
func (s *session) Line(step plan.Step, line string) {
	if step.Resource.Kind == "release" {
		s.mu.Lock()
		s.note(line)
		s.mu.Unlock()
	}
	s.show.Line(step, line)
}

// note takes the dump's path out of what the deploy script prints. It comes before the
// migration's own words, which could name another. The caller holds mu.
func (s *session) note(line string) {
	if part, ok := strings.CutPrefix(line, "==> "); ok {
		s.part = line
		part, _, _ = strings.Cut(part, " to ") // which release is no part of the name
		s.begin("deploy: " + part)
	}
	if dump, ok := strings.CutPrefix(line, "    dump: "); ok && s.part == "==> migrate" && s.report.Dump == "" {
		s.report.Dump = dump
	}
}

// Wait implements plan.Progress.
func (s *session) Wait(what string, since time.Duration) { s.show.Wait(what, since) }

// End implements plan.Progress: what was done is for the report.
func (s *session) End(step plan.Step, o plan.Outcome) {
	s.mu.Lock()
	s.report.Done = append(s.report.Done, report.Done{Step: step, Outcome: o})
	s.mu.Unlock()
	if step.Resource.Kind == "guest" && (step.Verb == plan.Restart || step.Verb == plan.Recreate) {
		s.disconnect() // the connection ended with the boot that it was made in
		s.fresh = true
	}
	s.run.trace(fmt.Sprintf("%s: %s %s", s.target.Name, step.Verb, step.Resource), o.Took)
	s.show.End(step, o)
}
