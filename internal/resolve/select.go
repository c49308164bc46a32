package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/stack"
)

// Request is what the caller asks for beyond the event: the action's inputs, or
// the flags of a person's command.
type Request struct {
	Command string // empty: what the event asks for
	Project string // empty: all
	Env     string // empty: those that the event concerns
	Ref     string // commit, branch or tag to deploy; empty: the event's
	// Credentials tells whether there is an age identity to open the secrets with.
	Credentials bool
}

// Selection is what a run is to do.
type Selection struct {
	Command string
	Envs    []*stack.Env
	SHA     string // the event's commit
	Branch  string // whose commit SHA is, if it is not for environments of other branches
	Ref     string // commit, branch or tag that was asked for; empty: the event's
	// Reason tells why the run does less than its reader may expect; it is then a
	// success all the same.
	Reason string
}

// Deleted is the reason to do nothing after the push that deletes a branch or tag.
const Deleted = "the branch or tag was deleted; its guest stays until `destroy` is asked for"

// A ForkError refuses to let a stranger's commit near the secrets.
type ForkError struct{ Repository string }

// Error returns one line.
func (e *ForkError) Error() string {
	from := e.Repository
	if from == "" {
		from = "a deleted fork"
	}
	return fmt.Sprintf("cannot run for the head of %s: it is a fork, and this event hands secrets to its code; use the event pull_request instead of pull_request_target", from)
}

// A MissingError names a project or environment that the stack file does not have.
type MissingError struct {
	What, Name string
	Known      []string
}

// Error returns one line with what there is.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the stack has no %s %q; it has %s", e.What, e.Name, strings.Join(e.Known, ", "))
}

// Select decides which command is to run for which environments at which commit.
// It fails with a [ForkError] or a [MissingError].
func Select(st *stack.Stack, ev event.Event, req Request) (Selection, error) {
	req = req.WithDispatch(ev)
	envs, err := named(st.Envs, req.Project, req.Env)
	if err != nil {
		return Selection{}, err
	}
	s := Selection{Command: req.Command, Envs: envs, SHA: ev.SHA, Ref: req.Ref}
	if err := s.byEvent(ev, req); err != nil {
		return Selection{}, err
	}
	if s.Reason == "" && len(s.Envs) == 0 {
		s.Reason = fmt.Sprintf("no environment of the stack has the branch %q", ev.Branch)
	}
	return s, nil
}

// WithDispatch takes what the action's inputs leave open from the inputs of a
// workflow_dispatch that have the same names. [Select] does so, too.
func (r Request) WithDispatch(ev event.Event) Request {
	for name, field := range map[string]*string{"command": &r.Command, "project": &r.Project, "env": &r.Env, "ref": &r.Ref} {
		if *field == "" {
			*field = ev.Inputs[name]
		}
	}
	return r
}

// byEvent narrows the selection to what the event concerns.
func (s *Selection) byEvent(ev event.Event, req Request) error {
	switch ev.Name {
	case "": // a person at a terminal
	case "push":
		s.push(ev, req)
	case "pull_request", "pull_request_target":
		return s.pullRequest(ev, req)
	case "workflow_dispatch":
		s.otherwise("apply")
		s.onBranch(ev, req)
	case "schedule":
		s.otherwise("plan")
		s.Branch = ev.Branch // the default one: nobody chose it
	case "deployment": // somebody chose its commit
		s.other(ev, req)
	default: // comments, other workflows' ends and the like: as a schedule
		s.Branch = ev.Branch
		s.other(ev, req)
	}
	return nil
}

// other is an event that says neither what to do nor where.
func (s *Selection) other(ev event.Event, req Request) {
	if req.Command == "" || req.Env == "" {
		s.nothing("the event %q asks for nothing; give the inputs `command` and `env` to run for it", ev.Name)
	}
}

func (s *Selection) push(ev event.Event, req Request) {
	switch {
	case ev.Deleted:
		s.nothing(Deleted)
	case ev.Tag != "":
		s.nothing("a tag (%s) deploys nothing; environments follow branches", ev.Tag)
	default:
		s.otherwise("apply")
		s.onBranch(ev, req)
		if ev.Dependabot() && !req.Credentials {
			s.validateOnly("Dependabot pushed, and a run of its own gets no secrets unless they are set for Dependabot too")
		}
	}
}

// pullRequest plans for the base branch at the pull request's head. A fork's stack
// file is only checked: planning it would send our secrets where it says.
func (s *Selection) pullRequest(ev event.Event, req Request) error {
	s.otherwise("plan")
	s.onBranch(ev, req)
	switch {
	case ev.Fork() && (ev.Name == "pull_request_target" || writes(s.Command)):
		return &ForkError{ev.PullRequest.HeadRepository}
	case ev.Action == "closed":
		s.nothing("the pull request is closed")
	case ev.Fork():
		s.validateOnly("the pull request comes from a fork, which gets no secrets")
	case ev.Dependabot() && !req.Credentials:
		s.validateOnly("the pull request comes from Dependabot, which gets no secrets unless they are set for Dependabot too")
	}
	return nil
}

// onBranch keeps the environments of the event's branch, unless one was named.
func (s *Selection) onBranch(ev event.Event, req Request) {
	if req.Env == "" {
		s.Envs = slices.DeleteFunc(slices.Clone(s.Envs), func(e *stack.Env) bool { return e.Branch != ev.Branch })
	}
}

func (s *Selection) otherwise(command string) {
	if s.Command == "" {
		s.Command = command
	}
}

func (s *Selection) nothing(format string, args ...any) {
	s.Envs, s.Reason = nil, fmt.Sprintf(format, args...)
}

func (s *Selection) validateOnly(reason string) {
	s.Command, s.Reason = "validate", reason+": the stack file is only checked"
}

// writes tells whether a command changes anything.
func writes(command string) bool {
	switch command {
	case "plan", "validate", "status", "inventory":
		return false
	}
	return true
}

// named returns the environments of this project and name; empty is any.
func named(all []*stack.Env, project, env string) ([]*stack.Env, error) {
	inProject := matching(all, project, func(e *stack.Env) string { return e.Project })
	if len(inProject) == 0 && project != "" {
		return nil, &MissingError{"project", project, distinct(all, func(e *stack.Env) string { return e.Project })}
	}
	found := matching(inProject, env, func(e *stack.Env) string { return e.Name })
	if len(found) == 0 && env != "" {
		return nil, &MissingError{"environment", env, distinct(inProject, func(e *stack.Env) string { return e.String() })}
	}
	return found, nil
}

func matching(envs []*stack.Env, name string, key func(*stack.Env) string) []*stack.Env {
	if name == "" {
		return envs
	}
	var found []*stack.Env
	for _, e := range envs {
		if key(e) == name {
			found = append(found, e)
		}
	}
	return found
}

func distinct(envs []*stack.Env, key func(*stack.Env) string) []string {
	var names []string
	for _, e := range envs {
		names = append(names, key(e))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
