package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/appstack-action/internal/secret"
)

// knowing returns a redactor that knows the values.
func knowing(t testing.TB, values ...string) *secret.Redactor {
	t.Helper()
	var r secret.Redactor
	for _, v := range values {
		if err := r.Add(secret.New(v)); err != nil {
			t.Fatalf("Add(%q): %v", v, err)
		}
	}
	return &r
}

func TestRedactorString(t *testing.T) {
	const uuid = "0f8c9a52-3d61-4c0e-9d0b-5c5f2c1a7e11"
	tests := []struct {
		name, values, in, want string // values are separated by |
	}{
		{"nothing known", "", "s3cret", "s3cret"},
		{"nothing to hide", "s3cret", "all is well", "all is well"},
		{"empty", "s3cret", "", ""},
		{"alone", "s3cret", "s3cret", "***"},
		{"in a text", "s3cret", "a s3cret b s3cret.", "a *** b ***."},
		{"twice in a row", "s3cret", "s3crets3cret", "***"},
		{"one inside another", "cret|s3cret!", "s3cret! s3cret", "*** s3***"},
		{"one begins another", "s3cret|s3cretlonger", "s3cretlonge s3cretlonger", "***longe ***"},
		{"overlapping", "abcd|cdef", "abcdef abcde", "*** ***e"},
		{"overlap with itself", "abab", "ababab", "***"},
		{"a failed beginning", "aaab", "aaaab aaac", "a*** aaac"},
		{"a line of it", "first line\nab\nthird line\n", "third line, ab, first line", "***, ab, ***"},
		{"the whole with a short line", "first line\nab\nthird line", "<first line\nab\nthird line>", "<***>"},
		{"CRLF lines", "first line\r\nthird line\r\n", "third line\nfirst line\n", "***\n***\n"},
		{"final newline is not part of it", "s3cret\n", "s3cret\nnext", "***\nnext"},
		{"token whole", "root@pam!ci=" + uuid, "PVEAPIToken=root@pam!ci=" + uuid + ".", "PVEAPIToken=***."},
		{"token part", "root@pam!ci=" + uuid, "root@pam!other=" + uuid, "root@pam!other=***"},
		{"unicode", "pässwörd", "x pässwörd y", "x *** y"},
		{"binary", "\xff\xfe\xfd\xfc", "x\xff\xfe\xfd\xfcy", "x***y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var values []string
			if tt.values != "" {
				values = strings.Split(tt.values, "|")
			}
			r := knowing(t, values...)
			if got := r.String(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := r.Contains(tt.in); got != (tt.in != tt.want) {
				t.Errorf("Contains = %v", got)
			}
		})
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestRedactorHidesForms(t *testing.T) {
	for _, value := range []string{`p<a>s&s "w'or\d$ 100%/+?`, "plain-value", "s3cr", "grüße😀", "tab\tand\nline two"} {
		r := knowing(t, value)
		b := []byte(value)
		forms := map[string]string{
			"raw":                value,
			"base64":             base64.StdEncoding.EncodeToString(b),
			"base64 raw":         base64.RawStdEncoding.EncodeToString(b),
			"base64 url":         base64.URLEncoding.EncodeToString(b),
			"base64 raw url":     base64.RawURLEncoding.EncodeToString(b),
			"hex":                fmt.Sprintf("%x", value),
			"HEX":                fmt.Sprintf("%X", value),
			"query":              url.QueryEscape(value),
			"path":               url.PathEscape(value),
			"encodeURIComponent": strings.ReplaceAll(url.QueryEscape(value), "+", "%20"),
			"json":               strings.Trim(mustJSON(map[string]string{"": value})[3:], `{}`)[1:],
			"go":                 fmt.Sprintf("%q", value),
			"html":               html.EscapeString(value),
			"xml":                strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(value),
			"sql":                strings.ReplaceAll(value, "'", "''"),
			"shell":              strings.ReplaceAll(value, `'`, `'\''`),
		}
		forms["json"] = strings.Trim(forms["json"], `"`)
		forms["go"] = forms["go"][1 : len(forms["go"])-1]
		for name, form := range forms {
			if got := r.String("<" + form + ">"); got != "<***>" {
				t.Errorf("%s of %q: %q became %q", name, value, form, got)
			}
		}
	}
	odd := knowing(t, `a/b<c"d ü`)
	for _, form := range []string{`a\/b<c\"d ü`, "a%2fb%3cc%22d+%c3%bc", `a/b\<c\"d\ ü`, `a/b<c\"d \u00fc`} {
		if got := odd.String(form); got != "***" {
			t.Errorf("%s became %q", form, got)
		}
	}
	if got := knowing(t, "grüße😀").String(`gr\u00fc\u00dfe\ud83d\ude00`); got != "***" {
		t.Errorf("ASCII JSON became %q", got)
	}
}

// A value must not be readable from the base64 of a text around it.
func TestRedactorHidesInsideBase64(t *testing.T) {
	const value = "correct horse"
	r := knowing(t, value)
	for before := range 7 {
		for after := range 4 {
			text := strings.Repeat("x", before) + value + strings.Repeat("y", after)
			for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
				got := r.String(enc.EncodeToString([]byte(text)))
				if i := strings.Index(got, "***"); i < 0 || len(got)-3 > (before*8+5)/6+1+after*2+4 {
					t.Errorf("%q became %q", text, got)
				}
			}
		}
	}
}

func TestRedactorHidesWrappedBase64(t *testing.T) {
	value := strings.TrimSpace(strings.Repeat("0123456789abcdefghij", 9))
	encoded := base64.StdEncoding.EncodeToString([]byte(value))
	r := knowing(t, value)
	for _, width := range []int{64, 76} {
		var wrapped, want []string
		for line := range slices.Chunk([]byte(encoded), width) {
			wrapped, want = append(wrapped, string(line)), append(want, "***")
		}
		if got := r.String(strings.Join(wrapped, "\n")); got != strings.Join(want, "\n") {
			t.Errorf("at %d: %s", width, got)
		}
	}
}

func TestAddRefusesShortValues(t *testing.T) {
	for _, v := range []string{"", "a", "abc", "abc\n", "  a  ", "        ", "日本語"} {
		var r secret.Redactor
		if err := r.Add(secret.New(v)); !errors.Is(err, secret.ErrTooShort) {
			t.Errorf("Add(%q) = %v, want ErrTooShort", v, err)
		}
		if m := r.Masks(); len(m) != 0 {
			t.Errorf("masks after a refused value: %q", m)
		}
	}
}

func TestAddLongValues(t *testing.T) {
	longest := strings.Repeat("0123456789abcde\n", secret.MaxLength/16)
	r := knowing(t, longest+"\n")
	if got := r.String("<" + strings.TrimSpace(longest) + ">"); got != "<***>" {
		t.Errorf("got %d bytes", len(got))
	}
	if err := r.Add(secret.New(longest + "xx")); !errors.Is(err, secret.ErrTooLong) {
		t.Errorf("Add = %v, want ErrTooLong", err)
	}
}

func TestMasks(t *testing.T) {
	masks := knowing(t, "line one\nx\nline two", "u@pve!id=0f8c9a52-3d61-4c0e-9d0b-5c5f2c1a7e11").Masks()
	for _, want := range []string{"line one", "line two", "line one\nx\nline two", "0f8c9a52-3d61-4c0e-9d0b-5c5f2c1a7e11", `line one\nx\nline two`} {
		if !slices.Contains(masks, want) {
			t.Errorf("no mask %q", want)
		}
	}
	for _, m := range masks {
		if len(m) < secret.MinLength {
			t.Errorf("mask %q is too short", m)
		}
	}
}

// through writes the pieces through a Writer and returns what comes out.
func through(t testing.TB, r *secret.Redactor, pieces ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := r.Writer(&out)
	for _, p := range pieces {
		if n, err := w.Write([]byte(p)); err != nil || n != len(p) {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// cut cuts s at random places.
func cut(rng *rand.Rand, s string) []string {
	var pieces []string
	for s != "" {
		n := 1 + rng.IntN(min(len(s), 1+rng.IntN(20)))
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return pieces
}

// naive hides every byte that an occurrence of a pattern covers, the slow and
// obvious way.
func naive(text string, patterns []string) string {
	hidden := make([]bool, len(text))
	for _, p := range patterns {
		for i := 0; p != "" && i+len(p) <= len(text); i++ {
			if text[i:i+len(p)] == p {
				for j := range p {
					hidden[i+j] = true
				}
			}
		}
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString("***")
		}
	}
	return b.String()
}

// TestWriterProperty holds the automaton to the naive way, and the Writer to
// String, over texts of a small alphabet, in which values overlap all the time.
func TestWriterProperty(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(max int) string {
		b := make([]byte, 4+rng.IntN(max))
		for i := range b {
			b[i] = "ab\nc"[rng.IntN(4)]
		}
		return string(b)
	}
	for range 3000 {
		var r secret.Redactor
		var known []string
		for range 1 + rng.IntN(5) {
			v := word(6)
			if r.Add(secret.New(v)) == nil {
				known = append(known, v)
			}
		}
		text := word(200)
		want := r.String(text)
		if got := through(t, &r, cut(rng, text)...); got != want {
			t.Fatalf("known %q, text %q:\nin pieces %q\nin one    %q", known, text, got, want)
		}
		// Encoded forms of such words hold other letters, lines are covered by
		// Masks: so Masks is every pattern that can occur in the text.
		if slow := naive(text, r.Masks()); slow != want {
			t.Fatalf("known %q, text %q:\nnaive  %q\nString %q", known, text, slow, want)
		}
	}
}

func TestWriterHoldsNoMoreThanABeginning(t *testing.T) {
	r := knowing(t, "s3cret", "multi line\nsecond line")
	tests := []struct{ in, out string }{
		{"a line\n", "a line\n"},
		{"a line s3c", "a line "},
		{"a line s3cret", "a line ***"},
		{"ends s3cre\n", "ends s3cre\n"},
		{"multi line", "***"},
		{"multi line\n", "***"},
		{"multi line\nother", "***\nother"},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		if _, err := r.Writer(&out).Write([]byte(tt.in)); err != nil {
			t.Fatal(err)
		}
		if out.String() != tt.out {
			t.Errorf("%q: %q went out, want %q", tt.in, out.String(), tt.out)
		}
	}
}

func TestWriterFlush(t *testing.T) {
	var out bytes.Buffer
	w := knowing(t, "s3cret value").Writer(&out)
	write := func(s string) {
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	write("password: s3")
	if err := w.Flush(); err != nil || out.String() != "password: s3" {
		t.Fatalf("Flush = %v, %q went out", err, out.String())
	}
	write("cret value, then")
	if out.String() != "password: s3***, then" {
		t.Errorf("after Flush: %q", out.String())
	}
}

func TestWriterLearns(t *testing.T) {
	r := knowing(t, "first value")
	var out bytes.Buffer
	w := r.Writer(&out)
	for _, step := range []struct{ learn, write string }{
		{"", "second value, fir"}, {"first thing", "st thing, second value, first val"}, {"second value", "ue, second value"},
	} {
		if step.learn != "" {
			if err := r.Add(secret.New(step.learn)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Write([]byte(step.write)); err != nil {
			t.Fatal(err)
		}
	}
	if want := "second value, ***, second value, ***, ***"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

func TestWriterReportsErrors(t *testing.T) {
	broken := brokenWriter{errors.New("disk full")}
	w := knowing(t, "s3cret").Writer(broken)
	for range 2 {
		if n, err := w.Write([]byte("text")); n != 0 || !errors.Is(err, broken.err) {
			t.Errorf("Write = %d, %v", n, err)
		}
	}
	if err := w.Close(); !errors.Is(err, broken.err) {
		t.Errorf("Close = %v", err)
	}
}

func TestRedactorConcurrently(t *testing.T) {
	r := knowing(t, "s3cret")
	var out bytes.Buffer
	w := r.Writer(&out)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 50 {
				if err := r.Add(secret.New(fmt.Sprintf("value-%d-%d", i, j))); err != nil {
					t.Error(err)
				}
				if _, err := w.Write([]byte("a s3cret line\n")); err != nil {
					t.Error(err)
				}
				if got := r.String("s3cret"); got != "***" {
					t.Error(got)
				}
			}
		})
	}
	group.Wait()
	if got, want := out.String(), strings.Repeat("a *** line\n", 400); got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}

func FuzzRedactor(f *testing.F) {
	f.Add("s3cret", "another", "a s3cret and another", uint64(1))
	f.Add("two\nlines", "lines and", "two\nlines and", uint64(2))
	f.Add("root@pam!ci=0f8c9a52-3d61-4c0e-9d0b-5c5f2c1a7e11", "\xff\xff\xff\xff", "\xff", uint64(3))
	f.Fuzz(func(t *testing.T, one, two, text string, seed uint64) {
		var r secret.Redactor
		var known []string
		for _, v := range []string{one, two} {
			if r.Add(secret.New(v)) == nil {
				known = append(known, strings.TrimRight(v, "\r\n"))
			}
		}
		text += one + text + two
		want := r.String(text)
		if got := through(t, &r, cut(rand.New(rand.NewPCG(seed, 0)), text)...); got != want {
			t.Fatalf("in pieces %q, in one %q", got, want)
		}
		for _, v := range known {
			if strings.Contains(want, v) && !strings.Contains(v, "*") {
				t.Fatalf("%q is not hidden in %q", v, want)
			}
		}
	})
}

// benchmarkLog is about 1 MiB of a build's log, one secret in every hundred lines.
func benchmarkLog(known []string) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "2026-01-02T03:04:05Z npm http fetch GET 200 https://registry.example/pkg-%d/-/pkg-%d-1.2.3.tgz 42ms (cache hit)\n", i, i*7)
		if i%100 == 0 {
			fmt.Fprintf(&b, "password=%s\n", known[i/100%len(known)])
		}
	}
	return b.Bytes()
}

// fifty returns 50 values of 24 random base64 characters.
func fifty() []string {
	rng := rand.New(rand.NewPCG(7, 7))
	values := make([]string, 50)
	for i := range values {
		b := make([]byte, 18)
		for j := range b {
			b[j] = byte(rng.Uint32())
		}
		values[i] = base64.StdEncoding.EncodeToString(b)
	}
	return values
}

func BenchmarkWriter(b *testing.B) {
	values := fifty()
	log := benchmarkLog(values)
	w := knowing(b, values...).Writer(discard{})
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Write(log); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkLearnFifty(b *testing.B) {
	values := fifty()
	b.ReportAllocs()
	for b.Loop() {
		knowing(b, values...).String("x")
	}
}
