package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal with a program at its other end.
type terminal struct {
	t    *testing.T
	ours *os.File
	cmd  *exec.Cmd
}

// onTerminal starts the program with args on a terminal of its own.
func onTerminal(t *testing.T, dir, home string, args ...string) *terminal {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs a pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	cmd := exec.Command("appstack", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+home, "APPSTACK_AGE_KEY=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &terminal{t, ours, cmd}
}

// answer types text once the terminal no longer shows what is typed, and returns
// all that the program wrote, and its error.
func (x *terminal) answer(text string) (string, error) {
	x.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := unix.IoctlGetTermios(int(x.ours.Fd()), unix.TCGETS)
		if err != nil {
			x.t.Fatal(err)
		}
		if state.Lflag&unix.ECHO == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			_ = x.cmd.Process.Kill()
			x.t.Fatal("the terminal shows what is typed")
		}
	}
	if _, err := x.ours.WriteString(text); err != nil {
		x.t.Fatal(err)
	}
	var out bytes.Buffer
	_, _ = out.ReadFrom(x.ours) // ends in EIO once the program has gone
	return out.String(), x.cmd.Wait()
}

func TestHiddenPrompt(t *testing.T) {
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("appstack", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+home, "APPSTACK_AGE_KEY=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("secrets", "init")
	out, err := onTerminal(t, dir, home, "secrets", "set", "name", "--file", "a.age").answer("typed-value\n")
	if err != nil || !strings.HasPrefix(out, "value of name: ") || strings.Contains(out, "typed-value") {
		t.Errorf("got %q, %v", out, err)
	}
	if got := run("secrets", "get", "name", "--file", "a.age"); got != "typed-value\n" {
		t.Errorf("the value is %q", got)
	}
	out, err = onTerminal(t, dir, home, "secrets", "set", "name", "--file", "a.age").answer("half\x03")
	if err == nil || !strings.Contains(out, "error: interrupted") {
		t.Errorf("interrupted: %q, %v", out, err)
	}
	if got := run("secrets", "get", "name", "--file", "a.age"); got != "typed-value\n" {
		t.Errorf("after an interrupt the value is %q", got)
	}
}
