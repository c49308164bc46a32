package diag

import (
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxExcerpt is how much of a source line an excerpt shows, in characters.
// A minified one-line file must not fill the screen.
const maxExcerpt = 160

// noteWidth is where notes and hints are wrapped, in characters.
const noteWidth = 100

// Render writes each diagnostic of l in the manner of compilers:
//
//	appstack.yaml:12:7: error: unknown key "memroy" in guest
//	   |
//	12 |       memroy: 2048
//	   |       ^^^^^^
//	   = help: did you mean "memory"?
//
// With color, severities and carets carry ANSI colours. Control characters
// of the file's text are never written as such. The error is the writer's.
func (l List) Render(w io.Writer, color bool) error {
	p := painter{color}
	var b strings.Builder
	for _, d := range l {
		d.render(&b, p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (d Diagnostic) render(b *strings.Builder, p painter) {
	if d.Pos != (Pos{}) {
		b.WriteString(p.bold(visible(d.Pos.String())) + ": ")
	}
	b.WriteString(p.severity(d.Severity, d.Severity.String()) + ": " + p.bold(visible(d.Summary)) + "\n")

	gutter := "  "
	if d.Pos.IsValid() {
		gutter = strings.Repeat(" ", len(strconv.Itoa(d.Pos.Line))+1)
	}
	if d.Source != "" && d.Pos.IsValid() {
		d.renderExcerpt(b, p, gutter)
	}
	renderNotes(b, p, gutter, "note", d.Detail)
	renderNotes(b, p, gutter, "help", d.Hint)
}

func (d Diagnostic) renderExcerpt(b *strings.Builder, p painter, gutter string) {
	text, start, width := excerpt(d.Source, d.Pos)
	bar := p.blue("|")
	fmt.Fprintf(b, "%s%s\n", gutter, bar)
	fmt.Fprintf(b, "%s %s %s\n", p.blue(strconv.Itoa(d.Pos.Line)), bar, text)
	if width > 0 {
		carets := p.severity(d.Severity, strings.Repeat("^", width))
		fmt.Fprintf(b, "%s%s %s%s\n", gutter, bar, strings.Repeat(" ", start), carets)
	}
}

// excerpt returns the part of line to show, where in it the carets start and
// how many there are (0: no column is known). Each character of line becomes
// one character of the result, so that columns keep their meaning.
func excerpt(line string, pos Pos) (text string, start, width int) {
	line = strings.TrimRight(line, "\r\n")
	length := utf8.RuneCountInString(line)
	start = min(max(pos.Col-1, 0), length)
	end := min(max(pos.EndCol-1, start+1), length+1)
	if pos.Col == 0 {
		end = start
	}
	from, to := 0, length
	if length > maxExcerpt {
		if end > maxExcerpt-20 {
			from = max(0, start-40)
		}
		to = min(length, from+maxExcerpt)
	}
	width = min(end, to+1) - start
	text, start = window(line, from, to), start-from
	if from > 0 {
		text, start = "…"+text, start+1
	}
	if to < length {
		text += "…"
	}
	return strings.TrimRight(text, " "), start, width
}

// window returns the characters from to to of line, made visible.
func window(line string, from, to int) string {
	var b strings.Builder
	i := 0
	for _, r := range line {
		if i >= to {
			break
		}
		if i >= from {
			b.WriteRune(visibleRune(r))
		}
		i++
	}
	return b.String()
}

// renderNotes writes each line of text behind its label, wrapped.
func renderNotes(b *strings.Builder, p painter, gutter, label, text string) {
	for line := range lines(text) {
		indent := strings.Repeat(" ", len(gutter)+len("= : ")+len(label))
		wrapped := wrap(visible(line), noteWidth-len(indent), "\n"+indent)
		fmt.Fprintf(b, "%s%s %s: %s\n", gutter, p.blue("="), p.bold(label), wrapped)
	}
}

// wrap breaks s at spaces into lines of at most width characters where it
// can; sep stands between the lines.
func wrap(s string, width int, sep string) string {
	var b strings.Builder
	col := 0
	for i, word := range strings.Split(s, " ") {
		n := len([]rune(word))
		switch {
		case i == 0:
		case col+1+n > width:
			b.WriteString(sep)
			col = 0
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += n
	}
	return b.String()
}

// lines yields the lines of s, nothing for the empty string.
func lines(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if s == "" {
			return
		}
		for line := range strings.SplitSeq(s, "\n") {
			if !yield(line) {
				return
			}
		}
	}
}

// visible makes s safe to print on one line: what a file contains must not
// steer the terminal or forge lines of a log.
func visible(s string) string { return strings.Map(visibleRune, s) }

func visibleRune(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
		return unicode.ReplacementChar
	default:
		return r
	}
}

// painter adds ANSI colours if color is set.
type painter struct{ color bool }

func (p painter) paint(code, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) bold(s string) string { return p.paint("1", s) }
func (p painter) blue(s string) string { return p.paint("1;34", s) }

func (p painter) severity(sev Severity, s string) string {
	code := map[Severity]string{Error: "1;31", Warning: "1;33", Info: "1;36"}[sev]
	return p.paint(code, s)
}
