package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/plan"
)

// screen shows a run to a person: on a terminal a line for each environment that
// changes in place, with what goes on and for how long; else a line an event.
type screen struct {
	out   io.Writer
	live  bool
	color bool
	now   func() time.Time
	width func() int // characters of a line; nil: 100

	mu    sync.Mutex
	rows  []*row
	drawn []int // characters in each line of the live part that is on the terminal
	stop  chan struct{}
}

// row is one environment on the screen.
type row struct {
	screen *screen
	target string
	stage  string
	step   string
	since  time.Time
	over   bool
}

// newScreen returns a screen; close it when the run is over.
func newScreen(out io.Writer, live, color bool) *screen {
	s := &screen{out: out, live: live, color: color, now: time.Now, stop: make(chan struct{})}
	if live {
		go s.animate()
	}
	return s
}

// terminalWidth is how many characters a line of the terminal has.
func terminalWidth() int {
	if width, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// Open implements app.View.
func (s *screen) Open(target string) app.Show {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &row{screen: s, target: target, since: s.now()}
	s.rows = append(s.rows, r)
	return r
}

func (s *screen) animate() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.mu.Lock()
			s.draw()
			s.mu.Unlock()
		}
	}
}

// close takes the live part away.
func (s *screen) close() {
	if !s.live {
		return
	}
	close(s.stop)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
}

// erase removes the live part; the caller holds mu.
func (s *screen) erase() {
	rows, columns := 0, s.columns()
	for _, length := range s.drawn {
		rows += max(1, (length+columns-1)/columns) // more than one where the window was made narrower
	}
	if rows > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", rows)
		s.drawn = nil
	}
}

func (s *screen) draw() {
	s.erase()
	for _, r := range s.rows {
		if r.over || r.stage == "" {
			continue
		}
		// A line that the terminal would break in two could not be erased.
		line := fmt.Sprintf("%-20s %-7s %s", r.target, elapsed(s.now().Sub(r.since)), r.stage+"  "+r.step)
		line = clip(line, s.columns()-3)
		fmt.Fprintf(s.out, "%s %s\n", s.paint("36", "●"), line)
		s.drawn = append(s.drawn, 2+utf8.RuneCountInString(line))
	}
}

func (s *screen) columns() int {
	if s.width == nil {
		return 100
	}
	return max(s.width(), 20)
}

// elapsed writes a time that is still running.
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
}

// still takes the live part away while f has the terminal for itself.
func (s *screen) still(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	f()
}

// print writes a line that stays.
func (s *screen) print(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	fmt.Fprintln(s.out, line)
	if s.live {
		s.draw()
	}
}

func (s *screen) paint(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// set changes the row's line.
func (r *row) set(f func(*row)) {
	r.screen.mu.Lock()
	defer r.screen.mu.Unlock()
	f(r)
}

// Stage implements app.Show.
func (r *row) Stage(name string) {
	r.set(func(r *row) { r.stage, r.step, r.since = name, "", r.screen.now() })
	if !r.screen.live {
		r.screen.print(fmt.Sprintf("%s: %s", r.target, name))
	}
}

// Say implements app.Show.
func (r *row) Say(text string) { r.screen.print(strings.TrimRight(text, "\n")) }

// Conclude implements app.Show.
func (r *row) Conclude(text string) {
	r.Close()
	r.Say(text)
}

var commit = regexp.MustCompile(`\b([0-9a-f]{7})[0-9a-f]{33}\b`)

// words say what a step does to what, with commits as short as people write them.
func words(s plan.Step) string {
	return string(s.Verb) + " " + commit.ReplaceAllString(s.Resource.String(), "$1")
}

// Begin implements plan.Progress.
func (r *row) Begin(s plan.Step) {
	r.set(func(r *row) { r.step = words(s) })
}

// Line implements plan.Progress.
func (r *row) Line(s plan.Step, line string) {
	r.set(func(r *row) { r.step = words(s) + ": " + strings.TrimSpace(line) })
}

// End implements plan.Progress.
func (r *row) End(s plan.Step, o plan.Outcome) {
	took := o.Took.Round(10 * time.Millisecond)
	if o.Err != nil {
		r.screen.print(fmt.Sprintf("%s %s: %s (%s): %v", r.screen.paint("31", "✗"), r.target, words(s), took, o.Err))
		return
	}
	r.screen.print(fmt.Sprintf("%s %s: %s (%s)", r.screen.paint("32", "✓"), r.target, words(s), took))
}

// Wait implements plan.Progress.
func (r *row) Wait(what string, since time.Duration) {
	if r.screen.live {
		r.set(func(r *row) { r.step = "waiting for " + what })
		return
	}
	r.screen.print(fmt.Sprintf("%s: waiting for %s (%s)", r.target, what, since.Round(time.Second)))
}

// Close implements app.Show.
func (r *row) Close() { r.set(func(r *row) { r.over = true }) }

// clip shortens text to n characters and drops what a terminal would obey.
func clip(text string, n int) string {
	runes := []rune(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, text))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return string(runes)
}
