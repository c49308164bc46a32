package stack

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/org/appstack-action/internal/diag"
)

// kind is what a node is in YAML's words.
type kind uint8

const (
	scalar kind = iota
	mapping
	sequence
)

// The tags that YAML resolves plain scalars to.
const (
	tagString = "!!str"
	tagInt    = "!!int"
	tagFloat  = "!!float"
	tagBool   = "!!bool"
	tagNull   = "!!null"
	tagTime   = "!!timestamp"
)

// node is a value of the file with its place. Once built it is never changed
// but by its maker: the trees of all environments share their nodes.
type node struct {
	kind kind
	// tag is one of the tags above for scalars, else empty.
	tag   string
	value string
	pairs []pair
	items []*node
	// line and col count from 1, col in characters; line 0: a built-in default.
	line, col int
	// size is the number of values in n, n and keys included and aliases
	// expanded, as the file has them.
	size int
	// maker is who may still change the node.
	maker *filler
	// bad says that the value does not fit and that this has been reported.
	bad bool
	// derived says that a preset took the value from another key, where it has
	// been checked.
	derived bool
	// secret names the first secret whose value has come in, so that no message
	// may repeat it; empty: none.
	secret string
}

// pair is one key of a mapping.
type pair struct{ key, value *node }

// text returns a string node without a place, for built-in defaults.
func text(s string) *node { return &node{tag: tagString, value: s} }

// isNull reports whether n takes an inherited value away.
func (n *node) isNull() bool { return n.kind == scalar && n.tag == tagNull }

// find returns the pair of n with the given key, nil if there is none or n
// is no mapping. n may be nil.
func (n *node) find(key string) *pair {
	if n == nil {
		return nil
	}
	for i := range n.pairs {
		if n.pairs[i].key.value == key {
			return &n.pairs[i]
		}
	}
	return nil
}

// get follows keys and indexes from n and returns what it finds, or nil.
func (n *node) get(keys ...string) *node {
	for _, key := range keys {
		n = n.member(key)
	}
	return n
}

// member returns the value under key, or the item of that index.
func (n *node) member(key string) *node {
	if n == nil || n.kind == scalar {
		return nil
	}
	if n.kind == sequence {
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(n.items) {
			return nil
		}
		return n.items[i]
	}
	if p := n.find(key); p != nil {
		return p.value
	}
	return nil
}

// with returns a copy of n in which key has the given value; nil removes the
// key. A new key joins at the end.
func (n *node) with(key string, value *node) *node {
	out := *n
	out.pairs = make([]pair, 0, len(n.pairs)+1)
	found := false
	for _, p := range n.pairs {
		if p.key.value == key {
			found = true
			p.value = value
		}
		if p.value != nil {
			out.pairs = append(out.pairs, p)
		}
	}
	if !found && value != nil {
		out.pairs = append(out.pairs, pair{text(key), value})
	}
	return &out
}

// file is the source of a stack.
type file struct {
	name string
	src  string
	// starts holds the offset of each line.
	starts []int
	// lateEnums says that a key which allows a few words only is a `${…}`.
	lateEnums bool
}

func newFile(name string, src []byte) *file {
	f := &file{name: name, src: strings.TrimPrefix(string(src), "\ufeff")}
	f.starts = []int{0}
	for i := range len(f.src) {
		if f.src[i] == '\n' {
			f.starts = append(f.starts, i+1)
		}
	}
	return f
}

// line returns the text of a line that counts from 1, without its end.
func (f *file) line(n int) string {
	if n < 1 || n > len(f.starts) {
		return ""
	}
	end := len(f.src)
	if n < len(f.starts) {
		end = f.starts[n] - 1
	}
	return strings.TrimSuffix(f.src[f.starts[n-1]:end], "\r")
}

// pos returns the place of n and where it ends on its line.
func (f *file) pos(n *node) diag.Pos {
	if n == nil || n.line == 0 {
		return diag.Pos{File: f.name}
	}
	return f.at(n.line, n.col, n.value)
}

// at returns the place of the token at line and col, whose value is known.
func (f *file) at(line, col int, value string) diag.Pos {
	pos := diag.Pos{File: f.name, Line: line, Col: col}
	rest := f.line(line)
	for range col - 1 {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
	}
	pos.EndCol = col + tokenWidth(rest, value)
	return pos
}

// tokenWidth returns how many characters the YAML token at the start of rest
// has on this line.
func tokenWidth(rest, value string) int {
	if rest == "" {
		return 1
	}
	switch c := rest[0]; c {
	case '&', '!':
		token, after, found := strings.Cut(rest, " ")
		if !found || after == "" {
			return utf8.RuneCountInString(token)
		}
		return utf8.RuneCountInString(token) + 1 + tokenWidth(after, value)
	case '"', '\'':
		return quotedWidth(rest, c)
	case '*':
		end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",]}", r) })
		if end > 0 {
			rest = rest[:end]
		}
		return utf8.RuneCountInString(rest)
	case '{', '[', '|', '>', '-':
		if value == "" || !strings.HasPrefix(rest, value) {
			return 1
		}
	}
	if value != "" && strings.HasPrefix(rest, value) {
		return utf8.RuneCountInString(value)
	}
	// A plain text over several lines, or a mapping, which starts at its
	// first key.
	if end := strings.Index(rest, ":"); value == "" && end > 0 {
		rest = rest[:end]
	}
	rest, _, _ = strings.Cut(rest, " #")
	return max(1, utf8.RuneCountInString(strings.TrimRight(rest, " ")))
}

// quotedWidth returns the characters of a quoted token up to its closing
// quote, or to the end of the line.
func quotedWidth(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		switch {
		case quote == '"' && s[i] == '\\':
			i++
		case s[i] != quote:
		case quote == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		default:
			return utf8.RuneCountInString(s[:i+1])
		}
	}
	return utf8.RuneCountInString(s)
}
