package pve

import (
	"net/http"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// inPool makes the wanted guest, in the pool people.
func inPool(t *testing.T) (*lab, *Client, *machine.Guest) {
	t.Helper()
	l := newLab(t)
	c, want := l.client(), wantedInLab()
	l.ask("POST", "/pools", "poolid=people")
	want.Pool = "people"
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err != nil {
		t.Fatal(err)
	}
	want.Pool = "appstack"
	return l, c, want
}

const toAppstack = "shop/dev: 0 to add, 1 to change, 0 to remove\n  ~ set pool 101: people → appstack\n"

func TestPool(t *testing.T) {
	l, c, want := inPool(t)
	if now := must(t, c, want, toAppstack); now.Pool != "appstack" {
		t.Errorf("it is in pool %q", now.Pool)
	}
	must(t, c, want, noChanges)
	l.ask("PUT", "/pools", "poolid=appstack&vms=101&delete=1")
	must(t, c, want, "shop/dev: 0 to add, 1 to change, 0 to remove\n  ~ set pool 101: none → appstack\n")
	must(t, l.client(), want, noChanges)
	want.Pool = ""
	must(t, l.client(), want, noChanges)
}

// A move whose answer is lost is sent again, whether it took effect or not.
func TestPoolMoveIsLost(t *testing.T) {
	for _, how := range []sabotage{{name: "before"}, {name: "after", effect: true}, {name: "596", status: 596, reason: "x", effect: true}} {
		t.Run(how.name, func(t *testing.T) {
			l, _, want := inPool(t)
			c := l.client()
			ctx, s := sabotaged(t.Context(), c, how, point{1, true})
			if _, _, err := cycle(ctx, c, want, plan.Policy{}); err != nil || s.hit != http.MethodPut+" /pools" {
				t.Errorf("%s: %v", s.hit, err)
			}
			must(t, l.client(), want, noChanges)
		})
	}
}

// A token that may not move the guest says so, once it can see where the guest is.
func TestPoolWithoutPrivilege(t *testing.T) {
	guest := []grant{{"/vms", "VM.Audit"}, {"/pool/appstack", "VM.Allocate"}}
	audit := append(guest, grant{"/pool/appstack", "Pool.Audit"}, grant{"/pool/people", "Pool.Audit"})
	tests := []struct {
		name   string
		grants []grant
		plan   string
		note   []string
	}{
		{"it cannot see the pools", guest, noChanges, nil},
		{"it may not change the wanted one", audit, noChanges,
			[]string{"note: pool: the guest is in pool people, the stack says appstack: it is left where it is, since the token appstack@pve!ci lacks Pool.Allocate on /pool/appstack", "pveum acl modify /pool/appstack"}},
		{"it may not change the former one", append(audit, grant{"/pool/appstack", "Pool.Allocate"}), noChanges,
			[]string{"lacks Pool.Allocate on /pool/people"}},
		{"it may not allocate the guest", append(audit, grant{"/pool/appstack", "Pool.Allocate"}, grant{"/pool/people", "Pool.Allocate"}), noChanges,
			[]string{"lacks VM.Allocate on /vms"}},
		{"it may", append(audit, grant{"/pool/appstack", "Pool.Allocate"}, grant{"/pool/people", "Pool.Allocate"}, grant{"/vms", "VM.Allocate"}), toAppstack, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, _, want := inPool(t)
			c := l.client(l.tokenWith(tt.grants))
			if _, err := c.Observe(t.Context(), want); err != nil { // a run may look twice, and says it once
				t.Fatal(err)
			}
			p, _, err := cycle(t.Context(), c, want, plan.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(p.String(), "note: pool") > 1 || !strings.HasPrefix(p.String(), tt.plan) || tt.note == nil && p.String() != tt.plan {
				t.Errorf("plan:\n%s", p)
			}
			for _, text := range tt.note {
				if !strings.Contains(p.String(), text) {
					t.Errorf("the plan lacks %q:\n%s", text, p)
				}
			}
		})
	}
}
