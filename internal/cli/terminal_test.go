package cli

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/org/appstack-action/internal/plan"
)

// tube is a terminal of a few columns that does what the screen asks of it: lines that
// are too long wrap, and what is written above the cursor stays until it is erased.
type tube struct {
	mu      sync.Mutex
	columns int
	lines   []string // the last one is where the cursor is
	widest  int
}

var control = regexp.MustCompile("^\x1b\\[([0-9]*)([A-Za-z])")

func (t *tube) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := p; len(rest) > 0; {
		if m := control.FindSubmatch(rest); m != nil {
			t.obey(string(m[1]), m[2][0])
			rest = rest[len(m[0]):]
			continue
		}
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		t.put(r)
	}
	return len(p), nil
}

func (t *tube) put(r rune) {
	if len(t.lines) == 0 || r == '\n' || utf8.RuneCountInString(t.lines[len(t.lines)-1]) == t.columns {
		t.lines = append(t.lines, "")
	}
	if r != '\n' {
		t.lines[len(t.lines)-1] += string(r)
	}
	t.widest = max(t.widest, utf8.RuneCountInString(t.lines[len(t.lines)-1]))
}

func (t *tube) obey(number string, what byte) {
	if what == 'A' {
		var n int
		fmt.Sscan(number, &n)
		t.lines = t.lines[:max(len(t.lines)-n, 0)]
		t.lines[len(t.lines)-1] = ""
	}
}

// narrow wraps what is shown, as terminals do when their window shrinks.
func (t *tube) narrow(columns int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for _, line := range t.lines {
		runes := []rune(line)
		for len(runes) > columns {
			lines, runes = append(lines, string(runes[:columns])), runes[columns:]
		}
		lines = append(lines, string(runes))
	}
	t.lines, t.columns = lines, columns
}

func (t *tube) width() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.columns
}

func (t *tube) shown() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

func (t *tube) widen(columns int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.columns = columns
}

// TestLiveView plays a run on a narrow terminal: what is over stays, what goes on is
// shown with its time, and nothing of that is left at the end.
func TestLiveView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := &tube{columns: 40, lines: []string{""}}
		s := newScreen(term, true, true)
		s.width = term.width
		step := plan.Step{Verb: plan.Install, Resource: plan.Resource{Kind: "packages", Name: "curl git iptables nodejs npm ufw unattended-upgrades"}}
		dev, qa := s.Open("shop/dev"), s.Open("shop/qa")
		dev.Stage("apply")
		qa.Stage("observe")
		dev.Begin(step)
		time.Sleep(65*time.Second + 100*time.Millisecond)
		synctest.Wait()
		dev.Line(step, "Unpacking\x1b[2J a\tpackage with a name that is longer than any line of this terminal")
		qa.Say("shop/qa: no changes")
		qa.Close()
		s.still(func() { fmt.Fprint(term, "sure? ") })
		fmt.Fprint(term, "y\n") // as the terminal echoes it
		time.Sleep(time.Second)
		synctest.Wait()
		shown := term.shown()
		for _, want := range []string{"shop/qa: no changes", "sure? y", "● shop/dev", "1:06 min"} {
			if strings.Count(shown, want) != 1 {
				t.Errorf("the terminal does not show %q once:\n%s", want, shown)
			}
		}
		if term.widest >= term.columns {
			t.Errorf("a line has %d of %d columns:\n%s", term.widest, term.columns, shown)
		}
		term.narrow(25)
		time.Sleep(time.Second)
		synctest.Wait()
		if shown := term.shown(); strings.Count(shown, "●") != 1 {
			t.Errorf("after the window was made narrower the terminal shows\n%s", shown)
		}
		term.widen(40)
		dev.End(step, plan.Outcome{Took: 70 * time.Second})
		dev.End(step, plan.Outcome{Took: time.Second, Err: errors.New("exit status 100")})
		dev.Close()
		s.close()
		shown = term.shown()
		if strings.Contains(shown, "●") || !strings.Contains(shown, "✓ shop/dev: install") || !strings.Contains(shown, "✗ shop/dev: install") {
			t.Errorf("at the end the terminal shows\n%s", shown)
		}
	})
}

// Where nobody looks at a terminal there is a line for each event, and nothing that a
// file should not hold.
func TestPlainView(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out, false, false)
	step := plan.Step{Verb: plan.Set, Resource: plan.Resource{Kind: "config", Name: "memory"}}
	dev := s.Open("shop/dev")
	dev.Stage("apply")
	dev.Begin(step)
	dev.Wait("task", 3*time.Second)
	dev.End(step, plan.Outcome{Took: 20 * time.Millisecond})
	release := plan.Step{Verb: plan.Deploy, Resource: plan.Resource{Kind: "release", Name: "4f2c9e1aa0b7d3c55e0f9a4c1d2b3e4f5a6b7c8d"}}
	dev.End(release, plan.Outcome{Took: 7 * time.Second})
	dev.Close()
	s.close()
	want := "shop/dev: apply\nshop/dev: waiting for task (3s)\n✓ shop/dev: set config memory (20ms)\n✓ shop/dev: deploy release 4f2c9e1 (7s)\n"
	if out.String() != want {
		t.Errorf("got %q, not %q", out.String(), want)
	}
}
