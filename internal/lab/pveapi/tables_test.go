package pveapi

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// apiNode is Proxmox's description of its API, as far as the lab's tables repeat it.
type apiNode struct {
	Path     string
	Children []apiNode
	Info     map[string]struct {
		Parameters struct {
			Properties           map[string]apiParam
			AdditionalProperties any
		}
		Permissions *struct {
			Check []any
			User  string
		}
	}
}

type apiParam struct {
	Type       string
	Optional   any
	Minimum    any
	Maximum    any
	MinLength  any
	MaxLength  any
	Enum       []any
	Format     any
	Pattern    string
	Requires   string
	DefaultKey any `json:"default_key"`
	Alias      string
	KeyAlias   string
}

func readSchema(t *testing.T, release string) map[string]apiNode {
	t.Helper()
	dir := os.Getenv("APPSTACK_SHARED")
	if dir == "" {
		dir = "../../../../shared"
	}
	raw, err := os.ReadFile(filepath.Join(dir, "data", "pve-api-schema-"+release+".json"))
	if err != nil {
		t.Skipf("Proxmox's API description is not here: set APPSTACK_SHARED (%v)", err)
	}
	var roots []apiNode
	if err := json.Unmarshal(raw, &roots); err != nil {
		t.Fatal(err)
	}
	all := map[string]apiNode{}
	var walk func(apiNode)
	walk = func(n apiNode) {
		all[n.Path] = n
		for _, c := range n.Children {
			walk(c)
		}
	}
	for _, n := range roots {
		walk(n)
	}
	return all
}

// TestTablesEqualSchema proves that what the lab says about each method that it serves is
// what Proxmox says.
func TestTablesEqualSchema(t *testing.T) {
	for _, release := range []string{"9.1", "9.2"} {
		t.Run(release, func(t *testing.T) {
			want := readSchema(t, release)
			methods, err := schema.Parse(release, tables()...)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range methods {
				if m.Path == "/" {
					continue // the description has no root
				}
				checkMethod(t, m, want)
			}
			t.Logf("%d methods equal Proxmox VE %s", len(methods), release)
		})
	}
}

func checkMethod(t *testing.T, m *schema.Method, all map[string]apiNode) {
	info, ok := all[m.Path].Info[m.Verb]
	if !ok {
		t.Errorf("%s %s: Proxmox has no such method", m.Verb, m.Path)
		return
	}
	got, want := map[string]string{}, map[string]string{}
	for name, p := range m.Params {
		got[name] = describe(p)
	}
	for name, p := range info.Parameters.Properties {
		want[name] = p.describe()
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s %s: parameters differ (-Proxmox +lab):\n%s", m.Verb, m.Path, d)
	}
	if open := truthy(info.Parameters.AdditionalProperties); open != m.Open {
		t.Errorf("%s %s: additional parameters: Proxmox %v, lab %v", m.Verb, m.Path, open, m.Open)
	}
	perm := "root"
	if p := info.Permissions; p != nil && len(p.Check) > 0 {
		perm = permText(p.Check)
	} else if p != nil {
		perm = p.User
	}
	if perm != m.Perm.String() {
		t.Errorf("%s %s: Proxmox asks %s, the lab %s", m.Verb, m.Path, perm, m.Perm)
	}
}

func truthy(v any) bool {
	s := fmt.Sprint(v)
	return v != nil && s != "0" && s != "" && s != "false"
}

func num(v any) string {
	if v == nil {
		return ""
	}
	if f, err := strconv.ParseFloat(fmt.Sprint(v), 64); err == nil { // some limits are text
		return fmt.Sprint(f)
	}
	return fmt.Sprint(v)
}

func (p apiParam) describe() string {
	enum := []string{}
	for _, e := range p.Enum {
		enum = append(enum, fmt.Sprint(e))
	}
	format := ""
	switch f := p.Format.(type) {
	case string:
		format = f
	case map[string]any:
		format = p.props()
	}
	return fmt.Sprintf("%s optional=%v min=%s max=%s len=%s..%s enum=%v format=%s re=%s requires=%s default=%v alias=%s/%s",
		p.Type, truthy(p.Optional), num(p.Minimum), num(p.Maximum), num(p.MinLength), num(p.MaxLength), enum, format, p.Pattern, p.Requires, truthy(p.DefaultKey), p.Alias, p.KeyAlias)
}

// props describes the keys of a property string.
func (p apiParam) props() string {
	raw, _ := json.Marshal(p.Format) // it came from JSON
	var keys map[string]apiParam
	if err := json.Unmarshal(raw, &keys); err != nil {
		return err.Error()
	}
	var parts []string
	for k, v := range keys {
		parts = append(parts, k+": "+v.describe())
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, "; ") + "}"
}

func describe(p *schema.Param) string {
	format := p.Format
	if format == "" && p.Props != nil {
		var parts []string
		for k, v := range p.Props {
			parts = append(parts, k+": "+describe(v))
		}
		slices.Sort(parts)
		format = "{" + strings.Join(parts, "; ") + "}"
	}
	enum := append([]string{}, p.Enum...)
	return fmt.Sprintf("%s optional=%v min=%s max=%s len=%s..%s enum=%v format=%s re=%s requires=%s default=%v alias=%s/%s",
		p.Type, p.Optional, ptr(p.Min), ptr(p.Max), ptr(p.MinLen), ptr(p.MaxLen), enum, format, p.Pattern, p.Requires, p.DefaultKey, p.Alias, p.KeyAlias)
}

func ptr[T any](v *T) string {
	if v == nil {
		return ""
	}
	return num(*v)
}

// permText writes Proxmox's permission check in the tables' notation.
func permText(check []any) string {
	op := fmt.Sprint(check[0])
	var parts []string
	switch op {
	case "and", "or":
		for _, c := range check[1:] {
			parts = append(parts, permText(c.([]any)))
		}
	case "perm":
		op, parts = permPath(check)
	case "userid-group":
		for _, p := range check[1].([]any) {
			parts = append(parts, fmt.Sprint(p))
		}
		for _, p := range check[2:] {
			parts = append(parts, fmt.Sprint(p))
		}
	default:
		for _, p := range check[1:] {
			parts = append(parts, fmt.Sprint(p))
		}
	}
	return "(" + op + " " + strings.Join(parts, " ") + ")"
}

func permPath(check []any) (op string, parts []string) {
	op = "perm"
	privs := check[2].([]any)
	parts = []string{fmt.Sprint(check[1])}
	for _, p := range privs {
		parts = append(parts, fmt.Sprint(p))
	}
	for i := 3; i+1 < len(check); i += 2 {
		switch check[i] {
		case "any":
			if len(privs) > 1 {
				op = "any"
			}
		case "require_param":
			parts = append(parts, "param="+fmt.Sprint(check[i+1]))
		}
	}
	return op, parts
}
