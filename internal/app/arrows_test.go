package app_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestArrows holds the picture of doc.go: packages import downwards only.
func TestArrows(t *testing.T) {
	const module = "github.com/org/appstack-action/"
	// may lists what a room may import of the module, besides rooms below itself.
	leaves := []string{"templates", "internal/secret", "internal/diag", "internal/event"}
	middle := append([]string{"internal/plan", "internal/machine", "internal/ssh"}, leaves...)
	may := map[string][]string{
		"cmd/appstack": {"internal/cli"},
		"internal/cli": append([]string{
			"internal/app", "internal/action", "internal/report", "internal/github", "internal/resolve", "internal/stack", "internal/vault", "internal/pve",
		}, middle...),
		"internal/app": append([]string{
			"internal/action", "internal/report", "internal/github", "internal/apply", "internal/pve", "internal/guest",
			"internal/resolve", "internal/stack", "internal/vault", "internal/git",
		}, middle...),
		"internal/git":         {"internal/ssh", "internal/secret"},
		"internal/action":      middle,
		"internal/report":      middle,
		"internal/github":      middle,
		"internal/apply":       middle,
		"internal/pve":         middle,
		"internal/guest":       middle,
		"internal/resolve":     append([]string{"internal/stack"}, middle...),
		"internal/stack":       leaves,
		"internal/vault":       leaves,
		"internal/plan":        append([]string{"internal/machine"}, leaves...),
		"internal/machine":     {"internal/secret"},
		"internal/ssh":         {"internal/secret"},
		"internal/ssh/sshtest": {"internal/ssh", "internal/secret"},
		"internal/diag":        nil,
		"internal/event":       nil,
		"internal/secret":      nil,
		"bench/page":           {"bench/results"},
		"bench/results":        nil,
		"bench/wire":           nil,
		"templates":            nil,
	}
	for path, imports := range listImports(t, module+"...") {
		room := strings.TrimPrefix(path, module)
		isLab := strings.HasPrefix(room, "internal/lab") || room == "cmd/pvelab" || room == "bench"
		allowed, known := may[room]
		if !known && !isLab {
			t.Errorf("%s is not in the picture: draw it in doc.go and say here what it may import", room)
		}
		for _, i := range imports {
			to, ours := strings.CutPrefix(i, module)
			switch {
			case !ours || strings.HasPrefix(to, room+"/"):
			case isLab && strings.HasPrefix(room, "bench") && strings.HasPrefix(to, "bench/"):
			case isLab && !strings.HasPrefix(to, "internal/lab") && to != "testdata/apps":
				t.Errorf("%s imports %s: the lab stands apart from the product", room, to)
			case !isLab && !slices.Contains(allowed, to):
				t.Errorf("%s imports %s, against the arrows", room, to)
			}
		}
	}
}

// listImports returns the imports of each package, tests left out.
func listImports(t *testing.T, pattern string) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", pattern).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p.Imports
	}
}
