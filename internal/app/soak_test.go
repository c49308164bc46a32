package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/gitserver"
	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/report"
)

// soakRuns is how many deploys there are; APPSTACK_SOAK asks for another number.
func soakRuns() int {
	if n, err := strconv.Atoi(os.Getenv("APPSTACK_SOAK")); err == nil {
		return n
	}
	if torture() {
		return 300
	}
	return 6
}

// fleet is a project with three environments.
type fleet struct {
	*crashWorld
	random *rand.Rand
	envs   []*soakEnv
	source string
	runs   int
	ended  map[string]int // runs by blow and end
}

// soakEnv is one environment, with what may be seen of it.
type soakEnv struct {
	name  string
	vmid  int
	addr  netip.Addr
	cores int
	level string // of its variable LOG_LEVEL
	sha   string // the last that was live,
	page  string // and its page
	v     *visitor
}

const keepReleases = 3

func newFleet(t *testing.T) *fleet {
	f := &fleet{crashWorld: newCrashWorld(t, "org/soak"), random: rand.New(rand.NewPCG(9, 2026)), ended: map[string]int{}}
	f.source = fmt.Sprintf(`{git: "ssh://git@%s/%s.git", key: "${secret.deploy_key}", host_key: "%s"}`, f.lab.Info.GitSSH, f.repo, f.lab.Info.GitHostKey)
	for _, name := range []string{"dev", "qa", "prod"} {
		vmid, addr := machines.Allocate(t)
		f.envs = append(f.envs, &soakEnv{name: name, vmid: vmid, addr: addr.Addr(), cores: 1, level: "info"})
	}
	return f
}

// stack writes the stack file as it is to be now.
func (f *fleet) stack() {
	f.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `proxmox: {url: "${secret.proxmox_url}", token: "${secret.proxmox_token}", fingerprint: "${secret.proxmox_fingerprint}", node: pve1}
secrets: [secrets.yaml.age]
ssh: {user: root, key: "${secret.ssh_key}"}
projects:
  soak:
%s
      keep_releases: %d
    envs:
`, tinyStack(f.source), keepReleases)
	for _, e := range f.envs {
		fmt.Fprintf(&b, "      %s: {name: soak-%s, vmid: %d, ip: %s/24, gateway: %s, branch: %s, guest: {cores: %d}, env_vars: {LOG_LEVEL: %s}}\n",
			e.name, e.name, e.vmid, e.addr, f.lab.Gateway(), e.name, e.cores, e.level)
	}
	f.write("appstack.yaml", b.String())
}

// change changes an environment's part of the stack, one time in three.
func (f *fleet) change(e *soakEnv) string {
	switch f.random.IntN(6) {
	case 0:
		e.cores = 3 - e.cores
		return "cores"
	case 1:
		e.level = map[string]string{"info": "debug", "debug": "info"}[e.level]
		return "variable"
	}
	return ""
}

// mischief is what may go wrong in a run: at a moment of it, or with a request.
type mischief struct {
	name string
	blow *blow
	lab  func(*fleet)
	bad  gitrepo.Files // a commit that cannot be deployed
}

func mischiefs() []mischief {
	fault := func(f pveapi.Fault) func(*fleet) {
		return func(w *fleet) {
			f.Skip = w.random.IntN(6)
			w.must(w.lab.PVE.Inject(f))
		}
	}
	return []mischief{
		{name: "killed", blow: &killed},
		{name: "cancelled", blow: &cancelled},
		{name: "Proxmox dropped", blow: &proxmoxDropped},
		{name: "guest dropped", blow: &guestDropped},
		{name: "500", lab: fault(pveapi.Fault{Path: "/nodes/*/lxc/*/*", Status: 500, Reason: "got timeout"})},
		{name: "596", lab: fault(pveapi.Fault{Path: "/nodes/*/lxc/*/*", Status: 596, Reason: "Connection timed out"})},
		{name: "reset before", lab: fault(pveapi.Fault{Path: "/nodes/*/lxc/*/*", Drop: "before"})},
		{name: "reset after", lab: fault(pveapi.Fault{Path: "/nodes/*/lxc/*/config", Drop: "after"})},
		{name: "git server down", lab: func(w *fleet) { w.lab.Git.SetFault(gitserver.Fault{Down: true}) }},
		{name: "git server cuts", lab: func(w *fleet) { w.lab.Git.SetFault(gitserver.Fault{DropAfter: 2000}) }},
		{name: "bad build", bad: gitrepo.Files{"build.js": []byte("process.exit(7)")}},
		{name: "bad start", bad: gitrepo.Files{"server.js": []byte("process.exit(1)")}},
	}
}

// round deploys a new commit to an environment, and perhaps lets something go wrong; then
// it does what was to be done once more.
func (f *fleet) round() {
	f.t.Helper()
	e := f.envs[f.random.IntN(len(f.envs))]
	what := f.change(e)
	f.stack()
	var m mischief
	if f.random.IntN(2) == 0 {
		all := mischiefs()
		m = all[f.random.IntN(len(all))]
	}
	page := fmt.Sprintf("%s %d", e.name, f.runs)
	files := gitrepo.Files{"version": []byte(page)}
	for name, text := range m.bad {
		files[name] = text
	}
	sha := f.commit(page, files)
	r := f.deploy(e, sha, &m)
	f.ended[fmt.Sprintf("%s: %s %s", m.name, r.Status, r.Reason)]++
	f.t.Logf("%d: %s, %s, %q: %s %s", f.runs, e.name, what, m.name, r.Status, r.Reason)
	f.lab.PVE.ClearFaults()
	f.lab.Git.SetFault(gitserver.Fault{})
	switch {
	case r.Reason == report.Internal || r.Failed() && r.Reason == "":
		f.t.Errorf("run %d (%s) fails for no reason: %s", f.runs, m.name, r.Error)
	case m.name == "" && r.Failed():
		f.t.Errorf("run %d fails (%s) though nothing is wrong: %s", f.runs, r.Reason, r.Error)
	case m.bad != nil:
		if got := f.page(e); r.Release != e.sha || got != e.page {
			f.t.Errorf("run %d: after a %s %q serves, not %q; the page is %q", f.runs, m.name, r.Release, e.sha, got)
		}
		return
	}
	if r.Failed() {
		if r = f.deploy(e, sha, nil); r.Failed() {
			f.t.Fatalf("after run %d (%s), the next fails (%s): %s", f.runs, m.name, r.Reason, r.Error)
		}
	}
	e.sha, e.page = sha, page
	if got := f.page(e); got != page {
		f.t.Errorf("after run %d the page is %q, not %q", f.runs, got, page)
	}
}

func (f *fleet) page(e *soakEnv) string {
	f.t.Helper()
	return get(f.t, fmt.Sprintf("http://%s:3000/", e.addr))
}

// deploy runs apply for one environment under a mischief.
func (f *fleet) deploy(e *soakEnv, sha string, m *mischief) report.Report {
	f.t.Helper()
	f.runs++
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	out, view := &wire{}, app.View(f.log)
	if m != nil && m.lab != nil {
		m.lab(f)
	}
	if m != nil && m.blow != nil {
		view = f.after(f.random.IntN(14), func() { m.blow.strike(out, cancel) })
	}
	reports, err := f.run(ctx, "apply", func(r *app.Run) {
		r.View, r.Dialer, r.Request.Ref, r.Request.Env = view, out, sha, e.name
		r.Repository, r.Holder = "org/soak", fmt.Sprintf("org/soak/%d/1", f.runs)
		r.RunOver = func(context.Context, string) (bool, error) { return true, nil }
	})
	if len(reports) != 1 {
		f.t.Fatalf("run %d has %d reports: %v", f.runs, len(reports), err)
	}
	return reports[0]
}

// after returns a view in which something happens after so many moments.
func (f *fleet) after(n int, strike func()) app.View {
	var mu sync.Mutex
	return &watcher{f.log, func(moment) {
		mu.Lock()
		defer mu.Unlock()
		if n--; n == -1 {
			strike()
		}
	}}
}

// usage is what must not grow.
type usage struct{ heap, files, routines int }

func (u usage) String() string {
	return fmt.Sprintf("%.1f MiB, %d files, %d goroutines", float64(u.heap)/(1<<20), u.files, u.routines)
}

func measure(t testing.TB) usage {
	t.Helper()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return usage{int(m.HeapAlloc), len(files), runtime.NumGoroutine()}
}

// Deploys of new commits and stack changes over three environments, half of them with
// something that goes wrong: no request is lost, nothing grows and nothing is left over.
// Not parallel: what goes wrong goes wrong in all of the lab.
func TestSoak(t *testing.T) {
	f := newFleet(t)
	f.stack()
	f.settle()
	began, warm := time.Now(), usage{}
	done := 0
	for ; done < soakRuns() && !t.Failed() && timeLeft(t); done++ {
		if f.round(); done == soakRuns()/3 {
			warm = measure(t)
		}
	}
	f.lab.PVE.ResetRequests() // the lab's own log
	hot := measure(t)
	if done <= soakRuns()/3 {
		warm = hot
	}
	answered := 0
	for _, e := range f.envs {
		e.v.end()
		for _, n := range e.v.pages {
			answered += n
		}
		if len(e.v.failures) > 0 {
			t.Errorf("%s: requests failed: %q", e.name, e.v.failures)
		}
	}
	// The lab is in this process, too, with connections that it has not closed yet: what grows
	// with each of 200 runs shows all the same.
	if hot.heap > warm.heap+32<<20 || hot.files > warm.files+64 || hot.routines > warm.routines+64 {
		t.Errorf("the program had %s after a third of the runs, and has %s", warm, hot)
	}
	f.tidy()
	var ends []string
	for end, n := range f.ended {
		ends = append(ends, fmt.Sprintf("- %d × %s", n, strings.TrimPrefix(end, ": ")))
	}
	slices.Sort(ends)
	figures(t, "soak", "%d deploys over 3 environments and %d runs that mended one, in %v; %d requests to the apps were answered, none failed. "+
		"The program had %s after a third of them, and %s at the end. How they ended:\n\n%s",
		done, f.runs-done, time.Since(began).Round(time.Second), answered, warm, hot, strings.Join(ends, "\n"))
}

// timeLeft tells whether the test may go on: what it found has to be told before -timeout
// ends it.
func timeLeft(t *testing.T) bool {
	end, ok := t.Deadline()
	return !ok || time.Until(end) > 4*time.Minute
}

// settle makes the environments, and begins to visit them.
func (f *fleet) settle() {
	f.t.Helper()
	sha := f.commit("first", gitrepo.Files{"version": []byte("first")})
	reports, err := f.run(f.t.Context(), "apply", func(r *app.Run) { r.Request.Ref = sha })
	f.must(err)
	for i, r := range reports {
		if r.Failed() {
			f.t.Fatalf("%s failed (%s): %s", r.Target(), r.Reason, r.Error)
		}
		f.envs[i].sha, f.envs[i].page = sha, "first"
		f.envs[i].v = visit(fmt.Sprintf("http://%s:3000/", f.envs[i].addr))
	}
}

// tidy demands that nothing is left over in Proxmox and the guests.
func (f *fleet) tidy() {
	f.t.Helper()
	for _, e := range f.envs {
		if text := f.description(fmt.Sprint(e.vmid)); strings.Contains(text, `"lease"`) {
			f.t.Errorf("%s is left locked:\n%s", e.name, text)
		}
		f.idle(e.addr)
		out := login(f.t, e.addr.String(), f.key, leftovers)
		if out != "" {
			f.t.Errorf("%s has something left over:\n%s", e.name, out)
		}
		releases := strings.Fields(login(f.t, e.addr.String(), f.key, "cd /srv/app/releases && ls -d */"))
		// One that failed stays until the next deploy prunes.
		if n := len(releases); n > keepReleases+2 {
			f.t.Errorf("%s keeps %d releases: %v", e.name, n, releases)
		}
	}
	f.noOrphans()
}

// noOrphans looks through Proxmox for what only this fleet can have made: guests with a
// name of its, and the volumes and tasks of its vmids. The lab has other tests' as well.
func (f *fleet) noOrphans() {
	f.t.Helper()
	var guests []struct {
		VMID int
		Name string
	}
	f.must(json.Unmarshal(f.ask("GET", "/cluster/resources?type=vm", ""), &guests))
	var volumes []struct {
		VolID string
		VMID  int
	}
	f.must(json.Unmarshal(f.ask("GET", "/nodes/pve1/storage/local-lvm/content", ""), &volumes))
	left := map[string]int{}
	for _, e := range f.envs {
		left[fmt.Sprintf("guest %d soak-%s", e.vmid, e.name)]--
		left[fmt.Sprintf("volume of %d", e.vmid)]--
		var tasks []struct{ UPID string }
		f.must(json.Unmarshal(f.ask("GET", fmt.Sprintf("/nodes/pve1/tasks?source=active&vmid=%d", e.vmid), ""), &tasks))
		for _, task := range tasks {
			left["task "+task.UPID]++
		}
		for _, v := range volumes {
			if v.VMID == e.vmid {
				left[fmt.Sprintf("volume of %d", v.VMID)]++
			}
		}
	}
	for _, g := range guests {
		if strings.HasPrefix(g.Name, "soak-") || slices.ContainsFunc(f.envs, func(e *soakEnv) bool { return e.vmid == g.VMID }) {
			left[fmt.Sprintf("guest %d %s", g.VMID, g.Name)]++
		}
	}
	maps.DeleteFunc(left, func(_ string, n int) bool { return n == 0 })
	if len(left) > 0 {
		f.t.Errorf("in Proxmox there is too much, or, below 0, too little: %v", left)
	}
}

// leftovers prints what a run must not leave in a guest.
const leftovers = `ls -d /run/appstack.* /run/appstack-git.* /tmp/appstack* /var/lib/appstack/data 2>/dev/null
pgrep -af 'apply[.]sh|deploy_app[.]sh'
[ "$(pgrep -cx node)" -le 1 ] || pgrep -ax node
systemctl list-units --all --plain --no-legend 'appstack-*' | grep -v -e '\.timer' -e 'not-found'
iptables -t nat -S 2>/dev/null | grep -i appstack
systemctl --failed --plain --no-legend
true`

// idle waits until nothing of ours runs in a guest any more.
func (w *crashWorld) idle(addr netip.Addr) {
	w.t.Helper()
	w.poll("the guest does not come to rest", func() bool {
		return login(w.t, addr.String(), w.key, "pgrep -f 'deploy_app[.]sh'; [ ! -e /var/lib/appstack/lock ] || flock -n /var/lib/appstack/lock true || echo locked; true") == ""
	})
}
