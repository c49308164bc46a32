package pveapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/pveapi/membackend"
)

// fails sends a request that gets no answer.
func (l *lab) fails(t *testing.T, method, path string, form url.Values) {
	t.Helper()
	req, err := http.NewRequest(method, l.url+"/api2/json"+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "PVEAPIToken=root@pam!ci="+l.secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if res, err := l.client.Do(req); err == nil {
		res.Body.Close()
		t.Fatalf("%s %s: got %s, want a dropped connection", method, path, res.Status)
	}
}

func TestFaultsOnRequests(t *testing.T) {
	l := newLab(t, pveapi.Options{})
	l.task(t, "OK", "POST", "/nodes/pve1/lxc", createForm("101"))
	inject := func(f pveapi.Fault) {
		t.Helper()
		if err := l.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	inject(pveapi.Fault{Method: "GET", Path: "/nodes/*/lxc/101/config", Status: 503, Reason: "busy", Times: 2})
	for i := 0; i < 2; i++ {
		if r := l.call(t, "GET", "/nodes/pve1/lxc/101/config", nil); r.Status != 503 || r.Reason != "busy" || r.Message != "busy\n" {
			t.Errorf("call %d: %d %q %q", i, r.Status, r.Reason, r.Message)
		}
	}
	if r := l.call(t, "GET", "/nodes/pve1/lxc/101/config", nil); r.Status != 200 {
		t.Errorf("after the faults: %d %s", r.Status, r.Reason)
	}

	memory := func() any { return l.call(t, "GET", "/nodes/pve1/lxc/101/config", nil).Data.(map[string]any)["memory"] }
	inject(pveapi.Fault{Method: "PUT", Path: "/nodes/pve1/lxc/101/config", Drop: "before"})
	l.fails(t, "PUT", "/nodes/pve1/lxc/101/config", url.Values{"memory": {"300"}})
	if got := memory(); got != 256.0 {
		t.Errorf("dropped before taking effect, but memory is %v", got)
	}
	inject(pveapi.Fault{Method: "PUT", Path: "/nodes/pve1/lxc/101/config", Drop: "after"})
	l.fails(t, "PUT", "/nodes/pve1/lxc/101/config", url.Values{"memory": {"300"}})
	if got := memory(); got != 300.0 {
		t.Errorf("dropped after taking effect, but memory is %v", got)
	}
	if err := l.Inject(pveapi.Fault{Status: 500}); err == nil {
		t.Error("a fault without a path was taken")
	}
}

func TestFaultsOnTasks(t *testing.T) {
	l := newLab(t, pveapi.Options{})
	for _, f := range []pveapi.Fault{
		{Task: "vzcreate", TaskError: "unable to create CT 101 - disk on fire"},
		{Task: "vzcreate:101", TaskLine: 3, TaskError: "interrupted by signal"},
		{Task: "vzcreate", TaskWarn: "something is odd"},
	} {
		if err := l.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	l.task(t, "unable to create CT 101 - disk on fire", "POST", "/nodes/pve1/lxc", createForm("101"))
	if got := l.GuestIDs(); len(got) > 0 {
		t.Errorf("a creation that failed left %v", got)
	}
	l.task(t, "interrupted by signal", "POST", "/nodes/pve1/lxc", createForm("101"))
	l.task(t, "WARNINGS: 1", "POST", "/nodes/pve1/lxc", createForm("101"))

	if err := l.Inject(pveapi.Fault{Task: "vzstart", TaskHang: true}); err != nil {
		t.Fatal(err)
	}
	upid := l.call(t, "POST", "/nodes/pve1/lxc/101/status/start", url.Values{}).Data.(string)
	if r := l.call(t, "GET", "/nodes/pve1/tasks/"+upid+"/status", nil); r.Data.(map[string]any)["status"] != "running" {
		t.Errorf("a task that hangs is %v", r.Data)
	}
	if r := l.call(t, "DELETE", "/nodes/pve1/tasks/"+upid, nil); r.Status != 200 {
		t.Errorf("stop: %d %s", r.Status, r.Reason)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if status, err := l.WaitTask(ctx, upid); err != nil || status != "received interrupt" {
		t.Errorf("stopped task ended in %q, %v", status, err)
	}
}

func TestFullStorageAndOfflineNode(t *testing.T) {
	l := newLab(t, pveapi.Options{Nodes: []string{"pve1", "pve2"}})
	l.FillStorage("local-lvm", true)
	l.task(t, "unable to create CT 101 - unable to create image: No space left on device", "POST", "/nodes/pve1/lxc", createForm("101"))
	l.SetOffline("pve2", true)
	if r := l.call(t, "GET", "/nodes/pve2/status", nil); r.Status != 595 {
		t.Errorf("offline node: %d %s", r.Status, r.Reason)
	}
	rows := l.call(t, "GET", "/nodes", nil).Data.([]any)
	if got := rows[1].(map[string]any)["status"]; got != "offline" {
		t.Errorf("pve2 is %v", got)
	}
	l.ClearFaults()
	if r := l.call(t, "GET", "/nodes/pve2/status", nil); r.Status != 200 {
		t.Errorf("node back again: %d %s", r.Status, r.Reason)
	}
}

func TestFileLock(t *testing.T) {
	l := newLab(t, pveapi.Options{LockTimeout: 50 * time.Millisecond})
	l.task(t, "OK", "POST", "/nodes/pve1/lxc", createForm("101"))
	release := l.HoldLock(101)
	r := l.call(t, "PUT", "/nodes/pve1/lxc/101/config", url.Values{"memory": {"300"}})
	if want := "can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout"; r.Status != 500 || r.Reason != want {
		t.Errorf("got %d %q, want 500 %q", r.Status, r.Reason, want)
	}
	release()
	if r := l.call(t, "PUT", "/nodes/pve1/lxc/101/config", url.Values{"memory": {"300"}}); r.Status != 200 {
		t.Errorf("lock released, yet %d %s", r.Status, r.Reason)
	}
}

func TestFaultOfAGuest(t *testing.T) {
	l := newLab(t, pveapi.Options{LockTimeout: 50 * time.Millisecond})
	for _, f := range []pveapi.Fault{{Guest: 101, Lock: "backup"}, {Guest: pveapi.AnyGuest, Hold: time.Hour, Skip: 1}} {
		if err := l.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	l.task(t, "OK", "POST", "/nodes/pve1/lxc", createForm("101"))
	if got := l.call(t, "GET", "/nodes/pve1/lxc/101/config", nil).Data.(map[string]any)["lock"]; got != "backup" {
		t.Errorf("the new guest's lock is %v", got)
	}
	r := l.call(t, "PUT", "/nodes/pve1/lxc/101/config", url.Values{"memory": {"300"}})
	if want := "can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout"; r.Reason != want {
		t.Errorf("got %d %q, want %q", r.Status, r.Reason, want)
	}
	if left := l.Faults(); len(left) > 0 {
		t.Errorf("still waiting: %+v", left)
	}
}

// TestStartsThatGoWrong lets an sshd come late and a guest reboot, in a time of its own.
func TestStartsThatGoWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, b := newBubble(t)
		for _, f := range []pveapi.Fault{{Guest: 101, LateSSH: time.Minute, RebootAfter: 2 * time.Minute}, {Guest: pveapi.AnyGuest, RebootAfter: time.Hour}} {
			if err := l.Inject(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Start(t.Context(), 101, map[string]string{}, func(string) {}); err != nil {
			t.Fatal(err)
		}
		began, pid := time.Now(), 0
		for _, want := range []struct {
			at      time.Duration
			listens bool
			reboots int
		}{
			{59 * time.Second, false, 0}, {61 * time.Second, true, 0}, {121 * time.Second, false, 1}, {130 * time.Second, true, 1},
			{121*time.Second + time.Hour, false, 2}, {3 * time.Hour, true, 2},
		} {
			time.Sleep(want.at - time.Since(began))
			u, err := b.Usage(t.Context(), 101)
			if err != nil {
				t.Fatal(err)
			}
			if pid == 0 {
				pid = u.PID
			}
			if b.Listens(101) != want.listens || u.PID-pid != want.reboots {
				t.Errorf("after %s: sshd listens: %v, %d reboots", want.at, b.Listens(101), u.PID-pid)
			}
		}
	})
}

// newBubble is a server without a listener and one guest in memory.
func newBubble(t *testing.T) (*pveapi.Server, *membackend.Backend) {
	b := membackend.New()
	t.Cleanup(b.Close)
	s, err := pveapi.New(pveapi.Options{Dir: t.TempDir(), Backend: b})
	if err == nil {
		err = b.Create(t.Context(), 101, pveapi.Spec{Config: map[string]string{}}, func(string) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func TestFileLockIsHeldForAWhile(t *testing.T) {
	const hold = 200 * time.Millisecond
	l := newLab(t, pveapi.Options{LockTimeout: patience})
	l.task(t, "OK", "POST", "/nodes/pve1/lxc", createForm("101"))
	if err := l.Inject(pveapi.Fault{Guest: 101, Hold: hold}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r := l.call(t, "PUT", "/nodes/pve1/lxc/101/config", url.Values{"memory": {"300"}})
	if r.Status != 200 || time.Since(start) < hold {
		t.Errorf("%d %s after %s", r.Status, r.Reason, time.Since(start))
	}
}

func TestFaultsThatWouldNeverCome(t *testing.T) {
	l := newLab(t, pveapi.Options{})
	for _, f := range []pveapi.Fault{
		{}, {Status: 500}, {Path: "/version", Task: "vzcreate", Status: 500}, {Path: "[", Status: 500},
		{Path: "/version", Drop: "sometimes"}, {Node: "pve2"}, {Storage: "nowhere"}, {Guest: 101}, {Path: "/version", Lock: "backup"},
	} {
		if err := l.Inject(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add(`{"guest": "*", "late_ssh": "20s", "reboot_after": "1m", "times": -1}`)
	f.Add(`{"path": "/nodes/*/lxc", "status": 596, "delay": "2s", "drop": "after"}`)
	f.Add(`{"task": "vzcreate:101", "task_line": 3, "task_error": "x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := pveapi.ParseFault(text)
		if err != nil {
			return
		}
		raw, err := json.Marshal(fault)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := pveapi.ParseFault(string(raw)); err != nil || again != fault {
			t.Errorf("%s is %+v, written as %s it is %+v, %v", text, fault, raw, again, err)
		}
	})
}

func TestControlPort(t *testing.T) {
	l := newLab(t, pveapi.Options{})
	ctl := httptest.NewServer(l.Control())
	defer ctl.Close()
	post := func(method, path, body string, want int) {
		t.Helper()
		req, err := http.NewRequest(method, ctl.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s %s: %s, want %d", method, path, res.Status, want)
		}
	}
	post("POST", "/faults", `{"method":"GET","path":"/version","status":502,"delay":"1ms"}`, 204)
	if r := l.call(t, "GET", "/version", nil); r.Status != 502 || r.Reason != "Bad Gateway" {
		t.Errorf("fault by the control port: %d %q", r.Status, r.Reason)
	}
	post("POST", "/faults", `{"status":502}`, 400)
	post("POST", "/faults", `{"path":"/version","colour":"red"}`, 400)
	post("POST", "/nodes/pve7/offline", "", 400)
	post("POST", "/storages/nowhere/full", "", 400)
	post("POST", "/nodes/pve1/offline", "", 204)
	if r := l.call(t, "GET", "/nodes/pve1/status", nil); r.Status != 595 {
		t.Errorf("node taken offline: %d", r.Status)
	}
	post("DELETE", "/faults", "", 204)
	post("POST", "/guests/199/lock?as=backup", "", 400)
	if r := l.Requests(); len(r) != 2 || r[0].Status != 502 || r[1].Identity != "root@pam!ci" {
		t.Errorf("log of requests: %+v", r)
	}
	post("DELETE", "/requests", "", 204)
	if r := l.Requests(); len(r) != 0 {
		t.Errorf("log of requests was not emptied: %+v", r)
	}
}
