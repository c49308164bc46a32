// Package plan decides what has to be done to a machine: it compares the state
// found with the state wanted and lists the steps between them.
//
// [Diff] is pure: the same two states give the same plan, on any day. The
// text of a plan ([Plan.String]) is stable; it is the log, the source of the
// pull request's comment and the oracle of the tests, and it holds no secret.
package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// Verb is what a step does to its resource.
type Verb string

// The verbs. Each stands for one way to change one kind of resource.
const (
	Create   Verb = "create"   // a guest, user, database
	Adopt    Verb = "adopt"    // take over a guest that is not ours
	Set      Verb = "set"      // a configuration key, a property
	Delete   Verb = "delete"   // a configuration key
	Grow     Verb = "grow"     // a disk
	Recreate Verb = "recreate" // a guest: what it holds is lost
	Destroy  Verb = "destroy"  // a guest
	Install  Verb = "install"  // a package
	Write    Verb = "write"    // a file
	Add      Verb = "add"      // a rule, a key
	Remove   Verb = "remove"   // a file, rule, key, unit
	Enable   Verb = "enable"   // a unit, the firewall
	Start    Verb = "start"    // a guest, a unit
	Reload   Verb = "reload"   // a unit
	Restart  Verb = "restart"  // a unit, a guest
	Deploy   Verb = "deploy"   // a release
	Rollback Verb = "rollback" // to an earlier release
	Restore  Verb = "restore"  // a database, from a dump
)

// Symbol is the verb's sign in the text of a plan: "+" makes, "~" changes, "-"
// removes, "±" replaces and ">" starts or restarts.
func (v Verb) Symbol() string {
	switch v {
	case Create, Install, Add, Enable, Adopt, Deploy:
		return "+"
	case Delete, Remove, Destroy:
		return "-"
	case Recreate:
		return "±"
	case Start, Restart, Reload:
		return ">"
	default:
		return "~"
	}
}

// Effect is what a step does to what runs.
type Effect string

// The effects, by growing severity.
const (
	Hot      Effect = ""         // nothing stops
	Restarts Effect = "restart"  // services, or a container, restart
	Reboots  Effect = "reboot"   // the VM reboots
	Destroys Effect = "destroys" // data is lost
)

// Resource names one thing of a machine.
type Resource struct {
	Kind string `json:"kind"` // guest, config, disk, package, user, file, unit, rule, database, release, …
	Name string `json:"name"` // vmid, key, path, …
}

// String returns the kind and the name.
func (r Resource) String() string { return r.Kind + " " + r.Name }

// Step is one change of one resource.
type Step struct {
	Verb     Verb     `json:"verb"`
	Resource Resource `json:"resource"`
	// Cause is the difference that asks for the step: "2048 → 4096", "not installed".
	Cause  string `json:"cause,omitempty"`
	Effect Effect `json:"effect,omitempty"`
	// Refused says why the step will not be taken and what would allow it; a plan
	// with a refused step is not applied at all.
	Refused string `json:"refused,omitempty"`
	// Diff is the unified diff of a file's content, without secrets.
	Diff string `json:"diff,omitempty"`
}

// String returns the step on one line: "~ config memory: 2048 → 4096 (restart)".
func (s Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", s.Verb.Symbol(), s.Verb, s.Resource)
	if s.Cause != "" {
		b.WriteString(": " + s.Cause)
	}
	if s.Effect != Hot {
		fmt.Fprintf(&b, " (%s)", s.Effect)
	}
	if s.Refused != "" {
		b.WriteString("\n    refused: " + s.Refused)
	}
	return b.String()
}

// Plan is what has to be done to one machine, in this order.
type Plan struct {
	Target string `json:"target"` // "shop/dev"
	Steps  []Step `json:"steps"`
	// Notes tell what the reader should know and nothing is done about: a foreign
	// rule, a database that left the stack, the reason for a node's choice.
	Notes []string `json:"notes,omitempty"`
	// Partial says that the steps inside the guest were planned without seeing it,
	// since it does not run; they are planned anew when it does.
	Partial bool `json:"partial,omitempty"`
}

// Hypervisor returns the steps on the hypervisor, which come first.
func (p Plan) Hypervisor() []Step { return p.Steps[:p.inside()] }

// Inside returns the steps inside the guest.
func (p Plan) Inside() []Step { return p.Steps[p.inside():] }

// inside is the index of the first step inside the guest.
func (p Plan) inside() int {
	i := slices.IndexFunc(p.Steps, func(s Step) bool { return !s.OnHypervisor() })
	if i < 0 {
		return len(p.Steps)
	}
	return i
}

// Empty tells whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Continue returns the plan with the steps inside the guest, and what is to be
// said about them, replaced by those of a plan that was made when it could be seen.
func (p Plan) Continue(seen Plan) Plan {
	seen.Target = p.Target
	seen.Steps = append(slices.Clone(p.Hypervisor()), seen.Inside()...)
	seen.Notes = append(slices.Clone(p.Notes), seen.Notes...)
	return seen
}

// Refused returns the steps that must not be taken.
func (p Plan) Refused() []Step {
	var refused []Step
	for _, s := range p.Steps {
		if s.Refused != "" {
			refused = append(refused, s)
		}
	}
	return refused
}

// Counts are the numbers of a plan's steps by what they do.
type Counts struct {
	Add, Change, Remove int
	Start, Restart      int // of what is there; a reload counts as a restart
}

// Counts counts the steps.
func (p Plan) Counts() Counts {
	var c Counts
	for _, s := range p.Steps {
		switch sign := s.Verb.Symbol(); {
		case sign == "+":
			c.Add++
		case sign == "-":
			c.Remove++
		case s.Verb == Start:
			c.Start++
		case sign == ">":
			c.Restart++
		default:
			c.Change++
		}
	}
	return c
}

// String returns the counts as the headline of a plan has them.
func (c Counts) String() string {
	text := fmt.Sprintf("%d to add, %d to change, %d to remove", c.Add, c.Change, c.Remove)
	if c.Start > 0 {
		text += fmt.Sprintf(", %d to start", c.Start)
	}
	if c.Restart > 0 {
		text += fmt.Sprintf(", %d to restart", c.Restart)
	}
	return text
}

// String returns the plan as text: a headline, then a line a step, diffs
// indented below theirs, notes last.
func (p Plan) String() string {
	var b strings.Builder
	if p.Empty() {
		fmt.Fprintf(&b, "%s: no changes\n", p.Target)
	} else {
		fmt.Fprintf(&b, "%s: %s\n", p.Target, p.Counts())
	}
	for _, s := range p.Steps {
		b.WriteString("  " + s.String() + "\n")
		for line := range strings.Lines(s.Diff) {
			b.WriteString("      " + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	for _, n := range p.Notes {
		b.WriteString("  note: " + n + "\n")
	}
	return b.String()
}

// Policy is what the run allows beyond the stack file.
type Policy struct {
	AllowDestroy bool // recreate a guest, where the stack does not forbid it
	Adopt        bool // take over a guest that is not ours
}

// Diff returns the plan that leads from have to want for the target of this
// name. Hypervisor steps come first, then those inside the guest.
func Diff(target string, have, want machine.State, policy Policy) Plan {
	p := Plan{Target: target}
	if want.Guest != nil {
		diffGuest(&p, have.Guest, want.Guest, policy)
	}
	if want.OS != nil {
		diffOS(&p, have.OS, want.OS)
	}
	return p
}

// add appends a step.
func (p *Plan) add(v Verb, kind, name, cause string, e Effect) *Step {
	p.Steps = append(p.Steps, Step{Verb: v, Resource: Resource{kind, name}, Cause: cause, Effect: e})
	return &p.Steps[len(p.Steps)-1]
}

// note appends a note.
func (p *Plan) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}
