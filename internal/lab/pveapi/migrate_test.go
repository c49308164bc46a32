package pveapi_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

// TestMigrate moves a container between nodes; the recorded server had one, so that the
// replay cannot show it.
func TestMigrate(t *testing.T) {
	l := newLab(t, pveapi.Options{Nodes: []string{"pve1", "pve2", "pve3"}})
	l.task(t, "OK", "POST", "/nodes/pve1/lxc", createForm("101"))
	refused := func(target, want string) {
		t.Helper()
		r := l.call(t, "POST", "/nodes/pve1/lxc/101/migrate", url.Values{"target": {target}})
		if got := r.Reason + r.Errors["target"]; r.Status == 200 || !strings.Contains(got, want) {
			t.Errorf("migration to %s: %d %s, want %q", target, r.Status, got, want)
		}
	}
	refused("pve1", "target is local node.")
	refused("pve9", "pve9")
	l.task(t, "OK", "POST", "/nodes/pve1/lxc/101/status/start", url.Values{})
	refused("pve2", "can't migrate running container without --online or --restart")
	l.task(t, "OK", "POST", "/nodes/pve1/lxc/101/migrate", url.Values{"target": {"pve2"}, "restart": {"1"}})
	if r := l.call(t, "GET", "/nodes/pve1/lxc/101/config", nil); r.Reason != "Configuration file 'nodes/pve1/lxc/101.conf' does not exist" {
		t.Errorf("on its old node: %d %s", r.Status, r.Reason)
	}
	if now := l.call(t, "GET", "/nodes/pve2/lxc/101/status/current", nil).Data.(map[string]any)["status"]; now != "running" {
		t.Errorf("on its new node it is %v", now)
	}
	for _, row := range l.call(t, "GET", "/cluster/resources?type=vm", nil).Data.([]any) {
		if node := row.(map[string]any)["node"]; node != "pve2" {
			t.Errorf("the cluster shows it on %v", node)
		}
	}
	l.task(t, "OK", "DELETE", "/nodes/pve2/lxc/101?force=1", nil)
}
