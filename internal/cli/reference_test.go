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
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	root := rootCommand(g)
	b.WriteString("\nEach of them takes these flags, beside its own, and `--help`. `appstack completion --help` tells how a shell completes them.\n")
	writeFlags(&b, root.PersistentFlags())
	for _, c := range root.Commands() {
		writeCommand(&b, c)
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

// writeCommand writes the help of c and of the commands below it.
func writeCommand(b *strings.Builder, c *cobra.Command) {
	if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
		return
	}
	use := strings.TrimPrefix(c.UseLine(), c.CommandPath())
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n```sh\n%s\n```\n", c.CommandPath()+strings.TrimSuffix(use, " [flags]"), prose(c.Long), unindent(c.Example))
	writeFlags(b, c.LocalNonPersistentFlags())
	for _, sub := range c.Commands() {
		writeCommand(b, sub)
	}
}

// writeFlags writes a table of flags, or nothing where there are none.
func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	head := "\n| flag | what it does | default |\n|---|---|---|\n"
	flags.VisitAll(func(f *pflag.Flag) {
		name, usage := pflag.UnquoteUsage(f)
		value := ""
		if f.DefValue != "" && f.DefValue != "false" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "%s| `%s` | %s | %s |\n", head, strings.TrimSpace("--"+f.Name+" "+name), cell(usage), value)
		head = ""
	})
}

// prose makes Markdown of a help text: its paragraphs, and what is indented as a list or
// as code.
func prose(long string) string {
	paragraphs := strings.Split(strings.Trim(long, "\n"), "\n\n")
	for i, p := range paragraphs {
		switch {
		case strings.HasPrefix(p, "  - "):
			paragraphs[i] = strings.TrimPrefix(strings.ReplaceAll(p, "\n  ", "\n"), "  ")
		case strings.HasPrefix(p, "  "):
			paragraphs[i] = "```yaml\n" + unindent(p) + "\n```"
		default:
			// <project> would be taken for HTML.
			paragraphs[i] = strings.ReplaceAll(strings.Join(strings.Fields(p), " "), "<", "&lt;")
		}
	}
	return strings.Join(paragraphs, "\n\n")
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
