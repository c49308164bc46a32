package app_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/report"
)

// memFault is something that goes wrong with a request, or with the task that it starts.
type memFault struct {
	name    string
	mishap  mishap
	forGood bool         // until it is mended
	task    pveapi.Fault // with a name for Task: of each task
	words   string       // what Proxmox says: an error has to quote it
}

func memFaults() []memFault {
	const (
		broken  = "unable to read tail (got 0 bytes)"
		lock    = "can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout"
		expired = "authentication failure"
		disk    = "storage 'local-lvm' is not online"
	)
	return []memFault{
		{name: "500", mishap: mishap{status: 500, reason: broken}, words: broken},
		{name: "503", mishap: mishap{status: 503, reason: "Service Unavailable"}, words: "Service Unavailable"},
		{name: "596", mishap: mishap{status: 596, reason: "Connection timed out"}, words: "Connection timed out"},
		{name: "reset before", mishap: mishap{drop: true}},
		{name: "reset after", mishap: mishap{drop: true, effect: true}},
		{name: "gone for good", mishap: mishap{drop: true}, forGood: true},
		{name: "lock timeout", mishap: mishap{status: 500, reason: lock}, words: lock},
		{name: "401", mishap: mishap{status: 401, reason: expired}, forGood: true, words: expired},
		{name: "task fails", task: pveapi.Fault{Task: "*", TaskError: disk}, words: disk},
		{name: "task warns", task: pveapi.Fault{Task: "*", TaskWarn: "Systemd 252 detected. You may need to enable nesting."}},
		{name: "task hangs", task: pveapi.Fault{Task: "*", TaskHang: true}, words: "still runs"},
	}
}

// faultPoint is one request of a scenario, and what becomes of it.
type faultPoint struct {
	scenario memScenario
	at       int
	request  string
	fault    memFault
}

// A verdict is how a run ended, and the one after it.
type verdict struct {
	faultPoint
	status report.Status
	reason report.Reason
}

func (v verdict) String() string {
	if v.reason == "" {
		return "survived"
	}
	return "`" + string(v.reason) + "`"
}

// Every request of Proxmox's × every way to fail: success, or a clear failure of a kind
// that says what happened, in Proxmox's words; and the next run ends where an
// undisturbed one ends.
func TestFaultAtEveryRequest(t *testing.T) {
	if testing.Short() {
		t.Skip("the matrix takes half a minute: not with -short")
	}
	var mu sync.Mutex
	var verdicts []verdict
	table := newMatrix()
	for _, f := range memFaults() {
		table.columns = append(table.columns, f.name)
	}
	t.Run("points", func(t *testing.T) {
		for _, sc := range everyKind(memScenarios) {
			requests, want := undisturbed(t, sc)
			for i, p := range faultPoints(sc, requests) {
				table.row(generic(p.request))
				oneIn := 12 // what they have in common is in the first
				if sc.String() == "CT, create" {
					oneIn = 4
				}
				if !sampled(i, oneIn) {
					continue
				}
				t.Run(fmt.Sprintf("%s, %s at %d %s", sc, p.fault.name, p.at, p.request), func(t *testing.T) {
					t.Parallel()
					v, hit, end := p.run(t)
					if diff := cmp.Diff(want, end); diff != "" {
						t.Errorf("the state (-undisturbed +now):\n%s", diff)
					}
					if !hit { // of two reads at once, one may be cancelled before it is sent
						return
					}
					mu.Lock()
					verdicts = append(verdicts, v)
					table.add(generic(p.request), p.fault.name, v.String())
					mu.Unlock()
				})
			}
		}
	})
	survived := 0
	for _, v := range verdicts {
		if v.reason == "" {
			survived++
		}
	}
	t.Logf("%d faults: %d survived in the same run, %d ended in a clear failure and converged in the next", len(verdicts), survived, len(verdicts)-survived)
	table.document(t, "faults", "request")
}

func faultPoints(sc memScenario, requests []string) []faultPoint {
	var points []faultPoint
	for _, f := range memFaults() {
		for at, request := range requests {
			read := strings.HasPrefix(request, http.MethodGet)
			switch {
			case read && f.name == "reset after": // makes no difference to Proxmox
			case f.task.Task != "" && taskOf(request) == "":
			default:
				points = append(points, faultPoint{sc, at, request, f})
			}
		}
	}
	return points
}

// taskOf is the type of task that a request starts, or "".
func taskOf(request string) string {
	for suffix, kind := range map[string]string{
		"POST /nodes/pve1/lxc": "vzcreate", "/lxc/101/status/start": "vzstart", "/lxc/101/status/reboot": "vzreboot", "/lxc/101/status/shutdown": "vzshutdown",
		"/lxc/101/status/stop": "vzstop", "/resize": "resize", "DELETE /nodes/pve1/lxc/101": "vzdestroy",
		"/qemu/9000/clone": "qmclone", "/qemu/101/status/start": "qmstart", "/qemu/101/status/reboot": "qmreboot", "/qemu/101/status/shutdown": "qmshutdown",
		"/qemu/101/status/stop": "qmstop", "DELETE /nodes/pve1/qemu/101": "qmdestroy",
	} {
		if strings.HasSuffix(request, suffix) {
			return kind
		}
	}
	return ""
}

// run lets the request go wrong, mends it, and runs again.
func (p faultPoint) run(t *testing.T) (v verdict, hit bool, end string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newMemWorld(t, p.scenario.kind)
		defer w.end()
		p.scenario.setup(w)
		w.gate.disturb(nil)
		if kind := taskOf(p.request); p.fault.task.Task != "" {
			f := p.fault.task
			f.Task = kind
			w.must(w.proxmox.Inject(f))
		} else {
			w.gate.disturb(func(n int, _ *http.Request) mishap {
				if n == p.at || p.fault.forGood && n > p.at {
					return p.fault.mishap
				}
				return mishap{}
			})
		}
		r, err := w.do(t.Context(), p.scenario.command)
		_, request := w.gate.log()
		hit = request != "" || p.fault.task.Task != "" && len(w.proxmox.Faults()) == 0
		v = verdict{p, r.Status, r.Reason}
		p.judge(t, r, err)
		w.mendFaults()
		w.finish(p.scenario.command)
		end = w.state()
	})
	return v, hit, end
}

// judge demands of a failure that it be of a known kind and quote Proxmox.
func (p faultPoint) judge(t *testing.T, r report.Report, err error) {
	t.Helper()
	switch {
	case err != nil:
		t.Errorf("no report: %v", err)
	case !r.Failed():
	case r.Reason == report.Internal || r.Reason == "":
		t.Errorf("a failure of no kind: %s", r.Error)
	case !strings.Contains(r.Error, p.fault.words):
		t.Errorf("%q does not quote %q", r.Error, p.fault.words)
	}
}

// mendFaults takes away what goes wrong; a task that hangs is stopped, as a person would.
func (w *memWorld) mendFaults() {
	w.gate.disturb(nil)
	w.proxmox.ClearFaults()
	for _, upid := range w.running() {
		w.ask("DELETE", "/nodes/pve1/tasks/"+upid, "")
	}
	w.settle()
}

var nodeInPath = regexp.MustCompile(`/nodes/pve1`)
var taskInPath = regexp.MustCompile(`UPID:[^/]*`)

// generic is a request without what differs from one environment to the other.
func generic(request string) string {
	request = nodeInPath.ReplaceAllString(request, "/nodes/NODE")
	request = taskInPath.ReplaceAllString(request, "UPID")
	return strings.ReplaceAll(request, fmt.Sprint("/", memVMID), "/VMID")
}
