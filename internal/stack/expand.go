package stack

import (
	"fmt"
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// A Lookup returns the value of a name between `${` and `}`, such as
// "secret.proxmox_url" or "sha".
type Lookup func(name string) (value string, ok bool)

// Expand returns a copy of e in which every `${…}` is replaced by what
// lookup knows, and `$${` by `${`. A name that lookup does not know is an
// error at its place; known names help to say what was meant. What could not
// be checked before, such as an address in a secret, is checked now.
func (e *Env) Expand(lookup Lookup, known ...string) (*Env, diag.List) {
	x := expander{file: e.file, known: known, final: true, budget: newBudget()}
	x.lookup = func(name string) (string, bool) {
		if name == "branch" || name == "ip" {
			own := expander{file: e.file, lookup: lookup, budget: newBudget()}
			return ownValue(name, own.expand(e.node.get(name))), true
		}
		return lookup(name)
	}
	out := *e
	out.node = x.expand(e.node)
	out.decode()
	if !x.list.HasErrors() {
		out.validate(&x.list)
	}
	x.list.Sort()
	return &out, x.list
}

// Expand returns a copy of s in which every `${…}` outside the environments
// is replaced, as [Env.Expand] does. The environments stay as they are.
func (s *Stack) Expand(lookup Lookup, known ...string) (*Stack, diag.List) {
	x := expander{file: s.file, lookup: lookup, known: known, final: true, budget: newBudget()}
	out := *s
	out.root = x.expand(s.root)
	out.decode()
	if !x.list.HasErrors() {
		out.validateTop(&x.list)
	}
	x.list.Sort()
	return &out, x.list
}

// expandOwn replaces what an environment knows by itself.
func (e *Env) expandOwn(list *diag.List, budget *int) {
	own := map[string]string{"project": e.Project, "env": e.Name}
	x := expander{file: e.file, budget: budget, lookup: func(name string) (string, bool) {
		value, ok := own[name]
		return value, ok
	}}
	for _, key := range []string{"branch", "ip"} {
		n := e.node.get(key)
		if n != nil && refersTo(n, envNames[2:]) {
			list.Add(e.file.diagnostic(n, diag.Error, fmt.Sprintf("`%s` can use `${project}`, `${env}` and secrets only", key), "", ""))
		}
	}
	branch, ip := ownValue("branch", x.expand(e.node.get("branch"))), ownValue("ip", x.expand(e.node.get("ip")))
	// With a secret in them they are known when the secrets are.
	if !strings.Contains(branch, "${") {
		own["branch"] = branch
	}
	if !strings.Contains(ip, "${") {
		own["ip"] = ip
	}
	e.shown = x.expand(e.node)
	e.node = e.shown
	list.AddAll(x.list)
}

// ownValue returns what `${branch}` and `${ip}` stand for: an address goes
// without its prefix length.
func ownValue(name string, n *node) string {
	if n == nil {
		return ""
	}
	if name == "ip" {
		address, _, _ := strings.Cut(n.value, "/")
		return address
	}
	return n.value
}

func refersTo(n *node, names []string) bool {
	for _, part := range splitText(n.value) {
		if contains(names, part.name) {
			return true
		}
	}
	return false
}

// expander replaces `${…}` in a tree.
type expander struct {
	file   *file
	lookup Lookup
	known  []string
	// final: unknown names are errors and escapes are undone.
	final bool
	// budget is how many bytes of text may still be made.
	budget *int
	list   diag.List
}

// maxExpanded bounds the text that a file of maxBytes can grow to: a name
// that stands for much text may be used often.
const maxExpanded = 32 << 20

func newBudget() *int {
	budget := maxExpanded
	return &budget
}

// expand returns n with its text replaced, n itself if there is none.
func (x *expander) expand(n *node) *node {
	if n == nil {
		return nil
	}
	if n.kind == scalar {
		return x.scalar(n)
	}
	var out *node
	change := func() *node {
		if out == nil {
			c := *n
			c.pairs = append([]pair(nil), n.pairs...)
			c.items = append([]*node(nil), n.items...)
			out = &c
		}
		return out
	}
	for i, p := range n.pairs {
		if value := x.expand(p.value); value != p.value {
			change().pairs[i].value = value
		}
	}
	for i, item := range n.items {
		if value := x.expand(item); value != item {
			change().items[i] = value
		}
	}
	if out == nil {
		return n
	}
	return out
}

func (x *expander) scalar(n *node) *node {
	if !strings.Contains(n.value, "${") {
		return n
	}
	var b strings.Builder
	out := *n
	for _, part := range splitText(n.value) {
		if b.Len() > *x.budget {
			break
		}
		b.WriteString(x.part(n, part))
		if x.final && out.secret == "" && part.name != "" && !contains(envNames, part.name) {
			out.secret = strings.TrimPrefix(part.name, "secret.")
		}
	}
	if b.String() == n.value {
		return n
	}
	if *x.budget -= b.Len(); *x.budget < 0 {
		x.list.Add(x.file.diagnostic(n, diag.Error, fmt.Sprintf("all texts together have more than %d MB with `${…}` replaced", maxExpanded>>20), "", ""))
		return n
	}
	out.value = b.String()
	return &out
}

func (x *expander) part(n *node, p textPart) string {
	switch {
	case p.name == "" && x.final:
		return p.unescaped()
	case p.name == "":
		return p.raw
	}
	if value, ok := x.lookup(p.name); ok {
		return value
	}
	if x.final {
		x.list.Add(x.unknown(n, p))
	}
	return p.raw
}

// unknown reports a reference that lookup does not know.
func (x *expander) unknown(n *node, p textPart) diag.Diagnostic {
	d := x.file.diagnostic(n, diag.Error, fmt.Sprintf("unknown name `${%s}`", p.name), "", "")
	name, isSecret := strings.CutPrefix(p.name, "secret.")
	if isSecret {
		d.Summary = fmt.Sprintf("none of the secrets files opened here has `${%s}`", p.name)
		d.Hint = fmt.Sprintf("`appstack secrets set %s` gives it a value", name)
	}
	if meant := nearest(p.name, x.known); meant != "" {
		d.Hint = fmt.Sprintf("did you mean `${%s}`?", meant)
	}
	narrow(&d, p.raw)
	return d
}

// textPart is a piece of text: a reference if it has a name.
type textPart struct {
	raw  string
	name string
}

// unescaped returns the text that a piece without a name stands for.
func (p textPart) unescaped() string { return strings.ReplaceAll(p.raw, "$${", "${") }

// splitText takes s apart into references and what is between them. Joining
// the raw texts gives s again. `$${` is no reference, nor is a `${` that is
// never closed.
func splitText(s string) []textPart {
	var parts []textPart
	start := 0
	for i := 0; i+1 < len(s); i++ {
		if s[i] != '$' {
			continue
		}
		if strings.HasPrefix(s[i:], "$${") {
			i += 2
			continue
		}
		end := strings.IndexByte(s[i:], '}')
		if s[i+1] != '{' || end < 0 {
			continue
		}
		if i > start {
			parts = append(parts, textPart{raw: s[start:i]})
		}
		raw := s[i : i+end+1]
		parts = append(parts, textPart{raw: raw, name: strings.TrimSpace(raw[2 : len(raw)-1])})
		start = i + end + 1
		i = start - 1
	}
	if start < len(s) {
		parts = append(parts, textPart{raw: s[start:]})
	}
	return parts
}
