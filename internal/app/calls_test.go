package app_test

import (
	"testing"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/report"
)

// A run of the whole program that finds nothing to do costs four requests to Proxmox, and
// two more for each further environment.
func TestCallsOfNothingToDo(t *testing.T) {
	inEveryKind(t, func(t *testing.T, kind guestKind) {
		w := newMemWorld(t, kind)
		defer w.end()
		w.guest(kind.first)
		w.edit("branch: dev}", "branch: dev}\n      qa: {name: shop-qa, vmid: 102, ip: "+otherAddr+"/24, gateway: 10.99.0.1, branch: qa}")
		w.finish("provision")
		for env, most := range map[string]int{"dev": 4, "": 6} {
			w.gate.disturb(nil)
			r, err := w.do(t.Context(), "provision", func(r *app.Run) { r.Request.Env = env })
			w.must(err)
			requests, _ := w.gate.log()
			if r.Status != report.Unchanged || len(requests) > most {
				t.Errorf("environment %q: %s in %d requests, at most %d: %q", env, r.Status, len(requests), most, requests)
			}
		}
	})
}
