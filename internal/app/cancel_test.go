package app_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/github"
	"github.com/org/appstack-action/internal/lab/githubapi"
	"github.com/org/appstack-action/internal/report"
)

// TestCancelEndsInTime cancels a run at each of its requests to Proxmox, from which on
// neither Proxmox nor GitHub answers any more: it ends within 5 s all the same, by the
// clock of the bubble, and the next run ends where an undisturbed one ends.
func TestCancelEndsInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes a while: not with -short")
	}
	dir, sha := hubSource(t)
	for _, kind := range guestKinds() {
		sc := memScenarios(kind)[0]
		requests, _ := undisturbed(t, sc)
		for at, request := range requests {
			t.Run(kind.name+" "+request, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := &hubWorld{newMemWorld(t, kind), newHub(t, dir, sha)}
					defer w.end()
					w.cancelledAt(at)
				})
			})
		}
	}
}

// cancelledAt cancels a run at a request.
func (w *hubWorld) cancelledAt(at int) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	var cut time.Time
	w.gate.disturb(func(n int, _ *http.Request) mishap {
		if n == at {
			cut = time.Now()
			w.hub.disturb(func(int) *githubapi.Fault { return &githubapi.Fault{Delay: time.Hour} })
			cancel()
		}
		if n >= at {
			return mishap{delay: time.Hour}
		}
		return mishap{}
	})
	r, err := w.do(ctx, "provision", func(r *app.Run) {
		r.Event = event.Event{Name: "push", Repository: hubRepo, Branch: "dev", SHA: w.hub.sha}
		r.Publisher = &app.GitHub{Client: w.hub.client(), Comment: true, Deployment: true, Job: github.Job{Run: "1"}}
	})
	if cut.IsZero() { // of two reads at once, one may be cancelled before it is sent
		return
	}
	if took := time.Since(cut); took > 5*time.Second {
		w.t.Errorf("it ends %v after it was cancelled: %+v %v\n%q", took, r, err, w.hub.seen)
	}
	// What comes after all the work was done is not worth a failure.
	if err == nil && r.Status != report.Cancelled && r.Status != report.Live {
		w.t.Errorf("it ends %s (%s): %s", r.Status, r.Reason, r.Error)
	}
	time.Sleep(2 * time.Hour) // for what was to be answered late
	w.gate.disturb(nil)
	w.hub.disturb(nil)
	w.hub.ClearFaults()
	w.settle()
	w.finish("provision")
	synctest.Wait()
}
