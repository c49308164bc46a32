package report

import (
	"fmt"
	"strings"
	"text/template"
	"unicode/utf16"

	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/templates"
)

// Limits of what GitHub takes: a comment of more than 65,536 characters is
// refused, a summary of more than 1 MiB is dropped.
const (
	maxComment = 60_000
	maxSummary = 1_000_000
)

// tailLines is how much of a failed step's output is shown.
const tailLines = 20

// Marker is the first line of an environment's comment, by which it is found again.
func (r Report) Marker() string {
	clean := strings.NewReplacer("--", "-\u2010", ">", "", "\n", "")
	return fmt.Sprintf("<!-- appstack:%s:%s -->", clean.Replace(r.Stack), clean.Replace(r.Target()))
}

// Comment returns the pull request's comment, at most 60,000 characters: where it
// would be longer, logs go first, then differences, then the plan's rows.
func Comment(r Report) string {
	return fitting(r, maxComment, detail{gantt: r.Failed()}, func(s string) int { return len(utf16.Encode([]rune(s))) })
}

// Summary returns the job's summary: what the comments say, for all environments.
func Summary(reports []Report) string {
	var b strings.Builder
	for _, r := range reports {
		b.WriteString(fitting(r, maxSummary/max(len(reports), 1), detail{gantt: true}, func(s string) int { return len(s) }))
		b.WriteString("\n")
	}
	return b.String()
}

// detail says what of a report is written.
type detail struct {
	gantt   bool
	noLog   bool
	noDiffs bool
	rows    int // of the plan; 0: all
}

// fitting renders a report with as much detail as fits.
func fitting(r Report, limit int, d detail, size func(string) int) string {
	for _, less := range []func(*detail){
		func(*detail) {},
		func(d *detail) { d.noDiffs = true },
		func(d *detail) { d.noLog = true },
		func(d *detail) { d.gantt = false },
		func(d *detail) { d.rows = 100 },
		func(d *detail) { d.rows = 20 },
	} {
		less(&d)
		if s := render(r, d); size(s) <= limit {
			return s
		}
	}
	return render(bare(r), detail{noDiffs: true, noLog: true, rows: 1})
}

// bare returns what is left of a report whose words themselves are too long.
func bare(r Report) Report {
	for _, s := range []*string{&r.Error, &r.Hint, &r.Branch, &r.URL, &r.CommitURL, &r.RunURL, &r.Project, &r.Env} {
		if len(*s) > 500 {
			*s = strings.ToValidUTF8((*s)[:500], "") + "…"
		}
	}
	r.Overrides, r.Warnings, r.Plan = nil, nil, plan.Plan{}
	return r
}

var comment = template.Must(template.New("comment").Funcs(template.FuncMap{
	"code": code, "prose": prose, "fence": block, "link": link, "short": short, "took": took,
}).Parse(templates.Comment))

func render(r Report, d detail) string {
	var b strings.Builder
	if err := comment.Execute(&b, newView(r, d)); err != nil {
		// The template and its data are both ours: a mistake here is a bug.
		panic(fmt.Sprintf("report: %v", err))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
