package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/machine"
)

// task is one of Proxmox's tasks that has ended well.
type task struct{ upid string }

// tailLines is how many of a failed task's last lines an error keeps.
const tailLines = 10

// nodeOf returns the node that a task runs on: UPID:NODE:…
func nodeOf(upid string) string {
	parts := strings.SplitN(upid, ":", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

// job is a request that starts a task.
type job struct {
	what   string         // "the start of CT 101"
	guest  *machine.Guest // whose task it is
	kinds  []string       // types of task that it may start
	method string
	path   string
	params params
	limit  time.Duration // 0: the usual one
}

// run sends a request that starts a task, until it has happened once, and waits for
// the task's end. Where the answer is lost it looks whether there is a new task
// before it sends the request again. While the guest is locked by somebody else it
// tries again, too: Proxmox takes some of these requests although they cannot
// succeed, and says so in the task.
func (c *Client) run(ctx context.Context, j job) (*task, error) {
	if j.limit == 0 {
		j.limit = c.times.task
	}
	return c.whileLocked(ctx, func() (*task, error) {
		upid, err := c.begin(ctx, j)
		if err != nil {
			return nil, err
		}
		if upid == "" { // Proxmox VE 8 does some of it at once
			return &task{}, nil
		}
		return c.wait(ctx, upid, j.what, j.limit)
	})
}

// whileLocked repeats what starts a task for as long as that says that somebody else has
// the guest locked.
func (c *Client) whileLocked(ctx context.Context, run func() (*task, error)) (*task, error) {
	for start := time.Now(); ; {
		t, err := run()
		failed, ok := errors.AsType[*TaskError](err)
		if !ok || failed.Running || !lockText(failed.Status) || time.Since(start) > c.times.lock {
			return t, err
		}
		progressOf(ctx).Wait("the lock on the guest ("+failed.Status+")", time.Since(start))
		if err := sleep(ctx, 10*c.times.backoff); err != nil {
			return nil, errors.Join(failed, err)
		}
	}
}

// begin sends the request and returns its task.
func (c *Client) begin(ctx context.Context, j job) (upid string, err error) {
	before, err := c.tasks(ctx, j.guest, j.kinds)
	if err != nil {
		return "", err
	}
	for attempt := 1; ; attempt++ {
		err := c.call(ctx, j.method, j.path, j.params, &upid)
		if err == nil {
			return upid, nil
		}
		e := asError(err)
		if e == nil || !e.Uncertain && attempt == 1 {
			return "", err
		}
		// A refusal of the second attempt may be due to the first one's success.
		if upid, found := c.newTask(ctx, j, before); found {
			return upid, nil
		}
		if attempt == maxAttempts || !e.Uncertain || ctx.Err() != nil {
			return "", err
		}
	}
}

// newTask looks for a task that was not there before, for as long as a request may
// still be on its way.
func (c *Client) newTask(ctx context.Context, j job, before []taskRow) (string, bool) {
	for range maxAttempts {
		if sleep(ctx, 2*c.times.backoff) != nil {
			return "", false
		}
		rows, err := c.tasks(ctx, j.guest, j.kinds)
		if err != nil {
			continue
		}
		for _, r := range rows {
			if !slices.ContainsFunc(before, func(old taskRow) bool { return old.UPID == r.UPID }) {
				return r.UPID, true
			}
		}
	}
	return "", false
}

// wait waits until a task ends, at most for the limit. "WARNINGS: n" is a success.
// A ctx that ends leaves the task running.
func (c *Client) wait(ctx context.Context, upid, what string, limit time.Duration) (*task, error) {
	if nodeOf(upid) == "" {
		return nil, fmt.Errorf("cannot wait for %s: %q is no task of Proxmox's", what, upid)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took more than %s", limit))
	defer cancel()
	start, interval, told, heard := time.Now(), c.times.poll, time.Now(), time.Now()
	for {
		status, err := c.taskStatus(ctx, upid)
		switch {
		case err == nil && status.Status == "stopped":
			return c.ended(ctx, upid, what, status.ExitStatus)
		case err == nil:
			heard = time.Now()
		case ctx.Err() == nil && (!passing(err) || time.Since(heard) > c.times.silence):
			return nil, fmt.Errorf("cannot follow %s, which goes on as %s: %w", what, upid, err)
		}
		if sleep(ctx, interval) != nil {
			return nil, &TaskError{UPID: upid, What: what, Running: true, cause: context.Cause(ctx)}
		}
		interval = min(interval*3/2, c.times.pollMax)
		if time.Since(told) >= c.times.tell {
			told = time.Now()
			progressOf(ctx).Wait(what, time.Since(start))
		}
	}
}

// taskState is how far a task is.
type taskState struct {
	Status     string `json:"status"` // running, stopped
	ExitStatus string `json:"exitstatus"`
}

func (c *Client) taskStatus(ctx context.Context, upid string) (s taskState, err error) {
	err = c.get(ctx, taskPath(upid)+"/status", &s)
	return s, err
}

// passing tells whether looking at a task failed in a way that may pass while the task
// goes on: pveproxy restarts, a node is cut off from the one that answers (500, 596).
func passing(err error) bool {
	if _, ok := errors.AsType[*CertificateError](err); ok {
		return false
	}
	if _, ok := errors.AsType[*UnreachableError](err); ok {
		return true
	}
	e := asError(err)
	return e != nil && (e.Status == 0 || e.Status >= http.StatusInternalServerError)
}

// ended judges a task's exit status.
func (c *Client) ended(ctx context.Context, upid, what, status string) (*task, error) {
	t := &task{upid: upid}
	if status == "OK" || strings.HasPrefix(status, "WARNINGS: ") {
		return t, nil
	}
	lines, err := c.taskLog(ctx, upid)
	if err != nil {
		lines = []string{fmt.Sprintf("(%v)", err)}
	}
	return nil, &TaskError{UPID: upid, What: what, Status: status, Log: lines[max(0, len(lines)-tailLines):]}
}

// taskLog returns a task's whole log; Proxmox's default are 50 lines.
func (c *Client) taskLog(ctx context.Context, upid string) ([]string, error) {
	var rows []struct {
		Text string `json:"t"`
	}
	if err := c.get(ctx, taskPath(upid)+"/log?start=0&limit=5000", &rows); err != nil {
		return nil, err
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = row.Text
	}
	return lines, nil
}

func taskPath(upid string) string {
	return "/nodes/" + nodeOf(upid) + "/tasks/" + url.PathEscape(upid)
}

// taskRow is a task in a node's list. An active one has the status RUNNING, or none.
type taskRow struct {
	UPID   string `json:"upid"`
	Type   string `json:"type"`
	ID     string `json:"id"`
	Status string `json:"status"`
	Start  int64  `json:"starttime"` // Unix time by the node's clock
}

func (r taskRow) running() bool { return r.Status == "" || r.Status == "RUNNING" }

// creating are the types of task that make a guest.
var creating = []string{"vzcreate", "qmcreate", "qmclone"}

// tasks lists the guest's tasks of these types, active ones included, as far as the
// token may see them: without Sys.Audit those are its own.
func (c *Client) tasks(ctx context.Context, g *machine.Guest, kinds []string) ([]taskRow, error) {
	var rows []taskRow
	path := fmt.Sprintf("/nodes/%s/tasks?vmid=%d&source=all&limit=200", g.Node, g.VMID)
	if err := c.get(ctx, path, &rows); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rows, func(r taskRow) bool { return !slices.Contains(kinds, r.Type) }), nil
}

// taskKind is the type of the guest's task for a verb: vzstart, qmstart.
func taskKind(g *machine.Guest, verb string) string {
	if g.Kind == machine.KVM {
		return "qm" + verb
	}
	return "vz" + verb
}
