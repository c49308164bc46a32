package cli

import (
	"encoding/json"
	"fmt"
	"maps"
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
		"`${secret.NAME}`, `${project}`, `${env}`, `${branch}`, `${sha}` and `${ip}` stand for their values in every string; `$${` is a plain `${`.\n" +
		"A duration is written as 30s, 10m or 1h30m; a plain number counts seconds.\n")
	for _, name := range reading(root.Defs) {
		n := root.Defs[name]
		if name == "Project" { // it has Settings' keys, too
			n.Properties = map[string]schemaNode{"envs": n.Properties["envs"]}
		}
		writeNode(&b, name, n)
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

// reading returns the types in the order in which a reader meets them: from the top of
// the file down.
func reading(defs map[string]schemaNode) []string {
	order := []string{"Document"}
	for i := 0; i < len(order); i++ {
		n := defs[order[i]]
		keys := n.keys()
		for _, k := range keys {
			if name := n.object()[k].refers(); name != "" && !slices.Contains(order, name) {
				order = append(order, name)
			}
		}
	}
	return order
}

// object returns the keys of a mapping, also of one that may be written as text.
func (n schemaNode) object() map[string]schemaNode {
	for _, one := range slices.Concat(n.OneOf, n.AnyOf) {
		if len(one.Properties) > 0 {
			return one.Properties
		}
	}
	return n.Properties
}

func (n schemaNode) keys() []string { return slices.Sorted(maps.Keys(n.object())) }

// refers returns the type that n, its items or its values have, or "".
func (n schemaNode) refers() string {
	all := slices.Concat([]schemaNode{n}, n.OneOf, n.AnyOf)
	if n.Items != nil {
		all = append(all, *n.Items)
	}
	var values schemaNode
	if json.Unmarshal(n.Additional, &values) == nil {
		all = append(all, slices.Concat([]schemaNode{values}, values.OneOf, values.AnyOf)...)
	}
	for _, one := range all {
		if name, ok := strings.CutPrefix(one.Ref, "#/$defs/"); ok {
			return name
		}
	}
	return ""
}

// kind names what may stand at n, with a link to the type's own section.
func (n schemaNode) kind() string {
	link := n.refers()
	if link != "" {
		link = fmt.Sprintf("[%s](#%s)", link, strings.ToLower(link))
	}
	kinds := []string{}
	for _, one := range slices.Concat([]schemaNode{n}, n.OneOf, n.AnyOf) {
		if one.Description == "seconds" {
			return "duration"
		}
		types, _ := one.Type.([]any)
		for _, typ := range append(types, one.Type) {
			name, _ := typ.(string)
			if word := typeWords[name]; word != "" && !slices.Contains(kinds, word) {
				kinds = append(kinds, word)
			}
		}
	}
	text := strings.Join(kinds, " or ")
	switch {
	case link != "" && text != "":
		return text + " of " + link
	case link != "":
		return link
	}
	return text
}

// typeWords are what the schema's types are called.
var typeWords = map[string]string{
	"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false", "array": "list", "object": "mapping",
}

func writeNode(b *strings.Builder, name string, n schemaNode) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| key | value | meaning |\n|---|---|---|\n", name, strings.Join(strings.Fields(n.Description), " "))
	for _, k := range n.keys() {
		p := n.object()[k]
		text := cell(p.Description)
		if len(p.Enum) > 0 {
			values := slices.DeleteFunc(p.Enum, func(v any) bool { return v == nil }) // null takes a value away
			text += fmt.Sprintf(" One of %s.", strings.Trim(fmt.Sprint(values), "[]"))
		}
		if p.Default != nil && !strings.Contains(text, "Default: ") {
			text += fmt.Sprintf(" Default: `%v`.", p.Default)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", k, p.kind(), text)
	}
}
