package app

import (
	"cmp"
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/ssh"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/internal/vault"
)

// Run is one run of the program: what is asked for, and who hears of it. The zero
// values of all that is optional do what a person at a terminal expects.
type Run struct {
	Source  Source          // where the stack file and the secrets are
	Stack   string          // path of the stack file
	Keys    []vault.Source  // age identities; none: the secrets stay closed
	Event   event.Event     // what happened on GitHub; zero: a person asks
	Request resolve.Request // what is asked for beyond it

	Policy          plan.Policy
	Overrides       pve.Overrides // guards that are not to stop the run
	TrustOnFirstUse bool          // take an adopted guest's host key as it comes
	Parallel        int           // environments at a time; 0: one

	Holder     string        // of leases: who runs this
	LockWait   time.Duration // how long to wait for another run; 0: what the stack file says
	RunURL     string        // page of the workflow run
	Repository string        // the workflow's, owner/name
	ServerURL  string        // https://github.com
	CloneURL   string        // where it is cloned from
	Token      secret.Value

	// Dump is what the command restore puts back: a file here, or else one on the guest.
	Dump string
	// Dialer opens connections where no jump host does; nil: from here.
	Dialer ssh.Dialer
	// Commit returns the commit that a branch, tag or shortened commit names.
	Commit func(ctx context.Context, ref string) (string, error)
	// Pushed returns the commit that a branch of the workflow's repository is at, for a run
	// without an event; nil: it is not known.
	Pushed func(ctx context.Context, branch string) (string, error)
	// RunOver tells whether a workflow run that holds a lease is over.
	RunOver func(ctx context.Context, run string) (bool, error)

	Hide      *secret.Redactor
	View      View
	Publisher Publisher // nil: nobody but the view
	Tell      func(diag.List)
	// Confirm asks before a guest is destroyed or a dump restored; nil: it was asked for elsewhere.
	Confirm func(target string) error
	Trace   func(what string, took time.Duration) // hears how long calls and steps took

	Selected []*stack.Env // set by Do: the environments that it is about

	read      time.Duration     // what it took to know what is wanted
	notPushed map[string]string // by branch, why Pushed does not know
}

// View shows a run while it goes on.
type View interface {
	// Open begins the show of one environment.
	Open(target string) Show
}

// Show is one environment's part of a [View].
type Show interface {
	plan.Progress
	Stage(name string) // another stage begins
	Say(text string)   // lines of ours
	// Conclude ends the last stage and says what became of the environment.
	Conclude(text string)
	Close()
}

// Publisher reports to where people look: the pull request, the deployments.
// It never fails a run: what it cannot do becomes a warning of the report.
type Publisher interface {
	Publish(ctx context.Context, r *report.Report)
}

// Do runs. It returns what became of each environment, also when some failed, and
// an error where it did not come to that.
func (r *Run) Do(ctx context.Context) ([]report.Report, error) {
	began := time.Now()
	spec, err := r.loadStack(ctx) // every diagnostic at once
	if err != nil {
		return nil, r.unlessDeleted(err)
	}
	sel, err := resolve.Select(spec, r.Event, r.Request) // which command, which environments, which commit
	if err != nil {
		return nil, err
	}
	r.Selected = sel.Envs
	r.LockWait = cmp.Or(r.LockWait, spec.LockWait)
	if sel.Command == "validate" || sel.Command == "inventory" || len(sel.Envs) == 0 {
		return r.onlyChecked(ctx, spec, sel)
	}
	if err := r.asked(ctx, &sel); err != nil { // a branch or tag, perhaps
		return nil, err
	}
	keys, err := r.openSecrets(ctx, spec, sel) // values join the redactor before anything else is logged
	if err != nil {
		return nil, err
	}
	targets, err := r.targets(ctx, spec, sel, keys) // what is wanted of each
	if err != nil {
		return nil, err
	}
	reach, err := r.reach(ctx, targets) // Proxmox, perhaps through the jump host
	if err != nil {
		return nil, err
	}
	defer reach.close()
	work, err := r.command(sel.Command) // observe, plan, apply
	if err != nil {
		return nil, err
	}
	r.read = time.Since(began)
	return r.each(targets, func(t resolve.Target) report.Report {
		return r.one(ctx, sel.Command, reach, t, work)
	}), nil
}

// each works on the targets, some at a time; one failure does not stop the others.
func (r *Run) each(targets []resolve.Target, work func(resolve.Target) report.Report) []report.Report {
	reports := make([]report.Report, len(targets))
	var group errgroup.Group
	group.SetLimit(max(r.Parallel, 1))
	for i, t := range targets {
		group.Go(func() error {
			reports[i] = work(t)
			return nil
		})
	}
	_ = group.Wait() // the failures are in the reports
	return reports
}

// one works on one target and reports, also after failure and cancel.
func (r *Run) one(ctx context.Context, command string, reach *reach, t resolve.Target, work worker) report.Report {
	s := r.newSession(command, reach, t)
	defer s.show.Close()
	defer s.disconnect()
	err := work(ctx, s)
	s.finish(ctx, err)
	return s.report
}
