package vault

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
)

// Header is what an age file tells without being decrypted.
type Header struct {
	stanzas []stanza
}

type stanza struct{ kind, tag string }

// parseHeader reads the header of a binary age file.
func parseHeader(file []byte) (Header, error) {
	raw, err := age.ExtractHeader(bytes.NewReader(file))
	if err != nil {
		return Header{}, err
	}
	var h Header
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "->" {
			continue
		}
		s := stanza{kind: fields[1]}
		if (s.kind == stanzaEd25519 || s.kind == stanzaRSA) && len(fields) > 2 {
			s.tag = fields[2]
		}
		// Writers add meaningless stanzas, so that readers stay able to skip them.
		if !strings.HasSuffix(s.kind, "-grease") {
			h.stanzas = append(h.stanzas, s)
		}
	}
	return h, nil
}

// anonymous names the stanza types that do not say whose they are.
var anonymous = map[string]string{
	stanzaX25519: "X25519",
	stanzaHybrid: "post-quantum",
}

// Readers describes for whom the file is. SSH keys are named by the candidates
// that they match; of native keys age tells no more than how many there are.
func (h Header) Readers(candidates []Recipient) []string {
	var readers []string
	for _, kind := range []string{stanzaX25519, stanzaHybrid} {
		if n := h.count(kind); n > 0 {
			readers = append(readers, fmt.Sprintf("%d %s %s", n, anonymous[kind], plural(n, "recipient")))
		}
	}
	for _, s := range h.stanzas {
		if _, counted := anonymous[s.kind]; !counted {
			readers = append(readers, s.describe(candidates))
		}
	}
	return readers
}

func (h Header) count(kind string) int {
	n := 0
	for _, s := range h.stanzas {
		if s.kind == kind {
			n++
		}
	}
	return n
}

func (s stanza) describe(candidates []Recipient) string {
	switch {
	case s.kind == stanzaScrypt:
		return "a passphrase"
	case s.tag == "":
		return fmt.Sprintf("a recipient of type %q", s.kind)
	}
	for _, c := range candidates {
		if c.stanza == s.kind && c.tag == s.tag {
			return c.String()
		}
	}
	return shortSSH(s.kind, s.tag)
}

// agrees says whether the file may be encrypted to exactly these recipients, as
// far as a header can tell.
func (h Header) agrees(recipients []Recipient) bool {
	var want []stanza
	for _, r := range recipients {
		want = append(want, stanza{r.stanza, r.tag})
	}
	have := slices.Clone(h.stanzas)
	order := func(a, b stanza) int { return strings.Compare(a.kind+" "+a.tag, b.kind+" "+b.tag) }
	slices.SortFunc(want, order)
	slices.SortFunc(have, order)
	return slices.Equal(want, have)
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
