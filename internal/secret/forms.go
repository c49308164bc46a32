package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// proxmoxToken matches a Proxmox VE API token, user@realm!id=uuid (`pveum user
// token add`), as it stands alone and in the header PVEAPIToken=….
var proxmoxToken = regexp.MustCompile(`@[^\s!@]+![^\s=]+=([0-9A-Fa-f-]{36})$`)

// cores returns what is secret by itself: the whole value, and the secret part of
// a Proxmox token.
func cores(whole string) []string {
	if m := proxmoxToken.FindStringSubmatch(whole); m != nil {
		return []string{whole, m[1]}
	}
	return []string{whole}
}

// lines returns the lines of a value that has several, but for those too short to
// be hidden.
func lines(whole string) []string {
	if !strings.ContainsAny(whole, "\r\n") {
		return nil
	}
	var all []string
	for line := range strings.FieldsFuncSeq(whole, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); !tooShort(line) {
			all = append(all, line)
		}
	}
	return all
}

// quotedForms returns s and the ways in which programs write it so that special
// characters in it survive.
func quotedForms(s string) []string {
	query, plainJSON := url.QueryEscape(s), jsonBody(s, false)
	return []string{
		s,
		query,
		url.PathEscape(s),
		strings.ReplaceAll(query, "+", "%20"), // encodeURIComponent, Python's quote
		percentEscape.ReplaceAllStringFunc(query, strings.ToLower),
		plainJSON,
		jsonBody(s, true),
		strings.ReplaceAll(plainJSON, "/", `\/`), // PHP
		asciiJSON(plainJSON),
		inner(strconv.Quote(s)),
		html.EscapeString(s),
		xmlEscape.Replace(s),
		strings.ReplaceAll(s, `'`, `''`), // SQL, YAML
		strings.ReplaceAll(s, `'`, `'\''`),
		strings.ReplaceAll(s, `'`, `'"'"'`),
		shellDouble.Replace(s),
		shellBackslash.ReplaceAllString(s, `\$0`), // printf %q
	}
}

var (
	percentEscape  = regexp.MustCompile(`%[0-9A-F]{2}`)
	xmlEscape      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")
	shellDouble    = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")
	shellBackslash = regexp.MustCompile("[^\\pL\\pN\n%+,\\-./:=@_]")
)

// jsonBody is s as the inside of a JSON string, with <, > and & escaped or not,
// because encoders differ in that.
func jsonBody(s string, escapeHTML bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	if err := enc.Encode(s); err != nil {
		return s // not reached: every string can be encoded
	}
	return inner(strings.TrimSuffix(b.String(), "\n"))
}

// asciiJSON is the inside of a JSON string as encoders write it that keep to
// ASCII, such as Python's.
func asciiJSON(body string) string {
	var b strings.Builder
	for _, r := range body {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// inner is a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// encodedForms returns s in base64, and in hexadecimal unless it is long: that is
// how keys and passwords are written, and certificates are not.
func encodedForms(s string) []string {
	const long = 256
	text := []byte(s)
	forms := []string{
		base64.StdEncoding.EncodeToString(text),
		base64.RawStdEncoding.EncodeToString(text),
		base64.URLEncoding.EncodeToString(text),
		base64.RawURLEncoding.EncodeToString(text),
	}
	if digits := hex.EncodeToString(text); len(text) <= long {
		forms = append(forms, digits, strings.ToUpper(digits))
	}
	return append(forms, wrappedBase64(text)...)
}

// wrappedBase64 returns the lines of the base64 of a text too long for one line,
// as coreutils and MIME (76 characters) and PEM (64) wrap it. A short last line is
// left out: it says little, and is found in other texts too.
func wrappedBase64(text []byte) []string {
	const shortest = 8
	var forms []string
	for _, width := range []int{76, 64} {
		rest := base64.StdEncoding.EncodeToString(text)
		for len(rest) > width {
			forms = append(forms, rest[:width])
			rest = rest[width:]
		}
		if len(rest) >= shortest {
			forms = append(forms, rest)
		}
	}
	return forms
}

// insideBase64 returns what the base64 of any text that contains s must contain.
// Six bits make one character, so there are three cases, by the place of s in the
// text modulo 3; a character at either end that s determines only in part is left
// out.
func insideBase64(s string) []string {
	var forms []string
	for shift := range 3 {
		padded := append(make([]byte, shift, shift+len(s)), s...)
		from := (shift*8 + 5) / 6
		to := len(padded) * 8 / 6
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, enc.EncodeToString(padded)[from:to])
		}
	}
	return forms
}
