package action

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/plan"
)

// View shows a run in the runner's log: a group for each stage. Of several
// environments at a time, each is held back and shown as a whole when it is over,
// since groups do not nest; a line tells meanwhile what goes on.
type View struct {
	Runner *Runner
	// Several tells whether several environments are worked on at a time; nil: no. It is
	// asked when an environment's show begins, for only the run knows how many it selects.
	Several func() bool

	mu sync.Mutex // held while one environment is shown
}

// Open starts the show of an environment.
func (v *View) Open(target string) *Show {
	return &Show{view: v, target: target, hold: v.Several != nil && v.Several()}
}

// Show is the part of one environment in a [View].
type Show struct {
	view   *View
	target string
	hold   bool // until the environment is over
	held   []func(*Runner)
}

// do writes now, or when the environment is over.
func (s *Show) do(write func(*Runner)) {
	if s.hold {
		s.held = append(s.held, write)
		return
	}
	write(s.view.Runner)
}

func (s *Show) printf(format string, args ...any) {
	s.do(func(r *Runner) { fmt.Fprintf(r, format+"\n", args...) })
}

// Stage begins a group.
func (s *Show) Stage(name string) {
	if s.hold {
		fmt.Fprintf(s.view.Runner, "%s: %s …\n", s.target, name)
	}
	s.do(func(r *Runner) { r.Group(s.target + ": " + name) })
}

// Say writes text of ours.
func (s *Show) Say(text string) { s.printf("%s", strings.TrimRight(text, "\n")) }

// Conclude ends the last group, so that what became of the environment is seen without
// opening one.
func (s *Show) Conclude(text string) {
	s.do((*Runner).EndGroup)
	s.Say(text)
}

// Begin implements plan.Progress.
func (s *Show) Begin(step plan.Step) { s.printf("▸ %s %s", step.Verb, step.Resource) }

// Line implements plan.Progress.
func (s *Show) Line(_ plan.Step, line string) { s.printf("    %s", line) }

// End implements plan.Progress.
func (s *Show) End(step plan.Step, o plan.Outcome) {
	if o.Err != nil {
		s.printf("✗ %s %s failed after %s: %v", step.Verb, step.Resource, o.Took.Round(time.Millisecond), o.Err)
		return
	}
	if o.Took >= 100*time.Millisecond {
		s.printf("  done in %s", o.Took.Round(10*time.Millisecond))
	}
}

// Wait implements plan.Progress.
func (s *Show) Wait(what string, since time.Duration) {
	s.printf("… waiting for %s (%s)", what, since.Round(time.Second))
}

// Close ends the environment's show.
func (s *Show) Close() {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	for _, write := range s.held {
		write(s.view.Runner)
	}
	s.held = nil
	s.view.Runner.EndGroup()
}
