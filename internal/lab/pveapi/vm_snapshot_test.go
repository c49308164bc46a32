package pveapi_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

// TestVirtualMachineSnapshots takes a VM back to what it was, its files, its settings and
// its disk's size, and starts it; its description stays as it is.
func TestVirtualMachineSnapshots(t *testing.T) {
	l := newLab(t, pveapi.Options{})
	l.templateVM(t)
	const vm = "/nodes/pve1/qemu/201"
	l.task(t, "OK", "POST", "/nodes/pve1/qemu/9000/clone", url.Values{"newid": {"201"}, "name": {"shop-dev"}, "full": {"1"}})
	l.task(t, "OK", "POST", vm+"/status/start", url.Values{})
	l.backend.SetFile(201, "/srv/app", "one")
	before, _ := l.backend.Guest(201)
	l.task(t, "OK", "POST", vm+"/snapshot", url.Values{"snapname": {"good"}, "description": {"before the deploy"}})
	if r := l.call(t, "GET", vm+"/feature?feature=snapshot", nil); r.Data.(map[string]any)["hasFeature"] != 1.0 {
		t.Errorf("feature: %+v", r)
	}

	l.backend.SetFile(201, "/srv/app", "two")
	if r := l.call(t, "PUT", vm+"/config", url.Values{"name": {"other"}, "tags": {"new"}, "description": {"mine"}}); r.Status != 200 {
		t.Fatalf("put: %+v", r)
	}
	l.task(t, "OK", "PUT", vm+"/resize", url.Values{"disk": {"scsi0"}, "size": {"8G"}})
	l.task(t, "snapshot name 'good' already used", "POST", vm+"/snapshot", url.Values{"snapname": {"good"}})

	l.task(t, "OK", "POST", vm+"/snapshot/good/rollback", url.Values{"start": {"1"}})
	l.eventually(t, "the start after the rollback", func() bool {
		return l.call(t, "GET", vm+"/status/current", nil).Data.(map[string]any)["status"] == "running"
	})
	conf := l.call(t, "GET", vm+"/config", nil).Data.(map[string]any)
	after, _ := l.backend.Guest(201)
	if after.Files["/srv/app"] != "one" || conf["name"] != "shop-dev" || conf["tags"] != nil || conf["description"] != "mine" || conf["parent"] != "good" ||
		strings.Contains(conf["scsi0"].(string), "8G") || after.Config["hostname"] != before.Config["hostname"] {
		t.Errorf("rolled back: files %v, configuration %v", after.Files, conf)
	}

	l.task(t, "OK", "DELETE", vm+"/snapshot/good", nil)
	if rows := l.call(t, "GET", vm+"/snapshot", nil).Data.([]any); len(rows) != 1 {
		t.Errorf("snapshots left: %v", rows)
	}
	l.task(t, "you can't take a snapshot if it's a template", "POST", "/nodes/pve1/qemu/9000/snapshot", url.Values{"snapname": {"golden"}})
}
