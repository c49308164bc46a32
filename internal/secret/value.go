package secret

import (
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// Mask is what stands in the place of a hidden value.
const Mask = "***"

// Value is a string that does not show itself. Every verb of fmt, log/slog,
// encoding/json, YAML, encoding.TextMarshaler and text/template print [Mask]
// instead of it. The zero Value is the empty string, and prints as [Mask] too.
//
// Two Values are equal under == (and reflect.DeepEqual) exactly if their texts are.
// Only what walks through the memory by reflection can show the text, as
// [github.com/google/go-cmp/cmp.Diff] does of two that differ.
type Value struct {
	// A handle, which is a pointer, because where fmt cannot call methods (an
	// unexported field of another struct, the verb %p) it prints what is inside:
	// an address then, and not the text. The zero handle is the empty text.
	text unique.Handle[string]
}

// New returns a Value that hides s.
func New(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{text: unique.Make(s)}
}

// Reveal returns the text itself. What is done with it from there on is in the
// hands of the caller.
func (v Value) Reveal() string {
	if v.IsZero() {
		return ""
	}
	return v.text.Value()
}

// IsZero says whether the value is empty. It makes `omitzero` and `omitempty`
// work where a Value is encoded.
func (v Value) IsZero() bool { return v == Value{} }

// Equal is v == w, for go-cmp, which cannot look into a Value.
func (v Value) Equal(w Value) bool { return v == w }

// String returns [Mask].
func (v Value) String() string { return Mask }

// GoString returns [Mask].
func (v Value) GoString() string { return Mask }

// Format writes [Mask], whatever the verb and its flags are.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// LogValue returns [Mask].
func (v Value) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText returns [Mask]. It serves JSON map keys, XML, TOML and others.
func (v Value) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// MarshalJSON returns [Mask] as a JSON string.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }

// MarshalYAML returns [Mask].
func (v Value) MarshalYAML() (any, error) { return Mask, nil }
