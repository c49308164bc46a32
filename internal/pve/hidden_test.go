package pve

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/machine"
)

// Guests that the token cannot see are counted where guests are, and where that was is said.
func TestInvisibleGuests(t *testing.T) {
	const others = "; the token is not told of others"
	many := []string{"105", "107", "130"}
	for vmid := 200; vmid < 208; vmid++ {
		many = append(many, fmt.Sprint(vmid))
	}
	tests := []struct {
		name string
		made []string // by somebody else
		edit func(*machine.Guest)
		want string
	}{
		{"none", nil, nil, "no guest is invisible to the token among the vmids 100–199" + others},
		{"one", []string{"105"}, nil, "1 guest is invisible to the token (vmid 105) among the vmids 100–299: whether it has the address is not known" + others},
		{"as far as they go", many, nil, "11 guests are invisible to the token (vmid 105, 107, 130, 200, 201, 202, 203, 204, 205, 206, …)" +
			" among the vmids 100–399: whether they have the address is not known" + others},
		{"around the guest, wherever that is", []string{"105", "5002", "7000"}, func(g *machine.Guest) { g.VMID = 5000 },
			"2 guests are invisible to the token (vmid 105, 5002) among the vmids 100–299, 5000–5199: whether they have the address is not known" + others},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			for _, vmid := range tt.made {
				l.makeCT(vmid, "x"+vmid, "name=eth0,bridge=vmbr0", nil)
			}
			c, want := l.client(l.tokenWith(documented(t))), wantedInLab()
			if tt.edit != nil {
				tt.edit(want)
			}
			if err := c.Place(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			findings, err := c.Check(t.Context(), nil, nil, want, nil)
			if err != nil || len(findings) != 1 {
				t.Fatalf("%+v, %v", findings, err)
			}
			if diff := cmp.Diff(tt.want, findings[0].Summary); diff != "" || findings[0].Guard != GuardInvisible || findings[0].Blocks ||
				!strings.Contains(findings[0].Hint, "VM.Audit on /vms") {
				t.Errorf("%+v\n%s", findings[0], diff)
			}
			if len(tt.made) > 0 { // a vmid that one of them has
				want.VMID = 105
				_, err = c.Observe(t.Context(), want)
				if hidden, ok := errors.AsType[*HiddenError](err); !ok || hidden.VMID != 105 {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// The guests that the token sees show where to look for others, too; a vmid is asked for
// once a run; and a token that sees all guests asks for none.
func TestInvisibleGuestsAroundVisibleOnes(t *testing.T) {
	l := newLab(t)
	l.makeCT("3001", "ours", "name=eth0,bridge=vmbr0", params{"pool": "appstack"})
	l.makeCT("3002", "theirs", "name=eth0,bridge=vmbr0", nil)
	var asked atomic.Int64
	count := func(o *Options) {
		o.Trace = func(c Call) {
			if strings.Contains(c.Path, "/cluster/nextid") {
				asked.Add(1)
			}
		}
	}
	c := l.client(l.tokenWith(documented(t)), count)
	for range 2 {
		findings, err := c.invisible(t.Context(), 101)
		if err != nil || !strings.HasPrefix(findings[0].Summary, "1 guest is invisible to the token (vmid 3002) among the vmids 100–199, 3000–3199") {
			t.Errorf("%+v, %v", findings, err)
		}
	}
	if asked.Load() != 299 {
		t.Errorf("asked for %d vmids of three hundred, of which one is seen", asked.Load())
	}
	asked.Store(0)
	if findings, err := l.root(count).invisible(t.Context(), 101); err != nil || findings != nil || asked.Load() != 0 {
		t.Errorf("%+v, %v, %d requests", findings, err, asked.Load())
	}
}

// However many there are, a run asks for a bounded number of vmids.
func TestCensusIsBounded(t *testing.T) {
	visible := make(map[int]bool)
	for vmid := 100; vmid < 5000; vmid++ {
		visible[vmid] = true
	}
	c := newFake(t, nil).client()
	asked, err := c.census(t.Context(), 101, visible)
	if err != nil || len(asked) != hundreds || asked[0] != 1 || asked[hundreds-1] != hundreds {
		t.Errorf("%v, %v", asked, err)
	}
}
