package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

func claimOf(holder string) Claim {
	return Claim{Holder: holder, URL: "https://github.com/org/shop/actions/runs/1", TTL: time.Minute}
}

// leased makes the guest and returns it as another run observes it.
func leased(t *testing.T, l *lab) (*Client, *machine.Guest, *machine.Guest) {
	t.Helper()
	c, want := l.client(), wantedInLab()
	if _, _, err := cycle(t.Context(), c, want, plan.Policy{}); err != nil {
		t.Fatal(err)
	}
	have, err := c.Observe(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return c, have, want
}

func TestLeaseExcludes(t *testing.T) {
	l := newLab(t)
	c, have, want := leased(t, l)
	first, err := c.Acquire(t.Context(), have, want, claimOf("org/shop/1/1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	other, heard := l.client(), new(recorder)
	claim := claimOf("org/shop/2/1")
	claim.Wait = 80 * time.Millisecond
	_, err = other.Acquire(t.Context(), have, want, claim, heard)
	locked, ok := errors.AsType[*LockedError](err)
	if !ok || locked.Lease.Holder != "org/shop/1/1" || !strings.Contains(locked.Error(), "actions/runs/1") {
		t.Fatalf("the second run: %v", err)
	}
	if len(heard.waits) == 0 || !strings.Contains(heard.waits[0], "org/shop/1/1 holds on CT 101") {
		t.Errorf("heard %q", heard.waits)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := other.Acquire(t.Context(), have, want, claim, nil)
	if err != nil || second.Fence != first.Fence+1 {
		t.Errorf("after the release: fence %v after %d, %v", second, first.Fence, err)
	}
}

// A lease is taken over when it expired, its holder finished or is the same; then the
// former holder cannot write any more.
func TestLeaseTakenOver(t *testing.T) {
	tests := []struct {
		name  string
		first func(*Claim)
		claim func(*Claim)
	}{
		{"expired", func(c *Claim) { c.TTL = -time.Hour }, func(*Claim) {}},
		{"finished", func(*Claim) {}, func(c *Claim) {
			c.Finished = func(_ context.Context, held machine.Lease) bool { return held.Holder == "org/shop/1/1" }
		}},
		{"the same run again", func(*Claim) {}, func(c *Claim) { c.Holder = "org/shop/1/1" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			c, have, want := leased(t, l)
			claim := claimOf("org/shop/1/1")
			tt.first(&claim)
			first, err := c.Acquire(t.Context(), have, want, claim, nil)
			if err != nil {
				t.Fatal(err)
			}
			other := l.client()
			claim = claimOf("org/shop/2/1")
			tt.claim(&claim)
			if _, err := other.Acquire(t.Context(), have, want, claim, nil); err != nil {
				t.Fatal(err)
			}
			want.Config["cores"] = "4"
			_, _, err = cycle(t.Context(), c, want, plan.Policy{})
			if lost, ok := errors.AsType[*LostError](err); !ok || lost.By != claim.Holder {
				t.Errorf("the former holder writes: %v", err)
			}
			if err := c.power(t.Context(), have, "stop", nil); err == nil {
				t.Error("the former holder stops the guest")
			}
			if err := first.Renew(t.Context()); err == nil {
				t.Error("the former holder renews")
			}
			if err := first.Release(t.Context()); err != nil {
				t.Errorf("release of a lost lease: %v", err)
			}
			now, err := other.Observe(t.Context(), want)
			if err != nil || now.Block.Lease == nil || now.Block.Lease.Holder != claim.Holder || now.Config["cores"] != "2" {
				t.Errorf("now %+v, %v", now.Block, err)
			}
		})
	}
}

// Of many that want it at once, one gets it.
func TestLeaseRace(t *testing.T) {
	l := newLab(t)
	_, have, want := leased(t, l)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for i := range 10 {
		wg.Go(func() {
			_, err := l.client().Acquire(t.Context(), have, want, claimOf(fmt.Sprint("org/shop/", i)), nil)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got++
			} else if _, ok := errors.AsType[*LockedError](err); !ok {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got != 1 {
		t.Errorf("%d of 10 hold the lease", got)
	}
}

// The creation carries the claim; a run that died in it leaves a lease behind.
func TestLeaseOfNewGuest(t *testing.T) {
	l := newLab(t)
	c, want := l.client(), wantedInLab()
	lease, err := c.Acquire(t.Context(), nil, want, claimOf("org/shop/1/1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, now, err := cycle(t.Context(), c, want, plan.Policy{})
	if err != nil || now.Block.Lease == nil || now.Block.Fence != 1 {
		t.Fatalf("%+v, %v", now, err)
	}
	if err := lease.Renew(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := l.client().Acquire(t.Context(), now, want, claimOf("org/shop/2/1"), nil); err == nil {
		t.Error("a second holder")
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if now, err = l.client().Observe(t.Context(), want); err != nil || now.Block.Lease != nil {
		t.Errorf("after the release: %+v, %v", now.Block, err)
	}
}

func TestLeaseOfAdoptedGuest(t *testing.T) {
	l := newLab(t)
	c, have, want := leased(t, l)
	want.Block.Env = "other"
	if _, err := c.Acquire(t.Context(), have, want, claimOf("org/shop/1/1"), nil); err != nil {
		t.Fatal(err)
	}
	_, now, err := cycle(t.Context(), c, want, plan.Policy{Adopt: true})
	if err != nil || now.Block.Lease == nil || now.Block.Env != "other" {
		t.Errorf("%+v, %v", now.Block, err)
	}
}

// endAfter ends a context when a request of this method was answered.
type endAfter struct {
	http.RoundTripper
	method string
	end    func()
}

func (e endAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := e.RoundTripper.RoundTrip(r)
	if r.Method == e.method {
		e.end()
	}
	return res, err
}

// A run that is cancelled while it takes the lease leaves none behind: nobody else would
// know that there is one to give back.
func TestLeaseCancelledWhileTaken(t *testing.T) {
	l := newLab(t)
	_, have, want := leased(t, l)
	c := l.client()
	ctx, cancel := context.WithCancel(t.Context())
	base := &c.http.Transport.(*transport).base
	*base = endAfter{*base, http.MethodPut, cancel}
	lease, err := c.Acquire(ctx, have, want, claimOf("org/shop/1/1"), nil)
	if !errors.Is(err, context.Canceled) || lease != nil {
		t.Errorf("it has %v, %v", lease, err)
	}
	now, err := l.client().Observe(t.Context(), want)
	if err != nil || now.Block.Lease != nil || now.Block.Fence != have.Block.Fence+1 {
		t.Errorf("left behind: %+v, %v", now.Block, err)
	}
}

// keeper is a client that has the lease on a guest.
func keeper(t *testing.T, l *lab) (c *Client, have, want *machine.Guest, lease *Lease) {
	t.Helper()
	c, have, want = leased(t, l)
	lease, err := c.Acquire(t.Context(), have, want, claimOf("org/shop/1/1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, have, want, lease
}

// Renewals go on beside writes, for as long as the run takes; and the lease's end ends
// the context.
func TestLeaseKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newBubbledLab(t)
		c, have, want, lease := keeper(t, l)
		held, stop := lease.Keep(t.Context())
		defer stop()
		c.times = defaultTiming()
		l.backend.Slow(3 * time.Minute) // each restart is longer than the lease
		start, other := time.Now(), l.client()
		for _, server := range []string{"10.99.0.2", "10.99.0.3", "10.99.0.4"} {
			want.Config["nameserver"] = server
			c.Refresh()
			if _, _, err := cycle(held, c, want, plan.Policy{}); err != nil {
				t.Fatalf("after %s: %v", time.Since(start), err)
			}
			_, err := other.Acquire(t.Context(), have, want, claimOf("org/shop/2/1"), nil)
			if _, ok := errors.AsType[*LockedError](err); !ok {
				t.Fatalf("after %s another run gets it: %v", time.Since(start), err)
			}
		}
		if took := time.Since(start); took < 9*time.Minute {
			t.Errorf("the restarts took %s", took)
		}
		removed, err := other.Unlock(t.Context(), have)
		if err != nil || removed == nil || removed.Holder != "org/shop/1/1" {
			t.Fatalf("removed %+v, %v", removed, err)
		}
		unlocked := time.Now()
		<-held.Done()
		if lost, ok := errors.AsType[*LostError](context.Cause(held)); !ok || lost.By != "" || time.Since(unlocked) > time.Minute {
			t.Errorf("after %s the context ended with %v", time.Since(unlocked), context.Cause(held))
		}
	})
}

// A lease that cannot be renewed ends the work before anybody else may have it.
func TestLeaseExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _, lease := keeper(t, newBubbledLab(t))
		held, stop := lease.Keep(t.Context())
		defer stop()
		start, broken := time.Now(), errors.New("no route to host")
		c.http.Transport.(*transport).base = cut{broken}
		<-held.Done()
		took := time.Since(start)
		if _, ok := errors.AsType[*ExpiredError](context.Cause(held)); !ok || !errors.Is(context.Cause(held), broken) {
			t.Errorf("the context ended with %v", context.Cause(held))
		}
		if ttl := lease.claim.TTL; took < ttl || took > ttl+grace {
			t.Errorf("the context ended after %s", took)
		}
	})
}

// cut is a network that has no way.
type cut struct{ err error }

func (c cut) RoundTrip(*http.Request) (*http.Response, error) { return nil, c.err }

// A person's edit in Proxmox's user interface at the same time loses nothing.
func TestLeaseBesidePeople(t *testing.T) {
	l := newLab(t)
	c, have, want, lease := keeper(t, l)
	now, d, err := c.readOnce(t.Context(), have)
	if err != nil {
		t.Fatal(err)
	}
	d.before = "# Ours\n"
	text := params{"description": d.String(), "digest": now.Digest}
	if err := c.call(t.Context(), "PUT", guestPath(have)+"/config", text, nil); err != nil {
		t.Fatal(err)
	}
	if err := lease.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, err = c.Observe(t.Context(), want); err != nil || now.Notes != "# Ours" || now.Block.Lease == nil {
		t.Errorf("%+v, %v", now, err)
	}
}

// Nothing is written to a guest that is not ours.
func TestUnlockOfForeignGuest(t *testing.T) {
	l := newLab(t)
	l.makeCT("200", "mail", "name=eth0,bridge=vmbr0", params{"description": "theirs"})
	c := l.client()
	g, err := c.Observe(t.Context(), &machine.Guest{Kind: machine.LXC, VMID: 200})
	if err != nil {
		t.Fatal(err)
	}
	removed, err := c.Unlock(t.Context(), g)
	if removed != nil || err != nil {
		t.Errorf("%v, %v", removed, err)
	}
	if _, err := c.record(t.Context(), g, func(b *machine.Block) { b.HostKeys = []string{"SHA256:x"} }); err != nil {
		t.Error(err)
	}
	if now, err := c.Observe(t.Context(), g); err != nil || now.Digest != g.Digest || now.Block != nil {
		t.Errorf("%+v, %v", now, err)
	}
}
