package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/report"
)

// writeTable writes a line for each environment.
func writeTable(out io.Writer, reports []report.Report) error {
	if len(reports) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENVIRONMENT\tSTATUS\tGUEST\tNODE\tIP\tRELEASE\tURL")
	for _, r := range reports {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Target(), r.Status, guestCell(r), dash(r.Node), dash(r.IP), dash(shortSHA(r.Release)), dash(r.URL))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range reports {
		if err := writeApp(out, r); err != nil {
			return err
		}
	}
	return nil
}

// guestCell names the guest, and how it is where somebody looked.
func guestCell(r report.Report) string {
	return strings.TrimSpace(fmt.Sprintf("%s %d %s", r.Kind, r.VMID, r.Guest))
}

// writeApp writes what the guest tells of its app.
func writeApp(out io.Writer, r report.Report) error {
	if r.App == nil {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s\n", r.Target())
	fmt.Fprintf(w, "  release\t%s\tserves\n", dash(r.App.Current))
	if r.App.Previous != "" {
		fmt.Fprintf(w, "  release\t%s\tserved before\n", r.App.Previous)
	}
	for _, f := range r.App.Failed {
		fmt.Fprintf(w, "  release\t%s\tfailed: %s\n", f.SHA, f.Why)
	}
	for _, s := range r.App.Services {
		fmt.Fprintf(w, "  service\t%s\t%s\n", s.Name, s.State)
	}
	for _, j := range r.App.Jobs {
		fmt.Fprintf(w, "  job\t%s\t%s\n", j.Unit, lastRun(j))
	}
	return w.Flush()
}

func lastRun(j machine.Job) string {
	switch {
	case j.At.IsZero():
		return "has not run yet"
	case j.Result == "exit-code":
		return fmt.Sprintf("failed with exit status %d at %s", j.Exit, j.At.Format(time.RFC3339))
	case j.Result != "success":
		return fmt.Sprintf("failed (%s) at %s", j.Result, j.At.Format(time.RFC3339))
	}
	return "succeeded at " + j.At.Format(time.RFC3339)
}

func dash(s string) string { return cmp.Or(s, "-") }

func shortSHA(s string) string {
	if len(s) > 7 {
		return s[:7]
	}
	return s
}

// timing collects what took how long, for --timing.
type timing struct {
	mu    sync.Mutex
	calls []timed
}

type timed struct {
	what string
	took time.Duration
}

func (t *timing) add(what string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, timed{what, took})
}

// write lists the stages and the slowest calls.
func (t *timing) write(w io.Writer, reports []report.Report) {
	for _, r := range reports {
		for _, s := range r.Stages {
			fmt.Fprintf(w, "%-20s %-12s %8s\n", r.Target(), s.Name, s.Took.Round(time.Millisecond))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.calls, func(a, b timed) int { return cmp.Compare(b.took, a.took) })
	for i, c := range t.calls {
		if i == 20 {
			fmt.Fprintf(w, "… and %d more\n", len(t.calls)-i)
			break
		}
		fmt.Fprintf(w, "%-60s %8s\n", c.what, c.took.Round(100*time.Microsecond))
	}
}
