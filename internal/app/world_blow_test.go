package app_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/plan"
)

// blow is what hits a run at some moment.
type blow struct {
	name   string
	strike func(*wire, context.CancelFunc)
}

// killed is kill -9: the kernel closes the program's connections, and nothing that was
// to come after comes.
var killed = blow{"killed", func(w *wire, cancel context.CancelFunc) { w.sever(); cancel() }}

// The other blows: a signal, and a firewall or switch that forgets a connection.
var (
	cancelled      = blow{"cancelled", func(_ *wire, cancel context.CancelFunc) { cancel() }}
	proxmoxDropped = blow{"Proxmox dropped", func(w *wire, _ context.CancelFunc) { w.drop("8006") }}
	guestDropped   = blow{"guest dropped", func(w *wire, _ context.CancelFunc) { w.drop("22") }}
)

// moment is a point of a run: before a step, during it, or after it.
type moment struct {
	when string // "before", "during" or "after"
	what string // the step; of a deploy, its part
}

func (m moment) String() string { return m.when + " " + m.what }

// watcher is a view that tells of every moment of a run.
type watcher struct {
	*logView
	heard func(moment)
}

func (w *watcher) Open(target string) app.Show {
	return &watcherShow{logShow: &logShow{w.logView, target}, heard: w.heard}
}

type watcherShow struct {
	*logShow
	heard func(moment)
	part  string // of a deploy
}

func stepName(step plan.Step) string { return fmt.Sprintf("%s %s", step.Verb, step.Resource) }

func (s *watcherShow) Begin(step plan.Step) {
	s.logShow.Begin(step)
	s.part = ""
	s.heard(moment{"before", stepName(step)})
}

// Line is a moment during a step. The parts of a deploy are steps of their own.
func (s *watcherShow) Line(step plan.Step, line string) {
	s.logShow.Line(step, line)
	if part, ok := strings.CutPrefix(line, "==> "); ok && step.Resource.Kind == "release" {
		s.part = part
		s.heard(moment{"before", "deploy: " + part})
		return
	}
	if part, ok := strings.CutPrefix(line, "<== "); ok && step.Resource.Kind == "release" {
		part, _, _ = strings.Cut(part, " (")
		s.part = ""
		s.heard(moment{"after", "deploy: " + part})
		return
	}
	name := stepName(step)
	if s.part != "" {
		name = "deploy: " + s.part
	}
	s.heard(moment{"during", name})
}

func (s *watcherShow) End(step plan.Step, o plan.Outcome) {
	s.logShow.End(step, o)
	s.heard(moment{"after", stepName(step)})
}
