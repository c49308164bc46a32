package page

import (
	"fmt"
	"html"
	"math"
	"os"
	"strings"
)

// bar is one bar of a chart.
type bar struct {
	Label    string
	Value    float64 // what its length shows, in ms
	Min, Max float64
	Ours     bool
}

// group are bars that belong together.
type group struct {
	Title string
	Bars  []bar
}

// Measures of the chart, in pixels.
const (
	chartWidth = 760
	labelWidth = 190
	valueWidth = 90
	barHeight  = 16
	barGap     = 5
	titleSpace = 30
)

// writeChart draws groups of bars on one logarithmic scale, for what is compared
// differs by factors. Its colours are readable on light and dark pages.
func writeChart(path, title string, groups []group) error {
	return os.WriteFile(path, []byte(chart(title, groups)), 0o644)
}

func chart(title string, groups []group) string {
	low, high := scaleOf(groups)
	var b strings.Builder
	y := 34
	for _, g := range groups {
		fmt.Fprintf(&b, `<text class="group" x="8" y="%d">%s</text>`+"\n", y+14, html.EscapeString(g.Title))
		y += titleSpace - 8
		for _, one := range g.Bars {
			drawBar(&b, one, y, low, high)
			y += barHeight + barGap
		}
		y += 10
	}
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		chartWidth, y+20, chartWidth, y+20, html.EscapeString(title))
	out.WriteString(`<style>text{font:12px system-ui,sans-serif;fill:#57606a}.group,.title{font-weight:600;fill:#24292f}.title{font-size:14px}` +
		`rect.ours{fill:#bc5a10}rect.other{fill:#8c959f}line{stroke:#24292f}.grid{stroke:#8c959f;stroke-opacity:.35}.range{stroke-width:1.5}` +
		`@media(prefers-color-scheme:dark){text{fill:#8d96a0}.group,.title{fill:#e6edf3}line{stroke:#e6edf3}}</style>` + "\n")
	fmt.Fprintf(&out, `<text class="title" x="8" y="18">%s</text>`+"\n", html.EscapeString(title))
	drawGrid(&out, y, low, high)
	out.WriteString(b.String() + "</svg>\n")
	return out.String()
}

// scaleOf returns the powers of ten around all values.
func scaleOf(groups []group) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, g := range groups {
		for _, b := range g.Bars {
			low, high = min(low, math.Floor(math.Log10(b.Min))), max(high, math.Ceil(math.Log10(b.Max)))
		}
	}
	if low >= high {
		return 0, 1
	}
	return low, high
}

// at is where a value is on the scale.
func at(value, low, high float64) float64 {
	room := float64(chartWidth - labelWidth - valueWidth)
	return labelWidth + room*max(0, math.Log10(value)-low)/(high-low)
}

func drawBar(b *strings.Builder, one bar, y int, low, high float64) {
	class := "other"
	if one.Ours {
		class = "ours"
	}
	end := at(one.Value, low, high)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-8, y+12, html.EscapeString(one.Label))
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`, class, labelWidth, y, end-labelWidth, barHeight)
	middle := y + barHeight/2
	fmt.Fprintf(b, `<line class="range" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, at(one.Min, low, high), middle, at(one.Max, low, high), middle)
	fmt.Fprintf(b, `<text x="%.1f" y="%d">%s</text>`+"\n", max(end, at(one.Max, low, high))+6, y+12, duration(one.Value))
}

func drawGrid(b *strings.Builder, bottom int, low, high float64) {
	for power := low; power <= high; power++ {
		value := math.Pow(10, power)
		x := at(value, low, high)
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" y1="28" x2="%.1f" y2="%d"/>`, x, x, bottom)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, bottom+14, duration(value))
	}
}

// duration writes milliseconds with as many digits as mean something.
func duration(ms float64) string {
	switch {
	case math.IsNaN(ms):
		return "–"
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 10_000:
		return fmt.Sprintf("%.2f s", ms/1000)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}
