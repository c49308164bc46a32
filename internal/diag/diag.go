// Package diag is how the program tells people what is wrong with a file
// that they wrote.
//
// A [Diagnostic] names a place, says in one line what is the matter there,
// and, when it can, what is allowed and what was probably meant. A [List]
// collects all of them, so that one run shows every mistake:
//
//	var list diag.List
//	list.Errorf(pos, "memory must be at least 16 MiB, not %d", n)
//	return list.Err()
//
// [List.Render] writes them the way compilers do, with an excerpt of the
// file and carets below the culprit. Callers that annotate a file in a pull
// request use the fields of [Diagnostic] and [Diagnostic.Message].
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says how bad a diagnostic is. The zero value is Error.
type Severity int

// The severities, worst first. Only Error makes a file unusable.
const (
	Error Severity = iota
	Warning
	Info
)

// String returns the word that stands before the summary: "error",
// "warning" or "info".
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return "info"
	}
}

// Pos is a place in a file. Lines and columns count from 1, columns in
// characters (not bytes). EndCol is the first column after the place; 0
// means that only its start is known. A Pos with Line 0 is the whole file,
// the zero Pos is no place at all.
type Pos struct {
	File   string
	Line   int
	Col    int
	EndCol int
}

// IsValid reports whether p names a line of a file.
func (p Pos) IsValid() bool { return p.Line > 0 }

// String returns "file:line:col", without the parts that are unknown.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
}

// Compare orders places by file, line and column.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(
		strings.Compare(p.File, q.File),
		cmp.Compare(p.Line, q.Line),
		cmp.Compare(p.Col, q.Col),
		cmp.Compare(p.EndCol, q.EndCol),
	)
}

// Diagnostic is one thing to tell about one place.
type Diagnostic struct {
	Severity Severity
	Pos      Pos
	// Summary is one line in lower case without a full stop.
	Summary string
	// Detail explains: what is allowed, where the other place is. May have
	// several lines, each of which is a note of its own.
	Detail string
	// Hint is what to do about it, often a near miss. May have several lines.
	Hint string
	// Source is the text of the line Pos.Line, for the excerpt. Empty means
	// that no excerpt is shown.
	Source string
}

// Message returns the summary with detail and hint on lines of their own and
// no decoration, as fits an annotation whose place is shown by other means.
func (d Diagnostic) Message() string {
	var b strings.Builder
	b.WriteString(d.Summary)
	for _, part := range []struct{ label, text string }{{"note", d.Detail}, {"help", d.Hint}} {
		for line := range lines(part.text) {
			fmt.Fprintf(&b, "\n%s: %s", part.label, line)
		}
	}
	return b.String()
}

// List is a set of diagnostics. The zero value is empty and ready to use.
type List []Diagnostic

// Add appends d.
func (l *List) Add(d Diagnostic) { *l = append(*l, d) }

// AddAll appends each diagnostic of other.
func (l *List) AddAll(other List) { *l = append(*l, other...) }

// Errorf appends an error without detail or hint.
func (l *List) Errorf(pos Pos, format string, args ...any) {
	l.Add(Diagnostic{Pos: pos, Summary: fmt.Sprintf(format, args...)})
}

// Sort puts l in the order of the file, errors before warnings at the same
// place, and drops exact repetitions: a mistake in a shared part of a file
// is told once, however many readers of that part stumble over it.
func (l *List) Sort() {
	slices.SortStableFunc(*l, func(a, b Diagnostic) int {
		return cmp.Or(
			a.Pos.Compare(b.Pos),
			cmp.Compare(a.Severity, b.Severity),
			strings.Compare(a.Summary, b.Summary),
			strings.Compare(a.Detail, b.Detail),
			strings.Compare(a.Hint, b.Hint),
		)
	})
	*l = slices.Compact(*l)
}

// HasErrors reports whether l contains a diagnostic of severity Error.
func (l List) HasErrors() bool { return l.Count(Error) > 0 }

// Count returns how many diagnostics of l have severity s.
func (l List) Count(s Severity) int {
	n := 0
	for _, d := range l {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// Error returns one line for each diagnostic: "file:line:col: error: summary".
func (l List) Error() string {
	var b strings.Builder
	for i, d := range l {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(d.head())
	}
	return b.String()
}

// Err returns l as an error if it has errors, else nil. Warnings alone are
// no error.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return l
}

// head is the line that names the place, the severity and the summary.
func (d Diagnostic) head() string {
	if d.Pos == (Pos{}) {
		return fmt.Sprintf("%s: %s", d.Severity, d.Summary)
	}
	return fmt.Sprintf("%s: %s: %s", d.Pos, d.Severity, d.Summary)
}
