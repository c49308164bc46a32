package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/report"
)

// leastWorld is a world whose Proxmox token is the one that the commands of
// docs/proxmox.md make.
type leastWorld struct {
	*world
	vmid int
	stk  string // the stack file, with a place for the guest's properties
	runs int
}

// documentedCommands are those of docs/proxmox.md that make the token: for containers, and
// what virtual machines take beyond.
func documentedCommands(t *testing.T, kind guestKind) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/proxmox.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts := strings.Split(string(text), "```sh\n")
	if len(scripts) != 3 {
		t.Fatalf("docs/proxmox.md has commands in %d places", len(scripts)-1)
	}
	var all string
	for i, script := range scripts[1:] {
		if i == 0 || kind.kind == machine.KVM {
			script, _, _ = strings.Cut(script, "```")
			all += script
		}
	}
	return all
}

func newLeastWorld(t *testing.T, kind guestKind) *leastWorld {
	t.Helper()
	w := &leastWorld{world: newWorld(t, kind)}
	w.log.t = silentTB{t}
	w.secret("proxmox_token", labtest.Pveum(t, w.lab.PVE, w.lab.Info.Token, documentedCommands(t, kind)))
	vmid, addr := machines.Allocate(t)
	w.vmid = vmid
	w.stk = fmt.Sprintf(`proxmox: {url: "${secret.proxmox_url}", token: "${secret.proxmox_token}", fingerprint: "${secret.proxmox_fingerprint}", node: pve1, pool: appstack}
secrets: [secrets.yaml.age]
ssh: {user: root, key: "${secret.ssh_key}"}
projects:
  shop:
    guest: {template: debian-12-warm, swap: 0, %%s}
    envs:
      dev: {name: shop-least-%d, vmid: %d, ip: %s, gateway: %s, branch: dev}
`, vmid, vmid, addr, w.lab.Gateway())
	return w
}

// guest writes the stack file with these properties.
func (w *leastWorld) guest(properties string) {
	w.t.Helper()
	w.write("appstack.yaml", fmt.Sprintf(w.stk, properties))
}

// killed runs a command that is cut off after so many of its API calls; 0: never. It
// returns how many there were.
func (w *leastWorld) killed(command string, after int) (calls int, r report.Report) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	out := &wire{}
	var mu sync.Mutex
	w.runs++
	reports, err := w.run(ctx, command, func(r *app.Run) {
		r.Dialer, r.Repository, r.Holder = out, "org/shop", fmt.Sprintf("org/shop/%d/1", w.runs)
		r.RunOver = func(context.Context, string) (bool, error) { return true, nil }
		r.Trace = func(what string, _ time.Duration) {
			// That other vmids are free is asked for a hundred times at once.
			if !strings.HasPrefix(what, "proxmox ") || strings.Contains(what, "nextid") {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if calls++; calls == after {
				out.sever()
				cancel()
			}
		}
	})
	w.must(err)
	return calls, reports[0]
}

// done runs a command that must succeed, and returns its report.
func (w *leastWorld) done(command string) report.Report {
	w.t.Helper()
	_, r := w.killed(command, 0)
	if r.Failed() {
		w.t.Fatalf("%s failed (%s): %s\nhint: %s", command, r.Reason, r.Error, r.Hint)
	}
	return r
}

// unchanging is what Proxmox makes anew for each guest.
var unchanging = regexp.MustCompile(`(hwaddr|virtio)=[0-9A-F:]+|(uuid|ctime)=[0-9a-f-]+|"digest":"[0-9a-f]+"`)

// state is the guest's configuration and the tasks that run, as root sees them.
func (w *leastWorld) state() string {
	w.t.Helper()
	ask := func(path string, into any) {
		r := httptest.NewRequest(http.MethodGet, "https://pve1/api2/json"+path, nil)
		r.Header.Set("Authorization", "PVEAPIToken="+w.lab.Info.Token)
		res := httptest.NewRecorder()
		w.lab.PVE.ServeHTTP(res, r)
		if err := json.Unmarshal(res.Body.Bytes(), into); err != nil || res.Code != http.StatusOK {
			w.t.Fatalf("%s: %d %s %v", path, res.Code, res.Body, err)
		}
	}
	var config struct{ Data map[string]any }
	ask(fmt.Sprintf("/nodes/pve1/%s/%d/config", w.kind.kind, w.vmid), &config)
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(config.Data)) {
		value := fmt.Sprint(config.Data[key])
		switch key {
		case "digest", "vmgenid":
			continue
		case "description": // keys and fences differ; that nobody holds it does not
			value = fmt.Sprintf("held %v, creating %v, pins %d keys", strings.Contains(value, `"lease"`), strings.Contains(value, `"creating":true`), strings.Count(value, "SHA256:"))
		}
		fmt.Fprintf(&b, "%s: %s\n", key, unchanging.ReplaceAllString(value, "…"))
	}
	var status struct{ Data struct{ Status string } }
	ask(fmt.Sprintf("/nodes/pve1/%s/%d/status/current", w.kind.kind, w.vmid), &status)
	var tasks struct{ Data []struct{ UPID string } }
	ask(fmt.Sprintf("/nodes/pve1/tasks?source=active&vmid=%d", w.vmid), &tasks)
	fmt.Fprintf(&b, "it is %s, tasks that run: %d\n", status.Data.Status, len(tasks.Data))
	return b.String()
}

// TestDocumentedCommands has the token that the commands of docs/proxmox.md make lead a
// guest through its life, through the whole program.
func TestDocumentedCommands(t *testing.T) {
	inEveryKind(t, func(t *testing.T, kind guestKind) {
		w := newMemWorld(t, kind)
		defer w.end()
		w.secret("proxmox_token", labtest.Pveum(t, w.proxmox, strings.TrimPrefix(w.auth, "PVEAPIToken="), documentedCommands(t, kind)))
		w.write("head.yaml", strings.Replace(w.read("head.yaml"), "node: pve1}", "node: pve1, pool: appstack}", 1))
		for _, properties := range []string{kind.first, kind.changed} {
			w.guest(properties)
			w.finish("provision")
			if r, err := w.do(t.Context(), "plan"); err != nil || !r.Plan.Empty() {
				t.Errorf("%v, then there is more to do:\n%s", err, r.Plan)
			}
		}
		w.finish("destroy")
		if left := w.guests(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// TestLeastPrivileges leads real guests through their lives with the token that the
// commands of docs/proxmox.md make: created, left alone, changed, and cut off at its
// calls.
func TestLeastPrivileges(t *testing.T) {
	if os.Getenv("APPSTACK_TORTURE") == "" {
		t.Skip("a dozen real guests are made and cut off: set APPSTACK_TORTURE")
	}
	onEveryKind(t, false, testLeastPrivileges)
}

func testLeastPrivileges(t *testing.T, kind guestKind) {
	w := newLeastWorld(t, kind)
	const first, second = "cores: 1, memory: 512, disk: 6, tags: [dev]",
		"cores: 2, memory: 768, disk: 7, tags: [dev, web], nameserver: 10.99.0.2, cpulimit: 1.5, onboot: false"
	w.guest(first)
	created, _ := w.killed("provision", 0)
	made := w.state()
	if r := w.done("provision"); r.Status != report.Unchanged {
		t.Errorf("the second run ends %s:\n%s", r.Status, r.Plan)
	}
	w.guest(second)
	changed, _ := w.killed("provision", 0)
	altered := w.state()
	if r := w.done("provision"); r.Status != report.Unchanged {
		t.Errorf("after the change a run ends %s:\n%s", r.Status, r.Plan)
	}
	w.done("destroy")
	t.Logf("%d calls to create, %d to change", created, changed)

	points := 0
	die := func(properties string, after int, want string) {
		t.Helper()
		w.guest(properties)
		w.killed("provision", after)
		w.done("provision")
		if r := w.done("provision"); r.Status != report.Unchanged {
			t.Errorf("cut off after %d calls, the next but one run ends %s:\n%s", after, r.Status, r.Plan)
		}
		if diff := cmp.Diff(want, w.state()); diff != "" {
			t.Errorf("cut off after %d calls, the state (-undisturbed +now):\n%s", after, diff)
		}
		points++
	}
	// Each guest is cut off once at its creation, once at its change, and once at its end.
	const lives = 3
	for i := range lives {
		die(first, 1+i*created/lives, made)
		die(second, 1+i*changed/lives, altered)
		w.killed("destroy", 1+i*2)
		w.done("destroy")
	}
	t.Logf("cut off at %d points, each mended by the next run", points)
}
