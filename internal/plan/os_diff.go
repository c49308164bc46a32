package plan

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/templates"
)

// fileDiff returns the unified diff of a file's content without its secrets, or ""
// where the old content is not known or one of them is not text.
func fileDiff(path string, have, want machine.File) string {
	before, after := have.Content.Reveal(), want.Content.Reveal()
	unknown := before == "" && have.SHA256 != Hash(have.Content)
	if unknown || strings.ContainsRune(before+after, 0) {
		return ""
	}
	m := masker{sha256.Sum256([]byte(path + "\x00" + after))}
	d := diff.Diff(path, m.mask(before, want.Sensitive), path, m.mask(after, want.Sensitive))
	_, d, _ = bytes.Cut(d, []byte("\n")) // "diff a b"
	return string(d)
}

// masker replaces secrets by a short hash, which shows that one changed and nothing
// else. Its key is made of the whole new content, so that a reader who does not have
// that already cannot try values out.
type masker struct{ key [sha256.Size]byte }

// mask returns a content's text without its secrets.
func (m masker) mask(content string, sensitive bool) []byte {
	open, secrets, marked := cutMarker(content)
	switch {
	case content == "":
		return nil
	case marked:
		var b strings.Builder
		b.WriteString(open)
		for _, entry := range entries(secrets) {
			b.WriteString(m.entry(entry) + "\n")
		}
		return []byte(b.String())
	case sensitive:
		return []byte(m.hide(content) + "\n")
	}
	return []byte(content)
}

// cutMarker splits a content after its line [templates.EnvMarker].
func cutMarker(content string) (open, secrets string, ok bool) {
	at := 0
	for line := range strings.Lines(content) {
		at += len(line)
		if strings.TrimRight(line, "\r\n \t") == templates.EnvMarker {
			return strings.TrimRight(content[:at], "\n") + "\n", content[at:], true
		}
	}
	return "", "", false
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// entry hides the value of an assignment, and all of anything else.
func (m masker) entry(text string) string {
	switch name := assignment.FindString(text); {
	case strings.TrimSpace(text) == "":
		return ""
	case name != "":
		return name + m.hide(text)
	default:
		return m.hide(text)
	}
}

func (m masker) hide(text string) string {
	mac := hmac.New(sha256.New, m.key[:])
	mac.Write([]byte(text))
	return "(sensitive " + hex.EncodeToString(mac.Sum(nil)[:2]) + ")"
}

// entries splits an env file's text into its entries: a quoted value goes on over ends
// of lines, so that no part of it is taken for a name. Quotes in a comment are none.
func entries(text string) []string {
	var all []string
	var quote byte
	start := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '#' && i == start:
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '\n':
			all = append(all, text[start:i])
			start = i + 1
		}
	}
	if start < len(text) {
		all = append(all, text[start:])
	}
	return all
}

// Hash returns a content's SHA-256 in hex, as sha256sum prints it.
func Hash(content secret.Value) string { return hashText(content.Reveal()) }

func hashText(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
