package runner

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Command is a workflow command of a step's log.
type Command struct {
	Name   string // error, warning, notice, add-mask, group, …
	Fields map[string]string
	Text   string
}

// known are the commands of ActionCommandManager.cs that a step may still use.
var known = []string{"add-mask", "debug", "notice", "warning", "error", "group", "endgroup", "echo", "stop-commands", "add-matcher", "remove-matcher"}

// parseCommand reads "::name key=value,key=value::text".
func parseCommand(line string) (Command, bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), "::")
	if !ok {
		return Command{}, false
	}
	head, text, ok := strings.Cut(rest, "::")
	if !ok {
		return Command{}, false
	}
	name, fields, _ := strings.Cut(head, " ")
	c := Command{Name: name, Fields: map[string]string{}, Text: unescape(text, false)}
	for field := range strings.SplitSeq(fields, ",") {
		if key, value, ok := strings.Cut(strings.TrimSpace(field), "="); ok {
			c.Fields[key] = unescape(value, true)
		}
	}
	return c, true
}

func unescape(s string, property bool) string {
	pairs := []string{"%0D", "\r", "%0A", "\n"}
	if property {
		pairs = append(pairs, "%3A", ":", "%2C", ",")
	}
	return strings.NewReplacer(append(pairs, "%25", "%")...).Replace(s)
}

// logReader carries out the commands of a log as it is written, and shows the rest
// with what is secret masked.
type logReader struct {
	to    io.Writer
	debug bool

	mu       sync.Mutex
	raw      strings.Builder
	shown    strings.Builder
	partial  string
	stopped  string // the token that lets commands through again
	hidden   []string
	masks    []string
	commands []Command
}

func newLogReader(to io.Writer, secrets []string, debug bool) *logReader {
	if to == nil {
		to = io.Discard
	}
	l := &logReader{to: to, debug: debug}
	for _, s := range secrets {
		l.hide(s)
	}
	return l
}

// hide masks a value and each of its lines.
func (l *logReader) hide(value string) {
	for _, s := range append(strings.Split(value, "\n"), value) {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(l.hidden, s) {
			l.hidden = append(l.hidden, s)
		}
	}
	slices.SortFunc(l.hidden, func(a, b string) int { return len(b) - len(a) })
}

// Write implements io.Writer.
func (l *logReader) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.raw.Write(p)
	lines := strings.Split(l.partial+string(p), "\n")
	l.partial = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		l.line(strings.TrimSuffix(line, "\r"))
	}
	return len(p), nil
}

// Close handles a last line that has no end.
func (l *logReader) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.partial != "" {
		l.line(l.partial)
		l.partial = ""
	}
}

// Raw is what was written so far.
func (l *logReader) Raw() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.raw.String()
}

func (l *logReader) line(line string) {
	c, ok := parseCommand(line)
	switch {
	case ok && l.stopped != "" && c.Name == l.stopped:
		l.stopped = ""
	case !ok || l.stopped != "":
		l.show(line)
	case c.Name == "stop-commands":
		l.stopped = c.Text
	case !slices.Contains(known, c.Name):
		l.show(line) // the runner takes it for text
	default:
		l.obey(c)
	}
}

func (l *logReader) obey(c Command) {
	l.commands = append(l.commands, c)
	switch c.Name {
	case "add-mask":
		l.masks = append(l.masks, c.Text)
		l.hide(c.Text)
	case "debug":
		if l.debug {
			l.show("##[debug]" + c.Text)
		}
	case "group":
		l.show("▼ " + c.Text)
	case "error", "warning", "notice":
		title := ""
		if c.Fields["title"] != "" {
			title = c.Fields["title"] + ": "
		}
		l.show("##[" + c.Name + "]" + title + c.Text)
	}
}

func (l *logReader) show(line string) {
	for _, s := range l.hidden {
		line = strings.ReplaceAll(line, s, "***")
	}
	l.shown.WriteString(line + "\n")
	io.WriteString(l.to, line+"\n")
}

// ParseFileCommand reads what a step wrote to GITHUB_OUTPUT, GITHUB_STATE or
// GITHUB_ENV: lines of name=value, and name<<delimiter with the value's lines until
// the delimiter, whichever of the two signs comes first.
func ParseFileCommand(text string) (map[string]string, error) {
	values := map[string]string{}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if line == "" {
			continue
		}
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			values[line[:equals]] = line[equals+1:]
		case heredoc >= 0:
			name, delimiter := line[:heredoc], line[heredoc+2:]
			end := slices.Index(lines[i+1:], delimiter)
			if name == "" || delimiter == "" || end < 0 {
				return values, fmt.Errorf("invalid value: matching delimiter not found %q", delimiter)
			}
			values[name] = strings.Join(lines[i+1:i+1+end], "\n")
			i += 1 + end
		default:
			return values, errors.New("invalid format " + line)
		}
	}
	return values, nil
}
