package pveapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"
)

// Fault is something that goes wrong on demand: with the next calls of a Path, the next
// tasks of a kind, a Storage, a Node or a Guest, one of these for each Fault.
type Fault struct {
	Method  string `json:"method,omitempty"`  // of the calls; "" or *: any
	Path    string `json:"path,omitempty"`    // a glob below /api2/json: /nodes/*/lxc/101/config; * is one segment
	Task    string `json:"task,omitempty"`    // type of a task (vzcreate), optionally with an id: vzcreate:101
	Storage string `json:"storage,omitempty"` // it is full
	Node    string `json:"node,omitempty"`    // it is off the cluster; its guests go on running
	Guest   int    `json:"guest,omitempty"`   // vmid, of a guest that need not exist yet; [AnyGuest], in JSON *: whichever

	Times int `json:"times,omitempty"` // how many calls, tasks or starts; 0: one, -1: until cleared
	Skip  int `json:"skip,omitempty"`  // how many to let pass first

	Status int           `json:"status,omitempty"` // answer this instead, without taking effect
	Reason string        `json:"reason,omitempty"` // the status line's text, and the body's message
	Drop   string        `json:"drop,omitempty"`   // "before" or "after" taking effect: close without an answer
	Delay  time.Duration `json:"delay,omitempty"`  // a call or a task waits this long first

	TaskLine  int    `json:"task_line,omitempty"`  // the task fails once its log has so many lines
	TaskError string `json:"task_error,omitempty"` // its exit status; without TaskLine it fails before it begins
	TaskWarn  string `json:"task_warn,omitempty"`  // it ends in WARNINGS with this line
	TaskHang  bool   `json:"task_hang,omitempty"`  // it never ends, unless it is stopped

	Lock        string        `json:"lock,omitempty"`         // the guest's setting "lock" has this value, from now or its creation's end on
	Hold        time.Duration `json:"hold,omitempty"`         // who next wants the guest's file lock finds it held, for so long
	LateSSH     time.Duration `json:"late_ssh,omitempty"`     // after a start the guest's sshd listens that much later
	RebootAfter time.Duration `json:"reboot_after,omitempty"` // so long after a start the guest reboots by itself
}

// AnyGuest as a [Fault]'s Guest is whichever guest comes first.
const AnyGuest = -1

type faults struct{ list []*Fault }

// Inject adds a fault; those added first are looked at first. What a storage, a node or
// a lock suffers from, it suffers from until the fault is cleared.
func (s *Server) Inject(f Fault) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := f.check()
	if err == nil {
		err = s.checkHere(f)
	}
	if err != nil {
		return fmt.Errorf("cannot inject a fault: %w", err)
	}
	if f.Times == 0 {
		f.Times = 1
	}
	switch {
	case f.Storage != "":
		s.full[f.Storage] = true
	case f.Node != "":
		s.offline[f.Node] = true
	default:
		s.faults.list = append(s.faults.list, &f)
		return s.lockNewGuests()
	}
	return nil
}

// ClearFaults forgets all faults that are still waiting, and lets full storages and
// offline nodes be as before.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.list = nil
	clear(s.full)
	clear(s.offline)
}

// Faults returns what still waits, and which storages are full and nodes offline.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Fault
	for _, f := range s.faults.list {
		out = append(out, *f)
	}
	for _, id := range sorted(s.full) {
		out = append(out, Fault{Storage: id})
	}
	for _, name := range sorted(s.offline) {
		out = append(out, Fault{Node: name})
	}
	return out
}

// FillStorage makes a storage full, or gives it room again.
func (s *Server) FillStorage(id string, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full[id] = full; !full {
		delete(s.full, id)
	}
}

// SetOffline takes a node off the cluster, or brings it back. Its guests go on running.
func (s *Server) SetOffline(node string, offline bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offline[node] = offline; !offline {
		delete(s.offline, node)
	}
}

// take finds the first fault that matches and counts it.
func (f *faults) take(match func(*Fault) bool) *Fault {
	for i, e := range f.list {
		if !match(e) {
			continue
		}
		if e.Skip > 0 {
			e.Skip--
			continue
		}
		if e.Times > 0 {
			if e.Times--; e.Times == 0 {
				f.list = append(f.list[:i:i], f.list[i+1:]...)
			}
		}
		return e
	}
	return nil
}

// task finds the fault of a task that is about to start.
func (f *faults) task(kind, id string) *Fault {
	return f.take(func(e *Fault) bool { return e.Task != "" && (e.Task == kind || e.Task == kind+":"+id) })
}

func (f *Fault) matches(method, apiPath string) bool {
	if f.Path == "" || f.Method != "" && f.Method != "*" && f.Method != method {
		return false
	}
	ok, err := path.Match(f.Path, apiPath)
	return ok && err == nil
}

type faultKey struct{}

// inject carries out a request's fault; true: the request is over. It is asked before the
// request takes effect and, for a drop, again after.
func (s *Server) inject(a *answer, when string) bool {
	if when == "after" {
		f, _ := a.r.Context().Value(faultKey{}).(*Fault)
		if f != nil && f.Drop == "after" {
			a.status, a.reason = 0, "dropped after taking effect"
			s.abort(a)
		}
		return false
	}
	_, rest, _ := splitFormat(a.r.URL.Path)
	s.mu.Lock()
	f := s.faults.take(func(e *Fault) bool { return e.matches(a.r.Method, cleanPath(rest)) })
	s.mu.Unlock()
	if f == nil {
		return false
	}
	a.path = cleanPath(rest)
	a.r = a.r.WithContext(context.WithValue(a.r.Context(), faultKey{}, f))
	wait(a.r.Context(), f.Delay)
	switch {
	case f.Drop == "before":
		a.status, a.reason = 0, "dropped before taking effect"
		s.abort(a)
	case f.Status != 0:
		reason := f.Reason
		if reason == "" {
			reason = http.StatusText(f.Status)
		}
		a.format = "json"
		a.json(f.Status, reason, map[string]any{"data": nil, "message": reason + "\n"})
		return true
	}
	return false
}

// abort closes the connection without an answer.
func (s *Server) abort(*answer) { panic(http.ErrAbortHandler) }

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// unbegun ends a task that never did anything.
func (t *task) unbegun(err error) error {
	if t.undo != nil {
		t.undo()
	}
	return err
}

// sabotaged runs a task with its fault.
func (s *Server) sabotaged(t *task, run func(*task) error) error {
	f := t.fault
	if f == nil {
		return run(t)
	}
	s.unlocked(func() { wait(t.ctx, f.Delay) })
	if f.TaskHang {
		s.unlocked(func() { <-t.ctx.Done() })
		return t.unbegun(errInterrupted)
	}
	if f.TaskError != "" && f.TaskLine == 0 {
		return t.unbegun(errors.New(f.TaskError))
	}
	err := run(t)
	if f.TaskLine > 0 && t.ctx.Err() != nil {
		if f.TaskError != "" {
			return errors.New(f.TaskError)
		}
		return fmt.Errorf("interrupted after line %s", strconv.Itoa(f.TaskLine))
	}
	if err == nil && f.TaskWarn != "" {
		t.warn("%s", f.TaskWarn)
	}
	return err
}
