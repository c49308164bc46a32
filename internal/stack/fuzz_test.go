package stack

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLoad holds Load to its promises for any input: no panic, positions
// that exist, a report that can be printed, and the same answer twice.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"/ok/*.yaml", "/err/*.yaml"} {
		files, err := globFiles(corpus + pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			src, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		s, list := Load("appstack.yaml", src)
		if s == nil && !list.HasErrors() {
			t.Fatal("neither a stack nor an error")
		}
		report := render(t, list)
		for _, d := range list {
			if d.Pos.Line > 1+strings.Count(string(src), "\n") || d.Pos.EndCol != 0 && d.Pos.EndCol < d.Pos.Col {
				t.Errorf("no such place: %+v", d.Pos)
			}
			if d.Summary == "" || strings.Contains(d.Summary, "\n") {
				t.Errorf("summary %q", d.Summary)
			}
		}
		if !utf8.ValidString(report) || strings.ContainsAny(report, "\x00\x1b\r") {
			t.Errorf("the report can't be printed: %q", report)
		}
		_, again := Load("appstack.yaml", src)
		if second := render(t, again); report != second {
			t.Errorf("the second report differs:\n%s\n%s", report, second)
		}
		if s == nil {
			return
		}
		for _, e := range s.Envs {
			e.Origins()
			e.Expand(func(name string) (string, bool) { return "${x}", strings.HasPrefix(name, "secret.") })
		}
		s.References()
		s.Expand(func(string) (string, bool) { return "", false })
	})
}

// FuzzExpand holds the replacement of references to what a simple model says.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "${a}", "x${a}y", "$${a}", "$$${a}", "${", "${}", "$a", "${a${b}}", "${ a }", "${a}${b}$"} {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, s, value string) {
		var raw strings.Builder
		for _, part := range splitText(s) {
			raw.WriteString(part.raw)
		}
		if raw.String() != s {
			t.Fatalf("the parts of %q make %q", s, raw.String())
		}
		x := expander{file: newFile("f", nil), final: true, budget: newBudget(), lookup: func(string) (string, bool) { return value, true }}
		got := x.expand(text(s)).value
		if len(x.list) > 0 {
			t.Fatal(x.list)
		}
		if want := model(s, value); got != want {
			t.Errorf("expand(%q) = %q, want %q", s, got, want)
		}
	})
}

// model replaces references by reading from left to right.
func model(s, value string) string {
	if s == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(s, "$${"); ok {
		return "${" + model(rest, value)
	}
	if rest, ok := strings.CutPrefix(s, "${"); ok {
		if name, after, closed := strings.Cut(rest, "}"); closed && strings.TrimSpace(name) != "" {
			return value + model(after, value)
		}
	}
	return s[:1] + model(s[1:], value)
}
