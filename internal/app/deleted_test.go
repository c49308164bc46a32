package app_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/secret"
)

// lines is a testing.TB that keeps what is logged.
type lines struct {
	testing.TB
	text *strings.Builder
}

func (l lines) Logf(format string, args ...any) {
	for _, a := range args {
		if s, ok := a.(string); ok {
			l.text.WriteString(s + "\n")
		}
	}
}

// The push that deletes a branch has no commit: that there is no stack file then is no
// mistake, as it is after any other push.
func TestDeletedBranchHasNoStack(t *testing.T) {
	for _, deleted := range []bool{true, false} {
		var text strings.Builder
		r := &app.Run{
			Source: app.Source{Dir: t.TempDir()}, Stack: "appstack.yaml", Hide: &secret.Redactor{},
			View: &logView{t: lines{t, &text}}, Event: event.Event{Name: "push", Branch: "dev", Deleted: deleted},
		}
		reports, err := r.Do(t.Context())
		var none *app.NoStackError
		if len(reports) > 0 || errors.As(err, &none) == deleted {
			t.Errorf("deleted %t: %v, %v", deleted, reports, err)
		}
		if deleted && (err != nil || !strings.Contains(text.String(), "was deleted")) {
			t.Errorf("it says %q, %v", text.String(), err)
		}
	}
}
