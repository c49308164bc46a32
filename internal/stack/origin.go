package stack

import (
	"fmt"
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// Origin is a single value of an environment and where it comes from.
type Origin struct {
	// Path of the value, such as "guest.memory" or "base.packages[0]".
	Path string
	// Value as it stands in the file, `${secret.…}` unreplaced. What looks
	// like a secret in plain text is "***".
	Value string
	// Pos is the value's place. It is not valid for built-in defaults.
	Pos diag.Pos
}

// String returns "file:line", or "default" for a built-in default.
func (o Origin) String() string {
	if !o.Pos.IsValid() {
		return "default"
	}
	return fmt.Sprintf("%s:%d", o.Pos.File, o.Pos.Line)
}

// Origins returns all values of e in the order of the types, defaults
// included. It never returns a secret, even after [Env.Expand].
func (e *Env) Origins() []Origin {
	w := originWalk{file: e.file}
	w.walk(e.shown, settingsLayout, "", "")
	return w.origins
}

type originWalk struct {
	file    *file
	origins []Origin
}

// walk adds the values of n, which stands at path under key. l is nil where
// the names are the user's own.
func (w *originWalk) walk(n *node, l *layout, path, key string) {
	switch {
	case n == nil || n.bad:
	case n.kind == mapping && l != nil && l.fields != nil:
		for _, f := range l.fields {
			w.walk(n.get(f.key), f.layout, join(path, f.key), f.key)
		}
	case n.kind == mapping && len(n.pairs) > 0:
		for _, p := range n.pairs {
			w.walk(p.value, l.elem, join(path, p.key.value), p.key.value)
		}
	case n.kind == sequence && len(n.items) > 0:
		for i, item := range n.items {
			w.walk(item, l.elem, fmt.Sprintf("%s[%d]", path, i), key)
		}
	default:
		w.add(n, path, key)
	}
}

func (w *originWalk) add(n *node, path, key string) {
	o := Origin{Path: path, Value: n.value}
	switch {
	case n.kind == mapping:
		o.Value = "{}"
	case n.kind == sequence:
		o.Value = "[]"
	case secretNames{}.inPlain(key, n):
		o.Value = "***"
	}
	if n.line > 0 {
		o.Pos = w.file.pos(n)
	}
	w.origins = append(w.origins, o)
}

// Reference is a use of a secret.
type Reference struct {
	// Name without "secret.", such as "shop.deploy_key".
	Name string
	Pos  diag.Pos
}

// References returns each use of a secret in the file, in the file's order,
// those in values that every environment overrides included.
func (s *Stack) References() []Reference {
	return s.file.references(s.document)
}

// References returns each secret that e needs itself, in no particular
// order; what [Stack.Expand] replaces comes on top.
func (e *Env) References() []Reference {
	return e.file.references(e.shown)
}

func (f *file) references(root *node) []Reference {
	var refs []Reference
	root.walk(func(n *node) {
		for _, part := range splitText(n.value) {
			if name, ok := strings.CutPrefix(part.name, "secret."); ok {
				refs = append(refs, Reference{name, f.pos(n)})
			}
		}
	})
	return refs
}

// walk calls visit for each scalar below n.
func (n *node) walk(visit func(*node)) {
	switch {
	case n == nil || n.bad:
	case n.kind == scalar:
		visit(n)
	default:
		for _, p := range n.pairs {
			p.value.walk(visit)
		}
		for _, item := range n.items {
			item.walk(visit)
		}
	}
}
