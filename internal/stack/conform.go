package stack

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// checker holds a tree to a layout: unknown and duplicate keys, types,
// ranges. What it returns has only what the layout knows, short forms
// written out, and a misspelt key under its likely name, so that later
// checks see what was meant instead of complaining about its absence.
type checker struct {
	file *file
	list diag.List
}

// report adds an error at n.
func (c *checker) report(n *node, summary, detail, hint string) {
	c.list.Add(c.file.diagnostic(n, diag.Error, summary, detail, hint))
}

// diagnostic returns a diagnostic at n with the excerpt of its line.
func (f *file) diagnostic(n *node, severity diag.Severity, summary, detail, hint string) diag.Diagnostic {
	pos := f.pos(n)
	return diag.Diagnostic{
		Severity: severity,
		Pos:      pos,
		Summary:  clip(summary),
		Detail:   clip(detail),
		Hint:     clip(hint),
		Source:   f.line(pos.Line),
	}
}

// clip bounds a message that repeats what a file says.
func clip(s string) string {
	const most = 1000
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// conform returns the tree at path that f allows. What does not fit is
// reported and marked as bad.
func (c *checker) conform(n *node, f *field, path string) *node {
	switch {
	case n.isNull():
		return n
	case n.kind == scalar && !strings.HasPrefix(n.tag, "!!"):
		c.report(n, fmt.Sprintf("the YAML tag %s means nothing here", n.tag), "", tagHint(n.tag))
		return n.spoiled()
	case n.kind == scalar && f.short != "":
		value := c.conform(n, f.field(f.short), path)
		return &node{kind: mapping, line: n.line, col: n.col, pairs: []pair{{text(f.short), value}}}
	case n.kind == scalar && f.one:
		f = &field{key: f.key, layout: f.elem, anyScalar: f.anyScalar}
		value := c.conform(n, f, path)
		return &node{kind: sequence, line: n.line, col: n.col, items: []*node{value}}
	case n.kind != f.kind:
		return c.mismatch(n, f, path)
	}
	switch f.kind {
	case mapping:
		return c.conformMapping(n, f, path)
	case sequence:
		return c.conformList(n, f, path)
	default:
		return c.conformScalar(n, f, path)
	}
}

func (c *checker) conformList(n *node, f *field, path string) *node {
	out := *n
	out.items = make([]*node, 0, len(n.items))
	elem := &field{key: f.key, layout: f.elem, anyScalar: f.anyScalar}
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item.isNull() {
			c.report(item, "an empty item in "+brief(path), "", "remove the `-`, or write the item behind it")
			item = item.spoiled()
		} else {
			item = c.conform(item, elem, at)
		}
		out.items = append(out.items, item)
	}
	return &out
}

func (c *checker) conformMapping(n *node, f *field, path string) *node {
	out := *n
	out.pairs = make([]pair, 0, len(n.pairs))
	first := firstKeys(n.pairs)
	for i, p := range n.pairs {
		key := p.key.value
		if at := first(i); at != nil {
			c.report(p.key, fmt.Sprintf("duplicate key `%s`%s", key, in(path)), "first defined at "+c.file.pos(at).String(), "")
			continue
		}
		if value, name := c.member(n, p, f, path); value != nil {
			keyNode := p.key
			if name != key {
				renamed := *p.key
				renamed.value = name
				keyNode = &renamed
			}
			out.pairs = append(out.pairs, pair{keyNode, value})
		}
	}
	return &out
}

// firstKeys returns a function that returns an earlier key like that of pair
// i, or nil. Most mappings are too small for a map to pay.
func firstKeys(pairs []pair) func(i int) *node {
	if len(pairs) <= 32 {
		return func(i int) *node {
			for _, p := range pairs[:i] {
				if p.key.value == pairs[i].key.value {
					return p.key
				}
			}
			return nil
		}
	}
	seen := make(map[string]*node, len(pairs))
	return func(i int) *node {
		key := pairs[i].key
		if seen[key.value] == nil {
			seen[key.value] = key
			return nil
		}
		return seen[key.value]
	}
}

// member returns the checked value of p and the key that it belongs under.
func (c *checker) member(n *node, p pair, f *field, path string) (*node, string) {
	key := p.key.value
	if f.elem != nil {
		elem := &field{key: key, layout: f.elem, anyScalar: f.anyScalar}
		return c.conform(p.value, elem, join(path, key)), key
	}
	inner := f.field(key)
	if inner == nil {
		meant := c.unknownKey(p, f.layout, path)
		inner = f.field(meant)
		if inner == nil || n.find(meant) != nil {
			return nil, ""
		}
	}
	return c.conform(p.value, inner, join(path, inner.key)), inner.key
}

// mismatch reports that n is not what f wants, in YAML's words.
func (c *checker) mismatch(n *node, f *field, path string) *node {
	subject := brief(path)
	if path == "" {
		subject = "the file"
	}
	c.report(n, fmt.Sprintf("%s must be %s, not %s", subject, f.wants(), n.describe()), "", f.mismatchHint(n))
	return n.spoiled()
}

// spoiled returns n marked as bad.
func (n *node) spoiled() *node {
	out := *n
	out.bad = true
	return &out
}

func (c *checker) conformScalar(n *node, f *field, path string) *node {
	if !f.accepts(n) {
		return c.mismatch(n, f, path)
	}
	if len(f.enum) > 0 && !contains(f.enum, n.value) {
		if pending(n.value) {
			c.file.lateEnums = true
			return n
		}
		return c.conformEnum(n, f, path)
	}
	if number, err := strconv.ParseFloat(n.value, 64); err == nil && isNumber(n) && !f.contains(number) {
		c.report(n, fmt.Sprintf("%s must be %s, not %s", brief(path), f.limits, n.value), "", f.rangeHint(number))
		return n.spoiled()
	}
	return n
}

// conformEnum reports a word that is none of those allowed, and goes on with
// the one that was probably meant.
func (c *checker) conformEnum(n *node, f *field, path string) *node {
	out, hint := n.spoiled(), ""
	if meant := nearest(n.value, f.enum); meant != "" {
		hint = fmt.Sprintf("did you mean `%s`?", meant)
		out.bad, out.value = false, meant
	}
	c.report(n, fmt.Sprintf("%s can't be %s", brief(path), n.describe()), "allowed: "+strings.Join(f.enum, ", "), hint)
	return out
}

// in returns " in path", or nothing at the top level.
func in(path string) string {
	if path == "" {
		return ""
	}
	return " in " + brief(path)
}

var layer = regexp.MustCompile(`^(?:defaults|projects\.[^.]+(?:\.envs\.[^.]+)?)\.`)

// brief returns path without the layer of settings that it is in, which the
// position tells: "guest.memory" for "projects.shop.envs.dev.guest.memory".
func brief(path string) string {
	short := layer.ReplaceAllString(path, "")
	if short == "envs" || strings.HasPrefix(short, "envs.") {
		return path
	}
	return short
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
