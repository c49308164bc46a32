package guest

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/plan"
)

// StepError says that a step failed. Nothing was done after it.
type StepError struct {
	Step plan.Step
	Code int         // exit code; 124: it took longer than the bound for a step
	Tail string      // the last lines that its command printed, at most 20
	Done []plan.Step // what was done before, in order
	// TimedOut says that the step was ended for it took too long.
	TimedOut bool
}

func (e *StepError) Error() string {
	text := fmt.Sprintf("cannot %s %s: ", e.Step.Verb, e.Step.Resource)
	if m := deployFailed.FindAllStringSubmatch(e.Tail, -1); m != nil {
		last := m[len(m)-1]
		return text + last[1] + " failed: " + last[2]
	}
	end := fmt.Sprintf("exit status %d", e.Code)
	if e.TimedOut {
		end = "it took too long and was ended"
	}
	if line := e.Tail[strings.LastIndexByte(e.Tail, '\n')+1:]; line != "" {
		return text + line + " (" + end + ")"
	}
	return text + end
}

// deployFailed is how deploy_app.sh ends its part that fails: the part, its time, why.
var deployFailed = regexp.MustCompile(`(?m)^<!! (.+?) \([0-9.]+ s\): (.+)$`)

// Hint tells what to do about it.
func (e *StepError) Hint() string {
	switch {
	case e.Code == codeOOM:
		return "the kernel killed it for want of memory: give the guest more memory or swap"
	case strings.Contains(e.Tail, "Could not get lock"), strings.Contains(e.Tail, "is another process using it"):
		return "another program holds dpkg's lock on the machine, perhaps its daily update; run again when it is done"
	case strings.Contains(e.Tail, "No space left on device"):
		return "the machine's disk is full: grow it (guest.disk) or clean up"
	case strings.Contains(e.Tail, "E: Unable to locate package"):
		return "the machine's distribution has no such package: look at `packages` and the app's `version` in the stack file, and at the apt sources"
	case strings.Contains(e.Tail, "Temporary failure resolving"):
		return "the machine cannot resolve names: look at its resolv.conf and its way out"
	}
	return "what was done before stays; run again when the cause is removed"
}

// codeOOM is the exit code of a process that was ended by SIGKILL, which nobody but the
// kernel's out-of-memory killer sends to a step within its time.
const codeOOM = 137

// LockoutError says that the machine could not be reached any more after a change of
// how it is reached. The change was undone.
type LockoutError struct {
	Steps []plan.Step // what was changed and undone
	Err   error       // why the new connection failed
	// Undone says that the undoing was seen; if not, the machine does it by itself
	// when the guard's time is over.
	Undone bool
}

func (e *LockoutError) Error() string {
	names := make([]string, len(e.Steps))
	for i, s := range e.Steps {
		names[i] = fmt.Sprintf("%s %s", s.Verb, s.Resource)
	}
	state := "it is undone"
	if !e.Undone {
		state = "the machine undoes it by itself within its time"
	}
	return fmt.Sprintf("the change would lock us out (%s): %v; %s", strings.Join(names, ", "), e.Err, state)
}

func (e *LockoutError) Unwrap() error { return e.Err }

// Hint tells what to do about it.
func (e *LockoutError) Hint() string {
	return "the stack must let the user of ssh.key in: its key among authorized_keys, its port open to where we come from, and root not closed before"
}

// SudoError says that the user may not become root without a password.
type SudoError struct {
	User string
	Text string // what sudo says
}

func (e *SudoError) Error() string {
	return fmt.Sprintf("%s cannot become root: %s", e.User, e.Text)
}

// Hint tells what to do about it.
func (e *SudoError) Hint() string {
	return fmt.Sprintf("give %s passwordless sudo (a line \"%s ALL=(ALL) NOPASSWD:ALL\" in a file in /etc/sudoers.d), or set ssh.user: root", e.User, e.User)
}

// refusals are what sudo says when it runs nothing, as against its warnings (sudo(8),
// Diagnostics), and what a shell says that has no sudo.
var refusals = regexp.MustCompile(`(?m)^.*\bsudo: .*(password is required|terminal is required|not found|no such file|must be owned by|must be setuid|syntax error|unable to initialize|no valid sudoers).*$|^env: .*sudo.*$|^.*(is not in the sudoers file|may not run sudo|is not allowed to (execute|run)).*$`)

// sudoError recognises that sudo refused, or is not there.
func sudoError(user, text string) *SudoError {
	if user == "root" {
		return nil
	}
	if line := refusals.FindString(text); line != "" {
		return &SudoError{user, strings.TrimSpace(line)}
	}
	return nil
}

// SlowError says that the machine can be reached and does not answer in time.
type SlowError struct {
	Text   string
	Advice string
}

func (e *SlowError) Error() string { return e.Text }

// Hint tells what to do about it.
func (e *SlowError) Hint() string { return e.Advice }

// slow is the error of a question that the machine does not answer.
func slow(text string) *SlowError {
	return &SlowError{text, "the machine can be reached and hangs: has it memory left, and do its disks answer? `uptime` and `dmesg` there tell"}
}

// BusyError says that another run works on the machine.
type BusyError struct{}

func (e *BusyError) Error() string { return "another run is working on the machine" }

// Hint tells what to do about it.
func (e *BusyError) Hint() string { return "wait for it, then run again" }

// LostError says that the connection broke off. The step that ran may have finished;
// none after it began.
type LostError struct {
	Step *plan.Step  // nil: none ran
	Done []plan.Step // what was done before, in order
	Err  error
}

func (e *LostError) Error() string {
	text := fmt.Sprintf("the connection is lost after %d steps", len(e.Done))
	if e.Step != nil {
		text += fmt.Sprintf(", during %s %s", e.Step.Verb, e.Step.Resource)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *LostError) Unwrap() error { return e.Err }

// Hint tells what to do about it.
func (e *LostError) Hint() string {
	return "run again: it goes on from what the machine's state is then"
}

// InterruptedError says that the caller ended the work. The connection is cut off; a
// step that ran goes on on the machine, and nothing begins after it.
type InterruptedError struct {
	Step *plan.Step  // nil: none ran
	Done []plan.Step // what was done before, in order
	Err  error       // why
}

func (e *InterruptedError) Error() string {
	text := fmt.Sprintf("interrupted after %d steps: %v", len(e.Done), e.Err)
	if left := e.Left(); left != "" {
		text += "; " + left
	}
	return text
}

func (e *InterruptedError) Unwrap() error { return e.Err }

// Left tells what may still go on on the machine; "" where nothing does.
func (e *InterruptedError) Left() string {
	if e.Step == nil {
		return ""
	}
	return fmt.Sprintf("%s %s had begun, and may go on to its end on the machine", e.Step.Verb, e.Step.Resource)
}
