package stack

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// describe names what n is, in YAML's words.
func (n *node) describe() string {
	switch {
	case n.kind == mapping:
		return "a mapping"
	case n.kind == sequence:
		return "a list"
	case n.tag == tagInt, n.tag == tagFloat:
		return "the number " + n.value
	case n.tag == tagBool:
		return n.value
	case n.tag == tagNull:
		return "nothing"
	default:
		return "the text " + quote(n.value)
	}
}

// quote returns s between double quotes, shortened to what a line can bear.
func quote(s string) string {
	const most = 40
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return strconv.Quote(s)
}

func isNumber(n *node) bool { return n.tag == tagInt || n.tag == tagFloat }

// wants names what may stand at f.
func (f *field) wants() string {
	switch {
	case f.short != "":
		return fmt.Sprintf("a mapping or its `%s` alone", f.short)
	case f.one:
		return "text or a list"
	case f.kind == mapping:
		return "a mapping"
	case f.kind == sequence:
		return "a list"
	case f.typ == durationType:
		return "a duration"
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	default:
		return "text"
	}
}

// accepts reports whether the scalar n has the type of f.
func (f *field) accepts(n *node) bool {
	if f.typ == durationType {
		_, ok := parseDuration(n)
		return ok
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		return n.tag == tagBool
	case reflect.Int:
		_, ok := parseInt(n)
		return ok
	case reflect.Float64:
		_, err := strconv.ParseFloat(n.value, 64)
		return isNumber(n) && err == nil && !strings.ContainsAny(n.value, "nN_xX")
	default:
		return f.anyScalar || n.tag == tagString || n.tag == tagTime
	}
}

// contains reports whether v is in the range of l.
func (l limits) contains(v float64) bool {
	return (l.minimum == nil || v >= *l.minimum) && (l.maximum == nil || v <= *l.maximum)
}

// String returns the range in words.
func (l limits) String() string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch {
	case l.minimum == nil && l.maximum == nil:
		return "any number"
	case l.maximum == nil:
		return "at least " + number(*l.minimum)
	case l.minimum == nil:
		return "at most " + number(*l.maximum)
	default:
		return number(*l.minimum) + " to " + number(*l.maximum)
	}
}

var (
	sizePattern   = regexp.MustCompile(`^(?i)([0-9]+(?:\.[0-9]+)?)\s*([kmgt])(?:i?b)?$`)
	numberPattern = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
)

// unit returns what a number at f counts, empty if it needs no unit.
func (f *field) unit() string {
	switch f.key {
	case "memory", "swap", "balloon":
		return "MiB"
	case "disk", "size":
		return "GiB"
	}
	return ""
}

// mismatchHint says how to write what n probably means.
func (f *field) mismatchHint(n *node) string {
	switch {
	case f.kind == sequence && n.kind == scalar:
		return fmt.Sprintf("write a list: [%s]", listed(f.key, n.value))
	case f.kind == sequence && n.kind == mapping:
		return "begin each item with `- `"
	case f.kind == mapping && n.kind == sequence:
		return "write `name: …` lines without `- `"
	case f.kind == scalar && n.kind == sequence && len(n.items) == 1 && n.items[0].kind == scalar:
		return fmt.Sprintf("write it without brackets or `- `: %s", n.items[0].value)
	case f.kind == scalar && n.kind == sequence:
		return "write one value, without brackets or `- `"
	case f.kind == mapping && n.kind == scalar && len(f.fields) > 0:
		keys := f.keys()
		if len(keys) > 4 {
			keys = append(keys[:4], "…")
		}
		return "write its keys below it: " + strings.Join(keys, ", ")
	case f.kind != scalar || n.kind != scalar:
		return ""
	case f.typ == durationType:
		return "write it as 30s, 10m or 1h30m"
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		return boolHint(n.value)
	case reflect.Int, reflect.Float64:
		return f.numberHint(n)
	case reflect.String:
		return fmt.Sprintf("put it in quotes: %q", n.value)
	}
	return ""
}

// listed returns the items of a list that was written as text.
func listed(key, s string) string {
	if key != "packages" {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' }), ", ")
}

func boolHint(value string) string {
	switch strings.ToLower(value) {
	case "yes", "on", "1", "y", "true":
		return "write `true`"
	case "no", "off", "0", "n", "false":
		return "write `false`"
	}
	return ""
}

func (f *field) numberHint(n *node) string {
	if m := sizePattern.FindStringSubmatch(n.value); m != nil && f.unit() != "" {
		return f.sizeHint(m[1], m[2])
	}
	switch {
	case strings.Contains(n.value, "${"):
		return "`${…}` works in text only; write the number here"
	case n.tag == tagString && numberPattern.MatchString(n.value):
		return "write it without quotes: " + n.value
	case n.tag == tagInt && !decimal.MatchString(n.value):
		return "write it in decimal, without leading zeros and without _"
	case f.unit() != "":
		return fmt.Sprintf("`%s` is a number of %s", f.key, f.unit())
	}
	return ""
}

// sizeHint converts a size with a unit into the unit of f.
func (f *field) sizeHint(number, unit string) string {
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return ""
	}
	power := strings.Index("kmgt", strings.ToLower(unit))
	own := map[string]int{"MiB": 1, "GiB": 2}[f.unit()]
	for ; power > own; power-- {
		value *= 1024
	}
	for ; power < own; power++ {
		value /= 1024
	}
	if value != float64(int64(value)) || value < 1 {
		return fmt.Sprintf("`%s` is a whole number of %s", f.key, f.unit())
	}
	return fmt.Sprintf("`%s` is in %s: %d", f.key, f.unit(), int64(value))
}

// rangeHint explains a number out of range that looks like another unit.
func (f *field) rangeHint(v float64) string {
	if f.unit() == "MiB" && v > 0 && f.minimum != nil && v < *f.minimum {
		return fmt.Sprintf("`%s` is in MiB: %.0f for %.0f GiB", f.key, v*1024, v)
	}
	return ""
}

// tagHint explains an explicit YAML tag of another tool.
func tagHint(tag string) string {
	if tag == "!vault" {
		return "Ansible Vault is not read here; move the value to an age file and write ${secret.name}"
	}
	return "remove it"
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
