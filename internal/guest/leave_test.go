package guest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A run that ends after it enabled a unit and before settle_units reloads systemd on its
// way out, whatever ended it.
func TestEarlyEndReloadsSystemd(t *testing.T) {
	for name, end := range map[string]func(*enabler){
		"cut off":      func(e *enabler) { e.cut(); e.touch("go") },
		"a step fails": func(e *enabler) { e.touch("fail"); e.touch("go") },
		"killed":       (*enabler).killed,
	} {
		t.Run(name, func(t *testing.T) {
			e := enabling(t)
			e.said()
			end(e)
			_ = e.cmd.Wait()
			e.said("daemon-reload")
			e.owes(false)
		})
	}
}

// A reload that fails is owed on: the end of the next run is the next try, and that of the
// one after it is none.
func TestOwedReloadIsTriedAgain(t *testing.T) {
	e := enabling(t)
	e.touch("broken")
	e.cut()
	e.touch("go")
	_ = e.cmd.Wait()
	e.said("daemon-reload")
	e.owes(true)

	e.must(os.Remove(e.dir + "/broken"))
	for range 2 {
		next := converse(t, e.dir, step("a", ":"))
		e.must(next.do(t.Context()))
		next.stdin.Close()
		_ = next.cmd.Wait()
		e.said("daemon-reload", "daemon-reload")
		e.owes(false)
	}
}

// A run that never had its turn leaves the reload to the one that is at work.
func TestBusyOwesNoReload(t *testing.T) {
	e := enabling(t)
	other := converseFor(t, e.dir, 0, step("a", ":"))
	var busy *BusyError
	if err := other.do(t.Context()); !errors.As(err, &busy) {
		t.Fatalf("got %v", err)
	}
	_ = other.cmd.Wait()
	e.said()
	e.owes(true)
}

// enabler is a conversation whose one step has enabled a unit, and goes on until there is
// a file go. A systemctl of its own takes the calls.
type enabler struct {
	*local
	t   *testing.T
	end chan error
}

func enabling(t *testing.T) *enabler {
	t.Helper()
	dir := t.TempDir()
	e := &enabler{t: t, end: make(chan error, 1)}
	e.must(os.Mkdir(dir+"/bin", 0o755))
	e.must(os.WriteFile(dir+"/bin/systemctl", []byte("#!/bin/sh\necho \"$*\" >>"+dir+"/calls\n[ \"$1\" != daemon-reload ] || [ ! -e "+dir+"/broken ]\n"), 0o755))
	e.local = converse(t, dir, step("a", "state="+dir+"/state; enable_unit shop.service; cd "+dir+"; : >began; while [ ! -e go ]; do :; done; [ ! -e fail ]"))
	t.Cleanup(func() { e.touch("go") })
	go func() { e.end <- e.do(t.Context()) }()
	until(t, "the unit to be enabled", func() bool { return exists(dir + "/began") })
	e.owes(true)
	return e
}

func (e *enabler) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *enabler) touch(name string) {
	e.t.Helper()
	e.must(os.WriteFile(e.dir+"/"+name, nil, 0o644))
}

// cut ends the connection.
func (e *enabler) cut() {
	e.stdin.Close()
	e.stdout.Close()
	e.stderr.Close()
}

// killed ends the run where it waits for its next step, as another does that takes its place.
func (e *enabler) killed() {
	e.touch("go")
	e.must(<-e.end)
	var pid int
	until(e.t, "the wait for a step", func() bool {
		text, _ := os.ReadFile(e.dir + "/state/run")
		_, err := fmt.Sscanf(string(text), "idle %d\n", &pid)
		return err == nil
	})
	e.must(syscall.Kill(pid, syscall.SIGTERM))
}

// said demands these calls of systemctl after the unit's.
func (e *enabler) said(want ...string) {
	e.t.Helper()
	calls, err := os.ReadFile(e.dir + "/calls")
	e.must(err)
	all := append([]string{"-q --no-reload enable shop.service"}, want...)
	if got := strings.TrimSpace(string(calls)); got != strings.Join(all, "\n") {
		e.t.Errorf("systemctl was told %q, want %q", strings.Split(got, "\n"), all)
	}
}

// owes tells whether a reload is to be owed.
func (e *enabler) owes(want bool) {
	e.t.Helper()
	if got := exists(e.dir + "/state/enabled"); got != want {
		e.t.Errorf("a reload is owed: %v, want %v", got, want)
	}
}
