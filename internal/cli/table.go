package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

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
		fmt.Fprintf(w, "%s\t%s\t%s %d\t%s\t%s\t%s\t%s\n", r.Target(), r.Status, r.Kind, r.VMID, dash(r.Node), dash(r.IP), dash(shortSHA(r.Release)), dash(r.URL))
	}
	return w.Flush()
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
