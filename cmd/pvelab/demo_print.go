package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/lab/runner"
	"github.com/org/appstack-action/internal/lab/runner/stage"
)

// screen is what pvelab demo prints: titles, lines with the time since its start, and
// what others wrote, indented.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	began time.Time
	step  bool // the log is within a step
}

func newScreen(out io.Writer) *screen { return &screen{out: out, began: time.Now()} }

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}

func (s *screen) title(text string) { s.printf("\n── %s", text) }

func (s *screen) stamped(mark, text string) {
	s.printf("%4.0f s  %s %s", time.Since(s.began).Seconds(), mark, text)
}

func (s *screen) say(text string)     { s.stamped("·", text) }
func (s *screen) done(text string)    { s.stamped("✓", text) }
func (s *screen) command(text string) { s.stamped("$", text) }

// block prints text that is not ours to word.
func (s *screen) block(text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		s.printf("        │ %s", strings.TrimRight(line, "\n"))
	}
}

// log is where the runner's log goes, line by line.
func (s *screen) log() io.Writer { return &lineWriter{to: s.logged} }

// foreign are a step's lines by other programs, apt's and npm's above all, which the
// log has further in than the action's own and the deploy script's stages.
var foreign = regexp.MustCompile(`^    (\s|[^=<\s])`)

// logged prints lines of the runner's log but for what other programs say.
func (s *screen) logged(text string) {
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "▼"):
			s.step = false
		case strings.HasPrefix(line, "▸"):
			s.step = true
		}
		if !s.step || !foreign.MatchString(line) || strings.Contains(line, " serves") {
			s.block(line)
		}
	}
}

// lineWriter hands on whole lines.
type lineWriter struct {
	to   func(string)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	if i := bytes.LastIndexByte(w.rest, '\n'); i >= 0 {
		w.to(string(w.rest[:i]))
		w.rest = append([]byte(nil), w.rest[i+1:]...)
	}
	return len(p), nil
}

// html is what GitHub renders and a terminal does not.
var html = regexp.MustCompile(`(?m)^<!--.*-->\n|</?(details|summary|br)[^>]*>`)

// outcome prints the comment and the deployment that a run left.
func (s *screen) outcome(st *stage.Stage, res *runner.Result) {
	verb := "ended well"
	if res.ExitCode != 0 {
		verb = "failed (" + res.Outputs["failure-reason"] + ")"
	}
	s.done(fmt.Sprintf("the run %s after %s", verb, res.Took.Round(100*time.Millisecond)))
	for _, c := range st.Lab.GitHub.Comments(st.Repository, st.Pull) {
		s.say("the comment on the pull request, by " + c.Author + ":")
		s.block(strings.TrimSpace(html.ReplaceAllString(c.Body, "")))
	}
	all := st.Lab.GitHub.Deployments(st.Repository)
	if len(all) == 0 {
		return
	}
	d := all[len(all)-1]
	s.say(strings.TrimRight(fmt.Sprintf("deployment %d of %.7s to %s: %s %s", d.ID, d.SHA, d.Environment, d.State(), d.URL()), " "))
}

func (s *screen) answer(st *stage.Stage, answer string) {
	s.done(fmt.Sprintf("http://%s:3000/api/version answers %s", st.Addr.Addr(), answer))
}

// farewell says where to look and how it ends.
func (s *screen) farewell(st *stage.Stage, once bool) {
	s.title("That was it")
	s.done("three pushes: deployed, changed, and taken back by itself")
	if once {
		return
	}
	page := fmt.Sprintf("%s/%s/pull/%d", st.Lab.Info.GitHub, st.Repository, st.Pull)
	host := strings.TrimPrefix(st.Lab.Info.GitHub, "http://")
	s.printf(`
  The pull request   %s
  The deployments    %s/%s/deployments
  The app            http://%s:3000/
  Your clone         %s

  From a browser on another machine, where ROOT@HOST is this one:

      ssh -L %s:%s -L 3000:%s:3000 ROOT@HOST

  and open http://localhost:%s/%s/pull/%d there.

  Ctrl-C stops and removes everything.`,
		page, st.Lab.Info.GitHub, st.Repository, st.Addr.Addr(), st.Dir,
		port(host), host, st.Addr.Addr(), port(host), st.Repository, st.Pull)
}

func port(host string) string { return host[strings.LastIndex(host, ":")+1:] }
