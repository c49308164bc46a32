package diag_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/diag"
)

func Example() {
	var list diag.List
	list.Add(diag.Diagnostic{
		Pos:     diag.Pos{File: "appstack.yaml", Line: 12, Col: 5, EndCol: 11},
		Summary: "unknown key `memroy` in guest",
		Detail:  "allowed: cores, memory, swap",
		Hint:    "did you mean `memory`?",
		Source:  "    memroy: 2048",
	})
	list.Errorf(diag.Pos{File: "appstack.yaml"}, "there are %d problems", 2)
	list.Sort()
	if err := list.Render(os.Stdout, false); err != nil {
		panic(err)
	}
	// Output:
	// appstack.yaml: error: there are 2 problems
	// appstack.yaml:12:5: error: unknown key `memroy` in guest
	//    |
	// 12 |     memroy: 2048
	//    |     ^^^^^^
	//    = note: allowed: cores, memory, swap
	//    = help: did you mean `memory`?
}

func render(t *testing.T, d diag.Diagnostic, color bool) string {
	t.Helper()
	var b strings.Builder
	if err := (diag.List{d}).Render(&b, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRender(t *testing.T) {
	at := func(col, end int) diag.Pos { return diag.Pos{File: "f", Line: 7, Col: col, EndCol: end} }
	long := strings.Repeat("0123456789", 40)
	tests := []struct {
		name string
		d    diag.Diagnostic
		want string
	}{
		{"no place", diag.Diagnostic{Summary: "s"}, "error: s\n"},
		{"only a file", diag.Diagnostic{Pos: diag.Pos{File: "f"}, Summary: "s", Hint: "h"}, "f: error: s\n  = help: h\n"},
		{"warning", diag.Diagnostic{Severity: diag.Warning, Pos: at(1, 2), Summary: "s"}, "f:7:1: warning: s\n"},
		{"info", diag.Diagnostic{Severity: diag.Info, Summary: "s"}, "info: s\n"},
		{"line without column", diag.Diagnostic{Pos: at(0, 0), Summary: "s", Source: "abc"}, "f:7: error: s\n  |\n7 | abc\n"},
		{"no end", diag.Diagnostic{Pos: at(2, 0), Summary: "s", Source: "abc"}, "f:7:2: error: s\n  |\n7 | abc\n  |  ^\n"},
		{"end before start", diag.Diagnostic{Pos: at(2, 1), Summary: "s", Source: "abc"}, "f:7:2: error: s\n  |\n7 | abc\n  |  ^\n"},
		{"behind the end", diag.Diagnostic{Pos: at(4, 9), Summary: "s", Source: "abc"}, "f:7:4: error: s\n  |\n7 | abc\n  |    ^\n"},
		{"far behind the end", diag.Diagnostic{Pos: at(40, 50), Summary: "s", Source: "abc"}, "f:7:40: error: s\n  |\n7 | abc\n  |    ^\n"},
		{"wide characters count once", diag.Diagnostic{Pos: at(3, 5), Summary: "s", Source: "äöüß"}, "f:7:3: error: s\n  |\n7 | äöüß\n  |   ^^\n"},
		{"tabs become one space", diag.Diagnostic{Pos: at(2, 3), Summary: "s", Source: "\tx\t"}, "f:7:2: error: s\n  |\n7 |  x\n  |  ^\n"},
		{"carriage return", diag.Diagnostic{Pos: at(1, 2), Summary: "s", Source: "x\r"}, "f:7:1: error: s\n  |\n7 | x\n  | ^\n"},
		{"escapes are disarmed", diag.Diagnostic{Pos: at(1, 2), Summary: "a\x1b[31mb\nc", Source: "\x1b]0;x\x07", Hint: "\u202e"},
			"f:7:1: error: a�[31mb�c\n  |\n7 | �]0;x�\n  | ^\n  = help: �\n"},
		{"long line, place at its start", diag.Diagnostic{Pos: at(3, 5), Summary: "s", Source: long},
			"f:7:3: error: s\n  |\n7 | " + long[:160] + "…\n  |   ^^\n"},
		{"long line, place in its middle", diag.Diagnostic{Pos: at(201, 203), Summary: "s", Source: long},
			"f:7:201: error: s\n  |\n7 | …" + long[160:320] + "…\n  | " + strings.Repeat(" ", 41) + "^^\n"},
		{"long line, place at its end", diag.Diagnostic{Pos: at(400, 401), Summary: "s", Source: long},
			"f:7:400: error: s\n  |\n7 | …" + long[359:] + "\n  | " + strings.Repeat(" ", 41) + "^\n"},
		{"notes of several lines", diag.Diagnostic{Pos: at(0, 0), Summary: "s", Detail: "a\nb", Hint: "c\nd"},
			"f:7: error: s\n  = note: a\n  = note: b\n  = help: c\n  = help: d\n"},
		{"long notes are wrapped", diag.Diagnostic{Summary: "s", Detail: strings.Repeat("word ", 30) + "end"},
			"error: s\n  = note: " + strings.TrimSuffix(strings.Repeat("word ", 18), " ") + "\n          " + strings.Repeat("word ", 12) + "end\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, render(t, test.d, false)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderColor(t *testing.T) {
	d := diag.Diagnostic{Pos: diag.Pos{File: "f", Line: 1, Col: 1, EndCol: 2}, Summary: "s", Source: "x"}
	want := "\x1b[1mf:1:1\x1b[0m: \x1b[1;31merror\x1b[0m: \x1b[1ms\x1b[0m\n" +
		"  \x1b[1;34m|\x1b[0m\n\x1b[1;34m1\x1b[0m \x1b[1;34m|\x1b[0m x\n  \x1b[1;34m|\x1b[0m \x1b[1;31m^\x1b[0m\n"
	if diff := cmp.Diff(want, render(t, d, true)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// failingWriter refuses everything.
type failingWriter struct{}

var errFull = errors.New("full")

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

func TestRenderReportsTheWriter(t *testing.T) {
	list := diag.List{{Summary: "s"}}
	if err := list.Render(failingWriter{}, false); !errors.Is(err, errFull) {
		t.Errorf("Render = %v, want the writer's error", err)
	}
}

func TestSort(t *testing.T) {
	pos := func(line, col int) diag.Pos { return diag.Pos{File: "f", Line: line, Col: col} }
	list := diag.List{
		{Pos: pos(2, 1), Summary: "b"},
		{Pos: pos(1, 5), Severity: diag.Warning, Summary: "a"},
		{Pos: pos(1, 5), Summary: "z"},
		{Pos: pos(2, 1), Summary: "b"},
		{Pos: diag.Pos{File: "e", Line: 9}, Summary: "other file"},
		{Pos: pos(2, 1), Summary: "b", Hint: "not the same"},
		{Pos: pos(1, 2), Summary: "first"},
	}
	list.Sort()
	want := "e:9: error: other file\nf:1:2: error: first\nf:1:5: error: z\nf:1:5: warning: a\nf:2:1: error: b\nf:2:1: error: b"
	if diff := cmp.Diff(want, list.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestErr(t *testing.T) {
	var list diag.List
	if list.Err() != nil || list.HasErrors() {
		t.Error("an empty list is an error")
	}
	list.Add(diag.Diagnostic{Severity: diag.Warning, Summary: "w"})
	if list.Err() != nil {
		t.Error("a warning is an error")
	}
	list.AddAll(diag.List{{Summary: "e"}})
	if !list.HasErrors() || list.Count(diag.Warning) != 1 {
		t.Errorf("HasErrors = %t, %d warnings", list.HasErrors(), list.Count(diag.Warning))
	}
	var got diag.List
	if !errors.As(list.Err(), &got) || len(got) != 2 {
		t.Errorf("Err = %v", list.Err())
	}
}

func TestMessage(t *testing.T) {
	d := diag.Diagnostic{Summary: "s", Detail: "a\nb", Hint: "c"}
	if got, want := d.Message(), "s\nnote: a\nnote: b\nhelp: c"; got != want {
		t.Errorf("Message = %q, want %q", got, want)
	}
}

// FuzzRender holds that whatever a file says, the report is printable text
// whose lines are ours.
func FuzzRender(f *testing.F) {
	f.Add("summary", "detail", "hint", "source", 1, 2, 3)
	f.Add("a\nb", "\x1b[2J", "\u202e", strings.Repeat("ä", 300), 1, 250, 299)
	f.Add("", "", "", "\xff\xfe", -1, -5, 1<<30)
	f.Fuzz(func(t *testing.T, summary, detail, hint, source string, line, col, end int) {
		d := diag.Diagnostic{Pos: diag.Pos{File: "f", Line: line, Col: col, EndCol: end},
			Summary: summary, Detail: detail, Hint: hint, Source: source}
		out := render(t, d, false)
		if !utf8.ValidString(out) || strings.ContainsAny(out, "\x00\x1b\r\t\u202e") {
			t.Errorf("can't be printed: %q", out)
		}
		for l := range strings.Lines(out) {
			if len([]rune(l)) > 200 && strings.Contains(l, "^") && !strings.Contains(summary+detail+hint+source, "^") {
				t.Errorf("%d characters of carets", len(l))
			}
		}
	})
}
