package pve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// Claim says who wants a guest for itself, and how long to try.
type Claim struct {
	Holder string        // repository/run/attempt, or user@host
	URL    string        // the run's page
	TTL    time.Duration // how long the lease lasts without renewal; 0: five minutes
	Wait   time.Duration // how long to wait for another holder; 0: not at all
	// Finished tells whether a holder is known to have ended, for instance because
	// GitHub says that its run is completed; nil: nobody knows.
	Finished func(context.Context, machine.Lease) bool
}

// grace is how far the clocks of two runners may be apart before one takes the
// other's lease for expired.
const grace = 30 * time.Second

// Lease is a claim on a guest that this client holds. While it is held, the client
// writes to the guest only as long as nobody has taken the lease over.
type Lease struct {
	Fence int64 // greater than that of every lease of the guest before

	client *Client
	guest  machine.Guest // its place
	claim  Claim

	mu    sync.Mutex // guards nonce and guest
	nonce string
	sent  bool // it was written, or may have been
	// written is false while the guest's creation, or its adoption, is to write it.
	written atomic.Bool
}

// LockedError says that somebody else works on the guest.
type LockedError struct {
	VMID  int
	Lease machine.Lease
}

func (e *LockedError) Error() string {
	where := ""
	if e.Lease.URL != "" {
		where = " (" + e.Lease.URL + ")"
	}
	return fmt.Sprintf("cannot have guest %d: %s%s works on it, until %s at the latest", e.VMID, e.Lease.Holder, where,
		e.Lease.Expires.UTC().Format(time.RFC3339))
}

// Hint says what to do about a lease that was left behind.
func (e *LockedError) Hint() string {
	return "wait for it, with a longer `lock_wait:` in the stack file if need be; if that run is dead, the lease expires by itself, and `appstack unlock` removes it now"
}

// LostError says that somebody else took the lease over, or removed it.
type LostError struct {
	VMID int
	By   string // the new holder; empty: nobody
}

func (e *LostError) Error() string {
	if e.By == "" {
		return fmt.Sprintf("cannot go on with guest %d: its lease was removed", e.VMID)
	}
	return fmt.Sprintf("cannot go on with guest %d: %s took its lease over", e.VMID, e.By)
}

// ExpiredError says that the lease expired because Proxmox could not be reached to renew it.
// Another run may have it by now.
type ExpiredError struct {
	VMID int
	Err  error
}

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("cannot go on with guest %d: its lease expired: %v", e.VMID, e.Err)
}

func (e *ExpiredError) Unwrap() error { return e.Err }

// Acquire takes the lease on a guest by compare-and-swap on its configuration's
// digest. have is the guest as observed; where it is nil or not ours yet, its
// creation or adoption with want will carry the claim.
//
// A lease that expired, whose holder has finished, or that is the same holder's, is
// taken over. Otherwise the error after the wait is a [LockedError].
func (c *Client) Acquire(ctx context.Context, have, want *machine.Guest, claim Claim, progress plan.Progress) (*Lease, error) {
	if claim.TTL == 0 {
		claim.TTL = 5 * time.Minute
	}
	ctx = withProgress(ctx, progress)
	l := &Lease{client: c, guest: *want, claim: claim, nonce: rand.Text(), Fence: 1}
	if have == nil || !have.Block.Owns(want.Block) {
		if have != nil && have.Block != nil {
			l.Fence = have.Block.Fence + 1
		}
		c.hold(l)
		return l, nil
	}
	l.guest = *have
	start := time.Now()
	for {
		err := l.take(ctx)
		if err == nil {
			c.hold(l)
			return l, nil
		}
		locked, ok := errors.AsType[*LockedError](err)
		if !ok {
			l.giveUp(ctx)
			return nil, err
		}
		progressOf(ctx).Wait("the lease that "+locked.Lease.Holder+" holds on "+describe(have), time.Since(start))
		if time.Since(start) >= claim.Wait {
			return nil, locked
		}
		if sleep(ctx, min(25*c.times.backoff, claim.Wait)) != nil {
			return nil, locked
		}
	}
}

func (c *Client) hold(l *Lease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fences[l.guest.VMID] = l
}

// giveUp takes back what may have been written although taking the lease failed, for
// instance because ctx ended meanwhile: nobody else knows that it is there.
func (l *Lease) giveUp(ctx context.Context) {
	if !l.sent {
		return
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	l.written.Store(true)
	_ = l.Release(after) // or else it expires
}

// take writes the lease unless somebody else holds it.
func (l *Lease) take(ctx context.Context) error {
	_, err := l.client.update(ctx, &l.guest, change{block: func(b *machine.Block) error {
		if b.Lease != nil && b.Lease.Nonce == l.nonce {
			return nil // the answer to our own write got lost
		}
		if held := b.Lease; held != nil && !l.mayTakeOver(ctx, *held) {
			return &LockedError{VMID: l.guest.VMID, Lease: *held}
		}
		b.Fence++
		l.sent, l.Fence, b.Lease = true, b.Fence, l.lease()
		return nil
	}})
	l.written.Store(err == nil)
	return err
}

func (l *Lease) mayTakeOver(ctx context.Context, held machine.Lease) bool {
	return held.Holder == l.claim.Holder || time.Now().After(held.Expires.Add(grace)) ||
		l.claim.Finished != nil && l.claim.Finished(ctx, held)
}

// lease is what the block says. Its nonce is new at each write: the same text would
// have the same digest again.
func (l *Lease) lease() *machine.Lease {
	return &machine.Lease{Holder: l.claim.Holder, URL: l.claim.URL, Nonce: l.nonce,
		Expires: time.Now().Add(l.claim.TTL).UTC().Truncate(time.Second)}
}

// Renew puts the lease's expiry off. The error is a [LostError] if it is not held any
// more.
func (l *Lease) Renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.written.Load() {
		return nil
	}
	next := rand.Text()
	_, err := l.client.update(ctx, &l.guest, change{block: func(b *machine.Block) error {
		if err := l.lost(b); err != nil {
			return err
		}
		if b.Lease.Nonce != next {
			l.nonce = next
			b.Lease = l.lease()
		}
		return nil
	}})
	return err
}

// Keep renews the lease until stop is called. The returned context ends when the
// lease is lost or expires; its cause is then a [LostError] or an [ExpiredError].
func (l *Lease) Keep(ctx context.Context) (held context.Context, stop func()) {
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		expires := time.Now().Add(l.claim.TTL)
		for sleep(held, l.claim.pause(expires)) == nil {
			began := time.Now()
			err := l.Renew(held)
			lost, isLost := errors.AsType[*LostError](err)
			switch {
			case err == nil:
				expires = began.Add(l.claim.TTL)
			case isLost:
				cancel(lost)
			case outOfReach(err) && !time.Now().Before(expires):
				cancel(&ExpiredError{l.guest.VMID, err})
			} // while a task or a backup has the guest locked, nobody can take the lease over
		}
	}()
	return held, func() {
		cancel(nil)
		<-done
	}
}

// pause is how long to wait with the next renewal: until the lease expires, if that is soon.
func (c Claim) pause(expires time.Time) time.Duration {
	if left := time.Until(expires); left > 0 {
		return min(c.TTL/3, left)
	}
	return c.TTL / 3
}

// outOfReach tells whether Proxmox did not answer.
func outOfReach(err error) bool {
	_, unreachable := errors.AsType[*UnreachableError](err)
	e := asError(err)
	return unreachable || e != nil && e.Status == 0
}

// Release gives the lease back. One that was lost, or whose guest is gone, is no
// error. Where the run was cancelled, ctx must be another one.
func (l *Lease) Release(ctx context.Context) error {
	c := l.client
	c.mu.Lock()
	if c.fences[l.guest.VMID] == l {
		delete(c.fences, l.guest.VMID)
	}
	c.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.written.Load() {
		return nil
	}
	_, err := c.update(ctx, &l.guest, change{block: func(b *machine.Block) error {
		if l.lost(b) == nil {
			b.Lease = nil
		}
		return nil
	}})
	if c.vanished(ctx, l.guest.VMID, err) {
		return nil
	}
	return err
}

// Unlock removes whatever lease is on a guest, and returns it; nil: there was none.
// Its holder cannot write to the guest any more.
func (c *Client) Unlock(ctx context.Context, g *machine.Guest) (*machine.Lease, error) {
	var removed *machine.Lease
	_, err := c.update(ctx, g, change{block: func(b *machine.Block) error {
		if b.Lease != nil {
			removed, b.Lease = b.Lease, nil
			b.Fence++
		}
		return nil
	}})
	return removed, err
}

// lost tells whether a block no longer has this lease.
func (l *Lease) lost(b *machine.Block) error {
	switch {
	case b == nil || b.Lease == nil:
		return &LostError{VMID: l.guest.VMID}
	case b.Fence != l.Fence || b.Lease.Holder != l.claim.Holder:
		return &LostError{VMID: l.guest.VMID, By: b.Lease.Holder}
	}
	return nil
}

// held returns the lease on a guest that this client holds and has written, or nil.
func (c *Client) held(vmid int) *Lease {
	if l := c.fence(vmid); l != nil && l.written.Load() {
		return l
	}
	return nil
}

// fenced refuses a write to a guest whose lease somebody else has taken over.
func (c *Client) fenced(g *machine.Guest) error {
	if l := c.held(g.VMID); l != nil {
		return l.lost(g.Block)
	}
	return nil
}

// fencedNow is fenced for a write that carries no digest: it reads the guest first.
func (c *Client) fencedNow(ctx context.Context, g *machine.Guest) error {
	if c.held(g.VMID) == nil {
		return nil
	}
	now, _, err := c.readOnce(ctx, g)
	if err != nil {
		return err
	}
	return c.fenced(now)
}

// claim puts the lease that is held for a guest into the block of its creation or
// adoption; claimed says that this has been written.
func (c *Client) claim(g *machine.Guest, b *machine.Block) {
	l := c.fence(g.VMID)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.guest.Node, l.guest.Kind = g.Node, g.Kind
	l.Fence = max(l.Fence, b.Fence)
	b.Fence, b.Lease = l.Fence, l.lease()
}

func (c *Client) claimed(vmid int) {
	if l := c.fence(vmid); l != nil {
		l.written.Store(true)
	}
}

// fence returns the lease that this client has on a guest, or nil.
func (c *Client) fence(vmid int) *Lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fences[vmid]
}
