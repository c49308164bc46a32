// Package results is what a run of the benchmark found: samples by name, what they were
// taken on, and the targets that they are held against.
package results

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
)

// Results are all that is known, of several runs of the benchmark.
type Results struct {
	// Machine is what the last run was on: its processor, memory, kernel.
	Machine map[string]string `json:"machine"`
	// Versions are those of what was compared.
	Versions map[string]string `json:"versions"`
	// Series are the samples, by what was done and who did it: "noop/appstack".
	Series map[string]Series `json:"series"`
	// Stages say where appstack's time went, by what was done.
	Stages map[string][]Stage `json:"stages"`
	// Notes say what else a reader has to know, by the part that it is about.
	Notes map[string]string `json:"notes,omitempty"`
}

// Series are samples of one quantity.
type Series struct {
	Unit    string    `json:"unit"` // "ms", "MB", "kB", "1"
	Samples []float64 `json:"samples"`
	Commit  string    `json:"commit,omitempty"` // of appstack
}

// Stage is a part of a run.
type Stage struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"`
}

// Load reads results; a file that is not there has none.
func Load(path string) (*Results, error) {
	r := &Results{}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", path, err)
		}
	}
	r.init()
	return r, nil
}

func (r *Results) init() {
	for _, m := range []*map[string]string{&r.Machine, &r.Versions, &r.Notes} {
		if *m == nil {
			*m = make(map[string]string)
		}
	}
	if r.Series == nil {
		r.Series = make(map[string]Series)
	}
	if r.Stages == nil {
		r.Stages = make(map[string][]Stage)
	}
}

// Save writes results.
func (r *Results) Save(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Clear forgets the samples of a series, which are about to be taken anew.
func (r *Results) Clear(name string) { delete(r.Series, name) }

// Add adds a sample to a series. One of another unit or commit begins it anew: only
// what belongs together is compared.
func (r *Results) Add(name, unit, commit string, sample float64) {
	r.init()
	s := r.Series[name]
	if s.Unit != unit || s.Commit != commit {
		s = Series{Unit: unit, Commit: commit}
	}
	s.Samples = append(s.Samples, math.Round(sample*1000)/1000)
	r.Series[name] = s
}

// Median is the middle sample, or between the two; NaN: there is none.
func (s Series) Median() float64 {
	if len(s.Samples) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s.Samples))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// first is the series' first n samples.
func (s Series) first(n int) Series {
	s.Samples = s.Samples[:n]
	return s
}

// Min is the least sample, Max the greatest; NaN: there is none.
func (s Series) Min() float64 { return s.extreme(slices.Min[[]float64]) }

// Max is the greatest sample; see [Series.Min].
func (s Series) Max() float64 { return s.extreme(slices.Max[[]float64]) }

func (s Series) extreme(of func([]float64) float64) float64 {
	if len(s.Samples) == 0 {
		return math.NaN()
	}
	return of(s.Samples)
}

// MedianStages returns for each stage the median of several runs, in the order in which
// they appeared first. A run that lacks a stage spent no time there.
func MedianStages(runs [][]Stage) []Stage {
	var names []string
	for _, run := range runs {
		for _, s := range run {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	var all []Stage
	for _, name := range names {
		var of Series
		for _, run := range runs {
			ms := 0.0
			for _, s := range run {
				if s.Name == name {
					ms += s.MS
				}
			}
			of.Samples = append(of.Samples, ms)
		}
		all = append(all, Stage{name, math.Round(of.Median()*10) / 10})
	}
	return all
}

// Largest returns the n stages that took longest, in their order, and all others as one.
func Largest(stages []Stage, n int) []Stage {
	bySize := slices.SortedStableFunc(slices.Values(stages), func(a, b Stage) int { return cmp.Compare(b.MS, a.MS) })
	if len(bySize) <= n {
		return stages
	}
	var kept []Stage
	rest := Stage{Name: "everything else"}
	for _, s := range stages {
		if slices.Contains(bySize[:n], s) {
			kept = append(kept, s)
		} else {
			rest.MS += s.MS
		}
	}
	return append(kept, rest)
}
