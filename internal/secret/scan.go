package secret

// span is the half-open range of bytes [from, to).
type span struct{ from, to int }

// scanner carries a text through an automaton and remembers which of the bytes
// that are not given out yet belong to a match.
//
// A byte is hidden exactly if some occurrence of some pattern covers it, and each
// longest run of hidden bytes becomes one [Mask]. So the outcome is a property of
// the text, and not of the pieces in which it comes.
type scanner struct {
	automaton *automaton
	state     int32
	pending   []byte // the bytes that are not given out yet
	hidden    []span // sorted, disjoint, not touching, within pending
	inRun     bool   // the last byte given out was a hidden one
}

// feed takes the next piece of the text.
func (s *scanner) feed(p []byte) {
	base := len(s.pending)
	s.pending = append(s.pending, p...)
	s.scan(base)
}

// scan runs the pending bytes from index base on through the automaton.
func (s *scanner) scan(base int) {
	a, state := s.automaton, s.state
	for i := base; i < len(s.pending); i++ {
		state = a.step(state, s.pending[i])
		if state == 0 {
			continue
		}
		if n := a.nodes[state].match; n > 0 {
			s.hide(span{max(0, i+1-int(n)), i + 1})
		}
	}
	s.state = state
}

// hide joins m, which ends at or after every other span's end, to the spans.
func (s *scanner) hide(m span) {
	for len(s.hidden) > 0 {
		last := s.hidden[len(s.hidden)-1]
		if last.to < m.from {
			break
		}
		m.from = min(m.from, last.from)
		s.hidden = s.hidden[:len(s.hidden)-1]
	}
	s.hidden = append(s.hidden, m)
}

// switchTo goes on with another automaton. Pending bytes are looked at again
// with it; those given out are gone.
func (s *scanner) switchTo(a *automaton) {
	old := s.hidden
	s.automaton, s.state, s.hidden = a, 0, nil
	s.scan(0)
	found := s.hidden
	s.hidden = nil
	for len(old) > 0 || len(found) > 0 {
		from := &found
		if len(found) == 0 || len(old) > 0 && old[0].to < found[0].to {
			from = &old
		}
		s.hide((*from)[0])
		*from = (*from)[1:]
	}
}

// settled counts the pending bytes whose fate no further text can change: those
// before the first byte that may begin a match, and hidden ones right after them.
func (s *scanner) settled() int {
	n := max(0, len(s.pending)-int(s.automaton.nodes[s.state].hold))
	for _, h := range s.hidden {
		if h.from <= n && n < h.to {
			return h.to
		}
	}
	return n
}

// take appends the first n pending bytes to out, masked, and drops them.
func (s *scanner) take(out []byte, n int) []byte {
	at, kept := 0, s.hidden[:0]
	for _, h := range s.hidden {
		if h.from >= n {
			kept = append(kept, span{h.from - n, h.to - n})
			continue
		}
		if h.from > at {
			out = append(out, s.pending[at:h.from]...)
			s.inRun = false
		}
		if !s.inRun {
			out = append(out, Mask...)
			s.inRun = true
		}
		at = min(h.to, n)
		if h.to > n {
			kept = append(kept, span{0, h.to - n})
		}
	}
	if at < n {
		out = append(out, s.pending[at:n]...)
		s.inRun = false
	}
	s.pending = s.pending[:copy(s.pending, s.pending[n:])]
	s.hidden = kept
	return out
}
