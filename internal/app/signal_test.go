package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/machine"
)

// program is the binary, at work.
type program struct {
	t      testing.TB
	cmd    *exec.Cmd
	said   *bytes.Buffer
	amount int64 // bytes
	end    chan struct{}
}

// build makes the program.
func build(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "appstack")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../../cmd/appstack").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// start runs the program in the world's repository.
func (w *world) start(binary string, args ...string) *program {
	w.t.Helper()
	p := &program{t: w.t, cmd: exec.Command(binary, args...), said: &bytes.Buffer{}, end: make(chan struct{})}
	p.cmd.Dir = w.dir
	p.cmd.Env = append(os.Environ(), "APPSTACK_AGE_KEY="+w.identity)
	out, err := p.cmd.StderrPipe()
	w.must(err)
	w.must(p.cmd.Start())
	w.t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it has ended, unless the test failed
	go p.listen(out)
	return p
}

// listen keeps the last of what the program says.
func (p *program) listen(out io.Reader) {
	defer close(p.end)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		p.amount += int64(len(line))
		if p.said.Len() > 64<<10 {
			p.said.Reset()
		}
		p.said.WriteString(line)
		if err != nil {
			return
		}
	}
}

// build runs apply for a new commit, and returns when the guest builds it.
func (w *crashWorld) build(binary string) *program {
	w.t.Helper()
	w.poll("an earlier build does not end", func() bool { return !w.builds() })
	w.runs++
	w.commit("slow", gitrepo.Files{"version": fmt.Append(nil, "slow ", w.runs), "build.js": []byte(slowBuild)})
	p := w.start(binary, "apply", "--env", "dev")
	w.poll("the build does not begin", func() bool {
		select {
		case <-p.end:
			w.t.Fatalf("the program ended before it built:\n%s", p.said)
		default:
		}
		return w.builds()
	})
	return p
}

// answers demands that the app serves, be it the release from before or the one of a
// deploy that went on by itself.
func (w *crashWorld) answers() {
	w.t.Helper()
	if got := get(w.t, fmt.Sprintf("http://%s:3000/", w.addr)); got != "one" && !strings.HasPrefix(got, "slow ") {
		w.t.Errorf("the app answers %q", got)
	}
}

// builds tells whether a build runs in the guest.
func (w *crashWorld) builds() bool {
	w.t.Helper()
	return login(w.t, w.addr.String(), w.key, "pgrep -fx 'node build.js' || true") != ""
}

// patience is how long anything may take on a machine that has much else to do.
const patience = 3 * time.Minute

// poll waits for a condition.
func (w *crashWorld) poll(otherwise string, condition func() bool) {
	w.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatal(otherwise)
		}
	}
}

// wait returns the exit status and all that was said.
func (p *program) wait() (code int, said string) {
	p.t.Helper()
	<-p.end
	err := p.cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0, p.said.String()
	case ok:
		return exit.ExitCode(), p.said.String()
	}
	p.t.Fatal(err)
	return 0, ""
}

// ask is a request of root's, past every fault of the network.
func (w *world) ask(method, path, body string) json.RawMessage {
	w.t.Helper()
	return ask(w.t, w.lab.PVE, "PVEAPIToken="+w.lab.Info.Token, method, path, body)
}

// ask sends a request to a Proxmox and returns the answer's data.
func ask(t testing.TB, proxmox http.Handler, auth, method, path, body string) json.RawMessage {
	t.Helper()
	r := httptest.NewRequest(method, "https://pve1/api2/json"+path, strings.NewReader(body))
	r.Header.Set("Authorization", auth)
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res := httptest.NewRecorder()
	proxmox.ServeHTTP(res, r)
	var answer struct{ Data json.RawMessage }
	if err := json.Unmarshal(res.Body.Bytes(), &answer); res.Code != http.StatusOK || err != nil {
		t.Fatalf("%s %s: %d %s %v", method, path, res.Code, res.Body, err)
	}
	return answer.Data
}

// description is a guest's, as Proxmox has it.
func (w *world) description(vmid string) string {
	w.t.Helper()
	var config struct{ Description string }
	w.must(json.Unmarshal(w.ask("GET", fmt.Sprintf("/nodes/pve1/%s/%s/config", w.kind.kind, vmid), ""), &config))
	return config.Description
}

// slowBuild is a build that takes longer than anybody waits here, once.
const slowBuild = `setTimeout(() => console.log('built'), 15000)`

// The program ends within 5 s of a signal, tells how far it came and gives the lease
// back; killed, it leaves a lease that does not keep the next run from finishing.
func TestSignals(t *testing.T) { onEveryKind(t, false, testSignals) }

func testSignals(t *testing.T, kind guestKind) {
	w := newCrashWorld(t, "org/signals", kind)
	binary := build(t)
	w.commit("one", nil)
	vmid := w.vmid()
	if code, said := w.start(binary, "apply", "--env", "dev").wait(); code != 0 {
		t.Fatalf("exit status %d\n%s", code, said)
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := w.build(binary)
		began := time.Now()
		w.must(p.cmd.Process.Signal(signal))
		code, said := p.wait()
		// That it is 5 s at most, TestCancelEndsInTime shows by a clock that no machine's load
		// moves.
		if took := time.Since(began); code != 1 || took > patience {
			t.Errorf("%v: exit status %d after %v", signal, code, took)
		} else {
			t.Logf("%v: ended in %v", signal, took.Round(time.Millisecond))
		}
		if !strings.Contains(said, "the run was cancelled") || !strings.Contains(said, "steps were done") || !strings.Contains(said, "had begun, and may go on to its end on the machine") {
			t.Errorf("%v: it does not say what was done:\n%s", signal, said)
		}
		if text := w.description(vmid); strings.Contains(text, `"lease"`) {
			t.Errorf("%v: the lease is left:\n%s", signal, text)
		}
		w.answers()
	}
	p := w.build(binary)
	w.must(p.cmd.Process.Kill())
	p.wait()
	if text := w.description(vmid); !strings.Contains(text, `"lease"`) {
		t.Errorf("a program that was killed left no lease: was it at work?\n%s", text)
	}
	w.answers()
	w.commit("three", gitrepo.Files{"version": []byte("three")})
	if code, said := w.start(binary, "apply", "--env", "dev").wait(); code != 0 {
		t.Fatalf("after a program that was killed: exit status %d\n%s", code, said)
	}
	w.serves("three")
	if text := w.description(vmid); strings.Contains(text, `"lease"`) {
		t.Errorf("the lease is left:\n%s", text)
	}
	if kind.kind == machine.LXC { // what a build prints comes by SSH from either
		w.floods(binary)
	}
}

// flood prints as many megabytes in lines, and as many without an end of line.
const flood = `const { writeSync } = require('fs')
const write = s => { for (let at = 0; at < s.length;) { try { at += writeSync(1, s.slice(at)) } catch (e) { if (e.code !== 'EAGAIN') throw e } } }
const line = 'x'.repeat(999) + '\n', whole = 'y'.repeat(1000)
for (let i = 0; i < MB * 10; i++) write(line.repeat(100))
for (let i = 0; i < MB * 10; i++) write(whole.repeat(100))
write('\n')
`

// maxMemory is what the program may take at most, in KiB, whatever a guest prints.
const maxMemory = 60 << 10

// floods deploys a commit whose build prints more than anybody reads.
func (w *crashWorld) floods(binary string) {
	w.t.Helper()
	megabytes := 10
	if torture() {
		megabytes = 100
	}
	w.commit("flood", gitrepo.Files{"version": []byte("flood"), "build.js": []byte(strings.ReplaceAll(flood, "MB", fmt.Sprint(megabytes)))})
	p := w.start(binary, "apply", "--env", "dev")
	began := time.Now()
	memory := peakMemory(p.cmd.Process.Pid)
	code, said := p.wait()
	if code != 0 {
		w.t.Fatalf("exit status %d\n%s", code, said)
	}
	w.serves("flood")
	peak := <-memory
	figures(w.t, "flood", "A build that printed %d MB took %d MiB of memory of the whole program, %d kB of log and %v.",
		2*megabytes, peak>>10, p.amount/1e3, time.Since(began).Round(time.Second))
	if peak == 0 || peak > maxMemory {
		w.t.Errorf("the program took %d KiB of memory", peak)
	}
}

// vmid is that of the stack file's only environment.
func (w *world) vmid() string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "appstack.yaml"))
	w.must(err)
	_, rest, _ := strings.Cut(string(text), "vmid: ")
	vmid, _, ok := strings.Cut(rest, ",")
	if !ok {
		w.t.Fatal("the stack file has no vmid")
	}
	return vmid
}

// peakMemory delivers, when the process is over, the most memory in KiB that it had.
// getrusage(2) would count the memory that this test had when it made the process.
func peakMemory(pid int) <-chan int {
	peak := make(chan int, 1)
	go func() {
		most := 0
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, rest, found := strings.Cut(string(text), "VmHWM:")
			if err != nil || !found { // it is over
				peak <- most
				return
			}
			line, _, _ := strings.Cut(rest, "kB")
			if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
				most = max(most, n)
			}
		}
	}()
	return peak
}
