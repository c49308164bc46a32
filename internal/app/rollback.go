package app

import (
	"cmp"
	"context"

	"github.com/org/appstack-action/internal/guest"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
)

// rollback makes an earlier release serve: the one asked for, or the one before. The
// other half of the stack, the guest and its configuration, stays as it is.
func rollback(ctx context.Context, s *session) error {
	s.stage("rollback")
	have, conn, err := s.enter(ctx)
	if err != nil {
		return err
	}
	ctx, release, err := s.hold(ctx, have.Guest)
	if err != nil {
		return err
	}
	defer release()
	s.report.Plan.Steps = []plan.Step{{
		Verb: plan.Rollback, Resource: plan.Resource{Kind: "release", Name: cmp.Or(s.run.Request.Ref, "previous")},
		Cause: "asked for", Effect: plan.Restarts,
	}}
	s.publish(ctx, report.Deploying)
	err = conn.Apply(ctx, s.report.Plan.Steps, have.OS, s.target.Want.OS, s)
	s.serving(ctx)
	if err != nil {
		return err
	}
	s.report.Status = report.Live
	return nil
}

// enter observes a guest that has to run and to have the app, and connects to it.
func (s *session) enter(ctx context.Context) (machine.State, *guest.Conn, error) {
	s.inside = true
	have, err := s.observe(ctx)
	if err != nil {
		return have, nil, err
	}
	if s.target.Want.OS.Release == nil {
		return have, nil, &UsageError{s.target.Name + " has no app"}
	}
	conn, err := s.connect(ctx, have.Guest)
	return have, conn, err
}

// serving asks the guest which release serves after all that was done, or failed.
// What it cannot learn stays as it was known before.
func (s *session) serving(ctx context.Context) {
	if s.conn == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, servingWait)
	defer cancel()
	if app, err := s.conn.App(ctx); err == nil {
		s.report.Release = app.Current
	}
}
