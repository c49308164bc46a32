package report

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/plan"
)

// view is what the comment's template sees.
type view struct {
	Report
	Icon, Headline string
	Facts          []string // Markdown
	Counts         string
	Rows           []row
	More           int  // rows left out
	Fold           bool // the rows are many, and not what the reader came for
	Refused        []plan.Step
	Diffs          []diff
	Tail           string // of the failed step
	TailOf         string
	Gantt          string
}

type row struct{ Sign, What, Why, Effect, State string }

type diff struct{ Name, Text string }

// headlines are the sentences by status; %s is the environment.
var headlines = map[Status][2]string{
	Planned:    {"📋", "Plan for %s"},
	Deploying:  {"🚧", "Deploying %s"},
	Live:       {"✅", "%s is live"},
	Unchanged:  {"✅", "%s is up to date"},
	RolledBack: {"↩️", "%s went back"},
	Failed:     {"❌", "%s failed"},
	Cancelled:  {"⏹️", "%s was cancelled"},
	Destroyed:  {"🗑️", "%s is destroyed"},
	Valid:      {"✅", "The stack file is valid for %s"},
}

// failures are the sentences of those reasons that say more than that it failed; %s is
// the commit.
var failures = map[Reason]string{
	BuildFailed:   "%s does not build",
	MigrateFailed: "a migration of %s failed",
	Unhealthy:     "%s is not healthy",
}

// headline says in a line how the environment is, and after a failure what serves.
func headline(r Report) (icon, sentence string) {
	h := headlines[r.Status]
	name := text(r.Project) + " / " + text(r.Env)
	sentence = fmt.Sprintf(h[1], name)
	if !r.Failed() {
		return h[0], sentence
	}
	if failure := failures[r.Reason]; failure != "" && r.SHA != "" {
		sentence = name + ": " + fmt.Sprintf(failure, code(short(r.SHA)))
	}
	switch {
	case r.Release == "":
	case r.Status == RolledBack:
		sentence += ", " + code(short(r.Release)) + " serves again"
	default:
		sentence += ", " + code(short(r.Release)) + " still serves"
	}
	return h[0], sentence
}

// A plan is there to be read; what was done of it is not, when it was much.
const (
	someRows = 12
	manyRows = 60
)

func newView(r Report, d detail) view {
	v := view{Report: r, Facts: facts(r), Counts: counts(r)}
	v.Icon, v.Headline = headline(r)
	done := outcomes(r)
	for _, s := range r.Plan.Steps {
		v.addStep(s, done[s.Resource.String()+string(s.Verb)], d)
	}
	v.Fold = len(v.Rows) > manyRows || r.Status != Planned && len(v.Rows) > someRows
	if !d.noLog {
		v.TailOf, v.Tail = failedTail(r)
	}
	if d.gantt && len(r.Stages) > 0 {
		v.Gantt = gantt(r)
	}
	return v
}

func (v *view) addStep(s plan.Step, outcome *plan.Outcome, d detail) {
	if s.Refused != "" {
		v.Refused = append(v.Refused, s)
	}
	if s.Diff != "" && !d.noDiffs {
		v.Diffs = append(v.Diffs, diff{s.Resource.String(), s.Diff})
	}
	if d.rows > 0 && len(v.Rows) >= d.rows {
		v.More++
		return
	}
	v.Rows = append(v.Rows, row{
		Sign: s.Verb.Symbol(), What: string(s.Verb) + " " + s.Resource.Kind + " " + code(brief(s.Resource.Name)),
		Why: text(s.Cause), Effect: effect(s.Effect), State: state(outcome),
	})
}

// outcomes finds a step's outcome by what it did to what.
func outcomes(r Report) map[string]*plan.Outcome {
	m := make(map[string]*plan.Outcome, len(r.Done))
	for i, d := range r.Done {
		m[d.Step.Resource.String()+string(d.Step.Verb)] = &r.Done[i].Outcome
	}
	return m
}

// effect and state keep their words together: their columns are narrow.
func effect(e plan.Effect) string {
	switch e {
	case plan.Hot:
		return "🟢\u00a0hot"
	case plan.Destroys:
		return "🔴\u00a0**destroys**"
	default:
		return "🟠\u00a0" + string(e)
	}
}

func state(o *plan.Outcome) string {
	switch {
	case o == nil:
		return ""
	case o.Err != nil:
		return "❌\u00a0" + strings.ReplaceAll(took(o.Took), " ", "\u00a0")
	case o.Took < 50*time.Millisecond:
		return "✓"
	}
	return "✓\u00a0" + strings.ReplaceAll(took(o.Took), " ", "\u00a0")
}

func facts(r Report) []string {
	var f []string
	add := func(ok bool, s string) {
		if ok {
			f = append(f, s)
		}
	}
	add(r.URL != "" && r.serves(), "**"+link(text(r.URL), r.URL)+"**")
	add(r.VMID != 0, strings.TrimSpace(fmt.Sprintf("%s %d", r.Kind, r.VMID))+onNode(r.Node))
	add(r.IP != "" && !(r.serves() && strings.Contains(r.URL, "//"+r.IP)), code(r.IP))
	add(r.SHA != "", "commit "+link(code(short(r.SHA)), r.CommitURL)+ofBranch(r.Branch))
	add(r.Release != "" && r.Release != r.SHA && !r.Failed(), "serving "+code(short(r.Release)))
	add(r.Dump != "", "database dumped before its migration to "+code(path.Base(r.Dump)))
	add(r.Took > 0, took(r.Took))
	add(r.RunURL != "", link("log", r.RunURL))
	return f
}

func onNode(node string) string {
	if node == "" {
		return ""
	}
	return " on " + code(node)
}

func ofBranch(branch string) string {
	if branch == "" {
		return ""
	}
	return " of " + code(branch)
}

// counts says how much the plan has, and how much of it was done.
func counts(r Report) string {
	if r.Plan.Empty() {
		return ""
	}
	c := r.Plan.Counts()
	words := []string{"to add", "to change", "to remove", "to start", "to restart"}
	if r.Status == Live || r.Status == Destroyed {
		words = []string{"added", "changed", "removed", "started", "restarted"}
	}
	var parts []string
	for i, n := range []int{c.Add, c.Change, c.Remove, c.Start, c.Restart} {
		if n > 0 || i < 3 {
			parts = append(parts, fmt.Sprintf("**%d** %s", n, words[i]))
		}
	}
	if n := r.destroying(); n > 0 && r.Status != Destroyed {
		parts = append(parts, fmt.Sprintf("🔴 **%d** that destroys data", n))
	}
	text := strings.Join(parts, " · ")
	if n := r.succeeded(); r.Failed() && n > 0 {
		text += fmt.Sprintf(" · **%d** of %d steps done", n, max(n, len(r.Plan.Steps)))
	}
	return text
}

// failedTail returns the last lines that the failed step printed.
func failedTail(r Report) (of, tail string) {
	for _, d := range r.Done {
		if d.Outcome.Err != nil && d.Outcome.Tail != "" {
			lines := strings.Split(strings.TrimRight(d.Outcome.Tail, "\n"), "\n")
			return brief(d.Step.Resource.String()), strings.Join(dedent(lines[max(0, len(lines)-tailLines):]), "\n")
		}
	}
	return "", ""
}

// dedent takes the indentation away that all lines share.
func dedent(lines []string) []string {
	shared := -1
	for _, line := range lines {
		if indent := len(line) - len(strings.TrimLeft(line, " ")); strings.TrimSpace(line) != "" && (shared < 0 || indent < shared) {
			shared = indent
		}
	}
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = line[min(max(shared, 0), len(line)):]
	}
	return out
}

// gantt draws the stages. Their names are ours, but colons would still end them. The axis
// has seconds since the epoch, for %M:%S would be the reader's local time.
func gantt(r Report) string {
	var b strings.Builder
	b.WriteString("gantt\n    dateFormat x\n    axisFormat %s s\n    todayMarker off\n")
	for _, s := range r.Stages {
		if s.Open || !s.Failed && s.Took < 50*time.Millisecond {
			continue // the report itself; what nobody could see
		}
		mark := "done"
		if s.Failed {
			mark = "crit"
		}
		start := s.Start.Milliseconds()
		fmt.Fprintf(&b, "    %s (%s) :%s, %d, %d\n", strings.NewReplacer(": ", " ", ":", " ", ";", " ", "\n", " ", "#", " ").Replace(flat(s.Name)), took(s.Took), mark, start, start+max(s.Took.Milliseconds(), 1))
	}
	return b.String()
}
