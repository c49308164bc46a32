package app

import (
	"errors"
	"fmt"
	"testing"

	"github.com/org/appstack-action/internal/ssh"
)

// silent is an error that knows nothing to do.
type silent struct{ error }

func (e silent) Unwrap() error { return e.error }
func (silent) Hint() string    { return "" }

// What the inner error advises is not lost because an outer one has nothing to say.
func TestHint(t *testing.T) {
	told := &NoStackError{"appstack.yaml"}
	for name, err := range map[string]error{
		"itself": told, "wrapped": fmt.Errorf("cannot go on: %w", told), "behind a silent one": fmt.Errorf("cannot GET /: %w", silent{fmt.Errorf("x: %w", told)}),
		"joined": errors.Join(errors.New("one"), told),
	} {
		if got := Hint(err); got != told.Hint() {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := Hint(silent{errors.New("x")}); got != "" {
		t.Errorf("out of nothing: %q", got)
	}
	if Hint(nil) != "" || Hint(&ssh.UnreachableError{}) == "" {
		t.Error("nil has a hint, or an unreachable host has none")
	}
}
