package pveapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// task is one worker: what Proxmox forks for an operation that takes its time.
type task struct {
	UPID   string
	Node   string
	PID    uint32
	PStart uint32
	Start  int64
	End    int64
	Type   string
	ID     string
	User   string // user@realm or user@realm!token
	Status string // OK, WARNINGS: n, or the error; "" while it runs
	Lines  []string
	Seq    int // order of creation
	EndSeq int // order of ending

	mu       sync.Mutex // guards Lines, warnings and finished
	warnings int
	finished bool
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{}
	fault    *Fault
	undo     func() // takes back what was prepared for run, if that is never called
}

func (t *task) stop() {
	if t.cancel != nil {
		t.cancel()
	}
}

func (t *task) running() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.finished
}

// fork starts a task and returns its UPID. run has s.mu held when it begins, and its
// error's text is the task's exit status. undo, if any, takes back what the request
// prepared, for a task that ends before it begins.
func (c *call) fork(kind, id string, run func(*task) error, undo ...func()) (any, error) {
	upid := c.Server.fork(c.node(), kind, id, c.who.authuser, run)
	if len(undo) > 0 {
		c.tasks[upid].undo = undo[0]
	}
	return upid, nil
}

func (s *Server) fork(nodeName, kind, id, user string, run func(*task) error) string {
	s.pids++
	t := &task{
		Node: nodeName, PID: s.pids, PStart: uint32(s.now().UnixMilli() / 10), Start: s.now().Unix(),
		Type: kind, ID: id, User: user, Seq: len(s.tasks), done: make(chan struct{}),
	}
	t.UPID = fmt.Sprintf("UPID:%s:%08X:%08X:%08X:%s:%s:%s:", nodeName, t.PID, t.PStart, t.Start, kind, id, user)
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.fault = s.faults.task(kind, id)
	s.tasks[t.UPID] = t
	s.running.Add(1)
	go s.work(t, run) // it waits for s.mu, which the caller holds
	return t.UPID
}

func (s *Server) work(t *task, run func(*task) error) {
	defer s.running.Done()
	defer t.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.sabotaged(t, run)
	s.finish(t, err)
	if serr := errors.Join(s.lockNewGuests(), s.save()); serr != nil {
		s.opt.Log.Error("state not saved", "err", serr)
	}
}

func (s *Server) finish(t *task, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil:
		t.Status = firstLine(err.Error())
		t.Lines = append(t.Lines, strings.Split("TASK ERROR: "+err.Error(), "\n")...)
	case t.warnings > 0:
		t.Status = fmt.Sprintf("WARNINGS: %d", t.warnings)
		t.Lines = append(t.Lines, "TASK "+t.Status)
	default:
		t.Status = "OK"
		t.Lines = append(t.Lines, "TASK OK")
	}
	t.End = s.now().Unix()
	s.endSeq++
	t.EndSeq = s.endSeq
	t.finished = true
	raw, merr := json.Marshal(t)
	if merr == nil {
		merr = writeFile(filepath.Join(s.opt.Dir, "tasks", fmt.Sprintf("%08d.json", t.Seq)), raw)
	}
	if merr != nil {
		s.opt.Log.Error("task not saved", "upid", t.UPID, "err", merr)
	}
	s.opt.Log.Info("task ended", "upid", t.UPID, "status", t.Status)
	close(t.done)
}

// loadTasks reads the tasks of earlier runs.
func (s *Server) loadTasks() error {
	files, err := filepath.Glob(filepath.Join(s.opt.Dir, "tasks", "*.json"))
	if err != nil {
		return err
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("cannot read a task: %w", err)
		}
		t := &task{finished: true, done: make(chan struct{})}
		if err := json.Unmarshal(raw, t); err != nil {
			return fmt.Errorf("cannot read task %s: %w", f, err)
		}
		close(t.done)
		s.tasks[t.UPID] = t
		s.pids = max(s.pids, t.PID)
		s.endSeq = max(s.endSeq, t.EndSeq)
	}
	return nil
}

// WaitTask waits for a task's end and returns its exit status.
func (s *Server) WaitTask(ctx context.Context, upid string) (string, error) {
	s.mu.Lock()
	t := s.tasks[upid]
	s.mu.Unlock()
	if t == nil {
		return "", fmt.Errorf("no such task %q", upid)
	}
	select {
	case <-t.done:
		return t.Status, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// TaskLog returns the lines that a task has printed so far.
func (s *Server) TaskLog(upid string) []string {
	s.mu.Lock()
	t := s.tasks[upid]
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.lines()
}

var upidRE = regexp.MustCompile(`^UPID:([a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8}):([^:\s]+):([^:\s]*):([^:\s]+):$`)

// theTask finds the task of a request; nil without an error for one that nobody knows.
func (c *call) theTask(privilege string) (*task, error) {
	upid := c.p.str("upid")
	m := upidRE.FindStringSubmatch(upid)
	if m == nil {
		return nil, paramError("upid", "unable to parse worker upid")
	}
	if !c.owns(m[7]) {
		if err := c.need("/nodes/"+c.node(), privilege); err != nil {
			return nil, err
		}
	}
	return c.tasks[upid], nil
}

// owns tells whether a task of that user is the caller's: his own, or his token's.
func (c *call) owns(user string) bool {
	me := c.who.authuser
	return user == me || strings.HasPrefix(user, me+"!")
}

func taskIndex(*call) (any, error) {
	return []map[string]any{{"name": "log"}, {"name": "status"}}, nil
}

func (t *task) fields() map[string]any {
	user, tid, isToken := strings.Cut(t.User, "!")
	m := map[string]any{"upid": t.UPID, "node": t.Node, "pid": t.PID, "pstart": t.PStart, "starttime": t.Start, "type": t.Type, "id": t.ID, "user": user}
	if isToken {
		m["tokenid"] = tid
	}
	return m
}

func taskStatus(c *call) (any, error) {
	t, err := c.theTask("Sys.Audit")
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, paramError("upid", "no such task")
	}
	m := t.fields()
	t.mu.Lock()
	defer t.mu.Unlock()
	m["status"] = "running"
	if t.finished {
		m["status"], m["exitstatus"] = "stopped", t.Status
	}
	return m, nil
}

func stopTask(c *call) (any, error) {
	t, err := c.theTask("Sys.Modify")
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, paramError("upid", "no such task")
	}
	t.stop()
	c.unlocked(func() {
		select {
		case <-t.done:
		case <-time.After(5 * time.Second):
		}
	})
	return nil, nil
}
