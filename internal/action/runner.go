package action

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/sethvargo/go-githubactions"

	"github.com/org/appstack-action/internal/secret"
)

// Limits of the runner.
const (
	maxSummary    = 1_000_000 // bytes; a summary over 1 MiB is dropped whole
	maxAnnotation = 4096      // bytes of an annotation's message that are kept
)

// Runner writes to the runner: log, commands and files. Whatever it writes to the
// log is redacted, and no text can pass for a command, since commands are stopped
// while text is written. It may be used by several goroutines.
type Runner struct {
	getenv func(string) string

	mu     sync.Mutex
	out    io.Writer // the runner's log, raw: only masks and tokens go there directly
	text   *secret.Writer
	gh     *githubactions.Action
	hide   *secret.Redactor
	resume string // token that lets commands through again; empty: they are let through
	group  bool
}

// NewRunner returns a Runner that writes to stdout what is left after hide.
func NewRunner(stdout io.Writer, getenv func(string) string, hide *secret.Redactor) *Runner {
	text := hide.Writer(stdout)
	return &Runner{
		getenv: getenv,
		out:    stdout,
		text:   text,
		hide:   hide,
		gh:     githubactions.New(githubactions.WithWriter(text), githubactions.WithGetenv(getenv)),
	}
}

// Mask makes the runner hide every value of the redactor too. Call it before
// anything else is written.
func (r *Runner) Mask() {
	r.command(func() {
		raw := githubactions.New(githubactions.WithWriter(r.out), githubactions.WithGetenv(r.getenv))
		for _, m := range r.hide.Masks() {
			raw.AddMask(m)
		}
	})
}

// Write writes text to the log: ours or a stranger's, none of it is obeyed.
func (r *Runner) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resume == "" {
		token := rand.Text()
		r.gh.IssueCommand(&githubactions.Command{Name: "stop-commands", Message: token})
		r.resume = token
	}
	return r.text.Write(p)
}

// command lets commands through for f.
func (r *Runner) command(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resume != "" {
		fmt.Fprintf(r.text, "::%s::\n", r.resume)
		r.resume = ""
	}
	f()
}

// Group opens a collapsible group in the log and closes the one before: groups do not nest.
func (r *Runner) Group(title string) {
	r.command(func() {
		if r.group {
			r.gh.EndGroup()
		}
		r.gh.Group(oneLine(title))
		r.group = true
	})
}

// EndGroup closes the open group.
func (r *Runner) EndGroup() {
	r.command(func() {
		if r.group {
			r.gh.EndGroup()
		}
		r.group = false
	})
}

// Annotation is a message that GitHub shows at a place of a file, or above the log.
type Annotation struct {
	Level     string // error, warning or notice
	Title     string
	Message   string
	File      string // relative to the repository; empty: no place
	Line, Col int
}

// Annotate writes an annotation. GitHub keeps ten of each level in a step.
func (r *Runner) Annotate(a Annotation) {
	fields := map[string]string{}
	if a.Title != "" {
		fields["title"] = oneLine(a.Title)
	}
	if a.File != "" {
		fields["file"] = a.File
		fields["line"] = strconv.Itoa(max(a.Line, 1))
		if a.Col > 0 {
			fields["col"] = strconv.Itoa(a.Col)
		}
	}
	message := cut(r.hide.String(a.Message), maxAnnotation)
	r.command(func() {
		to := r.gh.WithFieldsMap(fields)
		switch a.Level {
		case "error":
			to.Errorf("%s", message)
		case "warning":
			to.Warningf("%s", message)
		default:
			to.Noticef("%s", message)
		}
	})
}

// Debug writes a line that the log shows when step debugging is on.
func (r *Runner) Debug(line string) {
	r.command(func() { r.gh.Debugf("%s", line) })
}

// Output sets an output of the step.
func (r *Runner) Output(name, value string) error {
	return r.file("GITHUB_OUTPUT", name, r.hide.String(value))
}

// State keeps a value for the post-entrypoint, which reads it as STATE_name.
func (r *Runner) State(name, value string) error {
	return r.file("GITHUB_STATE", name, value)
}

// file appends a value to one of the runner's command files. The delimiter is
// random: a constant one lets a value set other outputs.
func (r *Runner) file(variable, name, value string) error {
	delimiter := "appstack_" + rand.Text()
	return r.appendFile(variable, fmt.Sprintf("%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter))
}

// Summary appends Markdown to the job's summary, cut where GitHub would drop all of it.
func (r *Runner) Summary(markdown string) error {
	return r.appendFile("GITHUB_STEP_SUMMARY", cut(r.hide.String(markdown), maxSummary)+"\n")
}

func (r *Runner) appendFile(variable, text string) error {
	path := r.getenv(variable)
	if path == "" {
		return nil // not under a runner: nobody reads it
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", variable, err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Close lets commands through again and passes on what is held back.
func (r *Runner) Close() error {
	r.EndGroup()
	return r.text.Close()
}

// oneLine puts a space where a line would end.
func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}

// cut shortens s to at most n bytes, between characters, and says so at its end.
func cut(s string, n int) string {
	const mark = "\n… (cut)"
	if len(s) <= n {
		return s
	}
	end := n - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
