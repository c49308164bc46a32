package pveapi

import (
	"fmt"
	"strings"
)

// log adds lines as Proxmox's worker prints them.
func (t *task) log(format string, args ...any) {
	t.progress(fmt.Sprintf(format, args...))
}

// progress adds one line; it is what a Backend reports to.
func (t *task) progress(line string) {
	t.mu.Lock()
	t.Lines = append(t.Lines, strings.Split(line, "\n")...)
	n := len(t.Lines)
	f := t.fault
	t.mu.Unlock()
	if f != nil && f.TaskLine > 0 && n >= f.TaskLine {
		t.cancel()
	}
}

// warn adds a line that makes the task end in WARNINGS.
func (t *task) warn(format string, args ...any) {
	t.progress("WARN: " + fmt.Sprintf(format, args...))
	t.mu.Lock()
	t.warnings++
	t.mu.Unlock()
}

func (t *task) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.Lines...)
}

func taskLog(c *call) (any, error) {
	t, err := c.theTask("Sys.Audit")
	if err != nil {
		return nil, err
	}
	if c.p.bool("download") && (c.p.has("start") || c.p.has("limit")) {
		return nil, fail("'download' cannot be used together with 'start' or 'limit' parameters")
	}
	lines := []string{"unable to open file - No such file or directory"}
	if t != nil {
		lines = t.lines()
	}
	if c.p.bool("download") {
		return download{"text/plain", strings.Join(lines, "\n") + "\n"}, nil
	}
	return c.page(lines), nil
}

// page cuts a log by start and limit; limit 0 is all, 50 lines are the default.
func (c *call) page(lines []string) []map[string]any {
	if len(lines) == 0 {
		lines = []string{"no content"}
	}
	total := len(lines)
	c.total = &total
	start, limit := c.p.int("start", 0), c.p.int("limit", 50)
	rows := []map[string]any{}
	for i := start; i < total && (limit == 0 || i < start+limit); i++ {
		rows = append(rows, map[string]any{"n": i + 1, "t": lines[i]})
	}
	return rows
}
