package lab_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab"
)

// step is a command of the documentation and what it prints there; … stands for
// anything.
type step struct{ command, output string }

// console are the steps of a document's blocks marked console.
func console(text string) []step {
	var steps []step
	in := false
	for line := range strings.Lines(text) {
		switch command, is := strings.CutPrefix(line, "$ "); {
		case strings.HasPrefix(line, "```"):
			in = line == "```console\n"
		case in && is:
			steps = append(steps, step{command: command})
		case in:
			steps[len(steps)-1].output += line
		}
	}
	return steps
}

// matches tells whether got is what the documentation shows.
func (s step) matches(got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(s.output)), "…", ".*")
	return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(strings.TrimSpace(got))
}

// TestTour takes the documentation's tour, command by command, in one shell.
func TestTour(t *testing.T) {
	l, o := bringUp(t, lab.Options{Repos: []string{"org/shop"}})
	dir, program := t.TempDir(), pvelab(t)
	text, err := os.ReadFile("../../docs/lab.md")
	must(t, err)
	steps := console(string(text))
	if len(steps) < 10 {
		t.Fatalf("only %d commands in docs/lab.md", len(steps))
	}
	script := fmt.Sprintf("pvelab() { %s \"$@\" --bridge %s; }\nexec 2>&1\n", program, o.Bridge)
	for i, s := range steps {
		script += fmt.Sprintf("echo; echo @@%d@@\n%s", i, s.command)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("the tour ends in an error: %v", err)
	}
	for i, s := range steps {
		_, rest, _ := strings.Cut(string(out), fmt.Sprintf("\n@@%d@@\n", i))
		got, _, _ := strings.Cut(rest, "\n@@")
		if !s.matches(got) {
			t.Errorf("$ %sprints\n%s\nbut docs/lab.md shows\n%s", s.command, strings.TrimSpace(got), s.output)
		}
	}
	must(t, l.Down(t.Context()))
}
