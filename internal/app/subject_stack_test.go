package app_test

import (
	"testing"

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
