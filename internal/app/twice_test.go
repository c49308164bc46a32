package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/report"
)

// contender is one of two that work on an environment at once: a run, or a person.
type contender struct {
	command string // "": a person
	stack   string
	edit    func(*memWorld)
}

// contest is two contenders, and whether the guest exists before.
type contest struct {
	exists bool
	pair   [2]contender
}

// contests are pairs, from nothing or from a guest that is there.
func contests(kind guestKind) map[string]contest {
	person := contender{edit: func(w *memWorld) {
		w.ask("PUT", w.path(memVMID)+"/config", "cpulimit=3&startup=order%3D3")
	}}
	changed, third := contender{command: "provision", stack: kind.changed}, contender{command: "provision", stack: kind.third}
	destroy := contender{command: "destroy", stack: kind.first}
	return map[string]contest{
		"two deploys of one new environment":         {false, [2]contender{{command: "provision", stack: kind.first}, {command: "provision", stack: kind.first}}},
		"two deploys of different commits":           {true, [2]contender{changed, {command: "provision", stack: kind.changed + " "}}},
		"two deploys that want different things":     {true, [2]contender{{command: "provision", stack: kind.hot}, third}},
		"a deploy and a destroy":                     {true, [2]contender{changed, destroy}},
		"a deploy and a person in the UI":            {true, [2]contender{changed, person}},
		"a deploy, and a person who stops the guest": {true, [2]contender{changed, {edit: func(w *memWorld) { w.ask("POST", w.path(memVMID)+"/status/stop", "") }}}},
	}
}

// interleavings is how many orders of requests each contest is tried in.
func interleavings() uint64 {
	if torture() {
		return 100
	}
	return 8
}

// Two at once end as if one had come after the other: one guest, no lease, a fence that
// grew, and the configuration of the run that worked last.
func TestTwoAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes half a minute: not with -short")
	}
	played := 0
	t.Run("contests", func(t *testing.T) {
		for _, kind := range guestKinds() {
			for name, c := range contests(kind) {
				for seed := range interleavings() {
					played++
					t.Run(fmt.Sprintf("%s, %s, seed %d", kind.name, name, seed), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) { c.play(newMemWorld(t, kind), seed) })
					})
				}
			}
		}
	})
	figures(t, "atonce", "%d random interleavings of these, and %d of two environments: so it was after each.", played, len(guestKinds())*int(interleavings()))
}

// play has the two of a contest at it, in an order of requests that the seed decides.
func (c contest) play(w *memWorld, seed uint64) {
	defer w.end()
	if c.exists {
		w.finish("provision")
	}
	fence := w.fence()
	random := rand.New(rand.NewPCG(seed, 1))
	w.gate.disturb(func(int, *http.Request) mishap {
		return mishap{delay: time.Duration(random.IntN(2000)) * time.Millisecond}
	})
	last := w.contend(c.pair, random)
	w.gate.disturb(nil)
	w.settle()
	if c.pair[1].command == "destroy" {
		fence = 0 // a new guest begins anew
	}
	w.sane(fence)
	person := c.pair[1].edit != nil
	if person {
		last = c.pair[0].stack
	}
	w.converges(last, person)
}

// contend lets both work, and returns the stack of the one that did something last.
func (w *memWorld) contend(pair [2]contender, random *rand.Rand) (last string) {
	last = w.kind.first
	var mu sync.Mutex
	var both sync.WaitGroup
	for i, c := range pair {
		begin := time.Duration(random.IntN(8000)) * time.Millisecond
		both.Go(func() {
			time.Sleep(begin)
			if c.edit != nil {
				c.edit(w)
				return
			}
			r := w.at(fmt.Sprint("org/shop/", i+1, "/1"), c.command, c.stack)
			switch {
			case r.Failed() && slices.ContainsFunc(pair[:], func(c contender) bool { return c.edit != nil }) && r.Reason == report.ProxmoxFailed:
				// A person's change is not overwritten by a plan that did not know it.
			case r.Failed():
				w.t.Errorf("%s %s failed (%s): %s", c.command, c.stack, r.Reason, r.Error)
			case r.Status != report.Unchanged:
				mu.Lock()
				last = c.stack
				if r.Status == report.Destroyed {
					last = ""
				}
				mu.Unlock()
			}
		})
	}
	both.Wait()
	return last
}

// at runs a command for a stack file of its own, as a run that waits for others.
func (w *memWorld) at(holder, command, stack string) report.Report {
	return w.elsewhere(func(mine *memWorld) report.Report {
		mine.guest(stack)
		r, err := mine.do(w.t.Context(), command, func(r *app.Run) { r.Holder, r.RunOver, r.LockWait = holder, nil, time.Hour })
		if err != nil {
			w.t.Errorf("%s: %v", holder, err)
		}
		return r
	})
}

// elsewhere does something in a work tree of its own.
func (w *memWorld) elsewhere(do func(*memWorld) report.Report) report.Report {
	own := *w.world
	own.dir = w.t.TempDir()
	for _, name := range []string{"head.yaml", "secrets.yaml.age", ".appstack/recipients"} {
		text, err := os.ReadFile(filepath.Join(w.dir, name))
		w.must(err)
		own.write(name, string(text))
	}
	mine := *w
	mine.world = &own
	return do(&mine)
}

// describe returns the guest's description.
func (w *memWorld) describe() string {
	w.t.Helper()
	var config struct{ Description string }
	w.must(json.Unmarshal(w.ask("GET", w.path(memVMID)+"/config", ""), &config))
	return config.Description
}

// fence is the guest's, 0 where there is none.
func (w *memWorld) fence() int64 {
	w.t.Helper()
	if len(w.guests()) == 0 {
		return 0
	}
	block := w.readBlock(w.describe())
	if block.Lease != nil {
		w.t.Errorf("the lease of %s is left", block.Lease.Holder)
	}
	return block.Fence
}

// sane demands what holds after every contest.
func (w *memWorld) sane(fence int64) {
	w.t.Helper()
	ids := w.guests()
	if len(ids) > 1 || len(ids) == 1 && ids[0] != memVMID {
		w.t.Errorf("there are the guests %v", ids)
	}
	if now := w.fence(); len(ids) == 1 && now <= fence {
		w.t.Errorf("the fence was %d and is %d", fence, now)
	}
	if tasks := w.running(); len(tasks) > 0 {
		w.t.Errorf("tasks still run: %v", tasks)
	}
}

// converges demands that there is what the last stack says, but for what a person did,
// and that one more run undoes that.
func (w *memWorld) converges(last string, person bool) {
	w.t.Helper()
	if last == "" {
		if ids := w.guests(); len(ids) > 0 {
			w.t.Errorf("the guest was destroyed last, and there are %v", ids)
		}
		return
	}
	now := w.state()
	w.guest(last)
	w.finish("provision")
	if person {
		if r, err := w.do(w.t.Context(), "provision"); err != nil || r.Status != report.Unchanged {
			w.t.Errorf("a further run ends %s, %v:\n%s", r.Status, err, r.Plan)
		}
		return
	}
	if diff := cmp.Diff(w.state(), now); diff != "" {
		w.t.Errorf("the run that worked last left (-what its stack says +what it left):\n%s", diff)
	}
}
