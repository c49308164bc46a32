package app

import (
	"context"
	"os"
	"path/filepath"

	"github.com/org/appstack-action/internal/guest"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
)

// restore puts a dump in the place of the app's database.
func restore(ctx context.Context, s *session) error {
	s.stage("restore")
	have, conn, err := s.enter(ctx)
	if err != nil {
		return err
	}
	if len(s.target.Want.OS.Databases) == 0 {
		return &UsageError{s.target.Name + " has no database"}
	}
	if s.run.Confirm != nil {
		if err := s.run.Confirm(s.target.Name); err != nil {
			return err
		}
	}
	ctx, release, err := s.hold(ctx, have.Guest)
	if err != nil {
		return err
	}
	defer release()
	dump, err := s.dump(ctx, conn)
	if err != nil {
		return err
	}
	s.report.Plan.Steps = []plan.Step{{
		Verb: plan.Restore, Resource: plan.Resource{Kind: "dump", Name: dump}, Cause: "asked for", Effect: plan.Restarts,
	}}
	if err := conn.Apply(ctx, s.report.Plan.Steps, have.OS, s.target.Want.OS, s); err != nil {
		return err
	}
	s.report.Status = report.Live
	return nil
}

// dump returns the dump that was asked for as the guest knows it. One that is a file
// here is sent.
func (s *session) dump(ctx context.Context, conn *guest.Conn) (string, error) {
	name := s.run.Dump
	if name == "" {
		return "", &UsageError{"which dump is to be restored?"}
	}
	local := name
	if !filepath.IsAbs(local) {
		local = filepath.Join(s.run.Source.Dir, local)
	}
	if info, err := os.Stat(local); err != nil || !info.Mode().IsRegular() {
		return name, nil
	}
	s.show.Say("sending " + local)
	return conn.Send(ctx, local, s)
}
