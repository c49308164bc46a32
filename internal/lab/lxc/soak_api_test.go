package lxc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/pveapi"
)

// api is the lab's Proxmox as an insistent client has it.
type api struct {
	server               *pveapi.Server
	guests               pveapi.Backend
	gateway              netip.Addr
	url, token, template string
	client               *http.Client
}

func newAPI(t *testing.T) *api {
	l := lab.Up(t)
	return &api{
		server: l.PVE, guests: l.Guests, gateway: l.Gateway(),
		url: l.Info.URL + "/api2/json", token: l.Info.Token, template: l.Info.Template, client: httpClient(t),
	}
}

// call sends one request and reads the answer's data into into, if that is not nil.
func (a *api) call(ctx context.Context, method, path string, form url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "PVEAPIToken="+a.token)
	if method == http.MethodPost || method == http.MethodPut {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(&struct{ Data any }{into})
}

func (c *cycle) path(rest string) string { return "/nodes/pve1/lxc/" + strconv.Itoa(c.vmid) + rest }

// is tells whether the container runs, is stopped or gone.
func (c *cycle) is(want string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		var now struct{ Status, Lock string }
		err := c.call(ctx, "GET", c.path("/status/current"), nil, &now)
		if err != nil && strings.Contains(err.Error(), "does not exist") {
			return want == "gone", nil
		}
		return now.Status == want, err
	}
}

func (c *cycle) hasSnapshot(ctx context.Context) (bool, error) {
	var list []struct{ Name string }
	err := c.call(ctx, "GET", c.path("/snapshot"), nil, &list)
	return err == nil && len(list) == 2, err // one of them is called current
}

// insist repeats a request until what it is for is so; with done nil, until it and its
// task succeed. In between it mends what the lab's owner would have to mend.
func (c *cycle) insist(ctx context.Context, method, path string, form url.Values, done func(context.Context) (bool, error)) error {
	var last error
	for range 8 {
		var upid string
		last = c.call(ctx, method, path, form, &upid)
		if last == nil && upid != "" {
			last = c.watch(ctx, upid)
		}
		if err := poll(ctx, c.idle(ctx)); err != nil {
			return err
		}
		if done == nil && last == nil {
			return nil
		}
		if done != nil {
			if ok, err := done(ctx); ok || err != nil {
				return err
			}
		}
		c.mend()
	}
	return fmt.Errorf("%s %s: not done after 8 attempts: %w", method, path, last)
}

// watch waits for a task, or stops it where patience ends; then the next one gets time.
func (c *cycle) watch(ctx context.Context, upid string) error {
	limit := patience
	switch kind := strings.Split(upid, ":")[5]; {
	case c.TaskHang && strings.HasPrefix(c.Task, kind+":"):
		limit, c.TaskHang = hangs, false
	case kind == c.stops:
		limit, c.stops = c.impatient, ""
	}
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	status, err := c.server.WaitTask(short, upid)
	if err != nil {
		if err := c.call(ctx, "DELETE", "/nodes/pve1/tasks/"+upid, nil, nil); err != nil {
			return err
		}
		status, err = c.server.WaitTask(ctx, upid)
	}
	if err == nil && status != "OK" && !strings.HasPrefix(status, "WARNINGS") {
		err = fmt.Errorf("the task ended in %q", status)
	}
	return err
}

// idle tells whether no task of the container runs: one may, although nobody was told.
func (c *cycle) idle(ctx context.Context) func() (bool, error) {
	return func() (bool, error) {
		var active []any
		err := c.call(ctx, "GET", "/nodes/pve1/tasks?source=active&vmid="+strconv.Itoa(c.vmid), nil, &active)
		return len(active) == 0, err
	}
}

func (c *cycle) mend() {
	c.server.FillStorage("local-lvm", false)
	c.server.SetLock(c.vmid, "") // it is no error here that there is no such guest
}

// poll asks until it is so; an error ends it.
func poll(ctx context.Context, so func() (bool, error)) error {
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := so(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// leavesAsBefore expects the machine's traces of this lab to become what they were.
func leavesAsBefore(t *testing.T, before string) {
	t.Helper()
	var now string
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := poll(ctx, func() (bool, error) { now = traces(t); return now == before, nil }); err != nil {
		t.Fatalf("a leak: there were\n%s\nand there are\n%s", before, now)
	}
}

// traces counts what containers leave on the machine and in this process.
func traces(t *testing.T) string {
	t.Helper()
	l := lab.Up(t)
	dir := filepath.Join("/var/lib/pvelab", l.Bridge())
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	children := 0
	for _, list := range read(t, "/proc/self/task/*/children") {
		children += len(strings.Fields(list))
	}
	return fmt.Sprintf("%d mounts, %d loop devices, %d veths, %d cgroups, %d processes, %d containers, %d files, %d children, %d files open, %d goroutines",
		strings.Count(string(mounts), dir+"/"), containing(read(t, "/sys/block/loop*/loop/backing_file"), dir+"/"),
		count(t, "/sys/class/net/"+l.Bridge()+"/brif/*"), count(t, "/sys/fs/cgroup/*/"+l.Bridge()+"/*/"),
		containing(read(t, "/proc/[0-9]*/cmdline"), dir+"/"), lxc.Count(l.Bridge()), files(t, dir), children,
		count(t, "/proc/self/fd/*"), runtime.NumGoroutine())
}

func count(t *testing.T, pattern string) int {
	t.Helper()
	found, err := filepath.Glob(pattern)
	must(t, err)
	return len(found)
}

// read returns the contents of the files that can be read.
func read(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	must(t, err)
	var all []string
	for _, f := range found {
		if text, err := os.ReadFile(f); err == nil {
			all = append(all, string(text))
		}
	}
	return all
}

func containing(texts []string, what string) (n int) {
	for _, text := range texts {
		if strings.Contains(text, what) {
			n++
		}
	}
	return n
}

// files counts a lab's own, without the log of its tasks, which Proxmox keeps, too.
func files(t *testing.T, dir string) (n int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && !os.IsNotExist(err):
			return err
		case path == filepath.Join(dir, "pve", "tasks"), path == filepath.Join(dir, "lxcfs"):
			return fs.SkipDir
		}
		n++
		return nil
	}))
	return n
}
