package cli

import (
	"bytes"
	"strings"
	"testing"
)

// What is to be destroyed has to be typed.
func TestConfirm(t *testing.T) {
	for typed, want := range map[string]bool{"shop/dev\n": true, " shop/dev \r\n": true, "shop/dev": true, "yes\n": false, "y\n": false, "\n": false, "": false, "shop/qa\n": false, "dev\n": false} {
		var asked bytes.Buffer
		g := &globals{Stdin: strings.NewReader(typed), Stderr: &asked}
		if err := g.confirm("shop/dev"); (err == nil) != want {
			t.Errorf("%q: %v", typed, err)
		}
		if !strings.Contains(asked.String(), "Type shop/dev to go on") {
			t.Errorf("it asks %q", &asked)
		}
	}
}
