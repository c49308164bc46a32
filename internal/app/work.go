package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/report"
)

// worker is what a command does for one environment.
type worker func(context.Context, *session) error

// command returns the worker of a command.
func (r *Run) command(name string) (worker, error) {
	workers := map[string]worker{
		"apply":     withSource(converge),
		"provision": onlyGuest(converge),
		"configure": onlyInside(withSource(converge)),
		"plan":      withSource(planOnly),
		"status":    withSource(status),
		"destroy":   destroy,
		"rollback":  rollback,
		"restore":   restore,
		"unlock":    unlock,
	}
	work, ok := workers[name]
	if !ok {
		return nil, &UsageError{fmt.Sprintf("there is no command %q", name)}
	}
	return work, nil
}

// onlyGuest leaves the inside of the guest alone.
func onlyGuest(work worker) worker {
	return func(ctx context.Context, s *session) error {
		s.target.Want.OS = nil
		return work(ctx, s)
	}
}

// onlyInside leaves the hypervisor alone; the guest must be there.
func onlyInside(work worker) worker {
	return func(ctx context.Context, s *session) error {
		s.inside = true
		return work(ctx, s)
	}
}

// planOnly is converge with the writes off.
func planOnly(ctx context.Context, s *session) error {
	have, err := s.observe(ctx)
	if err != nil {
		return err
	}
	s.plan(have)
	return s.guards(ctx, have)
}

// observe looks at the guest on Proxmox and, if it runs, inside it.
func (s *session) observe(ctx context.Context) (machine.State, error) {
	s.stage("observe")
	var have machine.State
	var err error
	want := s.target.Want
	if have.Guest, err = s.reach.proxmox.Observe(ctx, want.Guest); err != nil {
		return have, err
	}
	s.seen(have.Guest)
	if s.inside && (have.Guest == nil || !have.Guest.Running) {
		return have, &UsageError{s.target.Name + " has no running guest to configure; `provision` or `apply` makes one"}
	}
	if have.Guest == nil {
		return have, s.reach.proxmox.Place(ctx, want.Guest)
	}
	if want.OS == nil || !have.Guest.Running || have.Guest.Block == nil && !s.target.Policy.Adopt {
		return have, nil
	}
	conn, err := s.connect(ctx, have.Guest)
	if err != nil {
		return have, err
	}
	defer s.timed("observe the guest")()
	have.OS, err = conn.Observe(ctx, want.OS)
	if err == nil && have.OS.Release != nil {
		s.report.Release = have.OS.Release.SHA
	}
	return have, err
}

// seen notes where the guest is.
func (s *session) seen(g *machine.Guest) {
	if g == nil {
		s.fresh = true
		return
	}
	// Whoever holds the lease, and may have died, may have started it a moment ago.
	s.fresh = !g.Running || g.Block != nil && g.Block.Lease != nil
	s.young = g.Running && g.Uptime < sshWait
	s.report.Node = g.Node
}

// plan compares and shows what is to be done.
func (s *session) plan(have machine.State) plan.Plan {
	want := s.target.Want
	if s.inside {
		want.Guest = nil
	}
	todo := plan.Diff(s.target.Name, have, want, s.target.Policy)
	s.report.Plan = todo
	if s.report.Node == "" {
		s.report.Node = s.target.Want.Guest.Node
	}
	s.show.Say(todo.String())
	return todo
}

// guards looks for what a change of the guest would harm, before the first one.
func (s *session) guards(ctx context.Context, have machine.State) error {
	if s.inside {
		return nil
	}
	findings, err := s.reach.proxmox.Check(ctx, s.report.Plan.Steps, have.Guest, s.target.Want.Guest, s.run.Overrides)
	if err != nil {
		return err
	}
	for _, f := range findings {
		switch {
		case f.Overridden:
			addOnce(&s.report.Overrides, f.Guard+": "+f.Summary)
		case !f.Blocks:
			addOnce(&s.report.Warnings, f.Summary)
		}
	}
	return pve.Veto(findings)
}

// addOnce adds what a second look may find again.
func addOnce(list *[]string, text string) {
	if !slices.Contains(*list, text) {
		*list = append(*list, text)
	}
}

// destroy removes the guest, if it is ours and not protected.
func destroy(ctx context.Context, s *session) error {
	s.stage("destroy")
	if s.target.Protected {
		return &UsageError{s.target.Name + " is protected: take `protected: true` out of the stack file first"}
	}
	g, err := s.reach.proxmox.Observe(ctx, s.target.Want.Guest)
	if err != nil {
		return err
	}
	s.report.URL = ""
	if g == nil {
		s.report.Status = report.Destroyed
		return nil
	}
	if s.run.Confirm != nil {
		if err := s.run.Confirm(s.target.Name); err != nil {
			return err
		}
	}
	ctx, release, err := s.hold(ctx, g)
	if err != nil {
		return err
	}
	defer release()
	step := plan.Step{
		Verb: plan.Destroy, Resource: plan.Resource{Kind: "guest", Name: fmt.Sprint(g.VMID)}, Cause: "asked for", Effect: plan.Destroys,
	}
	s.report.Plan.Steps = []plan.Step{step}
	s.Begin(step)
	began := time.Now()
	err = s.reach.proxmox.Destroy(ctx, g, s.target.Want.Guest.Block, s)
	s.End(step, plan.Outcome{Took: time.Since(began), Err: err})
	if err != nil {
		return err
	}
	s.report.Status = report.Destroyed
	return nil
}

// status tells what is there, and changes nothing.
func status(ctx context.Context, s *session) error {
	have, err := s.observe(ctx)
	if err != nil {
		return err
	}
	s.report.Plan = plan.Diff(s.target.Name, have, s.target.Want, s.target.Policy)
	s.report.Status = report.Planned
	if s.report.Plan.Empty() {
		s.report.Status = report.Unchanged
	}
	s.show.Say(s.report.Plan.String())
	s.report.Guest = guestState(have.Guest)
	if s.conn != nil {
		s.report.App, err = s.conn.App(ctx)
	}
	return err
}

func guestState(g *machine.Guest) string {
	switch {
	case g == nil:
		return "absent"
	case g.Running:
		return "running"
	}
	return "stopped"
}
