package app_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// crashes is how many of so many points are tried: all under torture, unless
// APPSTACK_ONE_IN asks for fewer, and else a few.
func crashes(point, quick int) bool {
	if n, err := strconv.Atoi(os.Getenv("APPSTACK_ONE_IN")); err == nil {
		return point%n == 0
	}
	return sampled(point, quick)
}

// crashBudget is how long points are begun: without an end, unless APPSTACK_CRASH_TIME
// has a duration.
func crashBudget() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("APPSTACK_CRASH_TIME")); err == nil {
		return d
	}
	return 1000 * time.Hour
}

// chore is some points of an act for one blow, which one world tries.
type chore struct {
	subject subject
	act     act
	blow    string
	points  []point
	want    string // the state that it ends in
	tally   *tally
}

// tally counts the points of an act.
type tally struct {
	mu                                                                sync.Mutex
	points, tried, reached, converged, survived, runs, answered, lost int
}

func (n *tally) note(m *matrix, row string) {
	for i, figure := range []int{n.points, n.tried, n.reached, n.converged, n.survived, n.runs, n.answered, n.lost} {
		m.add(row, m.columns[i], strconv.Itoa(figure))
	}
}

// lanes is how many worlds there may be at once, and how many more when one breaks.
const lanes, spares = 6, 6

// TestCrashMatrix kills the program before, during and after each step of each act, and
// drops its connections; the next run ends where an undisturbed one ends, and a release
// that serves loses no request. Run it with -parallel: each point waits a lot.
func TestCrashMatrix(t *testing.T) {
	if !torture() {
		t.Skip("with APPSTACK_TORTURE=1")
	}
	began := time.Now()
	todo := scouts(t)
	queue := make(chan chore, len(todo))
	for _, serves := range []bool{true, false} {
		for _, c := range todo {
			if c.act.serves == serves {
				queue <- c
			}
		}
	}
	close(queue)
	t.Run("struck", func(t *testing.T) {
		for n := range lanes + spares {
			t.Run(fmt.Sprint("lane ", n), func(t *testing.T) {
				t.Parallel()
				lane(t, queue, began.Add(crashBudget()))
			})
		}
	})
	text := summary(t, todo)
	t.Logf("%v\n%s", time.Since(began).Round(time.Second), text)
	if *update && len(todo) > 0 { // the counts are the truth also where they are bad
		rewrite(t, "crashes", text)
	}
}

// summary is what became of the points, as Markdown: of these acts, and of others and those
// that there was no time for as docs/reliability.md has it from an earlier run.
func summary(t *testing.T, todo []chore) string {
	t.Helper()
	table := newMatrix()
	table.columns = []string{"points", "tried", "reached", "converged in one further run", "survived by the run itself", "runs", "requests answered", "failed"}
	for _, c := range todo {
		row := c.subject.name + ", " + c.act.name
		if len(table.cells[[2]string{row, "points"}]) == 0 { // the chores of an act have one tally
			c.tally.note(table, row)
		}
	}
	_, old, _ := generated(t, "crashes")
	if at := strings.Index(old, "| act |"); at >= 0 {
		table.keep(parseMatrix(old[at:]), func(row string) bool { return table.number(row, "tried") == 0 })
	}
	return crashText(table)
}

// crashText is the table after its sums.
func crashText(table *matrix) string {
	sum := func(column string) (n int) {
		for _, row := range table.rows {
			n += table.number(row, column)
		}
		return n
	}
	return fmt.Sprintf("%d points: %d tried by %d runs, %d reached, %d converged in one further run. "+
		"%d requests to the apps were answered meanwhile, and %d failed.\n\n%s",
		sum("points"), sum("tried"), sum("runs"), sum("reached"), sum("converged in one further run"), sum("requests answered"), sum("failed"), table.table("act"))
}

// number is that of a cell, or 0.
func (m *matrix) number(row, column string) (n int) {
	for text := range m.cells[[2]string{row, column}] {
		n, _ = strconv.Atoi(text)
	}
	return n
}

// scouts take each act of each subject undisturbed.
func scouts(t *testing.T) (todo []chore) {
	t.Helper()
	var mu sync.Mutex
	chores := map[string][]chore{}
	t.Run("undisturbed", func(t *testing.T) {
		for _, s := range subjects() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				mine := scout(t, s)
				mu.Lock()
				defer mu.Unlock()
				chores[s.name] = mine
			})
		}
	})
	for _, s := range subjects() {
		todo = append(todo, chores[s.name]...)
	}
	return todo
}

// scout takes each act undisturbed, and returns what is to be tried.
func scout(t *testing.T, s subject) (all []chore) {
	w := newMatrixWorld(t, s)
	for _, a := range acts() {
		if only := os.Getenv("APPSTACK_CRASH_ACTS"); only != "" && !slices.Contains(strings.Split(only, ","), a.name) {
			continue
		}
		w.ready(a)
		seen := w.steps(a)
		want := w.state(a)
		sum := &tally{}
		for _, blow := range blows() {
			todo, size := points(seen), map[string]int{"killed": 8, "guest dropped": 24, "Proxmox dropped": 1000}[blow]
			for _, p := range todo {
				sum.points += p.stands
			}
			for at := 0; at < len(todo); at += size {
				all = append(all, chore{s, a, blow, todo[at:min(at+size, len(todo))], want, sum})
			}
		}
		t.Logf("%s, %s: %d points", s.name, a.name, sum.points)
	}
	return all
}

// lane does chores until there are none, or no time.
func lane(t *testing.T, queue <-chan chore, until time.Time) {
	worlds := map[string]*matrixWorld{}
	for c := range queue {
		if time.Now().After(until) {
			continue
		}
		w := worlds[c.subject.name]
		if w == nil {
			w = newMatrixWorld(t, c.subject)
			worlds[c.subject.name] = w
		}
		w.ready(c.act)
		w.try(c, until)
	}
}

// try has the points of a chore struck.
func (w *matrixWorld) try(c chore, until time.Time) {
	w.t.Helper()
	for i := 0; i < len(c.points) && time.Now().Before(until); {
		if !crashes(i, 1) {
			i++
			continue
		}
		began := time.Now()
		o, converged := w.crash(c, c.points[i:])
		for range 3 { // a step that took longer for the scout, or parts of it that were struck first
			if o.prefix() > 0 || c.points[i].delay == 0 {
				break
			}
			c.points[i].delay /= 4
			o, converged = w.crash(c, c.points[i:i+1])
		}
		fell := o.prefix()
		c.tally.count(c.points[i:i+max(fell, 1)], fell, o.survived, converged)
		if !converged { // or else nothing is to be learned from the points to come
			w.heal(c.act)
		}
		w.t.Logf("%s, %s, %s %s: %d fell, %d survived, converged %v, %v",
			c.subject.name, c.act.name, c.blow, c.points[i], fell, o.survived, converged, time.Since(began).Round(100*time.Millisecond))
		i += max(fell, 1)
	}
}

// count notes what became of these points: as many of the first as fell were reached.
func (n *tally) count(points []point, fell, survived int, converged bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, p := range points {
		n.tried += p.stands
		if i < fell {
			n.reached += p.stands
		}
		if i < fell && converged {
			n.converged += p.stands
		}
		if i < min(fell, survived) {
			n.survived += p.stands
		}
	}
}

// ran notes a run that was struck, and what a visitor saw meanwhile, if there was one.
func (n *tally) ran(v *visitor) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.runs++
	if v == nil {
		return
	}
	for _, requests := range v.pages {
		n.answered += requests
	}
	n.answered -= len(v.failures)
	n.lost += len(v.failures)
}

// crash takes an act with blows and then once more.
func (w *matrixWorld) crash(c chore, points []point) (o outcome, converged bool) {
	w.t.Helper()
	var v *visitor
	c.act.begin(w)
	command, ref := c.act.command(w)
	if c.act.serves {
		v = visit(fmt.Sprintf("http://%s%s", netip.AddrPortFrom(w.addr, uint16(w.subject.port)), w.subject.page))
	}
	o = w.strike(command, ref, c.blow, points)
	reports, err := w.order(command, ref).run(w.log).Do(context.Background())
	what := fmt.Sprintf("%s, %s, %s %s", c.subject.name, c.act.name, c.blow, points[0])
	if v != nil {
		v.end()
		if len(v.failures) > 0 {
			w.t.Errorf("%s: requests were lost: %s", what, strings.Join(v.failures[:min(3, len(v.failures))], "; "))
		}
	}
	c.tally.ran(v)
	switch {
	case err != nil || len(reports) != 1:
		w.t.Errorf("%s: %v", what, err)
		return o, false
	case reports[0].Failed():
		w.t.Errorf("%s: the next run fails (%s): %s", what, reports[0].Reason, reports[0].Error)
		return o, false
	}
	if diff := cmp.Diff(c.want, w.state(c.act)); diff != "" {
		w.t.Errorf("%s: the state (-undisturbed +now):\n%s", what, diff)
		return o, false
	}
	return o, true
}
