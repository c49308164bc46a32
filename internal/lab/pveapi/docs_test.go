package pveapi_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnmatchedIsDocumented holds the table in docs/lab.md to testdata/unmatched.txt;
// the replay's -update rewrites both.
func TestUnmatchedIsDocumented(t *testing.T) {
	const begin, end = "<!-- unmatched: begin -->\n", "<!-- unmatched: end -->"
	text, err := os.ReadFile(filepath.Join("testdata", "unmatched.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("\n| exchange | why the lab answers otherwise |\n|---|---|\n")
	for line := range strings.Lines(string(text)) {
		exchange, reason, ok := strings.Cut(strings.TrimSpace(line), " | ")
		if ok {
			fmt.Fprintf(&table, "| `%s` | %s |\n", strings.ReplaceAll(exchange, "|", `\|`), strings.ReplaceAll(reason, "|", `\|`))
		}
	}
	table.WriteString("\n")
	file := filepath.Join("..", "..", "..", "docs", "lab.md")
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("docs/lab.md has no %s…%s", begin, end)
	}
	if have == table.String() {
		return
	}
	if update := flag.Lookup("update"); update == nil || update.Value.String() != "true" {
		t.Fatal("docs/lab.md does not list what testdata/unmatched.txt does: run with -args -update")
	}
	if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
