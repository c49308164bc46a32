package pveapi_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/pveapi/membackend"
)

func TestStateSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	backend := membackend.New()
	defer backend.Close()
	var before, fingerprint, upid string
	var conf any
	t.Run("first run", func(t *testing.T) {
		l := newLab(t, pveapi.Options{Dir: dir, Backend: backend, RootPassword: "secret"})
		l.AddUser("ci@pve", "")
		secret, err := l.AddToken("ci@pve", "x", true, "")
		if err != nil {
			t.Fatal(err)
		}
		before = secret
		l.AddRole("Deploy", "VM.Audit")
		l.Grant("/vms", "ci@pve", "Deploy")
		l.Grant("/vms", "ci@pve!x", "Deploy")
		upid = l.task(t, "OK", "POST", "/nodes/pve1/lxc", createForm("101"))
		l.task(t, "OK", "POST", "/nodes/pve1/lxc/101/snapshot", url.Values{"snapname": {"s1"}})
		conf = l.call(t, "GET", "/nodes/pve1/lxc/101/config", nil).Data
		fingerprint, err = l.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("second run", func(t *testing.T) {
		l := newLab(t, pveapi.Options{Dir: dir, Backend: backend})
		if got, err := l.Fingerprint(); err != nil || got != fingerprint {
			t.Errorf("fingerprint %s (%v), want %s", got, err, fingerprint)
		}
		if d := cmp.Diff(conf, l.call(t, "GET", "/nodes/pve1/lxc/101/config", nil).Data); d != "" {
			t.Errorf("configuration changed over the restart:\n%s", d)
		}
		if rows := l.call(t, "GET", "/nodes/pve1/lxc/101/snapshot", nil).Data.([]any); len(rows) != 2 {
			t.Errorf("snapshots: %v", rows)
		}
		if status, err := l.WaitTask(context.Background(), upid); err != nil || status != "OK" {
			t.Errorf("old task: %q, %v", status, err)
		}
		if log := strings.Join(l.TaskLog(upid), "\n"); !strings.Contains(log, "done: SHA256:") {
			t.Errorf("old task's log: %s", log)
		}
		l.secret = before
		req := l.as(t, "ci@pve!x="+before, "GET", "/nodes/pve1/lxc/101/status/current")
		if req.Status != 200 {
			t.Errorf("old token: %d %s", req.Status, req.Reason)
		}
		if req := l.as(t, "ci@pve!x="+before, "GET", "/nodes/pve1/status"); req.Reason != "Permission check failed (/nodes/pve1, Sys.Audit)" {
			t.Errorf("old token's limits: %d %s", req.Status, req.Reason)
		}
	})
	if st, err := os.Stat(filepath.Join(dir, "pve-ssl.key")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("private key: %v, %v", st.Mode(), err)
	}
}
