package results

import "math"

// Target is a bound that the project has set itself.
type Target struct {
	What  string
	Bound float64
	// AtLeast says that the bound is a lower one.
	AtLeast bool
	Unit    string // of bound and value: "×", "ms", "MB"
	// Why says what stands in the way where the bound is not kept; empty: nothing is known.
	Why string

	value func(*Results) float64
}

// Value is what was measured; NaN: something of it was not.
func (t Target) Value(r *Results) float64 { return t.value(r) }

// Met tells whether the bound is kept.
func (t Target) Met(r *Results) bool {
	v := t.value(r)
	if t.AtLeast {
		return v >= t.Bound
	}
	return v <= t.Bound
}

// ratio divides the medians of two series, of the rounds that both took part in: what was
// measured in turn had the same of the machine.
func ratio(of, by string) func(*Results) float64 {
	return func(r *Results) float64 {
		n := min(len(r.Series[of].Samples), len(r.Series[by].Samples))
		return r.Series[of].first(n).Median() / r.Series[by].first(n).Median()
	}
}

// median takes a series as it is.
func median(of string) func(*Results) float64 {
	return func(r *Results) float64 { return r.Series[of].Median() }
}

// difference is how much more the one is than the other, in units of by.
func difference(of, less string, by float64) func(*Results) float64 {
	return func(r *Results) float64 { return (r.Series[of].Median() - r.Series[less].Median()) / by }
}

// RTT is the delay of the runs over a slow network, in ms.
const RTT = 40

// What stands in the way of some.
const (
	twice = "Each service starts twice, one start after the other: beside the one that serves, and then in its place, so that " +
		"no request is lost. A start of the two is mostly npm's and Node's own time; see where the time goes, below."
	installs = "Three quarters of appstack's time are apt's and dpkg's, which Ansible calls in the same way; see where the time goes, below."
	shared   = "The machine's processors are those of the guests, too, where a login (sshd, PAM, logind, root's user manager) takes " +
		"more of them than all that appstack asks; and all of them together do no more than \"all cores over one\" says, below."
)

// Targets are the bounds, in the order of the document.
func Targets() []Target {
	return []Target{
		{"no-op of one environment, Proxmox calls included, over the floor", 1, false, "×", "", ratio("noop/appstack", "noop/floor")},
		{"no-op: faster than Ansible with pipelining", 40, true, "×", "", ratio("noop/pipelining", "noop/appstack")},
		{"no-op: faster than Ansible with mitogen", 35, true, "×", "", ratio("noop/mitogen", "noop/appstack")},
		{"a changed variable: faster than Ansible with pipelining", 10, true, "×", twice, ratio("variable/pipelining", "variable/appstack")},
		{"a new commit, whole run, over the floor", 1.3, false, "×", twice, ratio("deploy/appstack", "deploy/floor")},
		{"a new commit, whole run: faster than Ansible with pipelining", 4, true, "×", twice, ratio("deploy/pipelining", "deploy/appstack")},
		{"first configure over the floor", 1.15, false, "×", "", ratio("first/appstack", "first/floor")},
		{"first configure over Ansible with pipelining", 0.6, false, "×", installs, ratio("first/appstack", "first/pipelining")},
		{"16 environments over one, no-op", 6, false, "×", shared, ratio("many/appstack-16", "many/appstack-1")},
		{"16 environments, no-op: faster than Ansible with 16 forks", 30, true, "×", shared, ratio("many/pipelining-16", "many/appstack-16")},
		{"peak memory of a first configure", 40, false, "MB", "", median("memory-first/appstack")},
		{"peak memory of a no-op", 40, false, "MB", "", median("memory/appstack")},
		{"memory of each further environment", 1, false, "MB", "", difference("scale-memory/100", "scale-memory/1", 99)},
		{"peak memory at 100 environments", 60, false, "MB", "", median("scale-memory/100")},
		{"bytes on the wire of a no-op over Ansible with pipelining", 0.02, false, "×", "", ratio("bytes/appstack", "bytes/pipelining")},
		{"round trips that the guest's part of a no-op pays for", 12, false, "RTT", "", difference("slow-noop/appstack", "noop/appstack", RTT)},
		{"image, compressed", 12, false, "MB", "", median("image/appstack")},
		{"cold start over an image that prints one line", 300, false, "ms", "", difference("cold-start/appstack", "cold-start/one-line", 1)},
		{"600 environments validate", 150, false, "ms", "", median("validate/600")},
	}
}

// Known tells whether all that a target needs was measured.
func (t Target) Known(r *Results) bool { return !math.IsNaN(t.value(r)) }
