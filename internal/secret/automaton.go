package secret

// automaton finds every occurrence of a set of patterns in one pass over a text
// (Aho and Corasick, "Efficient string matching", CACM 18(6), 1975). A state
// stands for the longest end of the text so far that some pattern begins with;
// state 0 for the empty one. States are numbered breadth first, so that those in
// which a text spends its time lie together. An automaton does not change once it
// is built.
type automaton struct {
	nodes  []node
	labels []byte // labels[s] is the byte that leads to state s from its parent
	// rows are complete transition tables of the first states. A table for each
	// state would cost 1 KiB for each byte of a pattern.
	rows [][256]int32
}

type node struct {
	first, end int32 // the children are the states [first, end)
	fail       int32 // the state of the longest proper end of this one's text
	match      int32 // length of the longest pattern that ends here, or 0
	hold       int32 // how many last bytes of the text may begin a match that is yet to end
}

// denseDepth is the depth below which states have a complete table.
const denseDepth = 2

// newAutomaton builds the automaton of the patterns; empty ones are left out.
func newAutomaton(patterns []string) *automaton {
	size := 1
	for _, p := range patterns {
		size += len(p)
	}
	t := make(trie, 1, size)
	for _, p := range patterns {
		t.insert(p)
	}
	a := &automaton{nodes: make([]node, 0, len(t)), labels: make([]byte, 0, len(t))}
	a.number(t)
	a.link()
	return a
}

// number takes the trie over, breadth first.
func (a *automaton) number(t trie) {
	a.nodes, a.labels = append(a.nodes, node{}), append(a.labels, 0)
	source := make([]int32, 1, len(t)) // source[s] is state s's place in the trie
	for s := 0; s < len(source); s++ {
		from := &t[source[s]]
		a.nodes[s].match = from.match
		a.nodes[s].first = int32(len(source))
		for c := from.child; c != 0; c = t[c].sibling {
			source = append(source, c)
			a.nodes, a.labels = append(a.nodes, node{}), append(a.labels, t[c].label)
		}
		a.nodes[s].end = int32(len(source))
	}
}

// link computes fail, hold and what is missing of match. A state's fail is nearer
// to the root, so it is complete when it is needed.
func (a *automaton) link() {
	a.rows = append(a.rows, a.row(0))
	levelEnd, depth := int32(1), int32(0) // the current level's first state beyond, and depth
	for s := range int32(len(a.nodes)) {
		if s == levelEnd {
			levelEnd, depth = a.nodes[s-1].end, depth+1
		}
		if s > 0 && depth < denseDepth {
			a.rows = append(a.rows, a.row(s))
		}
		a.linkChildren(s, depth+1)
	}
}

func (a *automaton) linkChildren(parent, depth int32) {
	for c := a.nodes[parent].first; c < a.nodes[parent].end; c++ {
		n := &a.nodes[c]
		if parent != 0 {
			n.fail = a.step(a.nodes[parent].fail, a.labels[c])
		}
		if n.match == 0 {
			n.match = a.nodes[n.fail].match
		}
		n.hold = depth
		if n.first == n.end {
			n.hold = a.nodes[n.fail].hold
		}
	}
}

// row is the complete table of a state: its children, and elsewhere what its fail
// state does.
func (a *automaton) row(state int32) [256]int32 {
	var row [256]int32
	n := &a.nodes[state]
	if state != 0 {
		row = a.rows[n.fail]
	}
	for c := n.first; c < n.end; c++ {
		row[a.labels[c]] = c
	}
	return row
}

// step returns the state after one more byte of the text.
func (a *automaton) step(state int32, b byte) int32 {
	for int(state) >= len(a.rows) {
		n := &a.nodes[state]
		for c := n.first; c < n.end; c++ {
			if a.labels[c] == b {
				return c
			}
		}
		state = n.fail
	}
	return a.rows[state][b]
}

// trie is a set of patterns on its way into an automaton. Its first node is the
// root.
type trie []trieNode

type trieNode struct {
	child, sibling int32 // the first child; the parent's next one; 0 for none
	match          int32 // length of the pattern that ends here, or 0
	label          byte
}

func (t *trie) insert(pattern string) {
	if pattern == "" {
		return
	}
	at := int32(0)
	for i := range len(pattern) {
		at = t.grow(at, pattern[i])
	}
	(*t)[at].match = int32(len(pattern))
}

// grow returns the child of a node for a byte, which it makes where there is none.
func (t *trie) grow(parent int32, label byte) int32 {
	c := (*t)[parent].child
	for c != 0 && (*t)[c].label != label {
		c = (*t)[c].sibling
	}
	if c != 0 {
		return c
	}
	c = int32(len(*t))
	*t = append(*t, trieNode{label: label, sibling: (*t)[parent].child})
	(*t)[parent].child = c
	return c
}
