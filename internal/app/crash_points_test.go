package app_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/report"
)

// point is a moment of an act at which a blow falls.
type point struct {
	moment               // before or after a step
	delay  time.Duration // after that: half of what the step takes, for during
	stands int           // for how many points of the matrix
}

// blows are what falls on a run.
func blows() []string { return []string{"killed", "Proxmox dropped", "guest dropped"} }

// instant is how short the time between two moments is that are one: a step's end and the
// next one's beginning, and the middle of a step that lasts no longer. What a machine does
// in so little time, it does before it hears of a blow.
const instant = 100 * time.Millisecond

// points are those of a run that was not disturbed: before, during and after each step.
func points(seen []passed) (all []point) {
	for i, m := range seen {
		p := point{moment: m.moment, stands: 1}
		if m.when == "after" {
			all = append(all, p)
			continue
		}
		if i > 0 && seen[i-1].when == "after" && m.at.Sub(seen[i-1].at) < instant {
			p.stands += all[len(all)-1].stands
			all = all[:len(all)-1]
		}
		lasts := took(seen, m)
		middle := point{moment: m.moment, delay: max(lasts/2, time.Millisecond), stands: 1}
		if lasts < instant {
			middle.stands += p.stands
		} else {
			all = append(all, p)
		}
		all = append(all, middle)
	}
	return all
}

// took is how long the step of a moment lasted; one that never ended lasted no time.
func took(seen []passed, begin passed) time.Duration {
	i := slices.IndexFunc(seen, func(p passed) bool { return p.moment == moment{"after", begin.what} })
	if i < 0 {
		return 0
	}
	return seen[i].at.Sub(begin.at)
}

func (p point) String() string {
	text := p.moment.String()
	if p.delay > 0 {
		text = "during " + p.what
	}
	if p.stands > 1 {
		text += fmt.Sprintf(" (%d points)", p.stands)
	}
	return text
}

// assault lets blows fall on a run: each at its point, while the run goes on.
type assault struct {
	mu     sync.Mutex
	points []point
	dealt  []int // in order
	over   bool
}

// at deals the blows of a moment, now or later.
func (a *assault) at(m moment, blow func()) {
	for i, p := range a.points {
		if p.moment != m {
			continue
		}
		if p.delay == 0 {
			a.deal(i, blow)
			continue
		}
		time.AfterFunc(p.delay, func() { a.deal(i, blow) })
	}
}

func (a *assault) deal(i int, blow func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || slices.Contains(a.dealt, i) {
		return
	}
	a.dealt = append(a.dealt, i)
	blow()
}

// outcome is which blows fell, and how many of these the run survived.
type outcome struct {
	dealt    []int
	survived int
}

// prefix is how many of the first points the blows fell at. One at a later point counts for
// nothing: what a run whose connection is gone does meanwhile, nobody is told.
func (o outcome) prefix() (n int) {
	for slices.Contains(o.dealt, n) {
		n++
	}
	return n
}

// end is when the run is over. Of a run that failed, a blow in the middle of a step counts
// only where none fell at its beginning: that one ended it.
func (a *assault) end(failed bool) outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	n := len(a.dealt)
	if !failed || n == 0 {
		return outcome{a.dealt, n}
	}
	last := a.points[a.dealt[n-1]]
	if n > 1 && last.delay > 0 && a.points[a.dealt[n-2]].what == last.what {
		n--
	}
	return outcome{a.dealt[:n], n - 1}
}

// strike takes an act with blows at points, in order; a run that survives one gets the
// next.
func (w *matrixWorld) strike(command, ref, blow string, points []point) outcome {
	w.t.Helper()
	a := &assault{points: points}
	o := w.order(command, ref)
	if blow == "killed" {
		a.points = points[:1]
		r := o.spawn(w.t, func(m moment, kill func()) {
			m.what = w.step(m.what)
			a.at(m, kill)
		})
		return a.end(r == nil)
	}
	port := map[string]string{"Proxmox dropped": "8006", "guest dropped": "22"}[blow]
	out := &wire{}
	r := o.run(app.View(&watcher{w.log, func(m moment) {
		m.what = w.step(m.what)
		a.at(m, func() { out.drop(port) })
	}}))
	r.Dialer = out
	reports, err := r.Do(context.Background())
	failed := err != nil || len(reports) != 1 || reports[0].Failed()
	if err != nil || len(reports) != 1 || reports[0].Reason == report.Internal {
		w.t.Errorf("%s %s: %v %+v", blow, points[0], err, reports)
	}
	return a.end(failed)
}
