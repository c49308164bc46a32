package app_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/reliability.md; with APPSTACK_TORTURE=1")

// torture tells whether every point is asked for, however long it takes.
func torture() bool { return os.Getenv("APPSTACK_TORTURE") != "" }

// sampled tells whether a point of a matrix is taken: all of them are under torture, and
// otherwise one in so many, always the same.
func sampled(point, oneIn int) bool { return torture() || point%oneIn == 0 }

// matrix is a table of what became of something, for docs/reliability.md.
type matrix struct {
	columns []string
	rows    []string
	cells   map[[2]string]map[string]bool
}

func newMatrix() *matrix { return &matrix{cells: map[[2]string]map[string]bool{}} }

// row notes that there is a row.
func (m *matrix) row(name string) {
	if !slices.Contains(m.rows, name) {
		m.rows = append(m.rows, name)
	}
}

// add notes something in a cell, once.
func (m *matrix) add(row, column, said string) {
	m.row(row)
	key := [2]string{row, column}
	if m.cells[key] == nil {
		m.cells[key] = map[string]bool{}
	}
	m.cells[key][said] = true
}

// table is the matrix as Markdown, its rows in order.
func (m *matrix) table(corner string) string {
	slices.Sort(m.rows)
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | %s |\n|---|%s\n", corner, strings.Join(m.columns, " | "), strings.Repeat("---|", len(m.columns)))
	for _, row := range m.rows {
		fmt.Fprintf(&b, "| `%s` |", row)
		for _, c := range m.columns {
			fmt.Fprintf(&b, " %s |", strings.Join(slices.Sorted(maps.Keys(m.cells[[2]string{row, c}])), ", "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// parseMatrix reads a table that was written so.
func parseMatrix(text string) *matrix {
	m := newMatrix()
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		fields := strings.Split(strings.Trim(line, "|"), "|")
		for n := range fields {
			fields[n] = strings.TrimSpace(fields[n])
		}
		switch row := strings.Trim(fields[0], "`"); i {
		case 0:
			m.columns = fields[1:]
		case 1:
		default:
			m.row(row)
			for n, cell := range fields[1:min(len(fields), len(m.columns)+1)] {
				for said := range strings.SplitSeq(cell, ", ") {
					m.add(row, m.columns[n], said)
				}
			}
		}
	}
	return m
}

// document compares the table with the generated part of docs/reliability.md: its rows and
// columns, and each cell that was tried. With -update, a run that tried all of them
// writes it anew.
func (m *matrix) document(t *testing.T, part, corner string) {
	t.Helper()
	if t.Failed() {
		return
	}
	if *update && torture() {
		rewrite(t, part, m.table(corner))
		return
	}
	_, old, _ := generated(t, part)
	had := parseMatrix(old)
	slices.Sort(m.rows)
	slices.Sort(had.rows)
	if diff := cmp.Diff([][]string{had.columns, had.rows}, [][]string{m.columns, m.rows}); diff != "" {
		t.Errorf("the part %q of docs/reliability.md has other columns and rows; make torture UPDATE=-update (-file +now):\n%s", part, diff)
	}
	for key, cell := range m.cells {
		for said := range cell {
			if !had.cells[key][said] {
				t.Errorf("docs/reliability.md, %s, %s: %q is not what the file has: %v", key[0], key[1], said, slices.Sorted(maps.Keys(had.cells[key])))
			}
		}
	}
}

// keep takes over the rows of an earlier table that this one lacks.
func (m *matrix) keep(had *matrix, lacks func(row string) bool) {
	for _, row := range had.rows {
		if !lacks(row) {
			continue
		}
		m.row(row)
		for _, column := range m.columns {
			m.cells[[2]string{row, column}] = had.cells[[2]string{row, column}]
		}
	}
}

const reliability = "../../docs/reliability.md"

// generated returns what stands before, in and after a generated part of docs/reliability.md.
func generated(t testing.TB, part string) (before, text, after string) {
	t.Helper()
	raw, err := os.ReadFile(reliability)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+part+": begin -->\n", "<!-- "+part+": end -->"
	before, rest, ok1 := strings.Cut(string(raw), begin)
	text, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no part %q", reliability, part)
	}
	return before + begin, text, end + after
}

// rewrite replaces a generated part.
func rewrite(t testing.TB, part, text string) {
	t.Helper()
	before, _, after := generated(t, part)
	if err := os.WriteFile(reliability, []byte(before+text+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// figures notes the last figures of a test under torture, which are not compared: they
// are measured.
func figures(t testing.TB, part, format string, values ...any) {
	t.Helper()
	text := fmt.Sprintf(format, values...)
	t.Log(text)
	if *update && torture() && !t.Failed() {
		rewrite(t, part, text+"\n")
	}
}

// figureRow notes the figure of one test among those of several, each of which may run alone.
func figureRow(t testing.TB, part, test, figure string) {
	t.Helper()
	t.Logf("%s: %s", test, figure)
	if !*update || !torture() || t.Failed() {
		return
	}
	_, now, _ := generated(t, part)
	row := fmt.Sprintf("| `%s` |", test)
	rows := slices.DeleteFunc(slices.Collect(strings.Lines(now)), func(line string) bool { return strings.HasPrefix(line, row) })
	rows = append(rows, row+" "+figure+" |\n")
	slices.Sort(rows[2:]) // below the table's head
	rewrite(t, part, strings.Join(rows, ""))
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a value of ours
	}
	return string(text)
}

// form is a body with one value.
func form(key, value string) string { return url.Values{key: {value}}.Encode() }
