package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/report"
)

// matrixWorld is a world with one subject, which is deployed again and again.
type matrixWorld struct {
	*crashWorld
	subject subject
	number  int
	source  string
	tail    string // of the stack file: the environment
	changed bool
	commits []string // those deployed, the newest last
	kept    int      // deploys of the guest that there is
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
	vmid, addr := machines.Allocate(t)
	name := fmt.Sprintf("crash-%s-%d", s.name, vmid)
	w := &matrixWorld{crashWorld: newCrashWorld(t, "org/"+name), subject: s, number: vmid}
	for name, value := range s.secrets {
		w.secret(name, value)
	}
	w.source = fmt.Sprintf(`{git: "ssh://git@%s/%s.git", key: "${secret.deploy_key}", host_key: "%s"}`, w.lab.Info.GitSSH, w.repo, w.lab.Info.GitHostKey)
	w.addr = addr.Addr()
	w.tail = matrixTail(name, vmid, addr.String(), w.lab.Gateway().String())
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

func (w *matrixWorld) newest() string { return w.commits[len(w.commits)-1] }

// order is the next run's.
func (w *matrixWorld) order(command, ref string) order {
	w.runs++
	return order{w.dir, w.identity, command, ref, w.runs}
}

// calm runs a command that must succeed.
func (w *matrixWorld) calm(command, ref string) report.Report {
	w.t.Helper()
	reports, err := w.order(command, ref).run(w.log).Do(w.t.Context())
	w.must(err)
	if r := reports[0]; r.Failed() {
		w.t.Fatalf("%s failed (%s): %s\n%s", command, r.Reason, r.Error, r.Hint)
	}
	return reports[0]
}

// act is a command, with what leads up to it.
type act struct {
	name    string
	begin   func(w *matrixWorld)                       // makes the state that it starts from, where ready left it
	command func(w *matrixWorld) (command, ref string) // and what is to be done then
	serves  bool                                       // a release serves all the while
}

// acts are those of an app's life. The longest comes last: time may be short.
func acts() []act {
	apply := func(w *matrixWorld) (string, string) { return "apply", w.newest() }
	return []act{
		{"second deploy", (*matrixWorld).next, apply, true},
		{"change", func(w *matrixWorld) { w.unchange(); w.restack(true) }, apply, true},
		{"rollback", func(*matrixWorld) {}, func(w *matrixWorld) (string, string) {
			n := len(w.commits)
			w.commits[n-1], w.commits[n-2] = w.commits[n-2], w.commits[n-1]
			return "rollback", w.newest()
		}, true},
		{"destroy", func(w *matrixWorld) { w.kept = 0; w.calm("provision", "") }, func(*matrixWorld) (string, string) { return "destroy", "" }, false},
		{"first deploy", (*matrixWorld).vanish, apply, false},
	}
}

// ready makes what an act needs that finds a release: as many of them as are ever kept,
// and the first of the two stacks.
func (w *matrixWorld) ready(a act) {
	w.t.Helper()
	w.unchange()
	if !a.serves {
		return
	}
	for ; w.kept < 3; w.kept++ {
		w.next()
		w.calm("apply", w.newest())
	}
}

// unchange goes back to the first stack.
func (w *matrixWorld) unchange() {
	w.t.Helper()
	if w.changed {
		w.restack(false)
		w.calm("apply", w.newest())
	}
}

// heal ends in the state that an act ends in.
func (w *matrixWorld) heal(a act) {
	w.t.Helper()
	if a.name == "destroy" {
		w.calm("destroy", "")
		return
	}
	w.calm("apply", w.newest())
}

// vanish takes the guest away, past appstack.
func (w *matrixWorld) vanish() {
	w.t.Helper()
	w.kept = 0
	if w.left() == "" {
		return
	}
	path := fmt.Sprintf("/nodes/pve1/lxc/%d", w.number)
	if strings.Contains(string(w.ask(http.MethodGet, path+"/status/current", "")), `"running"`) {
		w.task(http.MethodPost, path+"/status/stop")
	}
	w.task(http.MethodDelete, path)
}

// task does something that takes a task of Proxmox's, and waits for it.
func (w *matrixWorld) task(method, path string) {
	w.t.Helper()
	var upid string
	w.must(json.Unmarshal(w.ask(method, path, ""), &upid))
	status, err := w.lab.PVE.WaitTask(w.t.Context(), upid)
	w.must(err)
	if status != "OK" {
		w.t.Fatalf("%s %s: %s", method, path, status)
	}
}

// left are the guest, its volumes and its tasks, or "".
func (w *matrixWorld) left() string {
	w.t.Helper()
	var all []string
	for _, list := range []string{"/cluster/resources?type=vm", "/nodes/pve1/storage/local-lvm/content", fmt.Sprintf("/nodes/pve1/tasks?source=active&vmid=%d", w.number)} {
		var rows []struct {
			VMID                  int
			Name, VolID, Type, ID string
		}
		w.must(json.Unmarshal(w.ask(http.MethodGet, list, ""), &rows))
		for _, r := range rows {
			if r.VMID == w.number || r.ID == fmt.Sprint(w.number) {
				all = append(all, r.Type+" "+r.Name+r.VolID)
			}
		}
	}
	return strings.Join(all, "\n")
}

// state is what an act left: all that is appstack's in the guest, and whether it is
// leased; of a guest that is to be gone, what is left of it.
func (w *matrixWorld) state(a act) string {
	w.t.Helper()
	if a.name == "destroy" {
		return w.left()
	}
	w.idle(w.addr)
	text := w.inventory(w.alike()...)
	leased := "free"
	if strings.Contains(w.description(fmt.Sprint(w.number)), `"lease"`) {
		leased = "leased"
	}
	return text + leased
}

// general is a text without what differs from one deploy to the next.
func (w *matrixWorld) general(text string) string {
	return strings.NewReplacer(w.alike()...).Replace(text)
}

// alike gives one name to all commits.
func (w *matrixWorld) alike() (names []string) {
	for _, sha := range w.commits {
		names = append(names, sha, "SHA")
	}
	return names
}

var fingerprint = regexp.MustCompile(`SHA256:\S+`)

// step is a step's name without what differs from one world to the next.
func (w *matrixWorld) step(name string) string {
	name = strings.ReplaceAll(w.general(name), fmt.Sprint("guest ", w.number), "guest VMID")
	return fingerprint.ReplaceAllString(name, "KEY")
}

// passed is a moment, and when it was.
type passed struct {
	moment
	at time.Time
}

// steps takes an act without a blow, and returns its moments but for those during a step.
func (w *matrixWorld) steps(a act) (seen []passed) {
	w.t.Helper()
	a.begin(w)
	command, ref := a.command(w)
	once := map[moment]bool{}
	r := w.order(command, ref).spawn(w.t, func(m moment, _ func()) {
		m.what = w.step(m.what)
		if m.when != "during" && !once[m] {
			once[m] = true
			seen = append(seen, passed{m, time.Now()})
		}
	})
	if r == nil || r.Failed() {
		w.t.Fatalf("%s, undisturbed, fails: %+v", a.name, r)
	}
	return seen
}
