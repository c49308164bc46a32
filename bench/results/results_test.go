package results

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatistics(t *testing.T) {
	for _, c := range []struct {
		samples          []float64
		median, min, max float64
	}{
		{[]float64{5}, 5, 5, 5},
		{[]float64{9, 1, 5}, 5, 1, 9},
		{[]float64{4, 1, 3, 2}, 2.5, 1, 4},
	} {
		s := Series{Samples: c.samples}
		if s.Median() != c.median || s.Min() != c.min || s.Max() != c.max {
			t.Errorf("%v: median %v, min %v, max %v", c.samples, s.Median(), s.Min(), s.Max())
		}
	}
	var none Series
	if !math.IsNaN(none.Median()) || !math.IsNaN(none.Min()) || !math.IsNaN(none.Max()) {
		t.Error("a series without samples has statistics")
	}
}

func TestAddKeepsWhatBelongsTogether(t *testing.T) {
	var r Results
	r.Add("noop/appstack", "ms", "a", 1.23456)
	r.Add("noop/appstack", "ms", "a", 2)
	if diff := cmp.Diff([]float64{1.235, 2}, r.Series["noop/appstack"].Samples); diff != "" {
		t.Error(diff)
	}
	r.Add("noop/appstack", "ms", "b", 3)
	if diff := cmp.Diff([]float64{3}, r.Series["noop/appstack"].Samples); diff != "" {
		t.Errorf("samples of two commits are mixed: %s", diff)
	}
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	r, err := Load(path)
	if err != nil {
		t.Fatalf("no file is no error: %v", err)
	}
	r.Add("noop/appstack", "ms", "a", 1)
	r.Machine["cores"] = "2"
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, again); diff != "" {
		t.Error(diff)
	}
}

func TestStages(t *testing.T) {
	runs := [][]Stage{
		{{"connect", 40}, {"observe", 50}, {"observe", 10}},
		{{"connect", 42}, {"observe", 58}, {"retry", 100}},
		{{"connect", 44}, {"observe", 64}},
	}
	want := []Stage{{"connect", 42}, {"observe", 60}, {"retry", 0}}
	if diff := cmp.Diff(want, MedianStages(runs)); diff != "" {
		t.Error(diff)
	}
	few := Largest([]Stage{{"a", 1}, {"b", 5}, {"c", 2}, {"d", 9}}, 2)
	if diff := cmp.Diff([]Stage{{"b", 5}, {"d", 9}, {"everything else", 3}}, few); diff != "" {
		t.Error(diff)
	}
}

// TestTargets sets each of them to its bound, a little better and a little worse.
func TestTargets(t *testing.T) {
	for _, target := range Targets() {
		if target.Known(&Results{}) {
			t.Errorf("%s is known without samples", target.What)
		}
		if target.Met(&Results{}) {
			t.Errorf("%s is met without samples", target.What)
		}
	}
	r := &Results{}
	r.Add("noop/appstack", "ms", "", 200)
	r.Add("noop/floor", "ms", "", 200)
	r.Add("noop/pipelining", "ms", "", 7999)
	for prefix, want := range map[string]bool{"no-op of one environment": true, "no-op: faster than Ansible with pipelining": false} {
		for _, target := range Targets() {
			if strings.HasPrefix(target.What, prefix) && target.Met(r) != want {
				t.Errorf("%s: met is %v at %v", target.What, !want, target.Value(r))
			}
		}
	}
}

// TestRatioOfRounds: a rival with fewer samples is compared with the rounds it was in.
func TestRatioOfRounds(t *testing.T) {
	r := &Results{}
	for _, ms := range []float64{400, 100, 100} {
		r.Add("noop/appstack", "ms", "", ms)
	}
	r.Add("noop/pipelining", "ms", "", 8000)
	if got := ratio("noop/pipelining", "noop/appstack")(r); got != 20 {
		t.Errorf("the ratio is %v, not that of the first round", got)
	}
	if got := ratio("noop/floor", "noop/appstack")(r); !math.IsNaN(got) {
		t.Errorf("without samples it is %v", got)
	}
}
