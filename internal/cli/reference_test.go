package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/org/appstack-action/internal/action"
	"github.com/org/appstack-action/internal/report"
)

var update = flag.Bool("update", false, "rewrite docs/reference.md")

// manifest is action.yml, in its order.
type manifest struct {
	Name        string
	Description string
	Inputs      yaml.Node
	Outputs     yaml.Node
}

type entry struct{ name, description, value string }

func readManifest(t *testing.T) (inputs, outputs []entry) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return entries(t, m.Inputs), entries(t, m.Outputs)
}

func entries(t *testing.T, n yaml.Node) []entry {
	t.Helper()
	var all []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		var v struct {
			Description string
			Default     string
		}
		if err := n.Content[i+1].Decode(&v); err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{n.Content[i].Value, strings.TrimSpace(v.Description), v.Default})
	}
	return all
}

// TestActionManifest holds action.yml to what the program reads and writes.
func TestActionManifest(t *testing.T) {
	inputs, outputs := readManifest(t)
	var asked []string
	_, _ = action.ReadInputs(func(name string) string {
		if in, ok := strings.CutPrefix(name, "INPUT_"); ok && !slices.Contains(asked, strings.ToLower(in)) {
			asked = append(asked, strings.ToLower(in))
		}
		return ""
	})
	var named []string
	for _, e := range inputs {
		named = append(named, e.name)
		if e.description == "" {
			t.Errorf("the input %s has no description", e.name)
		}
	}
	slices.Sort(asked)
	slices.Sort(named)
	if diff := cmp.Diff(asked, named); diff != "" {
		t.Errorf("inputs (-program +action.yml):\n%s", diff)
	}
	in, err := action.ReadInputs(func(name string) string {
		for _, e := range inputs {
			if name == "INPUT_"+strings.ToUpper(e.name) {
				return e.value
			}
		}
		return ""
	})
	if err != nil {
		t.Errorf("action.yml's defaults: %v", err)
	}
	if want, _ := action.ReadInputs(func(string) string { return "" }); in.Timeout != want.Timeout || in.Parallel != want.Parallel || in.Comment != want.Comment || in.OnMissingCredentials != want.OnMissingCredentials {
		t.Errorf("action.yml's defaults %+v are not the program's %+v", in, want)
	}
	written := report.Outputs([]report.Report{{}}, "{}")
	for _, e := range outputs {
		if _, ok := written[e.name]; !ok {
			t.Errorf("the output %s is never written", e.name)
		}
		delete(written, e.name)
		if e.name == "failure-reason" {
			for _, r := range report.Reasons {
				if !strings.Contains(e.description, "`"+string(r)+"`") {
					t.Errorf("the output failure-reason does not name %s", r)
				}
			}
		}
	}
	for name := range written {
		t.Errorf("the output %s is not in action.yml", name)
	}
}

// TestReference holds docs/reference.md to action.yml and to the commands' help.
func TestReference(t *testing.T) {
	inputs, outputs := readManifest(t)
	var b strings.Builder
	b.WriteString("# Reference\n\nGenerated from action.yml and the program's help: `go test ./internal/cli -run TestReference -update`.\n")
	b.WriteString("\n## Inputs\n\nNone is required.\n\n| input | what it does | default |\n|---|---|---|\n")
	for _, e := range inputs {
		value := ""
		if e.value != "" {
			value = "`" + e.value + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e.name, cell(e.description), value)
	}
	b.WriteString("\n## Outputs\n\n| output | what it holds |\n|---|---|\n")
	for _, e := range outputs {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.name, cell(e.description))
	}
	b.WriteString("\n## Commands\n")
	g := &globals{Stdin: strings.NewReader(""), Stdout: &strings.Builder{}, Stderr: &strings.Builder{}, Getenv: func(string) string { return "" }}
	for _, c := range rootCommand(g).Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		fmt.Fprintf(&b, "\n### appstack %s\n\n%s\n\n```sh\n%s\n```\n", c.Name(), strings.Join(strings.Fields(c.Long), " "), unindent(c.Example))
	}
	file := filepath.Join("..", "..", "docs", "reference.md")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/reference.md (-have +want):\n%s", diff)
	}
}

func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

func unindent(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}
