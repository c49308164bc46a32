package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/stack"
)

// The subjects' stacks are right: a mistake in one would show only where there is a lab.
func TestSubjects(t *testing.T) {
	for _, s := range subjects() {
		for _, changed := range []bool{false, true} {
			text := matrixHead + s.stack(`{git: "ssh://git@10.86.1.1:2222/org/a.git", key: "${secret.deploy_key}"}`, changed) +
				matrixTail("a", 101, "10.86.1.11/24", "10.86.1.1") + matrixLevels[changed]
			if _, problems := stack.Load("appstack.yaml", []byte(text)); len(problems) > 0 {
				t.Errorf("%s: %v\n%s", s.name, problems, text)
			}
		}
	}
}

// The points of a matrix: moments that are one are struck once, and stand for all.
func TestPoints(t *testing.T) {
	began := time.Now()
	var seen []passed
	for _, m := range []struct {
		when, what string
		at         time.Duration
	}{
		{"before", "create", 0}, {"after", "create", 2 * time.Second}, {"before", "file", 3 * time.Second},
		{"after", "file", 3020 * time.Millisecond}, {"before", "start", 3030 * time.Millisecond}, {"after", "start", 4 * time.Second},
	} {
		seen = append(seen, passed{moment{m.when, m.what}, began.Add(m.at)})
	}
	got, sum := "", 0
	for _, p := range points(seen) {
		got += fmt.Sprintln(p, p.delay)
		sum += p.stands
	}
	want := `before create 0s
during create 1s
after create 0s
during file (2 points) 10ms
before start (2 points) 0s
during start 485ms
after start 0s
`
	if diff := cmp.Diff(want, got); diff != "" || sum != 3*3 {
		t.Errorf("%d points (-want +got):\n%s", sum, diff)
	}
}
