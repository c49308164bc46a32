package app_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/report"
)

// crashes is how many of so many points are tried: all under torture, unless
// APPSTACK_ONE_IN asks for fewer, and else a few.
func crashes(point, quick int) bool {
	if n, err := strconv.Atoi(os.Getenv("APPSTACK_ONE_IN")); err == nil {
		return point%n == 0
	}
	return sampled(point, quick)
}

// matrixWorld is a world with one subject, which is deployed again and again.
type matrixWorld struct {
	*crashWorld
	subject subject
	source  string
	tail    string // of the stack file: the environment
	changed bool
	commits []string // those deployed, the newest last
}

// matrixHead is the stack file up to the project.
const matrixHead = `proxmox: {url: "${secret.proxmox_url}", token: "${secret.proxmox_token}", fingerprint: "${secret.proxmox_fingerprint}", node: pve1}
secrets: [secrets.yaml.age]
ssh: {user: root, key: "${secret.ssh_key}"}
projects:
  shop:
`

// matrixTail is the project's environment, but for its variables' end.
func matrixTail(name string, vmid int, addr, gateway string) string {
	return fmt.Sprintf("\n    envs:\n      dev: {name: %s, vmid: %d, ip: %s, gateway: %s, branch: dev, env_vars: {LOG_LEVEL: ", name, vmid, addr, gateway)
}

// matrixLevels end the stack file: a variable of the app's, as it is and as it is changed.
var matrixLevels = map[bool]string{false: "info}}\n", true: "debug}}\n"}

func newMatrixWorld(t *testing.T, s subject) *matrixWorld {
	t.Helper()
	w := &matrixWorld{crashWorld: newCrashWorld(t, "org/crash-"+s.name), subject: s}
	for name, value := range s.secrets {
		w.secret(name, value)
	}
	w.source = fmt.Sprintf(`{git: "ssh://git@%s/%s.git", key: "${secret.deploy_key}", host_key: "%s"}`, w.lab.Info.GitSSH, w.repo, w.lab.Info.GitHostKey)
	vmid, addr := machines.Allocate(t)
	w.addr = addr.Addr()
	w.tail = matrixTail("crash-"+s.name, vmid, addr.String(), w.lab.Gateway().String())
	w.restack(false)
	sha, err := w.lab.Git.Commit(w.repo, "dev", s.files(t), "first")
	w.must(err)
	w.commits = []string{sha}
	return w
}

// restack writes one of the subject's two stacks.
func (w *matrixWorld) restack(changed bool) {
	w.t.Helper()
	w.changed = changed
	w.write("appstack.yaml", matrixHead+w.subject.stack(w.source, changed)+w.tail+matrixLevels[changed])
}

// next commits another version.
func (w *matrixWorld) next() {
	w.t.Helper()
	sha, err := w.lab.Git.Commit(w.repo, "dev", w.subject.version(len(w.commits)), "next")
	w.must(err)
	w.commits = append(w.commits, sha)
}

// two makes sure that there is a release to go back to.
func (w *matrixWorld) two() {
	if len(w.commits) < 2 {
		w.next()
		w.calm("apply", w.newest())
	}
}

func (w *matrixWorld) newest() string { return w.commits[len(w.commits)-1] }

// calm runs a command that must succeed.
func (w *matrixWorld) calm(command, ref string) report.Report {
	w.t.Helper()
	w.runs++
	reports, err := order{w.dir, w.identity, command, ref, w.runs}.run(w.log).Do(w.t.Context())
	w.must(err)
	if r := reports[0]; r.Failed() {
		w.t.Fatalf("%s failed (%s): %s\n%s", command, r.Reason, r.Error, r.Hint)
	}
	return reports[0]
}

// act is a command, with what leads up to it.
type act struct {
	name    string
	begin   func(w *matrixWorld)                       // makes the state that it starts from
	command func(w *matrixWorld) (command, ref string) // and what is to be done then
	serves  bool                                       // a release serves all the while
}

// acts are in an order in which each begins where the one before it ended.
func acts() []act {
	apply := func(w *matrixWorld) (string, string) { return "apply", w.newest() }
	return []act{
		{"first deploy", func(w *matrixWorld) { w.calm("destroy", "") }, apply, false},
		{"second deploy", (*matrixWorld).next, apply, true},
		{"change", func(w *matrixWorld) { w.restack(!w.changed) }, apply, true},
		{"rollback", (*matrixWorld).two, func(w *matrixWorld) (string, string) {
			n := len(w.commits)
			w.commits[n-1], w.commits[n-2] = w.commits[n-2], w.commits[n-1]
			return "rollback", w.newest()
		}, true},
		{"destroy", func(w *matrixWorld) { w.calm("provision", "") }, func(*matrixWorld) (string, string) { return "destroy", "" }, false},
	}
}

// point is a moment of an act at which a blow falls.
type point struct {
	moment
	delay time.Duration // after the moment's: half of what the step took
	blow  string
}

func (p point) String() string { return p.blow + " " + p.moment.String() }

// points are those of a run that was not disturbed: before, during and after each step.
func points(seen []moment, took map[string]time.Duration) []point {
	var all []point
	for _, m := range seen {
		if m.when != "before" {
			continue
		}
		for _, blow := range []string{"killed", "Proxmox dropped", "guest dropped"} {
			all = append(all, point{m, 0, blow}, point{moment{"during", m.what}, took[m.what] / 2, blow}, point{moment{"after", m.what}, 0, blow})
		}
	}
	return all
}

// steps takes an act without a blow, and returns its moments, and how long each step took.
func (w *matrixWorld) steps(a act) (seen []moment, took map[string]time.Duration) {
	w.t.Helper()
	a.begin(w)
	command, ref := a.command(w)
	w.runs++
	began := map[string]time.Time{}
	took = map[string]time.Duration{}
	r := order{w.dir, w.identity, command, ref, w.runs}.spawn(w.t, func(m moment, _ func()) {
		m.what = w.general(m.what)
		switch m.when {
		case "before":
			began[m.what] = time.Now()
			seen = append(seen, m)
		case "after":
			took[m.what] = time.Since(began[m.what])
		}
	})
	if r == nil || r.Failed() {
		w.t.Fatalf("%s, undisturbed, fails: %+v", a.name, r)
	}
	return seen, took
}

// general is a text without what differs from one deploy to the next.
func (w *matrixWorld) general(text string) string {
	for _, sha := range w.commits {
		text = strings.ReplaceAll(text, sha, "SHA")
	}
	return text
}

// hit takes an act with a blow at a point. reached tells whether it came to that.
func (w *matrixWorld) hit(command, ref string, p point) (reached bool) {
	w.t.Helper()
	w.runs++
	at := moment{"before", p.what}
	if p.when == "after" {
		at.when = "after"
	}
	strike := func(m moment, blow func()) {
		if m.what = w.general(m.what); m != at || reached {
			return
		}
		reached = true
		if p.delay == 0 {
			blow()
			return
		}
		time.AfterFunc(p.delay, blow)
	}
	o := order{w.dir, w.identity, command, ref, w.runs}
	if p.blow == "killed" {
		o.spawn(w.t, strike)
		return reached
	}
	port := map[string]string{"Proxmox dropped": "8006", "guest dropped": "22"}[p.blow]
	out := &wire{}
	r := o.run(&watcher{w.log, func(m moment) { strike(m, func() { out.drop(port) }) }})
	r.Dialer = out
	reports, err := r.Do(w.t.Context())
	if err != nil || len(reports) != 1 || reports[0].Reason == report.Internal {
		w.t.Errorf("%s: %v %+v", p, err, reports)
	}
	return reached
}

// state is what an act left: all that is appstack's in the guest, or that there is none.
func (w *matrixWorld) state(a act) string {
	w.t.Helper()
	if a.name == "destroy" {
		return string(w.ask("GET", "/nodes/pve1/lxc", ""))
	}
	w.idle(w.addr)
	lines := strings.Split(w.general(w.inventory()), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n") + leased(w.description(w.vmid()))
}

func leased(description string) string {
	if strings.Contains(description, `"lease"`) {
		return "leased"
	}
	return "free"
}

// TestCrashMatrix kills the program before, during and after each step of each act, and
// drops its connections; the next run ends where an undisturbed one ends, and a release
// that serves loses no request.
func TestCrashMatrix(t *testing.T) {
	if !torture() {
		t.Skip("with APPSTACK_TORTURE=1")
	}
	table := newMatrix()
	table.columns = []string{"points", "tried", "reached", "converged in one further run", "requests answered", "lost"}
	for _, s := range subjects() {
		t.Run(s.name, func(t *testing.T) {
			if !torture() && s.name != "node" {
				t.Skip("with APPSTACK_TORTURE=1")
			}
			w := newMatrixWorld(t, s)
			w.calm("apply", w.newest())
			for i, a := range acts() {
				if !sampled(i, len(acts())) {
					continue
				}
				t.Run(strings.ReplaceAll(a.name, " ", "_"), func(t *testing.T) {
					w.tally(t, a).note(table, s.name+", "+a.name)
				})
			}
		})
	}
	figures(t, "crashes", "%s", table.table("act"))
}

// tally counts the points of an act.
type tally struct{ points, tried, reached, converged, answered, lost int }

func (n tally) note(m *matrix, row string) {
	for i, figure := range []int{n.points, n.tried, n.reached, n.converged, n.answered, n.lost} {
		m.add(row, m.columns[i], strconv.Itoa(figure))
	}
}

// tally tries the points of an act.
func (w *matrixWorld) tally(t *testing.T, a act) (n tally) {
	outer := w.t
	w.t = t
	defer func() { w.t = outer }()
	seen, took := w.steps(a)
	want := w.settled(a)
	all := points(seen, took)
	n.points = len(all)
	quick := max(n.points/3, 1)
	for i, p := range all {
		if !crashes(i, quick) {
			continue
		}
		n.tried++
		began := time.Now()
		reached, converged := w.crash(a, p, want, &n)
		if reached {
			n.reached++
		}
		if converged {
			n.converged++
		}
		t.Logf("%s: reached %v, converged %v, %v", p, reached, converged, time.Since(began).Round(100*time.Millisecond))
	}
	return n
}

// settled are the states that an act ends in, by the stack that holds then, once as many
// releases are kept as ever are.
func (w *matrixWorld) settled(a act) map[bool]string {
	w.t.Helper()
	if !a.serves {
		return map[bool]string{w.changed: w.state(a)}
	}
	want := map[bool]string{}
	for range 2 { // a change goes there and back, and a rollback
		a.begin(w)
		command, ref := a.command(w)
		w.calm(command, ref)
		want[w.changed] = w.state(a)
	}
	return want
}

// crash takes an act with a blow and then once more.
func (w *matrixWorld) crash(a act, p point, want map[bool]string, n *tally) (reached, converged bool) {
	w.t.Helper()
	a.begin(w)
	command, ref := a.command(w)
	var v *visitor
	if a.serves {
		v = visit(fmt.Sprintf("http://%s%s", netip.AddrPortFrom(w.addr, uint16(w.subject.port)), w.subject.page))
	}
	reached = w.hit(command, ref, p)
	w.runs++
	reports, err := order{w.dir, w.identity, command, ref, w.runs}.run(w.log).Do(context.Background())
	if v != nil {
		v.end()
		for _, requests := range v.pages {
			n.answered += requests
		}
		n.answered -= len(v.failures)
		n.lost += len(v.failures)
		if len(v.failures) > 0 {
			w.t.Errorf("%s: requests were lost: %q", p, v.failures)
		}
	}
	switch {
	case err != nil || len(reports) != 1:
		w.t.Errorf("%s: %v", p, err)
		return reached, false
	case reports[0].Failed():
		w.t.Errorf("%s: the next run fails (%s): %s", p, reports[0].Reason, reports[0].Error)
		w.calm(command, ref) // or else nothing is to be learned from the points to come
		return reached, false
	}
	if diff := cmp.Diff(want[w.changed], w.state(a)); diff != "" {
		w.t.Errorf("%s: the state (-undisturbed +now):\n%s", p, diff)
		return reached, false
	}
	return reached, true
}
