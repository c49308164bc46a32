package app

import (
	"time"

	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
)

// stage begins a stage, which people see, and ends the one before.
func (s *session) stage(name string) {
	s.show.Stage(name)
	s.span(name)
}

// span begins a stage that is for the report alone, and ends the one before.
func (s *session) span(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(name)
}

// over ends the stage that is under way.
func (s *session) over(failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(failed)
}

// begin is span; the caller holds mu.
func (s *session) begin(name string) {
	s.end(false)
	s.report.Stages = append(s.report.Stages, report.Stage{Name: name, Start: time.Since(s.began), Open: true})
}

// end gives the last stage its length; the caller holds mu.
func (s *session) end(failed bool) {
	if n := len(s.report.Stages); n > 0 && s.report.Stages[n-1].Open {
		last := &s.report.Stages[n-1]
		last.Took, last.Failed, last.Open = time.Since(s.began)-last.Start, failed, false
	}
}

// staged is a session that applies: the steps tell in which stage it is.
type staged struct {
	*session
	now string
}

// Begin implements plan.Progress.
func (s *staged) Begin(step plan.Step) {
	s.enter(stageOf(step))
	s.session.Begin(step)
}

// enter begins a stage unless it is under way.
func (s *staged) enter(name string) {
	if s.now != name {
		s.now = name
		s.stage(name)
	}
}

// stageOf is the stage that a step belongs to.
func stageOf(step plan.Step) string {
	switch {
	case step.OnHypervisor():
		return "provision"
	case step.Resource.Kind == "release":
		return "deploy"
	}
	return "configure"
}
