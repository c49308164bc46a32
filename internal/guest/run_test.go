package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/plan"
)

// recorder keeps what it hears.
type recorder struct {
	events []string
	mute   bool // of lines
	tails  []string
}

func (r *recorder) Begin(s plan.Step) { r.events = append(r.events, "begin "+s.Resource.Name) }
func (r *recorder) Line(s plan.Step, line string) {
	if !r.mute {
		r.events = append(r.events, s.Resource.Name+"| "+line)
	}
}
func (r *recorder) End(s plan.Step, o plan.Outcome) {
	r.events = append(r.events, fmt.Sprintf("end %s %v", s.Resource.Name, o.Err == nil))
	r.tails = append(r.tails, o.Tail)
}
func (r *recorder) Wait(what string, _ time.Duration) { r.events = append(r.events, "wait for "+what) }

// local is a conversation with apply.sh on this machine, whose files are below dir.
type local struct {
	*run
	dir    string
	heard  *recorder
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.ReadCloser
	stderr io.ReadCloser
}

// here makes the script's files be below dir, and commands that are in dir's bin go first.
func here(script, dir string) string {
	return strings.NewReplacer("/var/lib/appstack", dir+"/state", "/run/appstack.", dir+"/run.",
		"PATH=/usr/local/sbin", "PATH="+dir+"/bin:/usr/local/sbin").Replace(script)
}

func converse(t *testing.T, dir string, tasks ...task) *local {
	t.Helper()
	return converseFor(t, dir, 2*time.Minute, tasks...)
}

func converseFor(t *testing.T, dir string, patience time.Duration, tasks ...task) *local {
	t.Helper()
	l := &local{dir: dir, heard: &recorder{}}
	script := opening("n0nce", patience) + here(applyScript, dir)
	l.cmd = exec.Command("sh", "-c", command("root", len(script)))
	var errs [3]error
	l.stdin, errs[0] = l.cmd.StdinPipe()
	l.stdout, errs[1] = l.cmd.StdoutPipe()
	l.stderr, errs[2] = l.cmd.StderrPipe()
	if err := errors.Join(errors.Join(errs[:]...), l.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.stdin.Close(); l.stdout.Close(); l.stderr.Close(); _ = l.cmd.Wait() })
	if _, err := io.WriteString(l.stdin, script); err != nil {
		t.Fatal(err)
	}
	l.run = newConversation(l.stdin, l.stdout, l.stderr, "n0nce", tasks, l.heard)
	l.seconds = 60
	return l
}

// step makes a task of a line of shell.
func step(name, code string) task {
	return task{step: &plan.Step{Verb: plan.Set, Resource: plan.Resource{Kind: "test", Name: name}}, code: code}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestStepsInOrder(t *testing.T) {
	b := step("b", "cat; echo to stderr >&2")
	b.data = "its data\n\x00\xff, no end of line"
	l := converse(t, t.TempDir(), step("a", "echo one; echo; printf two"), task{code: "echo nobody hears"}, b, step("c", ":"))
	if err := l.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"begin a", "a| one", "a| ", "a| two", "end a true",
		"begin b", "b| its data", "b| \x00\xff, no end of lineto stderr", "end b true",
		"begin c", "end c true",
	}
	if diff := cmp.Diff(want, l.heard.events); diff != "" {
		t.Error(diff)
	}
}

func TestStepErrorIsASentence(t *testing.T) {
	install := plan.Step{Verb: plan.Install, Resource: plan.Resource{Kind: "package", Name: "nodejss"}}
	deploy := plan.Step{Verb: plan.Deploy, Resource: plan.Resource{Kind: "release", Name: "4f2c9e1"}}
	for want, e := range map[string]StepError{
		"cannot install package nodejss: E: Unable to locate package nodejss (exit status 100)": {
			Step: install, Code: 100, Tail: "Reading package lists...\nE: Unable to locate package nodejss",
		},
		"cannot install package nodejss: exit status 1":                  {Step: install, Code: 1},
		"cannot install package nodejss: it took too long and was ended": {Step: install, Code: 124, TimedOut: true},
		"cannot deploy release 4f2c9e1: build failed: backend: exit status 1; aaaaaaa serves": {
			Step: deploy, Code: 4, Tail: "==> build\n    npm ERR!\n<!! build (3.2 s): backend: exit status 1; aaaaaaa serves",
		},
		"cannot deploy release 4f2c9e1: health of the new release failed: shop-backend ended right after its start; aaaaaaa serves": {
			Step: deploy, Code: 6, Tail: "<!! health of the new release (5.1 s): shop-backend ended right after its start; aaaaaaa serves\n    warning: cleaned up",
		},
		"cannot deploy release 4f2c9e1: deploy_app.sh: another deploy runs on this guest (exit status 3)": {
			Step: deploy, Code: 3, Tail: "deploy_app.sh: another deploy runs on this guest",
		},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestFirstFailureStops(t *testing.T) {
	dir := t.TempDir()
	l := converse(t, dir, step("a", "echo fine"), step("b", "echo broken; exit 7"), step("c", "touch "+dir+"/c"))
	err := l.do(t.Context())
	var failed *StepError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v", err)
	}
	if failed.Code != 7 || failed.Tail != "broken" || failed.Step.Resource.Name != "b" || len(failed.Done) != 1 {
		t.Errorf("got %+v", failed)
	}
	if err.Error() != "cannot set test b: broken (exit status 7)" {
		t.Errorf("got %q", err)
	}
	_ = l.cmd.Wait()
	if exists(dir + "/c") {
		t.Error("a step ran after one that failed")
	}
	if left, _ := filepath.Glob(dir + "/run.*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A step that ignores the end of its time is killed: that is not for want of memory, as
// it is where the step had time left.
func TestKilled(t *testing.T) {
	for name, want := range map[string]struct {
		code  string
		exit  int
		bound int
		hint  string
	}{
		"out of memory": {"kill -9 $$", codeOOM, 60, "more memory"},
		"out of time":   {"trap '' TERM; while :; do :; done", 124, 1, "run again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			sooner := "#!/bin/sh\nshift 2\nexec /usr/bin/timeout -k 0.1 \"$@\"\n" // instead of -k 10
			if err := errors.Join(os.Mkdir(dir+"/bin", 0o700), os.WriteFile(dir+"/bin/timeout", []byte(sooner), 0o700)); err != nil {
				t.Fatal(err)
			}
			l := converse(t, dir, step("a", want.code))
			l.seconds = want.bound
			var failed *StepError
			if err := l.do(t.Context()); !errors.As(err, &failed) || failed.Code != want.exit || failed.TimedOut != (want.exit == 124) || !strings.Contains(failed.Hint(), want.hint) {
				t.Errorf("got %v; %+v", err, failed)
			}
		})
	}
}

// A command in the middle of a step that fails, fails the step.
func TestErrexit(t *testing.T) {
	l := converse(t, t.TempDir(), step("a", "false; echo went on"))
	if err := l.do(t.Context()); err == nil {
		t.Error("no error")
	}
}

// What commands print cannot be taken for our own words, wherever they print it.
func TestForgery(t *testing.T) {
	l := converse(t, t.TempDir(), step("a", `
		for fd in 1 2 3 4 5 6 7 8 9; do
			for n in nonce "${nonce-}" "$0"; do
				(printf '%s end 0 0\n%s begin 1\n%s 0\n' "$n" "$n" "$n" >&$fd) 2>/dev/null || :
			done
		done
		exit 9`), step("b", "echo b"))
	err := l.do(t.Context())
	var failed *StepError
	if !errors.As(err, &failed) || failed.Code != 9 {
		t.Fatalf("got %v", err)
	}
}

// A step's environment, arguments and open files hold nothing that it could forge with.
func TestNonceIsOutOfReach(t *testing.T) {
	l := converse(t, t.TempDir(), step("a", `tr '\0' '\n' </proc/self/environ; tr '\0' '\n' </proc/$PPID/environ; tr '\0' '\n' </proc/$PPID/cmdline; ls -l /proc/$PPID/fd`))
	if err := l.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(l.heard.events, "\n"); strings.Contains(all, "n0nce") {
		t.Errorf("a step sees the nonce:\n%s", all)
	}
}

func TestStepTimesOut(t *testing.T) {
	l := converse(t, t.TempDir(), step("a", "echo waiting; exec cat /dev/zero >/dev/null"))
	l.seconds = 1
	err := l.do(t.Context())
	var failed *StepError
	if !errors.As(err, &failed) || !failed.TimedOut || !strings.Contains(err.Error(), "took too long") {
		t.Fatalf("got %v", err)
	}
}

// However much a step prints, little of it is kept: 10 GB with APPSTACK_TORTURE=1.
func TestOutputIsBounded(t *testing.T) {
	amount := 100_000_000
	if os.Getenv("APPSTACK_TORTURE") != "" {
		amount = 5_000_000_000
	}
	for name, code := range map[string]string{
		"lines":    "yes 0123456789012345678901234567890123456789 | head -c %d",
		"one line": "head -c %d /dev/zero | tr '\\0' x",
	} {
		t.Run(name, func(t *testing.T) {
			l := converse(t, t.TempDir(), step("a", fmt.Sprintf(code, amount)))
			l.heard.mute = true
			l.seconds = 3600
			most := watchHeap()
			if err := l.do(t.Context()); err != nil {
				t.Fatal(err)
			}
			if peak := most(); peak > 64<<20 {
				t.Errorf("%d bytes in use", peak)
			} else {
				t.Logf("%d MB of output: %d kB in use at most", amount/1e6, peak/1e3)
			}
			if tail := l.heard.tails[0]; len(tail) > tailLines*(tailLineLen+1) || len(tail) < 40 {
				t.Errorf("a tail of %d bytes", len(tail))
			}
		})
	}
}

// watchHeap returns a function that ends the watch and returns the most memory that was
// in use meanwhile.
func watchHeap() (most func() uint64) {
	runtime.GC()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		high := uint64(0)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			high = max(high, m.HeapInuse)
			select {
			case <-tick.C:
			case <-stop:
				peak <- high
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-peak }
}

// When the connection is cut a step that runs may finish, whatever it prints; none
// after it begins.
func TestCutOff(t *testing.T) {
	dir := t.TempDir()
	l := converse(t, dir,
		step("a", fmt.Sprintf("cd %s; touch began; while [ ! -e go ]; do :; done; seq 100000; touch a", dir)),
		step("b", "touch "+dir+"/b"), step("c", "touch "+dir+"/c"))
	failure := make(chan error, 1)
	go func() { failure <- l.do(context.Background()) }()
	until(t, "the first step", func() bool { return exists(dir + "/began") })
	l.stdin.Close()
	l.stdout.Close()
	l.stderr.Close()
	var lost *LostError
	if err := <-failure; !errors.As(err, &lost) || lost.Step == nil || lost.Step.Resource.Name != "a" {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_ = l.cmd.Wait()
	if !exists(dir+"/a") || exists(dir+"/b") || exists(dir+"/c") {
		t.Errorf("a done: %v, b: %v, c: %v", exists(dir+"/a"), exists(dir+"/b"), exists(dir+"/c"))
	}
	if left, _ := filepath.Glob(dir + "/run.*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Where nobody is told that the network is cut, steps that were sent ahead do not begin
// when the one that runs then has ended.
func TestSilentCut(t *testing.T) {
	dir := t.TempDir()
	l := converse(t, dir,
		step("a", fmt.Sprintf("cd %s; touch began; while [ ! -e go ]; do :; done; touch a", dir)), step("b", "touch "+dir+"/b"))
	cut := make(chan struct{})
	l.run.stdin = &cuttable{Writer: l.stdin, cut: cut}
	failure := make(chan error, 1)
	go func() { failure <- l.do(t.Context()) }()
	until(t, "the first step", func() bool { return exists(dir + "/began") })
	since, err := os.Stat(dir + "/began")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the time within which no sign is needed", func() bool { return time.Since(since.ModTime()) > 3*time.Second })
	close(cut) // from here on, nothing gets to the machine; it has been sent b
	if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the first step", func() bool { return exists(dir + "/a") })
	// It waits for its sign of life and does nothing: b would be done at once.
	until(t, "the wait for a sign", func() bool {
		text, _ := os.ReadFile(dir + "/state/run")
		return strings.HasPrefix(string(text), "idle ")
	})
	l.stdin.Close()
	if err := <-failure; err == nil {
		t.Error("no error")
	}
	if exists(dir + "/b") {
		t.Error("a step began though the network was cut")
	}
}

func TestInterruptedErrorTellsWhatGoesOn(t *testing.T) {
	done := []plan.Step{{Verb: plan.Create, Resource: plan.Resource{Kind: "user", Name: "app"}}}
	deploy := &plan.Step{Verb: plan.Deploy, Resource: plan.Resource{Kind: "release", Name: "abc"}}
	for want, err := range map[string]*InterruptedError{
		"interrupted after 1 steps: context canceled; deploy release abc had begun, and may go on to its end on the machine": {Step: deploy, Done: done, Err: context.Canceled},
		"interrupted after 1 steps: context canceled": {Done: done, Err: context.Canceled},
	} {
		if err.Error() != want || !errors.Is(err, context.Canceled) {
			t.Errorf("got %q", err)
		}
	}
}

// cuttable is a connection whose other side hears nothing any more once it is cut.
type cuttable struct {
	io.Writer
	cut chan struct{}
}

func (c *cuttable) Write(p []byte) (int, error) {
	select {
	case <-c.cut:
		return len(p), nil
	default:
		return c.Writer.Write(p)
	}
}

// Signs of life are given while steps go on.
func TestLongSteps(t *testing.T) {
	dir := t.TempDir()
	wait := "end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do :; done"
	l := converse(t, dir, step("a", wait), step("b", wait), step("c", "touch "+dir+"/c"), step("d", ":"), step("e", ":"), step("f", "touch "+dir+"/f"))
	if err := l.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !exists(dir+"/c") || !exists(dir+"/f") {
		t.Error("not all steps were taken")
	}
}

// A step that did not come whole does not run.
func TestHalfAStep(t *testing.T) {
	whole := "step 0 %d 5 60\ntouch %s/ran\n"
	for name, rest := range map[string]string{"no data": "", "half of the data": "da", "no go": "data\n", "half a go": "data\ng", "another word": "data\nstop\n"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := converse(t, dir)
			if err := l.ready(); err != nil {
				t.Fatal(err)
			}
			code := fmt.Sprintf("touch %s/ran\n", dir)
			fmt.Fprintf(l.stdin, "lib 2\n:\n"+whole+rest, len(code), dir)
			l.stdin.Close()
			_, _ = io.Copy(io.Discard, l.stdout)
			_ = l.cmd.Wait()
			if exists(dir + "/ran") {
				t.Error("it ran")
			}
		})
	}
}

// One that waits for its next step for long has lost its other side: the next run
// takes its place.
func TestStaleHolderGivesWay(t *testing.T) {
	t.Parallel() // it waits for seconds
	dir := t.TempDir()
	first := converse(t, dir)
	if err := first.ready(); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir+"/state/run", long, long); err != nil {
		t.Fatal(err)
	}
	second := converse(t, dir, step("a", "echo mine"))
	if err := second.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(second.heard.events, "wait for another run on the machine") {
		t.Errorf("heard %q", second.heard.events)
	}
	_ = first.cmd.Wait() // it has ended
}

// Another run is waited for as long as one is told to, and no longer.
func TestPatience(t *testing.T) {
	dir := t.TempDir()
	first := converse(t, dir)
	if err := first.ready(); err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if err := converseFor(t, dir, 0, step("a", ":")).do(t.Context()); !errors.As(err, &busy) {
		t.Errorf("without patience: %v", err)
	}
	second := converseFor(t, dir, time.Hour, step("a", ":"))
	done := make(chan error)
	go func() { done <- second.do(t.Context()) }()
	first.stdin.Close() // its end
	if err := <-done; err != nil {
		t.Errorf("with patience: %v", err)
	}
}

// Nothing that the machine says makes the conversation hang, crash or believe in
// more steps than it had.
func FuzzConversation(f *testing.F) {
	f.Add("n ready\nn begin 0\nn end 0 0\nn begin 1\nn end 1 0\n", "hello\n\nn 0\n\nn 1\n")
	f.Add("n ready\nn begin 0\nn end 0 1\n", "oops\nn 0\n")
	f.Add("n wait 5\nn busy\n", "")
	f.Fuzz(func(t *testing.T, stdout, stderr string) {
		heard := &recorder{}
		r := newConversation(io.Discard, strings.NewReader(stdout), strings.NewReader(stderr), "n", []task{step("a", ":"), step("b", ":")}, heard)
		err := r.do(t.Context())
		if len(r.done) > 2 || err == nil && len(r.done) != 2 {
			t.Errorf("%d steps done, error %v", len(r.done), err)
		}
		begun := 0
		for _, e := range heard.events {
			if strings.HasPrefix(e, "begin ") {
				begun++
			} else if strings.HasPrefix(e, "end ") {
				begun--
			}
		}
		if begun != 0 {
			t.Errorf("begin and end do not match: %q", heard.events)
		}
	})
}
