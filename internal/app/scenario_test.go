package app_test

import (
	"testing"

	"github.com/org/appstack-action/internal/report"
)

// TestThinPath is the way through every room: a container that was not there,
// configured, and left alone the second time.
func TestThinPath(t *testing.T) {
	w := newWorld(t)
	w.stack(`    guest: {cores: 1, memory: 512, swap: 0, disk: 4}
    base: {packages: [tree]}
`)
	first := w.ok("apply")
	if first[0].Status != report.Live {
		t.Errorf("the first run ends %s", first[0].Status)
	}
	second := w.ok("apply")
	if second[0].Status != report.Unchanged {
		t.Errorf("the second run ends %s:\n%s", second[0].Status, second[0].Plan)
	}
	w.ok("destroy")
}
