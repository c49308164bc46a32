// Package apply walks a plan: first its steps on the hypervisor, then those inside
// the guest. It decides nothing; what is to be done, and in which order, is the
// plan's.
//
// A guest that did not run could not be looked into when its plan was made. As soon
// as it runs it is observed, and planned for again by the same function.
package apply

import (
	"context"
	"fmt"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// Hypervisor takes the steps outside the guest.
type Hypervisor interface {
	// Apply takes the steps in order and returns the guest as it then is, after an
	// error as far as it is known.
	Apply(ctx context.Context, steps []plan.Step, have, want *machine.Guest, progress plan.Progress) (*machine.Guest, error)
}

// Guest is a connection to the running guest.
type Guest interface {
	// Observe looks at everything that want names, and changes nothing.
	Observe(ctx context.Context, want *machine.OS) (*machine.OS, error)
	// Apply takes the steps in order and stops at the first that fails.
	Apply(ctx context.Context, steps []plan.Step, have, want *machine.OS, progress plan.Progress) error
}

// Job is a plan with what it was made from and who carries it out.
type Job struct {
	Plan       plan.Plan
	Have, Want machine.State
	Policy     plan.Policy

	Hypervisor Hypervisor
	// Connect waits for the guest's SSH server and logs in.
	Connect func(ctx context.Context, g *machine.Guest) (Guest, error)
}

// A RefusedError is a plan that must not be applied.
type RefusedError struct{ Steps []plan.Step }

// Error returns one line, about the first of the steps.
func (e *RefusedError) Error() string {
	s := e.Steps[0]
	return fmt.Sprintf("refused to %s %s: %s", s.Verb, s.Resource, s.Cause)
}

// Hint tells what would allow it.
func (e *RefusedError) Hint() string { return e.Steps[0].Refused }

// Run applies the job's plan. It returns the plan as it was carried out: the same,
// or with the steps that were found when the guest could be looked into.
func Run(ctx context.Context, j Job, progress plan.Progress) (plan.Plan, error) {
	if refused := j.Plan.Refused(); len(refused) > 0 {
		return j.Plan, &RefusedError{refused}
	}
	var err error
	if steps := j.Plan.Hypervisor(); len(steps) > 0 {
		if j.Have.Guest, err = j.Hypervisor.Apply(ctx, steps, j.Have.Guest, j.Want.Guest, progress); err != nil {
			return j.Plan, err
		}
	}
	if j.Want.OS == nil || !j.Plan.Partial && len(j.Plan.Inside()) == 0 {
		return j.Plan, nil
	}
	return j.inside(ctx, progress)
}

// inside takes the steps inside the guest.
func (j *Job) inside(ctx context.Context, progress plan.Progress) (plan.Plan, error) {
	conn, err := j.Connect(ctx, j.Have.Guest)
	if err != nil {
		return j.Plan, err
	}
	todo := j.Plan
	if j.Plan.Partial {
		if j.Have.OS, err = conn.Observe(ctx, j.Want.OS); err != nil {
			return j.Plan, err
		}
		todo = j.Plan.Continue(plan.Diff(j.Plan.Target, machine.State{OS: j.Have.OS}, machine.State{OS: j.Want.OS}, j.Policy))
		if refused := todo.Refused(); len(refused) > 0 {
			return todo, &RefusedError{refused}
		}
	}
	if len(todo.Inside()) == 0 {
		return todo, nil
	}
	return todo, conn.Apply(ctx, todo.Inside(), j.Have.OS, j.Want.OS, progress)
}
