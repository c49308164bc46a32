package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"

	"github.com/org/appstack-action/internal/apply"
	"github.com/org/appstack-action/internal/github"
	"github.com/org/appstack-action/internal/guest"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/ssh"
	"github.com/org/appstack-action/internal/vault"
)

// Exit codes of deploy_app.sh.
const (
	exitLocked    = 3
	exitBuild     = 4
	exitMigration = 5
	exitUnhealthy = 6
	exitRolled    = 7
)

// Reason returns the kind of a failure.
func Reason(err error) report.Reason {
	for _, k := range kinds {
		if k.is(err) {
			return k.reason
		}
	}
	return report.Internal
}

// kinds are tried in order: what stopped the run comes before what it broke.
var kinds = []struct {
	is     func(error) bool
	reason report.Reason
}{
	{is[*StackError], report.BadStack},
	{is[*NoStackError], report.BadStack},
	{is[*vault.Problem], report.BadSecrets},
	{is[*vault.NoMatchError], report.BadSecrets},
	{is[*resolve.ForkError], report.Fork},
	{is[*resolve.MissingError], report.BadInput},
	{is[*UsageError], report.BadInput},
	{is[*TreeError], report.BadInput},
	{is[*pve.LostError], report.Locked},         // ends the work's context, too
	{is[*pve.ExpiredError], report.Unreachable}, // as does this
	{func(err error) bool { return errors.Is(err, context.Canceled) }, report.WasCancelled},
	{is[*pve.LockedError], report.Locked},
	{is[*guest.BusyError], report.Locked},
	{is[*pve.FindingsError], report.Guarded},
	{is[*pve.OwnerError], report.Guarded},
	{is[*pve.HiddenError], report.Guarded},
	{is[*pve.ProtectedError], report.Refused},
	{is[*apply.RefusedError], report.Refused},
	{is[*ssh.HostKeyError], report.HostKey},
	{is[*pve.CertificateError], report.HostKey},
	{is[*ssh.AuthError], report.Denied},
	{is[*guest.SudoError], report.Denied},
	{deniedByProxmox, report.Denied},
	{is[*github.PermissionError], report.Denied},
	{refusedByGitHub, report.BadInput},
	{is[*github.CallError], report.Unreachable},
	{unanswered, report.Unreachable},
	{is[*pve.UnreachableError], report.Unreachable},
	{is[*pve.NoSSHError], report.Unreachable},
	{is[*ssh.UnreachableError], report.Unreachable},
	{is[*ssh.DeadError], report.Unreachable},
	{is[*guest.LostError], report.Unreachable},
	{is[*guest.SlowError], report.Unreachable},
	// A connection that does not come about in time is no end of the run's time.
	{func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }, report.TimedOut},
	{exits(exitLocked), report.Locked},
	{exits(exitBuild), report.BuildFailed},
	{exits(exitMigration), report.MigrateFailed},
	{exits(exitUnhealthy), report.Unhealthy},
	{exits(exitRolled), report.Unhealthy},
	{is[*guest.StepError], report.ConfigureError},
	{is[*guest.LockoutError], report.ConfigureError},
	{is[*pve.TaskError], report.ProxmoxFailed},
	{is[*pve.ConflictError], report.ProxmoxFailed},
	{is[*pve.Error], report.ProxmoxFailed},
}

// is tells whether there is an error of type E in the chain.
func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// exits tells whether the deploy script ended with this code.
func exits(code int) func(error) bool {
	return func(err error) bool {
		var step *guest.StepError
		return errors.As(err, &step) && step.Step.Resource.Kind == "release" && step.Code == code
	}
}

func deniedByProxmox(err error) bool {
	var e *pve.Error
	return errors.As(err, &e) && (e.Status == 401 || e.Status == 403)
}

// refusedByGitHub tells whether GitHub found what was asked for wrong, as a commit that
// is not there.
func refusedByGitHub(err error) bool {
	var e *github.CallError
	return errors.As(err, &e) && e.Status == http.StatusUnprocessableEntity
}

// unanswered tells whether a connection to Proxmox came about and no answer did.
func unanswered(err error) bool {
	var e *pve.Error
	return errors.As(err, &e) && e.Status == 0
}

// Hint returns what the error advises, or "": the outermost in the chain that knows
// something.
func Hint(err error) string {
	for err != nil {
		var hinted interface {
			error
			Hint() string
		}
		if !errors.As(err, &hinted) {
			return ""
		}
		if hint := hinted.Hint(); hint != "" {
			return hint
		}
		err = errors.Unwrap(hinted)
	}
	return ""
}

// A UsageError is a command that does not fit what it is asked for.
type UsageError struct{ Text string }

// Error returns one line.
func (e *UsageError) Error() string { return e.Text }

// fail writes an error into the report and returns the status that it means. ctx is
// the run's: if it is over, what failed was only interrupted.
func (s *session) fail(ctx context.Context, err error) report.Status {
	r := &s.report
	r.Reason, r.Error, r.Hint = Reason(err), err.Error(), Hint(err)
	if r.Reason == report.MigrateFailed && r.Dump != "" {
		r.Hint = s.restoreHint()
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		r.Reason = report.WasCancelled
		r.Error = fmt.Sprintf("the run was cancelled (%v); %s", context.Cause(ctx), s.doneSoFar()+underWay(err))
		r.Hint = "run it again: it does the rest"
		return report.Cancelled
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		r.Reason = report.TimedOut
		r.Error = "the run's time was up; " + s.doneSoFar() + underWay(err) + "\n" + err.Error()
		r.Hint = "run it again: it does the rest; the input or flag timeout gives it longer"
	case exits(exitRolled)(err):
		return report.RolledBack
	}
	return report.Failed
}

// restoreHint tells how to put the database back as it was before a migration.
func (s *session) restoreHint() string {
	return fmt.Sprintf("what the migration did before it failed is still in the database; to put it back as it was: "+
		"appstack restore --project %s --env %s --from %s, or on the guest: restore_db.sh %s",
		s.report.Project, s.report.Env, path.Base(s.report.Dump), s.report.Dump)
}

// doneSoFar tells how far an interrupted run came.
func (s *session) doneSoFar() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for _, d := range s.report.Done {
		if d.Outcome.Err == nil {
			done++
		}
	}
	return fmt.Sprintf("%d of %d steps were done", done, max(done, len(s.report.Plan.Steps)))
}

// underWay tells which step of an interrupted run nobody could stop.
func underWay(err error) string {
	var cut *guest.InterruptedError
	if !errors.As(err, &cut) || cut.Step == nil {
		return ""
	}
	return "; " + cut.Left()
}

// closing is the last line of an environment.
func (s *session) closing() string {
	r := s.report
	text := fmt.Sprintf("%s: %s", r.Target(), r.Status)
	if r.Error != "" {
		text += "\nerror: " + r.Error
	}
	if r.Hint != "" {
		text += "\nhint: " + r.Hint
	}
	return text
}
