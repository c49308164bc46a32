package app_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// scenario is a command, from the state that earlier ones made.
type memScenario struct {
	kind    guestKind
	name    string
	setup   func(*memWorld)
	command string
}

func memScenarios(kind guestKind) []memScenario {
	created := func(w *memWorld) { w.finish("provision") }
	return []memScenario{
		{kind, "create", func(*memWorld) {}, "provision"},
		{kind, "change", func(w *memWorld) { created(w); w.guest(kind.changed) }, "provision"},
		{kind, "start", func(w *memWorld) { created(w); w.halt() }, "provision"},
		{kind, "destroy", created, "destroy"},
	}
}

// everyKind are the scenarios for containers and for virtual machines.
func everyKind(scenarios func(guestKind) []memScenario) []memScenario {
	var all []memScenario
	for _, kind := range guestKinds() {
		all = append(all, scenarios(kind)...)
	}
	return all
}

func (sc memScenario) String() string { return sc.kind.name + ", " + sc.name }

// halt stops the guest as a person would.
func (w *memWorld) halt() {
	w.t.Helper()
	w.ask("POST", w.path(memVMID)+"/status/stop", "")
	for w.backend.Running(memVMID) {
		synctest.Wait()
	}
	w.settle()
}

// undisturbed runs a scenario to its end, and returns its requests and what is left.
func undisturbed(t *testing.T, sc memScenario) (requests []string, end string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newMemWorld(t, sc.kind)
		defer w.end()
		sc.setup(w)
		w.gate.disturb(nil)
		w.finish(sc.command)
		requests, _ = w.gate.log()
		end = w.state()
	})
	return requests, end
}

// Wherever a run dies, or loses the connection to Proxmox, the next one ends where an
// undisturbed one ends.
func TestCrashAtEveryRequest(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes half a minute: not with -short")
	}
	var points, reached, converged atomic.Int64
	t.Run("points", func(t *testing.T) {
		nth := 0
		for _, sc := range everyKind(memScenarios) {
			requests, want := undisturbed(t, sc)
			for at, request := range requests {
				for _, how := range waysToDie(request) {
					if nth++; !sampled(nth, 7) {
						continue
					}
					t.Run(fmt.Sprintf("%s, %s %d %s", sc, how, at, request), func(t *testing.T) {
						t.Parallel()
						points.Add(1)
						got, hit := crash(t, sc, at, how)
						if hit {
							reached.Add(1)
						}
						if got != want {
							t.Errorf("the state (-undisturbed +now):\n%s", cmp.Diff(want, got))
							return
						}
						converged.Add(1)
					})
				}
			}
		}
	})
	figures(t, "requests", "%d points, %d reached, %d converged in one further run.", points.Load(), reached.Load(), converged.Load())
	if reached.Load()*20 < points.Load()*19 { // of two reads at once, one may be cancelled before it is sent
		t.Errorf("only %d of %d points were reached", reached.Load(), points.Load())
	}
}

// waysToDie are what may happen at a request. A read that is lost before or after makes
// no difference to Proxmox.
func waysToDie(request string) []string {
	if strings.HasPrefix(request, http.MethodGet) {
		return []string{"dropped before", "killed before"}
	}
	return []string{"dropped before", "dropped after", "killed before", "killed after"}
}

// crash lets a run go wrong at a request, runs it again, and returns what is left.
func crash(t *testing.T, sc memScenario, at int, how string) (end string, hit bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newMemWorld(t, sc.kind)
		defer w.end()
		sc.setup(w)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.gate.disturb(func(n int, _ *http.Request) mishap {
			if n != at {
				return mishap{}
			}
			m := mishap{drop: true, effect: how == "dropped after" || how == "killed after"}
			if how == "killed before" || how == "killed after" {
				m.then = func() { w.net.sever(); cancel() }
			}
			return m
		})
		_, _ = w.do(ctx, sc.command) // what a dead program thinks is of no interest
		_, request := w.gate.log()
		hit = request != ""
		w.gate.disturb(nil)
		w.net.mend()
		w.finish(sc.command)
		end = w.state()
	})
	return end, hit
}
