package plan

import "time"

// Progress hears of a plan's execution while it goes on. Its methods are called
// one after the other for one machine.
type Progress interface {
	Begin(Step)                            // the step starts
	Line(Step, string)                     // a line that its command printed; foreign text, secrets still in it
	End(Step, Outcome)                     // the step is over
	Wait(what string, since time.Duration) // something is waited for: "SSH on 10.0.10.101", every few seconds
}

// Outcome is how a step ended.
type Outcome struct {
	Took time.Duration
	Err  error  // nil: it succeeded
	Tail string // the last lines that its command printed, at most 20
}
