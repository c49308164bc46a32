package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/report"
)

// TestTwoAtOnceInAGuest has two deploys, a deploy and a rollback, and a deploy and a person
// at work on a real container at once: no request is lost, what serves is what one of
// them wanted, and the next run has the last word.
func TestTwoAtOnceInAGuest(t *testing.T) {
	if !torture() {
		t.Skip("with APPSTACK_TORTURE=1")
	}
	w := newCrashWorld(t, "org/twice")
	zero, one := w.commit("zero", gitrepo.Files{"version": []byte("zero")}), w.commit("one", nil)
	w.live("apply", zero, zero, "zero")
	w.live("apply", one, one, "one")
	rounds := 1
	if torture() {
		rounds = 5
	}
	for n := range rounds {
		two := w.commit("two", gitrepo.Files{"version": fmt.Append(nil, "two ", n)})
		three := w.commit("three", gitrepo.Files{"version": fmt.Append(nil, "three ", n)})
		v := visit(fmt.Sprintf("http://%s:3000/", w.addr))
		w.atOnce(n, func() { w.contender("a", "apply", two) }, func() { w.contender("b", "apply", three) })
		w.atOnce(n, func() { w.contender("a", "apply", two) }, func() { w.contender("b", "rollback", "") })
		w.atOnce(n, func() { w.contender("a", "apply", three) }, w.person)
		v.end()
		if len(v.failures) > 0 {
			t.Errorf("requests were lost: %q", v.failures)
		}
		w.live("apply", two, two, fmt.Sprint("two ", n))
		if r := w.do("plan", two); len(r.Plan.Steps) > 0 {
			t.Errorf("there is something left to do:\n%s", r.Plan)
		}
	}
}

// atOnce lets both work, and looks at what they left.
func (w *crashWorld) atOnce(n int, one, two func()) {
	w.t.Helper()
	var both sync.WaitGroup
	both.Go(one)
	both.Go(two)
	both.Wait()
	if text := w.description(w.vmid()); strings.Contains(text, `"lease"`) {
		w.t.Errorf("round %d: the lease is left:\n%s", n, text)
	}
	w.idle(w.addr)
}

// contender runs a command as a run of its own, which waits for others.
func (w *crashWorld) contender(holder, command, ref string) {
	reports, err := w.run(context.Background(), command, func(r *app.Run) { r.Request.Ref, r.Holder = ref, holder })
	if err != nil || len(reports) != 1 {
		w.t.Errorf("%s: %v", command, err)
		return
	}
	// A person's change is not overwritten by a plan that did not know it.
	if r := reports[0]; r.Failed() && r.Reason != report.ProxmoxFailed {
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
