package stack

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/org/appstack-action/internal/diag"
)

// syntaxError words what the YAML library says for people.
func syntaxError(f *file, err error) diag.Diagnostic {
	var load *yaml.LoadError
	if !errors.As(err, &load) || load.Mark.Line == 0 {
		return emptyOrUnreadable(f, load)
	}
	line, col := f.culprit(load)
	d := diag.Diagnostic{
		Pos:     diag.Pos{File: f.name, Line: line, Col: col},
		Summary: "not valid YAML: " + load.Message,
		Source:  f.line(line),
	}
	if load.ContextMsg != "" {
		d.Detail = load.ContextMsg
		if load.ContextMark.Line != line {
			d.Detail += fmt.Sprintf(" that starts at line %d", load.ContextMark.Line)
		}
	}
	explainSyntax(f, &d, load.Message)
	return d
}

// culprit returns the place that helps where the library complains of a later one: an
// unfinished quote is noticed at the end of the file, and a key without what follows it
// on the next line.
func (f *file) culprit(load *yaml.LoadError) (line, col int) {
	line, col = min(load.Mark.Line, len(f.starts)), load.Mark.Column
	switch {
	case load.ContextMark.Line > 0 && (strings.Contains(load.Message, "unexpected end") || strings.Contains(load.Message, "expected ':'")):
		return load.ContextMark.Line, load.ContextMark.Column
	case strings.Contains(load.Message, "mapping values are not allowed") && keyWithoutSpace.MatchString(f.line(line-1)):
		above := f.line(line - 1)
		return line - 1, 1 + len(above) - len(strings.TrimLeft(above, " "))
	}
	return line, col
}

func emptyOrUnreadable(f *file, load *yaml.LoadError) diag.Diagnostic {
	d := diag.Diagnostic{Pos: diag.Pos{File: f.name}, Summary: "the file is empty", Hint: "`appstack init` writes a first stack"}
	if load != nil && !strings.Contains(load.Message, "no documents") {
		d.Summary, d.Hint = "not valid YAML: "+load.Message, ""
	}
	return d
}

// syntaxHints are what to do about what the YAML library says, by a part of it.
var syntaxHints = []struct{ message, hint string }{
	{"unknown anchor", "text that starts with * needs quotes; an anchor is defined further up, as in `dev: &name`"},
	{"alphabetic or numeric character", "text that starts with * or & needs quotes"},
	{"incompatible YAML document", "remove the line; it is not needed"},
	{"cannot start any token", "text that starts with @, ` or % needs quotes"},
	{"expected ',' or", "within { } and [ ] text that contains one of , [ ] { } needs quotes; is each bracket closed by one of its kind?"},
	{"expected node content", "text that starts with one of , [ ] { } needs quotes"},
	{"comment or line break", "text that starts with > or | needs quotes"},
	{"block sequence entries", "begin the list on a line of its own"},
	{"expected '-' indicator", "check the indentation of this line, and for a bracket or quote too many"},
	{"did not find expected key", "check the indentation of this line and of those above, and for quotes that are not closed"},
	{"mapping values are not allowed", "quote text that contains \": \", and check that the indentation equals that of the keys above"},
}

// keyWithoutSpace is a line whose value follows the colon at once.
var keyWithoutSpace = regexp.MustCompile(`^\s*(?:- )?([A-Za-z0-9_-]+):([^\s/].*)$`)

// explainSyntax adds what the usual mistakes need.
func explainSyntax(f *file, d *diag.Diagnostic, message string) {
	indent := d.Source[:len(d.Source)-len(strings.TrimLeft(d.Source, " \t"))]
	switch {
	case strings.Contains(indent, "\t"):
		d.Summary, d.Detail, d.Hint = "a tab in the indentation", "", "YAML wants spaces here"
		d.Pos.Col, d.Pos.EndCol = 1+strings.IndexByte(indent, '\t'), len(indent)+1
	case strings.Contains(d.Source, noBreakSpace):
		d.Summary, d.Detail, d.Hint = "a no-break space, which is no space to YAML", "", "write an ordinary space in its place"
		d.Pos.Col = 1 + utf8.RuneCountInString(d.Source[:strings.Index(d.Source, noBreakSpace)])
	case strings.Contains(message, "max depth"):
		d.Summary, d.Detail = fmt.Sprintf("nested more than %d levels deep", maxDepth), ""
	case strings.Contains(message, "unexpected end") && strings.Contains(d.Detail, "quoted"):
		d.Summary, d.Detail = "not valid YAML: this quote is not closed", ""
		d.Hint = "close it, or leave it out: most text needs no quotes"
	case keyWithoutSpace.MatchString(d.Source) && !strings.Contains(d.Source, ": "):
		m := keyWithoutSpace.FindStringSubmatch(d.Source)
		d.Summary, d.Detail = "not valid YAML: no space behind the colon", ""
		d.Hint = fmt.Sprintf("write `%s: %s`", m[1], m[2])
	case strings.Contains(message, "expected ':'"):
		d.Hint = "a key is followed by a colon and a space"
	default:
		d.Hint = syntaxHint(f, d, message)
	}
}

// noBreakSpace comes along when text is copied from a web page.
const noBreakSpace = "\u00a0"

// syntaxHint returns what to do about message, "" where nothing better than it is known.
func syntaxHint(f *file, d *diag.Diagnostic, message string) string {
	if line, open := f.openBefore(d.Pos.Line); open != 0 {
		return fmt.Sprintf("is the `%c` of line %d closed with `%c`?", open, line, closing[open])
	}
	for _, known := range syntaxHints {
		if strings.Contains(message, known.message) {
			return known.hint
		}
	}
	return ""
}

var closing = map[rune]rune{'{': '}', '[': ']'}

// openBefore returns the last line before the given one that says something, and the
// bracket that it opens and does not close; 0 for none.
func (f *file) openBefore(line int) (int, rune) {
	for line--; line > 0 && strings.TrimSpace(f.line(line)) == ""; line-- {
	}
	var open []rune
	quote := rune(0)
	for i, r := range f.line(line) {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '#' && (i == 0 || f.line(line)[i-1] == ' '):
			return line, last(open)
		case closing[r] != 0:
			open = append(open, r)
		case len(open) > 0 && closing[last(open)] == r:
			open = open[:len(open)-1]
		}
	}
	return line, last(open)
}

// last returns the last of some characters, 0 for none.
func last(runes []rune) rune {
	if len(runes) == 0 {
		return 0
	}
	return runes[len(runes)-1]
}
