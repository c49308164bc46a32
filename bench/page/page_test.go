package page

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/appstack-action/bench/results"
)

func some(t *testing.T) *results.Results {
	t.Helper()
	r, err := results.Load(filepath.Join(t.TempDir(), "none.json"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		r.Add("noop/appstack", "ms", "abc", 150+float64(i))
		r.Add("noop/floor", "ms", "abc", 300+float64(i))
		r.Add("noop/pipelining", "ms", "abc", 11_000)
		r.Add("bytes/appstack", "kB", "abc", 20)
		r.Add("scale/10-real", "ms", "abc", 900)
		r.Add("scale-memory/10-real", "MB", "abc", 30)
		r.Add("start/version", "ms", "abc", 4)
	}
	r.Stages["noop"] = []results.Stage{{Name: "connect <guest>", MS: 60}, {Name: "observe", MS: 40}}
	r.Notes["mitogen"] = "mitogen is not there."
	return r
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "performance.md")
	if err := Write(path, some(t)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"![appstack beside what does the same](performance.svg)",
		"| appstack | 152 ms | 150 ms | 154 ms | 5 | 1.00× |",
		"| script over one `ssh` (floor) | 302 ms | 300 ms | 304 ms | 5 | 1.99× |",
		"| no-op: faster than Ansible with pipelining | ≥ 40× | 72× | met |",
		"| no-op: faster than Ansible with mitogen | ≥ 35× | – | not measured |",
		"| connect <guest> | 60 ms | 60 % |",
		"- mitogen is not there.",
		"| 10 | containers | 900 ms | 90 ms | 30.0 MB |",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}

func TestChartIsXML(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chart.svg")
	if err := writeChart(path, `5 < 6 & "so"`, groups(some(t))); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bars := 0
	for dec := xml.NewDecoder(f); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 3 {
		t.Errorf("the chart has %d bars, not 3", bars)
	}
}

func TestScale(t *testing.T) {
	low, high := scaleOf(groups(some(t)))
	if low != 2 || high != 5 {
		t.Errorf("the scale goes from 10^%v to 10^%v ms", low, high)
	}
	if a, b := at(100, low, high), at(100_000, low, high); a != labelWidth || b != chartWidth-valueWidth {
		t.Errorf("the scale begins at %v and ends at %v", a, b)
	}
}

func TestDuration(t *testing.T) {
	for ms, want := range map[float64]string{0.4: "0.4 ms", 12: "12 ms", 999: "999 ms", 1500: "1.50 s", 11_500: "11.5 s"} {
		if got := duration(ms); got != want {
			t.Errorf("%v ms is %q, not %q", ms, got, want)
		}
	}
}
