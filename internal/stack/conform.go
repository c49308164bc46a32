package stack

import (
	"fmt"
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
		Summary:  summary,
		Detail:   detail,
		Hint:     hint,
		Source:   f.line(pos.Line),
	}
}

// conform returns the tree at path that layout l allows, nil where nothing
// of n fits.
func (c *checker) conform(n *node, f *field, path string) *node {
	switch {
	case n.isNull():
		return n
	case n.kind == scalar && !strings.HasPrefix(n.tag, "!!"):
		c.report(n, fmt.Sprintf("the YAML tag %s means nothing here", n.tag), "", tagHint(n.tag))
		return nil
	case n.kind == scalar && f.short != "":
		inner := f.field(f.short)
		if value := c.conform(n, inner, path); value != nil {
			return &node{kind: mapping, line: n.line, col: n.col, pairs: []pair{{text(f.short), value}}}
		}
		return nil
	case n.kind == scalar && f.one:
		f = &field{key: f.key, layout: f.elem, anyScalar: f.anyScalar}
		if value := c.conform(n, f, path); value != nil {
			return &node{kind: sequence, line: n.line, col: n.col, items: []*node{value}}
		}
		return nil
	case n.kind != f.kind:
		c.mismatch(n, f, path)
		return nil
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
			c.report(item, "an empty item in "+path, "", "remove the `-`, or write the item behind it")
			continue
		}
		if value := c.conform(item, elem, at); value != nil {
			out.items = append(out.items, value)
		}
	}
	return &out
}

func (c *checker) conformMapping(n *node, f *field, path string) *node {
	out := *n
	out.pairs = make([]pair, 0, len(n.pairs))
	seen := make(map[string]*node, len(n.pairs))
	for _, p := range n.pairs {
		key := p.key.value
		if first := seen[key]; first != nil {
			c.report(p.key, fmt.Sprintf("duplicate key `%s`%s", key, in(path)), "first defined at "+c.file.pos(first).String(), "")
			continue
		}
		seen[key] = p.key
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

// mismatch reports that n is no f.kind, in YAML's words.
func (c *checker) mismatch(n *node, f *field, path string) {
	c.report(n, fmt.Sprintf("%s must be %s, not %s", path, f.wants(), n.describe()), "", f.mismatchHint(n))
}

func (c *checker) conformScalar(n *node, f *field, path string) *node {
	if !f.accepts(n) {
		c.mismatch(n, f, path)
		return nil
	}
	if len(f.enum) > 0 && !contains(f.enum, n.value) && !strings.Contains(n.value, "${") {
		hint := ""
		if meant := nearest(n.value, f.enum); meant != "" {
			hint = fmt.Sprintf("did you mean `%s`?", meant)
		}
		c.report(n, fmt.Sprintf("%s can't be %s", path, n.describe()), "allowed: "+strings.Join(f.enum, ", "), hint)
		return nil
	}
	if number, err := strconv.ParseFloat(n.value, 64); err == nil && isNumber(n) && !f.contains(number) {
		c.report(n, fmt.Sprintf("%s must be %s, not %s", path, f.limits, n.value), "", f.rangeHint(number))
		return nil
	}
	return n
}

// in returns " in path", or nothing at the top level.
func in(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
