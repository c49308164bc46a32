package cli

import (
	"bytes"
	"strings"
	"testing"
)

// What cannot be undone is confirmed by the environment's name, and by nothing else.
func TestConfirm(t *testing.T) {
	for command, question := range questions {
		for answer, ok := range map[string]bool{"pote/prod\n": true, "pote/prod": true, " pote/prod \r\n": true, "yes\n": false, "\n": false, "": false, "prod\n": false, "pote/prod2\n": false} {
			var asked bytes.Buffer
			g := &globals{Stdin: strings.NewReader(answer), Stderr: &asked}
			if err := g.confirm(question, "pote/prod"); (err == nil) != ok {
				t.Errorf("%s, answered with %q: %v", command, answer, err)
			}
			if !strings.HasSuffix(asked.String(), "Type pote/prod to go on: ") {
				t.Errorf("%s asks %q", command, &asked)
			}
		}
	}
	for _, command := range []string{"destroy", "restore"} {
		if questions[command] == "" {
			t.Errorf("%s asks nothing", command)
		}
	}
}
