package stack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/org/appstack-action/internal/diag"
)

// Bounds of what is read. A stack of 200 projects with 3 environments each
// has about 150 kB and 20,000 values.
const (
	maxBytes  = 1 << 20
	maxDepth  = 100
	maxValues = 200_000
)

// parse reads the file into a tree, or says why it can't.
func parse(f *file, src []byte) (*node, diag.List) {
	if d := checkBytes(f, src); d != nil {
		return nil, diag.List{*d}
	}
	var doc yaml.Node
	limits := loaderlimits.New(loaderlimits.DepthValue(maxDepth), loaderlimits.AliasNone())
	loader, err := yaml.NewLoader(strings.NewReader(mask(f.src)), yaml.WithPlugin(limits))
	if err == nil {
		err = loader.Load(&doc)
	}
	if err != nil || len(doc.Content) == 0 {
		return nil, diag.List{syntaxError(f, err)}
	}
	var second yaml.Node
	switch err := loader.Load(&second); {
	case err == nil:
		return nil, diag.List{secondDocument(f, &second)}
	case !errors.Is(err, io.EOF):
		return nil, diag.List{syntaxError(f, err)}
	}
	c := converter{file: f, done: map[*yaml.Node]*node{}, anchors: map[string]*yaml.Node{}}
	root := c.convert(doc.Content[0])
	return root, c.list
}

// The characters of Unicode's private use area that stand for the braces of
// `${…}` while YAML is parsed.
const maskOpen, maskClose = "\uf8f0", "\uf8f1"

var unmask = strings.NewReplacer(maskOpen, "{", maskClose, "}")

// mask hides the braces of each `${…}` from YAML, character for character,
// so that `{key: ${secret.x}}` can be written: by YAML's own rules, plain
// text within {} and [] can't contain braces.
func mask(src string) string {
	var b strings.Builder
	for {
		start := strings.Index(src, "${")
		if start < 0 {
			break
		}
		end := start + 2
		for end < len(src) && isNameByte(src[end]) {
			end++
		}
		b.WriteString(src[:start])
		if end < len(src) && src[end] == '}' {
			b.WriteString("$" + maskOpen + src[start+2:end] + maskClose)
			end++
		} else {
			b.WriteString(src[start:end])
		}
		src = src[end:]
	}
	b.WriteString(src)
	return b.String()
}

// isNameByte reports whether c may stand between the braces of a reference.
func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.- ", c) >= 0
}

// tooManyValues is said of a file beyond maxValues.
var tooManyValues = fmt.Sprintf("the file has more than %d values", maxValues)

// countMarks returns an upper bound of the values in src, cheaply: each but
// the first comes with one of these characters.
func countMarks(src []byte) int {
	n := 0
	for _, c := range src {
		switch c {
		case ',', ':', '\n', '-', '[', '{', '?':
			n++
		}
	}
	return n
}

// checkBytes refuses what is no reasonable text before YAML sees it.
func checkBytes(f *file, src []byte) *diag.Diagnostic {
	refuse := func(offset int, summary, hint string) *diag.Diagnostic {
		d := diag.Diagnostic{Pos: diag.Pos{File: f.name}, Summary: summary, Hint: hint}
		if offset >= 0 {
			line := 1 + bytes.Count(src[:offset], []byte("\n"))
			start := bytes.LastIndexByte(src[:offset], '\n') + 1
			d.Pos.Line, d.Pos.Col = line, 1+utf8.RuneCount(src[start:offset])
			d.Source = string([]rune(f.line(line))) // one character for each byte that is none
		}
		return &d
	}
	switch {
	case len(src) > maxBytes:
		return refuse(-1, fmt.Sprintf("the file has %.1f MB, more than the %d MB that a stack may have", float64(len(src))/(1<<20), maxBytes>>20),
			"is this really a stack file?")
	case bytes.HasPrefix(src, []byte("\xff\xfe")), bytes.HasPrefix(src, []byte("\xfe\xff")):
		return refuse(-1, "the file is UTF-16", "save it as UTF-8")
	case bytes.IndexByte(src, 0) >= 0:
		return refuse(bytes.IndexByte(src, 0), "the file contains a NUL byte", "is this a text file?")
	}
	if i := strings.IndexAny(f.src, maskOpen+maskClose); i >= 0 {
		return refuse(i, "the file contains a private-use character", "remove it")
	}
	if i := invalidUTF8(src); i >= 0 {
		return refuse(i, fmt.Sprintf("byte 0x%02x is not UTF-8", src[i]), "save the file as UTF-8")
	}
	if n := countMarks(src); n > maxValues {
		return refuse(-1, tooManyValues, "")
	}
	if i, summary, hint := forbidden(src); i >= 0 {
		return refuse(i, summary, hint)
	}
	return nil
}

// forbidden returns the first character that YAML does not allow (YAML
// 1.2.2, 5.1), or that YAML 1.1 reads as the end of a line and editors don't:
// line numbers would be off from there. It returns -1 if there is none. src is
// valid UTF-8.
func forbidden(src []byte) (offset int, summary, hint string) {
	for i, c := range src {
		switch {
		case c >= 0x20 && c < 0x7f, c == '\n', c == '\t', c == '\r' && i+1 < len(src) && src[i+1] == '\n':
		case c == '\r':
			return i, "a carriage return without a line feed", "save the file with line ends of Unix (LF) or Windows (CRLF)"
		case c < 0x80:
			return i, "the file contains a control character", `remove it, or write it as an escape such as "\x07"`
		case !utf8.RuneStart(c):
		default:
			r, _ := utf8.DecodeRune(src[i:])
			if r < 0xa0 || r == '\u2028' || r == '\u2029' || r == 0xfffe || r == 0xffff {
				return i, fmt.Sprintf("the file contains the invisible character %U", r), "remove it"
			}
		}
	}
	return -1, "", ""
}

func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

func secondDocument(f *file, doc *yaml.Node) diag.Diagnostic {
	return diag.Diagnostic{
		Pos:     diag.Pos{File: f.name, Line: doc.Line, Col: doc.Column, EndCol: doc.Column + 3},
		Summary: "a second YAML document starts here",
		Source:  f.line(doc.Line),
		Hint:    "a stack is one document; remove the `---`",
	}
}

// converter turns the library's nodes into ours: aliases and merge keys
// resolved by sharing, so that an alias bomb stays as small as it is written.
type converter struct {
	file    *file
	list    diag.List
	done    map[*yaml.Node]*node // those with an anchor; nil while in the making
	anchors map[string]*yaml.Node
}

// fail reports the first failure only; the others would follow from it.
func (c *converter) fail(at *yaml.Node, summary, hint string) *node {
	if len(c.list) > 0 {
		return &node{tag: tagNull, line: at.Line, col: at.Column, size: 1}
	}
	c.list.Add(diag.Diagnostic{
		Pos:     c.file.at(at.Line, at.Column, at.Value),
		Summary: summary,
		Hint:    hint,
		Source:  c.file.line(at.Line),
	})
	return &node{tag: tagNull, line: at.Line, col: at.Column, size: 1}
}

func (c *converter) convert(y *yaml.Node) *node {
	if y.Kind == yaml.AliasNode {
		return c.alias(y)
	}
	if y.Anchor != "" {
		c.declare(y)
		c.done[y] = nil
	}
	n := &node{line: y.Line, col: y.Column, size: 1}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = mapping
		c.mapping(n, y)
	case yaml.SequenceNode:
		n.kind = sequence
		n.items = make([]*node, 0, len(y.Content))
		for _, item := range y.Content {
			child := c.convert(item)
			n.items = append(n.items, child)
			n.size += child.size
		}
	default:
		n.tag, n.value = y.Tag, y.Value
		if strings.Contains(n.value, maskOpen) {
			n.value = unmask.Replace(n.value)
		}
	}
	if y.Anchor != "" {
		c.done[y] = n
	}
	if n.size > maxValues && len(c.list) == 0 {
		return c.fail(y, tooManyValues, "each alias counts as all that it stands for")
	}
	return n
}

// declare refuses to define an anchor twice: which one an alias means would
// depend on the order of lines.
func (c *converter) declare(y *yaml.Node) {
	first, ok := c.anchors[y.Anchor]
	if !ok {
		c.anchors[y.Anchor] = y
		return
	}
	if len(c.list) > 0 {
		return
	}
	c.fail(y, fmt.Sprintf("anchor `%s` is defined twice", y.Anchor), "give one of them another name")
	c.list[0].Detail = fmt.Sprintf("first defined at %s:%d:%d", c.file.name, first.Line, first.Column)
}

func (c *converter) alias(y *yaml.Node) *node {
	n, known := c.done[y.Alias]
	if known && n == nil {
		return c.fail(y, fmt.Sprintf("anchor `%s` contains itself", y.Value), "")
	}
	if !known {
		return c.convert(y.Alias)
	}
	return n
}

// mapping converts the pairs of y into n. Keys that a merge key (<<) brings
// count only where n has none of its own.
func (c *converter) mapping(n *node, y *yaml.Node) {
	var merged []*node
	n.pairs = make([]pair, 0, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], c.convert(y.Content[i+1])
		switch {
		case key.Tag == "!!merge":
			merged = append(merged, c.mergeSources(key, value)...)
		case key.Kind != yaml.ScalarNode:
			c.fail(key, "a key must be plain text", "")
		default:
			n.pairs = append(n.pairs, pair{c.convert(key), value})
			n.size += 1 + value.size
		}
	}
	if merged == nil {
		return
	}
	own := map[string]bool{}
	for _, p := range n.pairs {
		own[p.key.value] = true
	}
	for _, m := range merged {
		for _, p := range m.pairs {
			if !own[p.key.value] {
				own[p.key.value] = true
				n.pairs = append(n.pairs, p)
				n.size += 1 + p.value.size
			}
		}
	}
}

// mergeSources returns the mappings that a merge key names.
func (c *converter) mergeSources(key *yaml.Node, value *node) []*node {
	sources := []*node{value}
	if value.kind == sequence {
		sources = value.items
	}
	for _, s := range sources {
		if s.kind != mapping {
			c.fail(key, "a merge key (<<) needs a mapping or a list of mappings", "")
			return nil
		}
	}
	return sources
}
