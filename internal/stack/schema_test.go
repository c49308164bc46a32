package stack

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "rewrite the files that the tests compare with")

// schemaCopies are where the schema is kept: what is embedded, and what
// stack files point to.
var schemaCopies = []string{"appstack.schema.json", "../../appstack.schema.json"}

func TestSchema(t *testing.T) {
	want := generateSchema(t)
	for _, name := range schemaCopies {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the types say; run `go generate ./internal/stack` (-want +got):\n%s", name, diff)
		}
	}
}

// TestSchemaDescribesEveryKey holds each key to having a comment.
func TestSchemaDescribesEveryKey(t *testing.T) {
	for _, s := range reflectSchema(t).Definitions {
		for p := s.Properties.Oldest(); p != nil; p = p.Next() {
			if p.Value.Description == "" {
				t.Errorf("the key %s has no description", p.Key)
			}
		}
	}
}

func TestOKStacksSatisfySchema(t *testing.T) {
	compiled := compileSchema(t, generateSchema(t))
	files := glob(t, "../../testdata/stacks/ok/*.yaml")
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		root, list := parse(newFile(name, src), src)
		if list.HasErrors() {
			t.Errorf("%s: %v", name, list)
			continue
		}
		if err := compiled.Validate(plain(root)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses shows that the schema is no rubber stamp.
func TestSchemaRefuses(t *testing.T) {
	compiled := compileSchema(t, Schema())
	for _, src := range []string{
		"project: {}",
		"projects: {shop: {}}",
		"projects: {shop: {envs: {dev: {vmid: 99}}}}",
		"projects: {shop: {envs: {dev: {guest: {type: vm}}}}}",
		"projects: {shop: {envs: {dev: {guest: {memory: 2GB}}}}}",
		"projects: {shop: {envs: {dev: {guest: {memroy: 2048}}}}}",
		"projects: {shop: {envs: {dev: {app: {services: {web: {health: 5}}}}}}}",
		"projects: {shop: {envs: {dev: {base: {packages: git}}}}}",
	} {
		root, list := parse(newFile("test.yaml", []byte(src)), []byte(src))
		if list.HasErrors() {
			t.Fatalf("%s: %v", src, list)
		}
		if compiled.Validate(plain(root)) == nil {
			t.Errorf("the schema accepts %s", src)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := globFiles(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// globFiles returns the files that match, of which there must be some.
func globFiles(pattern string) ([]string, error) {
	files, err := filepath.Glob(pattern)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no files %s", pattern)
	}
	return files, err
}

func compileSchema(t *testing.T, src []byte) *validator.Schema {
	t.Helper()
	doc, err := validator.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("appstack.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("appstack.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// plain returns n as JSON's types, which the validator works on.
func plain(n *node) any {
	switch {
	case n.kind == mapping:
		m := map[string]any{}
		for _, p := range n.pairs {
			m[p.key.value] = plain(p.value)
		}
		return m
	case n.kind == sequence:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = plain(item)
		}
		return list
	case isNumber(n):
		return json.Number(n.value)
	case n.tag == tagBool:
		return n.value == "true"
	case n.tag == tagNull:
		return nil
	}
	return n.value
}

// TestPresetsAreTold shows that what a key has by itself stands in its description where
// the schema cannot say it: presets that depend on something else.
func TestPresetsAreTold(t *testing.T) {
	s := reflectSchema(t)
	tables := []struct {
		rows []preset
		l    *layout
	}{{settingsPresets, settingsLayout}, {documentPresets, documentLayout}}
	told := 0
	for _, table := range tables {
		for _, row := range table.rows {
			parent, key, depends := table.l.holder(row)
			if !depends {
				continue // the schema says it
			}
			value, _, _ := strings.Cut(row.value, "+")
			if strings.HasPrefix(value, "=") {
				value = value[strings.LastIndexAny(value, "=.")+1:]
			}
			property, _ := s.Definitions[parent.typ.Name()].Properties.Get(key)
			if !strings.Contains(property.Description, "Default") || !strings.Contains(property.Description, value) {
				t.Errorf("the description of %s does not say that it is %q by itself: %s", row.path, row.value, property.Description)
			}
			told++
		}
	}
	if told < 20 {
		t.Errorf("only %d presets depend on something else", told)
	}
}

// holder returns the layout of the mapping that a preset fills, the key, and whether it
// depends on more than that.
func (l *layout) holder(row preset) (parent *layout, key string, depends bool) {
	path := strings.Split(strings.ReplaceAll(row.path, "?", ""), ".")
	for _, key := range path[:len(path)-1] {
		if l.elem != nil {
			l, depends = l.elem, depends || key != "*"
		} else {
			l = l.field(key).layout
		}
	}
	return l, path[len(path)-1], depends || row.only != "" || strings.HasPrefix(row.value, "=")
}

func generateSchema(t *testing.T) []byte {
	t.Helper()
	s := reflectSchema(t)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// reflectSchema derives the schema from the types and adds what they can't
// say: short forms, values of any scalar type, null.
func reflectSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	r := &jsonschema.Reflector{
		BaseSchemaID:               "https://raw.githubusercontent.com/org/appstack-action/v1",
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		Mapper:                     mapSchema,
	}
	if err := r.AddGoComments("github.com/org/appstack-action/internal/stack", ".", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	for name, comment := range r.CommentMap {
		r.CommentMap[name] = strings.ReplaceAll(comment, "\n", " ")
	}
	s := r.Reflect(&Document{})
	s.ID = "https://raw.githubusercontent.com/org/appstack-action/v1/appstack.schema.json"
	s.Title = "appstack.yaml"
	addDefaults(s.Definitions, settingsPresets, settingsLayout)
	addDefaults(s.Definitions, documentPresets, documentLayout)
	for _, typ := range structsBelow(reflect.TypeFor[Document](), map[reflect.Type]bool{}) {
		refine(s.Definitions, typ)
	}
	return s
}

// addDefaults tells the presets that hold for a key wherever it stands.
func addDefaults(defs jsonschema.Definitions, rows []preset, l *layout) {
	for _, row := range rows {
		parent, key, depends := l.holder(row)
		if depends {
			continue
		}
		property, _ := defs[parent.typ.Name()].Properties.Get(key)
		property.Default = plain(presetNode(row.value, parent.field(key)))
	}
}

func mapSchema(t reflect.Type) *jsonschema.Schema {
	switch t {
	case durationType:
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "string", Pattern: `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|\$\{`},
			{Type: "integer", Description: "seconds"},
		}}
	case reflect.TypeFor[OneOrMore]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "string"},
			{Type: "array", Items: &jsonschema.Schema{Type: "string"}},
		}}
	}
	return nil
}

// structsBelow returns the struct types that t is made of, t included.
func structsBelow(t reflect.Type, seen map[reflect.Type]bool) []reflect.Type {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		return structsBelow(t.Elem(), seen)
	case reflect.Struct:
		if seen[t] {
			return nil
		}
		seen[t] = true
		found := []reflect.Type{t}
		for i := range t.NumField() {
			found = append(found, structsBelow(t.Field(i).Type, seen)...)
		}
		return found
	}
	return nil
}

func refine(defs jsonschema.Definitions, typ reflect.Type) {
	def := defs[typ.Name()]
	l := newLayout(typ)
	topLevel := typ == reflect.TypeFor[Document]()
	for p := def.Properties.Oldest(); p != nil; p = p.Next() {
		f := l.field(p.Key)
		if f.anyScalar {
			takeScalars(p.Value)
		}
		if !topLevel && p.Key != "envs" {
			takeNull(p.Value)
			if member := p.Value.AdditionalProperties; member != nil && member.Ref != "" {
				takeNull(member)
			}
		}
	}
	if l.short != "" {
		short := []*jsonschema.Schema{{Type: "string"}}
		if l.field(l.short).anyScalar {
			short = scalars()
		}
		defs[typ.Name()] = &jsonschema.Schema{Description: def.Description, AnyOf: append(short, def)}
		def.Description = ""
	}
}

func scalars() []*jsonschema.Schema {
	return []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}
}

func takeScalars(s *jsonschema.Schema) {
	if s.Type == "object" {
		s.AdditionalProperties = &jsonschema.Schema{AnyOf: append(scalars(), &jsonschema.Schema{Type: "null"})}
		return
	}
	s.Type, s.AnyOf = "", scalars()
}

// takeNull lets null stand for s: it takes an inherited value away.
func takeNull(s *jsonschema.Schema) {
	null := &jsonschema.Schema{Type: "null"}
	switch {
	case s.AnyOf != nil:
		s.AnyOf = append(s.AnyOf, null)
	case s.OneOf != nil:
		s.OneOf = append(s.OneOf, null)
	case s.Ref != "":
		s.AnyOf, s.Ref = []*jsonschema.Schema{{Ref: s.Ref}, null}, ""
	default:
		s.Extras = map[string]any{"type": []string{s.Type, "null"}}
		s.Type = ""
		if s.Enum != nil {
			s.Enum = append(s.Enum, nil)
		}
	}
}
