package action

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/secret"
)

// Inputs are the action's inputs as action.yml names them.
type Inputs struct {
	Command              string // empty: what the event asks for
	Stack                string // path of the stack file in the repository
	Project              string // empty: all
	Env                  string // empty: all that the event's branch concerns
	Ref                  string // commit, branch or tag to deploy; empty: the event's commit
	AgeKey               secret.Value
	GitHubToken          secret.Value
	AllowIPConflicts     bool
	AllowDestroy         bool
	Adopt                bool
	Comment              bool
	Deployment           bool
	OnMissingCredentials string // "skip" or "fail"
	Timeout              time.Duration
	Parallel             int    // environments at a time
	JobID                string // number of the job's check run
}

// Commands are what the input `command` may say.
var Commands = []string{"apply", "provision", "configure", "plan", "validate", "status", "rollback", "destroy", "unlock", "inventory"}

// An InputError names an input whose value cannot be used.
type InputError struct{ Name, Value, Want string }

// Error returns one line.
func (e *InputError) Error() string {
	return fmt.Sprintf("input %q is %q, but must be %s", e.Name, e.Value, e.Want)
}

// ReadInputs reads the inputs from the environment. The error joins an
// [InputError] for each that is wrong.
func ReadInputs(getenv func(string) string) (Inputs, error) {
	r := inputReader{getenv: getenv}
	in := Inputs{
		Command:              r.choice("command", append([]string{""}, Commands...)),
		Stack:                cmp.Or(r.text("stack"), "appstack.yaml"),
		Project:              r.text("project"),
		Env:                  r.text("env"),
		Ref:                  r.text("ref"),
		AgeKey:               secret.New(cmp.Or(r.text("age-key"), getenv("APPSTACK_AGE_KEY"), getenv("SOPS_AGE_KEY"))),
		GitHubToken:          secret.New(r.text("github-token")),
		AllowIPConflicts:     r.flag("allow-ip-conflicts", false),
		AllowDestroy:         r.flag("allow-destroy", false),
		Adopt:                r.flag("adopt", false),
		Comment:              r.flag("comment", true),
		Deployment:           r.flag("deployment", true),
		OnMissingCredentials: cmp.Or(r.choice("on-missing-credentials", []string{"", "skip", "fail"}), "skip"),
		Timeout:              r.duration("timeout", 30*time.Minute),
		Parallel:             r.number("parallel", 4),
		JobID:                r.text("job-id"),
	}
	return in, errors.Join(r.errs...)
}

// inputReader collects what is wrong instead of stopping at the first.
type inputReader struct {
	getenv func(string) string
	errs   []error
}

// text returns an input. The runner upper-cases names and keeps dashes.
func (r *inputReader) text(name string) string {
	return strings.TrimSpace(r.getenv("INPUT_" + strings.ToUpper(strings.ReplaceAll(name, " ", "_"))))
}

func (r *inputReader) reject(name, value, want string) {
	r.errs = append(r.errs, &InputError{name, value, want})
}

func (r *inputReader) choice(name string, allowed []string) string {
	v := r.text(name)
	if !slices.Contains(allowed, v) {
		r.reject(name, v, "one of "+strings.Join(slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" }), ", "))
	}
	return v
}

// flag accepts what @actions/core's getBooleanInput does: YAML 1.2's core schema.
func (r *inputReader) flag(name string, absent bool) bool {
	switch v := r.text(name); v {
	case "":
		return absent
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	default:
		r.reject(name, v, "true or false")
		return absent
	}
}

// What the inputs `timeout` and `parallel` may be.
const (
	TimeoutWanted  = `a duration such as "30m", or a number of minutes`
	ParallelWanted = "a number from 1 to 64"
)

// ParseTimeout accepts Go's notation of a duration and, as GitHub's timeout-minutes, bare
// minutes. It reports whether s is one of more than nothing.
func ParseTimeout(s string) (time.Duration, bool) {
	const most = 1 << 24 // minutes, decades: more would not fit a Duration
	if minutes, err := strconv.Atoi(s); err == nil {
		return time.Duration(min(minutes, most)) * time.Minute, minutes > 0
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}

// ParseParallel returns how many environments are worked on at a time, and whether s is
// such a number.
func ParseParallel(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= 64
}

func (r *inputReader) duration(name string, absent time.Duration) time.Duration {
	v := r.text(name)
	if v == "" {
		return absent
	}
	d, ok := ParseTimeout(v)
	if !ok {
		r.reject(name, v, TimeoutWanted)
		return absent
	}
	return d
}

func (r *inputReader) number(name string, absent int) int {
	v := r.text(name)
	if v == "" {
		return absent
	}
	n, ok := ParseParallel(v)
	if !ok {
		r.reject(name, v, ParallelWanted)
		return absent
	}
	return n
}
