package secret

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// MinLength is the least number of characters of a value that can be hidden. A
// shorter one occurs in so much ordinary text that hiding it would tell what it
// is and spoil the text.
const MinLength = 4

// ErrTooShort is the error of [Redactor.Add] for a value of under [MinLength]
// characters, white space at its ends not counted.
var ErrTooShort = errors.New("cannot hide a value of under 4 characters: every text would be full of ***; make the secret longer")

// MaxLength is the most bytes of a value that can be hidden. What a Redactor keeps in
// memory is some 500 times as long as its values.
const MaxLength = 64 << 10

// ErrTooLong is the error of [Redactor.Add] for a value of over [MaxLength] bytes.
var ErrTooLong = errors.New("cannot hide a value of over 64 KiB; a file of that size is better encrypted by itself")

// Redactor hides a set of values, and what they look like when they are encoded,
// in any text. The zero Redactor hides nothing. It may be used by several
// goroutines, and values may join while it is in use.
type Redactor struct {
	mu       sync.Mutex
	patterns map[string]struct{}
	masks    map[string]struct{}
	built    *automaton // nil when patterns have joined since
}

// Add makes v known. Hidden from then on are the value, each of its lines that
// has [MinLength] characters, the secret part of a Proxmox API token, and for each
// of these its base64 (also inside a longer base64 text), hexadecimal, URL-, JSON-,
// HTML- and shell-quoted forms. The error is [ErrTooShort] or [ErrTooLong].
func (r *Redactor) Add(v Value) error {
	whole := strings.TrimRight(v.Reveal(), "\r\n")
	if tooShort(whole) {
		return ErrTooShort
	}
	if len(whole) > MaxLength {
		return ErrTooLong
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.patterns == nil {
		r.patterns = make(map[string]struct{})
		r.masks = make(map[string]struct{})
	}
	for _, core := range cores(whole) {
		r.hide(core)
		for _, form := range slices.Concat(quotedForms(core), encodedForms(core)) {
			if !tooShort(form) {
				r.masks[form] = struct{}{}
			}
		}
	}
	for _, line := range lines(whole) {
		r.hide(line)
		r.masks[line] = struct{}{}
	}
	return nil
}

func (r *Redactor) hide(text string) {
	for _, form := range slices.Concat(quotedForms(text), encodedForms(text), insideBase64(text)) {
		if _, known := r.patterns[form]; !known && !tooShort(form) {
			r.patterns[form] = struct{}{}
			r.built = nil
		}
	}
}

// Masks returns what GitHub's runner is to hide with ::add-mask::, sorted: the
// values with their encoded forms, and their lines. Encoded lines and pieces of
// longer base64 are left out: the runner derives such forms of every mask itself.
func (r *Redactor) Masks() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.masks))
}

// String returns s with every known value hidden.
func (r *Redactor) String(s string) string {
	scan := scanner{automaton: r.compiled()}
	if len(scan.automaton.nodes) == 1 {
		return s
	}
	scan.feed([]byte(s))
	if len(scan.hidden) == 0 {
		return s
	}
	return string(scan.take(nil, len(s)))
}

// Contains says whether s holds a known value in any of its forms.
func (r *Redactor) Contains(s string) bool {
	scan := scanner{automaton: r.compiled()}
	scan.feed([]byte(s))
	return len(scan.hidden) > 0
}

// Writer returns a writer that hides every known value in what it passes to w.
// [Writer.Close] passes on what is held back at the end.
func (r *Redactor) Writer(w io.Writer) *Writer {
	return &Writer{of: r, to: w, scan: scanner{automaton: r.compiled()}}
}

// compiled returns the automaton of all patterns known now. It is built when it
// is first needed, so that many values can join at the cost of one.
func (r *Redactor) compiled() *automaton {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.built == nil {
		r.built = newAutomaton(slices.Sorted(maps.Keys(r.patterns)))
	}
	return r.built
}

func tooShort(s string) bool {
	return utf8.RuneCountInString(strings.TrimSpace(s)) < MinLength
}
