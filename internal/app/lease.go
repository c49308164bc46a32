package app

import (
	"context"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/report"
)

// hold takes the lease on the environment's guest, and keeps it until release is
// called. The returned context ends when the lease is lost.
func (s *session) hold(ctx context.Context, have *machine.Guest) (held context.Context, release func(), err error) {
	lease, err := s.reach.proxmox.Acquire(ctx, have, s.target.Want.Guest, s.claim(s.run.LockWait), s)
	if err != nil {
		return ctx, nil, err
	}
	s.late = have != nil && have.Block != nil && (have.Block.Lease != nil || lease.Fence > have.Block.Fence+1)
	held, stop := lease.Keep(ctx)
	return held, func() {
		stop()
		after, cancel := afterwards(ctx, 30*time.Second)
		defer cancel()
		if err := lease.Release(after); err != nil {
			s.report.Warnings = append(s.report.Warnings, "the lease could not be given back; it expires by itself: "+err.Error())
		}
	}, nil
}

func (s *session) claim(wait time.Duration) pve.Claim {
	return pve.Claim{Holder: s.run.Holder, URL: s.run.RunURL, Wait: wait, Finished: s.run.finished}
}

// sweep gives back the lease of a run that died when all its work was done: where
// nothing is left to do, nobody else takes it over.
func (s *session) sweep(ctx context.Context, g *machine.Guest) {
	if g == nil || g.Block == nil || g.Block.Lease == nil {
		return
	}
	if left := *g.Block.Lease; time.Now().Before(left.Expires) && !s.run.finished(ctx, left) {
		return
	}
	lease, err := s.reach.proxmox.Acquire(ctx, g, s.target.Want.Guest, s.claim(0), s)
	if err == nil {
		err = lease.Release(ctx)
	}
	if err != nil {
		s.report.Warnings = append(s.report.Warnings, "the lease of a run that is over could not be removed: "+err.Error())
	}
}

// finished tells whether a lease's holder is a workflow run that GitHub says is over.
func (r *Run) finished(ctx context.Context, l machine.Lease) bool {
	run := strings.Split(l.Holder, "/") // owner/name/run/attempt
	if r.RunOver == nil || len(run) != 4 || run[0]+"/"+run[1] != r.Repository {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	over, err := r.RunOver(ctx, run[2])
	return err == nil && over
}

// unlock takes the lease away from whoever holds it.
func unlock(ctx context.Context, s *session) error {
	s.stage("unlock")
	g, err := s.reach.proxmox.Observe(ctx, s.target.Want.Guest)
	if err != nil {
		return err
	}
	s.report.Status = report.Unchanged
	if g == nil {
		return nil
	}
	if !g.Block.Owns(s.target.Want.Guest.Block) {
		return &pve.OwnerError{VMID: g.VMID}
	}
	old, err := s.reach.proxmox.Unlock(ctx, g)
	if err != nil {
		return err
	}
	if old == nil {
		s.show.Say(s.target.Name + " was not locked")
		return nil
	}
	s.show.Say(s.target.Name + " was locked by " + old.Holder + "; it is free now")
	return nil
}
