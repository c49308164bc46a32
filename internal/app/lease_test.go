package app_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/report"
)

// waits is a view that keeps what is waited for.
type waits struct {
	*logView
	mu   sync.Mutex
	text string
}

func (w *waits) Open(target string) app.Show { return &waitsShow{&logShow{w.logView, target}, w} }

type waitsShow struct {
	*logShow
	waits *waits
}

func (s *waitsShow) Wait(what string, _ time.Duration) {
	s.waits.mu.Lock()
	defer s.waits.mu.Unlock()
	s.waits.text = what
}

// A lease of another run's is waited for as long as was asked for, with its holder's name,
// and taken over as soon as its holder is over or it has expired. A clock that is two
// years off, here or where the holder runs, costs a wait, but never two at work at once.
func TestLease(t *testing.T) {
	const holder = "org/shop/77/1"
	const years = 2 * 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		expires  time.Duration
		over     bool
		wait     time.Duration
		locked   bool
		min, max time.Duration
	}{
		"a holder at work":              {4 * time.Minute, false, time.Minute, true, time.Minute, 2 * time.Minute},
		"a holder that is over":         {4 * time.Minute, true, time.Minute, false, 0, time.Minute},
		"a lease that expires":          {4 * time.Minute, false, time.Hour, false, 4 * time.Minute, 6 * time.Minute},
		"a clock that is years ahead":   {years, false, 20 * time.Minute, true, 20 * time.Minute, 21 * time.Minute},
		"years ahead, and it is over":   {years, true, time.Minute, false, 0, time.Minute},
		"a clock that is years behind":  {-years, false, time.Minute, false, 0, time.Minute},
		"a lease that expired just now": {-time.Second, false, time.Minute, false, 0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inEveryKind(t, func(t *testing.T, kind guestKind) {
				w := newMemWorld(t, kind)
				defer w.end()
				w.finish("provision")
				w.occupy(holder, c.expires)
				w.guest(kind.changed)
				before, view, began := w.state(), &waits{logView: w.log}, time.Now()
				r, err := w.do(t.Context(), "provision", func(r *app.Run) {
					r.View, r.LockWait = view, c.wait
					r.RunOver = func(context.Context, string) (bool, error) { return c.over, nil }
				})
				w.must(err)
				if took := time.Since(began); took < c.min || took > c.max {
					t.Errorf("it took %v", took)
				}
				if c.min > 0 && !strings.Contains(view.text, holder) {
					t.Errorf("it does not say whom it waits for: %q", view.text)
				}
				if !c.locked {
					w.free(r)
					return
				}
				if r.Reason != report.Locked || !strings.Contains(r.Error, holder) || !strings.Contains(r.Hint, "appstack unlock") {
					t.Errorf("it ends %s (%s): %s\n%s", r.Status, r.Reason, r.Error, r.Hint)
				}
				if now := w.state(); now != before {
					t.Errorf("it changed something under another's lease:\n%s\n%s", before, now)
				}
				w.finish("unlock")
				w.finish("provision")
			})
		})
	}
}

// free demands success and no lease.
func (w *memWorld) free(r report.Report) {
	w.t.Helper()
	if r.Status != report.Live || r.Failed() {
		w.t.Errorf("it ends %s (%s): %s", r.Status, r.Reason, r.Error)
	}
	w.fence()
}

// A run that is taken over while it works, for it was thought to be over, writes nothing
// any more: what is there in the end is what the one that took over made.
func TestFence(t *testing.T) {
	inEveryKind(t, func(t *testing.T, kind guestKind) {
		w := newMemWorld(t, kind)
		defer w.end()
		w.finish("provision")
		w.gate.disturb(func(_ int, r *http.Request) mishap { // the first is slow to write
			if r.Method == http.MethodGet {
				return mishap{}
			}
			return mishap{delay: 20 * time.Second}
		})
		var slow report.Report
		var both sync.WaitGroup
		both.Go(func() { slow = w.at("org/shop/1/1", "provision", kind.hot) })
		time.Sleep(30 * time.Second) // it holds its lease now
		w.gate.disturb(nil)
		w.finish("unlock")
		last := w.at("org/shop/2/1", "provision", kind.third)
		both.Wait()
		w.settle()
		if last.Failed() {
			t.Errorf("the one that took over ends %s (%s): %s", last.Status, last.Reason, last.Error)
		}
		if slow.Failed() && slow.Reason != report.Locked {
			t.Errorf("the one that lost its lease ends %s (%s): %s", slow.Status, slow.Reason, slow.Error)
		}
		w.guest(kind.third)
		if r, err := w.do(t.Context(), "plan"); err != nil || len(r.Plan.Steps) > 0 {
			t.Errorf("what the last one made is not what is there: %v\n%s", err, r.Plan)
		}
	})
}

// occupy leaves a lease on the guest as a run does that was killed.
func (w *memWorld) occupy(holder string, expires time.Duration) {
	w.t.Helper()
	description := w.describe()
	block := w.readBlock(description)
	block.Fence++
	block.Lease = &machine.Lease{Holder: holder, Nonce: "gone", Expires: time.Now().Add(expires)}
	text := blockText.ReplaceAllLiteralString(description, jsonText(block))
	w.ask("PUT", w.path(memVMID)+"/config", form("description", text))
}
