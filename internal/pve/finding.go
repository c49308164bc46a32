package pve

import (
	"fmt"
	"slices"
	"strings"
)

// The guards. Each name is also the name of what lets its findings pass.
const (
	GuardIP        = "ip-conflicts"     // another guest has the address, or something answers at it
	GuardMAC       = "mac-conflicts"    // another guest has the MAC address
	GuardName      = "name-conflicts"   // another guest has the host name
	GuardInvisible = "invisible-guests" // there are guests that the token cannot see
	GuardNode      = "node"             // no node has what the guest needs
	GuardTemplate  = "template"         // the template is nowhere to be had
	GuardStorage   = "storage"          // the storage is not there, or not for this
	GuardBridge    = "bridge"           // the bridge is not there
	GuardPrivilege = "privileges"       // the token lacks a privilege
)

// Finding is what a guard has found before the first change.
type Finding struct {
	Guard   string `json:"guard"`
	Summary string `json:"summary"` // one sentence without a full stop
	Hint    string `json:"hint,omitempty"`
	// Blocks: nothing may be changed. Otherwise it is for the reader to know.
	Blocks bool `json:"blocks,omitempty"`
	// Overridden: it would block, and the run was told to go on all the same.
	Overridden bool `json:"overridden,omitempty"`
}

// FindingsError is the guards' veto.
type FindingsError struct{ Findings []Finding }

func (e *FindingsError) Error() string {
	var all []string
	for _, f := range e.Findings {
		all = append(all, f.Summary)
	}
	return "cannot go on: " + strings.Join(all, "; ")
}

// Hint says what to do about each finding.
func (e *FindingsError) Hint() string {
	var all []string
	for _, f := range e.Findings {
		if f.Hint != "" && !slices.Contains(all, f.Hint) {
			all = append(all, f.Hint)
		}
	}
	return strings.Join(all, "\n")
}

// Veto returns the error for the findings that block, or nil.
func Veto(findings []Finding) error {
	var blocking []Finding
	for _, f := range findings {
		if f.Blocks {
			blocking = append(blocking, f)
		}
	}
	if len(blocking) == 0 {
		return nil
	}
	return &FindingsError{blocking}
}

// Overrides are the names of the guards whose findings a run lets pass.
type Overrides []string

// apply lets what is overridden pass, and keeps it for the report.
func (o Overrides) apply(findings []Finding) []Finding {
	for i, f := range findings {
		if f.Blocks && slices.Contains(o, f.Guard) {
			findings[i].Blocks, findings[i].Overridden = false, true
		}
	}
	return findings
}

// blocks makes a finding that blocks.
func blocks(guard, hint, format string, args ...any) Finding {
	return Finding{Guard: guard, Hint: hint, Blocks: true, Summary: fmt.Sprintf(format, args...)}
}

// warns makes a finding for the reader.
func warns(guard, hint, format string, args ...any) Finding {
	return Finding{Guard: guard, Hint: hint, Summary: fmt.Sprintf(format, args...)}
}
