package pve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

const testUPID = "UPID:pve:0000A1B2:00C3D4E5:68F00000:vzstart:101:ci@pve!app:"

var testCT = &machine.Guest{Kind: machine.LXC, VMID: 101, Node: "pve"}

const (
	statusCall = "GET /nodes/pve/tasks/UPID:pve:0000A1B2:00C3D4E5:68F00000:vzstart:101:ci@pve%21app:/status"
	logCall    = "GET /nodes/pve/tasks/UPID:pve:0000A1B2:00C3D4E5:68F00000:vzstart:101:ci@pve%21app:/log?start=0&limit=5000"
	tasksCall  = "GET /nodes/pve/tasks?vmid=101&source=all&limit=200"
	startCall  = "POST /nodes/pve/lxc/101/status/start"
)

// recorder is a plan.Progress that remembers.
type recorder struct {
	mu    sync.Mutex
	waits []string
	lines []string
	ended []string
}

func (r *recorder) Begin(plan.Step) {}
func (r *recorder) Line(s plan.Step, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, s.Resource.String()+": "+line)
}
func (r *recorder) End(s plan.Step, o plan.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, fmt.Sprintf("%s %s: %v", s.Verb, s.Resource, o.Err))
}
func (r *recorder) Wait(what string, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = append(r.waits, what)
}

func stopped(exit string) answer {
	return answer{data: fmt.Sprintf(`{"status":"stopped","exitstatus":%q}`, exit)}
}

func TestWait(t *testing.T) {
	running := answer{data: `{"status":"running"}`}
	tests := []struct {
		name    string
		answers []answer
		err     string
		hint    string
	}{
		{name: "OK", answers: []answer{running, running, stopped("OK")}},
		{name: "warnings are a success", answers: []answer{stopped("WARNINGS: 2")}},
		{name: "a failure", answers: []answer{stopped("startup for container '101' failed")},
			err:  "cannot finish the start of CT 101: startup for container '101' failed",
			hint: "run_buffer: 571 | TASK ERROR: startup for container '101' failed"},
		{name: "a status that is no success although it begins like one", answers: []answer{stopped("OKAY")}, err: "OKAY"},
		{name: "an answer that gets lost", answers: []answer{running, {drop: true}, {status: 503, body: " "}, stopped("OK")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, map[string][]answer{statusCall: tt.answers,
				logCall: {{data: `[{"n":1,"t":"run_buffer: 571"},{"n":2,"t":"TASK ERROR: startup for container '101' failed"}]`}}})
			_, err := f.client().wait(t.Context(), testUPID, "the start of CT 101", time.Minute)
			if tt.err == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*TaskError](err)
			if !ok || !strings.Contains(e.Error(), tt.err) || !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("error %v, hint %q", err, e.Hint())
			}
		})
	}
}

// A task that never ends is left running, at the limit or when the run is cancelled;
// meanwhile people are told.
func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := bubbled(t, map[string][]answer{statusCall: {{data: `{"status":"running"}`}}})
		heard := new(recorder)
		_, err := c.wait(withProgress(t.Context(), heard), testUPID, "the start of CT 101", time.Minute)
		e, ok := errors.AsType[*TaskError](err)
		if !ok || !e.Running || !strings.Contains(e.Error(), "more than 1m0s") || !strings.Contains(e.Error(), testUPID) {
			t.Errorf("error: %v", err)
		}
		if n := len(heard.waits); n < 12 || n > 20 || heard.waits[0] != "the start of CT 101" {
			t.Errorf("in a minute people heard %d lines: %q", n, heard.waits)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Second, cancel)
		start := time.Now()
		_, err = c.wait(ctx, testUPID, "the start of CT 101", time.Hour)
		if took := time.Since(start); !errors.Is(err, context.Canceled) || took != 20*time.Second {
			t.Errorf("error %v after %s", err, took)
		}
	})
}

// A look at a task that fails is taken again: the task goes on. What would fail again
// at once ends the waiting, and what never passes ends it in time.
func TestWaitThroughTrouble(t *testing.T) {
	running := answer{data: `{"status":"running"}`}
	tests := []struct {
		name    string
		answers []answer
		took    time.Duration // at most
		err     []string
	}{
		{"500", []answer{running, refused(500, "unable to read tail (got 0 bytes)"), stopped("OK")}, time.Second, nil},
		{"a node that does not answer for a while", slices.Concat([]answer{running}, slices.Repeat([]answer{{status: 596, body: " "}}, 20), []answer{stopped("OK")}), time.Minute, nil},
		{"connections that break off", slices.Concat([]answer{running}, slices.Repeat([]answer{{drop: true}}, 9), []answer{stopped("OK")}), time.Minute, nil},
		{"trouble between good answers, for longer than the bound in all",
			slices.Concat(slices.Repeat([]answer{running, refused(500, "x"), refused(500, "x"), refused(500, "x")}, 60), []answer{stopped("OK")}), 5 * time.Minute, nil},
		{"a node that never answers again", []answer{running, {status: 596, body: " "}}, 90 * time.Second,
			[]string{"cannot follow the start of CT 101, which goes on as " + testUPID, "596"}},
		{"the token expires", []answer{running, {status: 401, body: `{"data":null,"message":"invalid token value!\n"}`}}, time.Second,
			[]string{"cannot follow the start of CT 101, which goes on as " + testUPID, "401 invalid token value!"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := bubbled(t, map[string][]answer{statusCall: tt.answers})
				start := time.Now()
				_, err := c.wait(t.Context(), testUPID, "the start of CT 101", 20*time.Minute)
				if took := time.Since(start); took > tt.took {
					t.Errorf("it took %s", took)
				}
				if (err == nil) != (tt.err == nil) {
					t.Fatalf("error: %v", err)
				}
				for _, text := range tt.err {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("error %q lacks %q", err, text)
					}
				}
				if e := asError(err); e != nil && e.Status == 401 && !strings.Contains(e.Hint(), "expired") {
					t.Errorf("hint %q", e.Hint())
				}
			})
		})
	}
}

// A request that starts a task happens once, whatever becomes of its answer.
func TestRunHappensOnce(t *testing.T) {
	none := answer{data: `[]`}
	mine := answer{data: fmt.Sprintf(`[{"upid":%q,"type":"vzstart","id":"101","status":"RUNNING"}]`, testUPID)}
	foreign := answer{data: `[{"upid":"UPID:pve:1:1:1:vzdump:101:x:","type":"vzdump","id":"101","status":"RUNNING"}]`}
	started := answer{data: `"` + testUPID + `"`}
	tests := []struct {
		name  string
		posts []answer
		tasks []answer
		sent  int
		err   string
	}{
		{"answered", []answer{started}, []answer{none}, 1, ""},
		{"reset after it took effect", []answer{{drop: true}}, []answer{none, mine}, 1, ""},
		{"reset after it took effect, seen late", []answer{{drop: true}}, []answer{none, none, foreign, mine}, 1, ""},
		{"reset before it took effect", []answer{{drop: true}, started}, []answer{none}, 2, ""},
		{"refused the second time, since it did happen", []answer{{drop: true}, refused(500, "CT 101 already running")},
			[]answer{none, none, none, none, none, mine}, 2, ""},
		{"reset always", []answer{{drop: true}}, []answer{none}, maxAttempts, "EOF"},
		{"refused", []answer{refused(500, "CT 101 already running")}, []answer{none}, 1, "already running"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, map[string][]answer{startCall: tt.posts, tasksCall: tt.tasks, statusCall: {stopped("OK")}})
			_, err := f.client().run(t.Context(), job{what: "the start of CT 101", guest: testCT, kinds: []string{"vzstart"},
				method: "POST", path: "/nodes/pve/lxc/101/status/start"})
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error: %v", err)
			}
			if n := f.count(startCall); n != tt.sent {
				t.Errorf("sent %d times, want %d", n, tt.sent)
			}
		})
	}
}

// Proxmox takes a start of a locked guest and lets the task fail: it is tried again.
func TestRunWaitsForLockInTask(t *testing.T) {
	f := newFake(t, map[string][]answer{
		startCall: {{data: `"` + testUPID + `"`}}, tasksCall: {{data: `[]`}},
		statusCall: {stopped("CT is locked (backup)"), stopped("OK")},
		logCall:    {{data: `[{"n":1,"t":"TASK ERROR: CT is locked (backup)"}]`}},
	})
	if err := f.client().start(t.Context(), testCT); err != nil {
		t.Error(err)
	}
	if n := f.count(startCall); n != 2 {
		t.Errorf("sent %d times, want 2", n)
	}
}

func TestTaskOfNoNode(t *testing.T) {
	for _, upid := range []string{"", "UPID", "UPID:pve", "UPID::x:"} {
		if _, err := newFake(t, nil).client().wait(t.Context(), upid, "it", time.Second); err == nil {
			t.Errorf("%q: no error", upid)
		}
	}
}

// A clone that never came about is an error, in the words of its last refusal.
func TestCloneThatNeverWas(t *testing.T) {
	const clone, free = "POST /nodes/pve1/qemu/9000/clone", "GET /cluster/nextid?vmid=101"
	source := &machine.Guest{Kind: machine.KVM, VMID: 9000, Node: "pve1"}
	want := &machine.Guest{Kind: machine.KVM, VMID: 101, Node: "pve1"}
	tests := []struct {
		name    string
		answers []answer
		want    string
		sent    int
	}{
		{"refused after a lost answer", []answer{{drop: true}, refused(403, "Permission check failed (/storage/local, Datastore.AllocateSpace)")}, "Permission check failed", 2},
		{"no answer at all", []answer{{drop: true}}, "unexpected EOF", maxAttempts},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, f := bubbled(t, map[string][]answer{clone: tt.answers, free: {{data: `"101"`}}})
				_, err := c.cloneOnce(t.Context(), source, want, params{"newid": "101"})
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				if n := f.count(clone); n != tt.sent {
					t.Errorf("%d requests for the clone, want %d", n, tt.sent)
				}
			})
		})
	}
}
