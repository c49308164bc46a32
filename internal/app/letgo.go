package app

import (
	"context"
	"errors"

	"github.com/org/appstack-action/internal/resolve"
)

// LetGo gives back the leases that this run still holds: for the action's post step,
// after a run that was killed. Nobody has to wait then until they expire.
func (r *Run) LetGo(ctx context.Context) error {
	spec, err := r.loadStack(ctx)
	if err != nil {
		return err
	}
	sel, err := resolve.Select(spec, r.Event, r.Request)
	if err != nil || len(sel.Envs) == 0 || sel.Command == "validate" || sel.Command == "inventory" {
		return err
	}
	sel.Command = "unlock" // what it deploys does not matter any more
	keys, err := r.openSecrets(ctx, spec, sel)
	if err != nil {
		return err
	}
	targets, err := r.targets(ctx, spec, sel, keys)
	if err != nil {
		return err
	}
	reach, err := r.reach(ctx, targets)
	if err != nil {
		return err
	}
	defer reach.close()
	var errs []error
	for _, t := range targets {
		s := r.newSession(sel.Command, reach, t)
		errs = append(errs, s.letGo(ctx))
		s.show.Close()
	}
	return errors.Join(errs...)
}

// letGo gives back the lease if it is this run's: its holder may take it once more.
func (s *session) letGo(ctx context.Context) error {
	g, err := s.reach.proxmox.Observe(ctx, s.target.Want.Guest)
	if err != nil || g == nil || g.Block == nil || g.Block.Lease == nil || g.Block.Lease.Holder != s.run.Holder {
		return err
	}
	lease, err := s.reach.proxmox.Acquire(ctx, g, s.target.Want.Guest, s.claim(0), s)
	if err != nil {
		return err
	}
	s.show.Say(s.target.Name + " was left locked by this run; it is free now")
	return lease.Release(ctx)
}
