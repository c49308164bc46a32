package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/ssh"
	"github.com/org/appstack-action/internal/vault"
)

var heading = regexp.MustCompile("(?m)^## (`.*`) \\(`([a-z-]+)`\\)$")

// TestTroubleshooting holds docs/troubleshooting.md, which is sorted by message, to what
// the errors say: each message of a heading with a failure-reason is one of these, hint
// included, and has that reason.
func TestTroubleshooting(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := []error{
		&pve.UnreachableError{Address: "10.0.10.2:8006", Private: true},
		&pve.Error{Method: "POST", Path: "/nodes/pve1/lxc", Status: 403, Message: "Permission check failed (/vms/101, VM.Allocate)"},
		&pve.FindingsError{Findings: []pve.Finding{{Summary: "CT 105 (shop) on node pve1 has the address 10.0.10.101 already (net0)"}}},
		&pve.OwnerError{VMID: 101, Name: "shop"},
		&pve.LockedError{VMID: 101},
		&ssh.HostKeyError{Address: "10.0.10.101:22", Want: []string{"SHA256:a"}, Got: []string{"ssh-ed25519 SHA256:b"}},
		&vault.NoMatchError{File: "secrets/common.yaml.age"},
	}
	headings := heading.FindAllStringSubmatch(string(text), -1)
	if len(headings) < 6 {
		t.Fatalf("%d headings have a failure-reason", len(headings))
	}
	for _, h := range headings {
		for message := range strings.SplitSeq(strings.Trim(h[1], "`"), "`, `") {
			if !oneSays(known, message, h[2]) {
				t.Errorf("none of these errors says %q with the reason %s: %q", message, h[2], known)
			}
		}
	}
}

// oneSays reports whether one of the errors has the parts of message, which … joins, in
// this order, and is of this kind.
func oneSays(known []error, message, reason string) bool {
	for _, err := range known {
		rest, found := err.Error()+"\n"+app.Hint(err), true
		for part := range strings.SplitSeq(message, "…") {
			var ok bool
			_, rest, ok = strings.Cut(rest, part)
			found = found && ok
		}
		if found && string(app.Reason(err)) == reason {
			return true
		}
	}
	return false
}
