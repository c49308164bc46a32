package guest

import (
	"bytes"
	"strings"
)

// Bounds of what is kept of a step's output, however much it prints.
const (
	tailLines   = 20
	tailLineLen = 2 << 10
)

// tail keeps the last lines of what is written to it, each cut to a bound.
type tail struct {
	// Line hears of each whole line; nil: nobody does.
	Line    func(string)
	lines   []string
	partial []byte
}

// Write takes more output; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if room := tailLineLen - len(t.partial); room > 0 {
			t.partial = append(t.partial, line[:min(room, len(line))]...)
		}
		if whole {
			t.flush()
		}
		rest = after
	}
	return len(p), nil
}

// flush ends a line. Of one that was redrawn with carriage returns, as progress
// bars are, only its last state stays.
func (t *tail) flush() {
	line := strings.TrimRight(string(t.partial), "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	t.partial = t.partial[:0]
	if len(t.lines) == tailLines {
		t.lines = append(t.lines[:0], t.lines[1:]...)
	}
	t.lines = append(t.lines, line)
	if t.Line != nil {
		t.Line(line)
	}
}

// String returns the last lines.
func (t *tail) String() string {
	lines := t.lines
	if len(t.partial) > 0 {
		lines = append(lines[max(0, len(lines)-tailLines+1):len(lines):len(lines)], string(t.partial))
	}
	return strings.Join(lines, "\n")
}
