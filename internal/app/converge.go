package app

import (
	"context"
	"slices"

	"github.com/org/appstack-action/internal/apply"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/report"
)

// converge makes the environment what the stack says. Where another run created or
// destroyed the guest before this one had its lease, it plans anew.
func converge(ctx context.Context, s *session) error {
	for try := 1; ; try++ {
		have, todo, err := s.look(ctx)
		if err != nil {
			return err
		}
		if todo.Empty() && !todo.Partial {
			return s.unchanged(ctx, have.Guest)
		}
		err = s.change(ctx, have, todo)
		if err == nil || try == 3 || !s.overtaken(ctx, have.Guest, err) {
			return err
		}
		s.report.Done = nil
		s.disconnect() // from a guest that may be another now
	}
}

// look observes and plans.
func (s *session) look(ctx context.Context) (have machine.State, todo plan.Plan, err error) {
	if have, err = s.observe(ctx); err != nil {
		return have, todo, err
	}
	return have, s.plan(have), nil
}

// unchanged ends a run that has nothing to do.
func (s *session) unchanged(ctx context.Context, g *machine.Guest) error {
	if err := s.arrived(ctx, g); err != nil {
		return err
	}
	s.sweep(ctx, g)
	s.report.Status = report.Unchanged
	return nil
}

// change holds the lease and takes the plan's steps. Where somebody else held the lease
// since the plan was made, it is made and guarded again.
func (s *session) change(ctx context.Context, have machine.State, todo plan.Plan) error {
	if err := s.guards(ctx, have); err != nil {
		return err
	}
	held, release, err := s.hold(ctx, have.Guest)
	if err != nil {
		return err
	}
	defer release()
	if s.late { // what was seen is not what is there
		s.reach.proxmox.Refresh()
		if have, todo, err = s.look(held); err != nil {
			return err
		}
		if todo.Empty() && !todo.Partial {
			s.report.Status = report.Unchanged
			return s.arrived(held, have.Guest)
		}
		if err := s.guards(held, have); err != nil {
			return err
		}
	}
	return s.apply(held, have, todo)
}

// apply takes the plan's steps under the lease.
func (s *session) apply(ctx context.Context, have machine.State, todo plan.Plan) error {
	s.publish(ctx, report.Deploying)
	progress := &staged{session: s}
	if len(todo.Steps) > 0 {
		progress.enter(stageOf(todo.Steps[0]))
	}
	done, err := apply.Run(ctx, apply.Job{
		Plan: todo, Have: have, Want: s.target.Want, Policy: s.target.Policy, Hypervisor: s.reach.proxmox,
		Connect: func(ctx context.Context, g *machine.Guest) (apply.Guest, error) {
			conn, err := s.connect(ctx, g)
			if todo.Partial && err == nil {
				progress.enter("observe") // the rest of it: nobody could look inside before
			}
			return conn, err
		},
	}, progress)
	s.report.Plan = done
	if err != nil {
		s.serving(ctx)
		return err
	}
	if err := s.arrived(ctx, have.Guest); err != nil {
		return err
	}
	s.report.Status = report.Live
	if os := s.target.Want.OS; os != nil && os.Release != nil && os.Release.SHA != "" {
		s.report.Release = os.Release.SHA
	}
	return nil
}

// arrived ends what only provisions: one can log in then. A guest that the stack wants to
// be started by others is left to them.
func (s *session) arrived(ctx context.Context, had *machine.Guest) error {
	runs := s.target.Want.Guest.Running || had != nil && had.Running && !s.did(plan.Recreate)
	if s.target.Want.OS != nil || !runs || !s.fresh && !s.young {
		return nil
	}
	return s.waitSSH(ctx)
}

// overtaken tells whether a failure is due to what another run of this environment did
// since the guest was observed: it made the guest that this one was to make, destroyed
// it, or started it, so that its own address answers.
func (s *session) overtaken(ctx context.Context, had *machine.Guest, failure error) bool {
	if ctx.Err() != nil {
		return false
	}
	s.reach.proxmox.Refresh()
	now, err := s.reach.proxmox.Observe(ctx, s.target.Want.Guest)
	switch {
	case err != nil:
		return false
	case had == nil:
		return now != nil && now.Block.Owns(s.target.Want.Guest.Block) && !s.did(plan.Create)
	}
	return now == nil || is[*pve.FindingsError](failure) && now.Running != had.Running
}

// did tells whether this run took such a step of the guest's.
func (s *session) did(verb plan.Verb) bool {
	return slices.ContainsFunc(s.report.Done, func(d report.Done) bool {
		return d.Step.Verb == verb && d.Step.Resource.Kind == "guest" && d.Outcome.Err == nil
	})
}
