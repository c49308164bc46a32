package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/stack"
)

var block = regexp.MustCompile(`(?s)<!-- (stack|workflow) -->\n( *)` + "```yaml\n(.*?)\n *```")

// blocks returns the YAML blocks of a document that are marked as this kind.
func blocks(t *testing.T, file, kind string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		if m[1] != kind {
			continue
		}
		var b strings.Builder
		for line := range strings.Lines(m[3] + "\n") {
			b.WriteString(strings.TrimPrefix(line, m[2]))
		}
		found = append(found, b.String())
	}
	return found
}

// TestDocsStacks checks every stack file that the documents show.
func TestDocsStacks(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	n := 0
	for _, file := range append(files, filepath.Join("..", "..", "README.md")) {
		for i, text := range blocks(t, file, "stack") {
			n++
			if _, problems := stack.Load(fmt.Sprintf("%s#%d", filepath.Base(file), i+1), []byte(text)); len(problems) > 0 {
				t.Error(problems.Error())
			}
		}
	}
	if n == 0 {
		t.Error("the documents show no stack file: is the marker still there?")
	}
}

// schemaNode is what docs/stack.md needs of the JSON schema.
type schemaNode struct {
	Ref         string                `json:"$ref"`
	Description string                `json:"description"`
	Type        any                   `json:"type"`
	Enum        []any                 `json:"enum"`
	Default     any                   `json:"default"`
	Properties  map[string]schemaNode `json:"properties"`
	Items       *schemaNode           `json:"items"`
	OneOf       []schemaNode          `json:"oneOf"`
	AnyOf       []schemaNode          `json:"anyOf"`
	Additional  json.RawMessage       `json:"additionalProperties"`
	Defs        map[string]schemaNode `json:"$defs"`
}

// TestStackReference holds docs/stack.md to the schema.
func TestStackReference(t *testing.T) {
	var root schemaNode
	if err := json.Unmarshal(stack.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# The stack file\n\nGenerated from its JSON schema: `go test ./internal/cli -run TestStackReference -update`.\n\n" +
		"Each environment is `defaults` < project < environment, merged key by key; lists and values are replaced, and `null` takes\n" +
		"an inherited value away. `appstack resolve --env NAME` shows the result and where each value comes from.\n" +
		"`${secret.NAME}`, `${project}`, `${env}`, `${branch}`, `${sha}` and `${ip}` stand for their values in every string; `$${` is a plain `${`.\n")
	names := make([]string, 0, len(root.Defs))
	for name := range root.Defs {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(root.Properties) > 0 {
		writeNode(&b, "The top level", root)
	}
	for _, name := range names {
		writeNode(&b, name, root.Defs[name])
	}
	file := filepath.Join("..", "..", "docs", "stack.md")
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
		t.Errorf("docs/stack.md (-have +want):\n%s", diff)
	}
}

func writeNode(b *strings.Builder, name string, n schemaNode) {
	for _, one := range append(n.OneOf, n.AnyOf...) {
		if len(one.Properties) > 0 {
			n.Properties = one.Properties
		}
	}
	if len(n.Properties) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| key | meaning |\n|---|---|\n", name, strings.Join(strings.Fields(n.Description), " "))
	keys := make([]string, 0, len(n.Properties))
	for k := range n.Properties {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		p := n.Properties[k]
		text := cell(p.Description)
		if len(p.Enum) > 0 {
			values := slices.DeleteFunc(p.Enum, func(v any) bool { return v == nil }) // null takes a value away
			text += fmt.Sprintf(" One of %s.", strings.Trim(fmt.Sprint(values), "[]"))
		}
		if p.Default != nil {
			text += fmt.Sprintf(" Default: `%v`.", p.Default)
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", k, text)
	}
}
