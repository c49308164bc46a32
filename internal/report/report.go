// Package report writes what became of an environment, for the people who look at
// the pull request: a comment, the job's summary, and JSON for programs.
//
// It is pure. Whatever comes from outside (branch names, titles, the words of
// Proxmox, the output of builds) is text here, never Markdown: nothing of it can
// leave its place, mention somebody or pass for the comment of another environment.
package report

import (
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// Status is how far an environment has come.
type Status string

// The statuses, in the order in which a deploy goes through them.
const (
	Planned    Status = "planned"
	Deploying  Status = "deploying"
	Live       Status = "live"
	Unchanged  Status = "unchanged"   // there was nothing to do
	RolledBack Status = "rolled back" // the new release failed, the one before serves
	Failed     Status = "failed"
	Cancelled  Status = "cancelled"
	Destroyed  Status = "destroyed"
	Valid      Status = "valid" // only the stack file was checked
)

// Reason is the action's output `failure-reason`: what kind of failure it was,
// for workflows that act on it. Empty is no failure.
type Reason string

// The reasons of failures.
const (
	BadInput       Reason = "input"       // an input of the action, or a flag
	BadStack       Reason = "stack"       // the stack file
	BadSecrets     Reason = "secrets"     // no identity, a damaged file, an unknown name
	Fork           Reason = "fork"        // a fork's head must not be run with secrets
	Guarded        Reason = "guard"       // IP conflict, foreign guest, missing storage: found before the first change
	Refused        Reason = "refused"     // a destroying change that was not allowed
	Locked         Reason = "locked"      // another run holds the environment
	Unreachable    Reason = "unreachable" // Proxmox or the guest cannot be reached
	Denied         Reason = "denied"      // a token or key without the right
	HostKey        Reason = "host-key"    // the guest's SSH host key is not the pinned one
	ProxmoxFailed  Reason = "proxmox"     // Proxmox failed to do what it was asked
	ConfigureError Reason = "configure"   // a step inside the guest failed
	BuildFailed    Reason = "build"       // the release could not be built
	MigrateFailed  Reason = "migration"   // a migration failed; the old release serves
	Unhealthy      Reason = "unhealthy"   // the new release did not become healthy; the old one serves
	TimedOut       Reason = "timeout"     // the run's time was up
	WasCancelled   Reason = "cancelled"   // the run was cancelled
	Internal       Reason = "internal"    // a mistake in appstack
)

// Reasons are all reasons, for the documentation.
var Reasons = []Reason{
	BadInput, BadStack, BadSecrets, Fork, Guarded, Refused, Locked, Unreachable, Denied, HostKey, ProxmoxFailed,
	ConfigureError, BuildFailed, MigrateFailed, Unhealthy, TimedOut, WasCancelled, Internal,
}

// Report is what became of one environment.
type Report struct {
	Stack   string `json:"-"` // path of the stack file: part of the comment's marker
	Project string `json:"project"`
	Env     string `json:"env"`
	Command string `json:"command"`
	Status  Status `json:"status"`
	Reason  Reason `json:"failure_reason,omitempty"`
	Error   string `json:"error,omitempty"` // one line, or a few
	Hint    string `json:"hint,omitempty"`  // what to do about it

	// Guest is "running", "stopped" or "absent", and App what runs there; only the
	// command status looks.
	Guest string       `json:"guest,omitempty"`
	App   *machine.App `json:"app,omitempty"`

	VMID int    `json:"vmid,omitempty"`
	Kind string `json:"kind,omitempty"` // "CT" or "VM"
	Node string `json:"node,omitempty"`
	IP   string `json:"ip,omitempty"`
	URL  string `json:"url,omitempty"` // where the app answers

	Protected    bool  `json:"protected,omitempty"`
	DeploymentID int64 `json:"deployment_id,omitempty"`

	Branch    string `json:"branch,omitempty"`
	SHA       string `json:"sha,omitempty"`
	Release   string `json:"release,omitempty"` // commit that serves now
	Dump      string `json:"dump,omitempty"`    // of the database before its migration: a path on the guest
	CommitURL string `json:"-"`
	RunURL    string `json:"run_url,omitempty"`

	Plan      plan.Plan     `json:"plan"`
	Done      []Done        `json:"-"`
	Stages    []Stage       `json:"stages,omitempty"`
	Took      time.Duration `json:"took_ns,omitempty"`
	Overrides []string      `json:"overrides,omitempty"` // guards that the run overrode
	Warnings  []string      `json:"warnings,omitempty"`
}

// Done is a step that was taken, or tried.
type Done struct {
	Step    plan.Step
	Outcome plan.Outcome
}

// Stage is a part of the run: "provision", "deploy: build".
type Stage struct {
	Name   string        `json:"name"`
	Start  time.Duration `json:"start_ns"` // since the run began
	Took   time.Duration `json:"took_ns"`
	Failed bool          `json:"failed,omitempty"`
	Open   bool          `json:"-"` // it goes on: Took is not known yet
}

// Target is the environment's full name.
func (r Report) Target() string { return r.Project + "/" + r.Env }

// Failed tells whether the run is to be red.
func (r Report) Failed() bool {
	switch r.Status {
	case Failed, RolledBack, Cancelled:
		return true
	}
	return false
}

// Changed tells whether anything was done.
func (r Report) Changed() bool { return r.succeeded() > 0 }

// succeeded counts the steps that were taken.
func (r Report) succeeded() int {
	n := 0
	for _, d := range r.Done {
		if d.Outcome.Err == nil {
			n++
		}
	}
	return n
}

// destroying counts the planned steps that destroy data.
func (r Report) destroying() int {
	n := 0
	for _, s := range r.Plan.Steps {
		if s.Effect == plan.Destroys {
			n++
		}
	}
	return n
}

// serves tells whether something answers at the app's address.
func (r Report) serves() bool {
	return r.Release != "" || r.Status == Live || r.Status == Unchanged
}
