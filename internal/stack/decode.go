package stack

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// decode fills v with what n holds. The tree has been checked: what does not
// fit has been reported, and is left at its zero value here.
func (l *layout) decode(n *node, v reflect.Value) {
	if n == nil || n.bad || n.kind != l.kind || n.isNull() {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(l.typ))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		l.decodeStruct(n, v)
	case reflect.Map:
		l.decodeMap(n, v)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
		for i, item := range n.items {
			l.elem.decode(item, v.Index(i))
		}
	default:
		decodeScalar(n, v)
	}
}

func (l *layout) decodeStruct(n *node, v reflect.Value) {
	for _, p := range n.pairs {
		if f := l.field(p.key.value); f != nil {
			f.decode(p.value, v.FieldByIndex(f.index))
		}
	}
}

func (l *layout) decodeMap(n *node, v reflect.Value) {
	m := reflect.MakeMapWithSize(v.Type(), len(n.pairs))
	for _, p := range n.pairs {
		elem := reflect.New(v.Type().Elem()).Elem()
		l.elem.decode(p.value, elem)
		m.SetMapIndex(reflect.ValueOf(p.key.value), elem)
	}
	v.Set(m)
}

func decodeScalar(n *node, v reflect.Value) {
	switch {
	case v.Type() == durationType:
		if d, ok := parseDuration(n); ok {
			v.SetInt(int64(d))
		}
	case v.Kind() == reflect.String:
		v.SetString(n.value)
	case v.Kind() == reflect.Bool:
		v.SetBool(strings.EqualFold(n.value, "true"))
	case v.Kind() == reflect.Int:
		if i, ok := parseInt(n); ok {
			v.SetInt(i)
		}
	case v.Kind() == reflect.Float64:
		if f, err := strconv.ParseFloat(n.value, 64); err == nil {
			v.SetFloat(f)
		}
	}
}

// decimal is the one form of a whole number that everybody reads alike: 0101 is 101 in
// YAML 1.2 and 65 in YAML 1.1, and 1_000 is text in one of them.
var decimal = regexp.MustCompile(`^[-+]?(?:0|[1-9][0-9]*)$`)

// parseInt returns the whole number that n is.
func parseInt(n *node) (int64, bool) {
	if n.tag != tagInt || !decimal.MatchString(n.value) {
		return 0, false
	}
	i, err := strconv.ParseInt(n.value, 10, 64)
	return i, err == nil
}

// parseDuration returns the duration that n is: text such as 1h30m, or a
// number of seconds.
func parseDuration(n *node) (time.Duration, bool) {
	if seconds, ok := parseInt(n); ok {
		const most = int64(24 * 365 * time.Hour / time.Second)
		return time.Duration(seconds) * time.Second, seconds >= 0 && seconds <= most
	}
	if n.tag != tagString {
		return 0, false
	}
	d, err := time.ParseDuration(n.value)
	return d, err == nil && d >= 0
}
