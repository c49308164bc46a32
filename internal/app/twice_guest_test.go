package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/report"
)

// TestTwoAtOnceInAGuest has two deploys, a deploy and a rollback, a deploy and a person, and
// a deploy and a destroy at work on a real container at once: no request is lost but by
// who destroys, what serves is what one of them wanted, and the next run has the last word.
func TestTwoAtOnceInAGuest(t *testing.T) {
	if !torture() {
		t.Skip("with APPSTACK_TORTURE=1")
	}
	const guests, rounds = 4, 7
	var mu sync.Mutex
	pairs, answered := 0, 0
	t.Run("guests", func(t *testing.T) {
		for n := range guests {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				w := &twiceWorld{crashWorld: newCrashWorld(t, fmt.Sprint("org/twice-", n)), random: rand.New(rand.NewPCG(uint64(n), 3))}
				for round := 0; round < rounds && timeLeft(t); round++ {
					w.round(round)
				}
				mu.Lock()
				defer mu.Unlock()
				pairs, answered = pairs+w.pairs, answered+w.answered
			})
		}
	})
	figures(t, "guestatonce", "%d times two were at work on one of %d containers at once: a deploy and another, a rollback, a person, a destroy. "+
		"%d requests to the app were answered meanwhile, none failed.", pairs, guests, answered)
}

// twiceWorld is a world at whose guest two are at work.
type twiceWorld struct {
	*crashWorld
	random          *rand.Rand
	pairs, answered int
}

// round has each pair at work once.
func (w *twiceWorld) round(n int) {
	w.t.Helper()
	commit := func(name string) string {
		return w.commit(name, gitrepo.Files{"version": fmt.Appendf(nil, "%s %d", name, n)})
	}
	zero, one, two, three := commit("zero"), commit("one"), commit("two"), commit("three")
	w.live("apply", zero, zero, fmt.Sprint("zero ", n))
	w.live("apply", one, one, fmt.Sprint("one ", n))
	v := visit(fmt.Sprintf("http://%s:3000/", w.addr))
	w.atOnce(n, func() { w.contender("a", "apply", two) }, func() { w.contender("b", "apply", three) })
	w.atOnce(n, func() { w.contender("a", "apply", two) }, func() { w.contender("b", "rollback", "") })
	w.atOnce(n, func() { w.contender("a", "apply", three) }, w.person)
	w.live("apply", two, two, fmt.Sprint("two ", n))
	if r := w.do("plan", two); len(r.Plan.Steps) > 0 {
		w.t.Errorf("there is something left to do:\n%s", r.Plan)
	}
	v.end()
	if len(v.failures) > 0 {
		w.t.Errorf("requests were lost: %q", v.failures)
	}
	for _, requests := range v.pages {
		w.answered += requests
	}
	w.atOnce(n, func() { w.contender("a", "apply", three, report.Unreachable) }, func() { w.contender("b", "destroy", "") })
	w.live("apply", two, two, fmt.Sprint("two ", n))
}

// atOnce lets both work, the one a little later than the other, and looks at what they left.
func (w *twiceWorld) atOnce(n int, one, two func()) {
	w.t.Helper()
	w.pairs++
	var both sync.WaitGroup
	for _, work := range []func(){one, two} {
		later := time.NewTimer(time.Duration(w.random.IntN(3000)) * time.Millisecond)
		both.Go(func() { <-later.C; work() })
	}
	both.Wait()
	if w.gone() {
		return
	}
	if text := w.description(w.vmid()); strings.Contains(text, `"lease"`) {
		w.t.Errorf("round %d: the lease is left:\n%s", n, text)
	}
	w.idle(w.addr)
}

// gone tells whether there is no guest.
func (w *twiceWorld) gone() bool {
	w.t.Helper()
	vmid, err := strconv.Atoi(w.vmid())
	w.must(err)
	return !slices.Contains(w.lab.PVE.GuestIDs(), vmid)
}

// contender runs a command as a run of its own, which waits for others, and may fail so.
func (w *crashWorld) contender(holder, command, ref string, may ...report.Reason) {
	reports, err := w.run(context.Background(), command, func(r *app.Run) { r.Request.Ref, r.Holder = ref, holder })
	if err != nil || len(reports) != 1 {
		w.t.Errorf("%s: %v", command, err)
		return
	}
	// A person's change is not overwritten by a plan that did not know it.
	if r := reports[0]; r.Failed() && r.Reason != report.ProxmoxFailed && !slices.Contains(may, r.Reason) {
		w.t.Errorf("%s of %s ends %s (%s): %s", command, ref, r.Status, r.Reason, r.Error)
	}
}

// person changes a setting as the UI does: with the digest of what it shows; and looks
// again where that has changed meanwhile.
func (w *crashWorld) person() {
	path := "/nodes/pve1/lxc/" + w.vmid() + "/config"
	for range 20 {
		var config struct{ Digest string }
		if err := json.Unmarshal(w.ask("GET", path, ""), &config); err != nil {
			w.t.Error(err)
			return
		}
		form := url.Values{"digest": {config.Digest}, "startup": {"order=3"}}
		r := httptest.NewRequest(http.MethodPut, "https://pve1/api2/json"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Authorization", "PVEAPIToken="+w.lab.Info.Token)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res := httptest.NewRecorder()
		if w.lab.PVE.ServeHTTP(res, r); res.Code == http.StatusOK {
			return
		}
	}
	w.t.Error("a person cannot change a setting")
}
