// Package page writes the results of the benchmark for readers: a Markdown page with
// its tables, and a chart in SVG beside it.
package page

import (
	_ "embed"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/org/appstack-action/bench/results"
)

//go:embed page.md.tmpl
var pageText string

// who are those that are compared, in the order of the tables.
var who = []struct{ Key, Name string }{
	{"appstack", "appstack"},
	{"floor", "script over one `ssh` (floor)"},
	{"handover", "the same, switching without closing a port"},
	{"ansible", "Ansible, default settings"},
	{"pipelining", "Ansible, pipelining + ControlPersist"},
	{"mitogen", "Ansible, mitogen"},
}

// works are what they do, in the order of the tables.
var works = []struct{ Key, Name string }{
	{"first", "First configure of a fresh guest"},
	{"noop", "Nothing to do"},
	{"variable", "One variable changed"},
	{"deploy", "A new commit deployed"},
	{"pote-noop", "Nothing to do, Python app with PostgreSQL"},
	{"many", "16 environments, nothing to do"},
	{"provision", "A guest from nothing to SSH-ready"},
	{"slow-noop", "Nothing to do, 40 ms RTT"},
	{"slow-variable", "One variable changed, 40 ms RTT"},
	{"slow-deploy", "A new commit deployed, 40 ms RTT"},
}

// Write writes the page to path, and the chart beside it, as an SVG file of its name.
func Write(path string, r *results.Results) error {
	chartPath := strings.TrimSuffix(path, filepath.Ext(path)) + ".svg"
	if err := writeChart(chartPath, "appstack beside what does the same (logarithmic; lower is better)", groups(r)); err != nil {
		return err
	}
	text, err := render(r, filepath.Base(chartPath))
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// render returns the page's text.
func render(r *results.Results, chart string) (string, error) {
	t, err := template.New("page").Funcs(template.FuncMap{"duration": duration}).Parse(pageText)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"R": r, "Chart": chart, "Works": workTables(r), "Targets": targetRows(r), "Reasons": reasons(r), "Stages": stageTables(r),
		"Wire": wireTable(r), "Scale": scaleTable(r), "Other": otherTable(r), "Notes": r.Notes,
	})
	return b.String(), err
}

// groups are the chart's: the works that the issue of a run's speed is about.
func groups(r *results.Results) []group {
	var all []group
	for _, w := range works[:4] {
		g := group{Title: w.Name}
		for _, one := range who {
			s, ok := r.Series[w.Key+"/"+one.Key]
			if !ok {
				continue
			}
			label := strings.NewReplacer("`", "", " over one ssh (floor)", " (floor)", " + ControlPersist", "").Replace(one.Name)
			g.Bars = append(g.Bars, bar{Label: label, Value: s.Median(), Min: s.Min(), Max: s.Max(), Ours: one.Key == "appstack"})
		}
		if len(g.Bars) > 0 {
			all = append(all, g)
		}
	}
	return all
}

// row is a line of a table.
type row []string

// table has a title, what to know of it, a head and rows.
type table struct {
	Title, Note string
	Head        row
	Rows        []row
}

// of notes where a series was measured with another commit of appstack than the newest.
func (t *table) of(s results.Series, r *results.Results) {
	if s.Commit != r.Versions["appstack"] {
		t.Note = "Measured with appstack at the commit " + s.Commit + "."
	}
}

// Markdown returns the table as text.
func (t table) Markdown() string {
	var b strings.Builder
	line := func(cells row) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.Head)
	rule := make(row, len(t.Head))
	for i := range rule {
		rule[i] = "---:"
	}
	rule[0] = "---"
	b.WriteString("|" + strings.Join(rule, "|") + "|\n")
	for _, r := range t.Rows {
		line(r)
	}
	return b.String()
}

// workTables has a table for each work that was measured.
func workTables(r *results.Results) []table {
	var all []table
	for _, w := range works {
		t := table{Title: w.Name, Head: row{"", "median", "min", "max", "n", "to appstack"}}
		ours := r.Series[w.Key+"/appstack"].Median()
		if w.Key == "many" {
			ours = r.Series["many/appstack-16"].Median()
		}
		for _, one := range who {
			name := w.Key + "/" + one.Key
			if w.Key == "many" {
				name += "-16"
			}
			s, ok := r.Series[name]
			if !ok {
				continue
			}
			t.of(s, r)
			t.Rows = append(t.Rows, row{one.Name, duration(s.Median()), duration(s.Min()), duration(s.Max()), fmt.Sprint(len(s.Samples)), times(s.Median() / ours)})
		}
		if len(t.Rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func times(f float64) string {
	switch {
	case math.IsNaN(f):
		return "–"
	case f >= 10:
		return fmt.Sprintf("%.0f×", f)
	}
	return fmt.Sprintf("%.2f×", f)
}

// targetRows tell for each target whether it is met.
func targetRows(r *results.Results) table {
	t := table{Head: row{"target", "bound", "measured", ""}}
	for _, one := range results.Targets() {
		sign := "≤"
		if one.AtLeast {
			sign = "≥"
		}
		verdict, value := "not measured", "–"
		if one.Known(r) {
			value, verdict = quantity(one.Value(r), one.Unit), "missed"
			if one.Met(r) {
				verdict = "met"
			}
		}
		t.Rows = append(t.Rows, row{one.What, sign + " " + quantity(one.Bound, one.Unit), value, verdict})
	}
	return t
}

// reasons say of the targets that are missed what stands in the way.
func reasons(r *results.Results) []string {
	var all []string
	for _, one := range results.Targets() {
		if one.Why != "" && one.Known(r) && !one.Met(r) {
			all = append(all, "**"+one.What+"**: "+one.Why)
		}
	}
	return all
}

func quantity(v float64, unit string) string {
	text := fmt.Sprintf("%.2f", v)
	switch {
	case unit == "×" && v < 0.1:
		text = fmt.Sprintf("%.4f", v)
	case math.Abs(v) >= 20:
		text = fmt.Sprintf("%.0f", v)
	}
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if unit == "×" {
		return text + unit
	}
	return text + " " + unit
}

// stageTables show where appstack's time goes.
func stageTables(r *results.Results) []table {
	var all []table
	for _, w := range works {
		stages := r.Stages[w.Key]
		if len(stages) == 0 {
			continue
		}
		total := 0.0
		for _, s := range stages {
			total += s.MS
		}
		t := table{Title: w.Name, Head: row{"stage", "median", "share"}}
		for _, s := range results.Largest(stages, 12) {
			t.Rows = append(t.Rows, row{s.Name, duration(s.MS), fmt.Sprintf("%.0f %%", 100*s.MS/total)})
		}
		all = append(all, t)
	}
	return all
}

// wireTable shows what a no-op costs beside time.
func wireTable(r *results.Results) table {
	t := table{Head: row{"no-op", "peak memory", "bytes on the wire", "SSH connections", "SSH execs", "turns of the conversation"}}
	for _, one := range who {
		cells := row{one.Name}
		known := false
		for _, c := range []struct{ series, format string }{{"memory", "%.0f MB"}, {"bytes", "%.0f kB"}, {"connections", "%.0f"}, {"execs", "%.0f"}, {"turns", "%.0f"}} {
			s, ok := r.Series[c.series+"/"+one.Key]
			known = known || ok
			if !ok {
				cells = append(cells, "–")
				continue
			}
			cells = append(cells, fmt.Sprintf(c.format, s.Median()))
		}
		if known {
			t.Rows = append(t.Rows, cells)
		}
	}
	return t
}

// scaleTable shows time and memory by the number of environments.
func scaleTable(r *results.Results) table {
	t := table{Head: row{"environments", "guests", "time", "each", "peak memory"}}
	for _, c := range []struct{ key, guests string }{{"1", "simulated"}, {"10-real", "containers"}, {"10", "simulated"}, {"50", "simulated"}, {"100", "simulated"}} {
		s, ok := r.Series["scale/"+c.key]
		if !ok {
			continue
		}
		t.of(s, r)
		count, _, _ := strings.Cut(c.key, "-")
		var n float64
		fmt.Sscan(count, &n)
		t.Rows = append(t.Rows, row{count, c.guests, duration(s.Median()), duration(s.Median() / n), fmt.Sprintf("%.1f MB", r.Series["scale-memory/"+c.key].Median())})
	}
	return t
}

// otherTable shows what is not a comparison.
func otherTable(r *results.Results) table {
	t := table{Head: row{"", "median", "min", "max", "n"}}
	for _, c := range []struct{ key, name string }{
		{"image/appstack", "image, compressed"}, {"cold-start/appstack", "`docker run` to the first line, appstack"},
		{"cold-start/one-line", "`docker run` of an image that prints one line"}, {"start/version", "start of the program (`--version`)"},
		{"validate/600", "`validate` of 600 environments"}, {"validate-memory/600", "the same, peak memory"}, {"many/appstack-1", "no-op of one of the 16 environments"},
	} {
		s, ok := r.Series[c.key]
		if !ok {
			continue
		}
		t.of(s, r)
		show := func(v float64) string { return fmt.Sprintf("%.1f %s", v, s.Unit) }
		if s.Unit == "ms" {
			show = duration
		}
		t.Rows = append(t.Rows, row{c.name, show(s.Median()), show(s.Min()), show(s.Max()), fmt.Sprint(len(s.Samples))})
	}
	return t
}
