package stack

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// layout is what the file may hold where a type stands: the table that
// checking and decoding walk, taken from the types once.
type layout struct {
	kind   kind
	typ    reflect.Type
	fields []field // of a struct
	byKey  map[string]int
	elem   *layout // of a list's items or a map's values; nil for structs and scalars
	short  string  // key that a plain value stands for, see shortFormer
	one    bool    // a single value may stand for a list of one
}

// field is one key of a struct.
type field struct {
	key   string
	index []int
	*layout
	limits
	anyScalar bool // numbers and booleans are taken as they are written
}

// limits are what the jsonschema tag of a field says, so that the published
// schema and the program agree.
type limits struct {
	enum             []string
	minimum, maximum *float64
}

// shortFormer is a struct that may be written as a plain value.
type shortFormer interface{ shortForm() string }

var (
	documentLayout = newLayout(reflect.TypeFor[Document]())
	settingsLayout = newLayout(reflect.TypeFor[Settings]())
	durationType   = reflect.TypeFor[time.Duration]()
)

func newLayout(t reflect.Type) *layout {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	l := &layout{typ: t, kind: scalar, one: t == reflect.TypeFor[OneOrMore]()}
	switch t.Kind() {
	case reflect.Struct:
		l.kind = mapping
		if s, ok := reflect.Zero(t).Interface().(shortFormer); ok {
			l.short = s.shortForm()
		}
		l.fields, l.byKey = structFields(t), map[string]int{}
		for i, f := range l.fields {
			l.byKey[f.key] = i
		}
	case reflect.Map:
		l.kind, l.elem = mapping, newLayout(t.Elem())
	case reflect.Slice:
		l.kind, l.elem = sequence, newLayout(t.Elem())
	}
	return l
}

func structFields(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			for _, inner := range structFields(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
		case key != "":
			fields = append(fields, field{
				key:       key,
				index:     []int{i},
				layout:    newLayout(f.Type),
				limits:    parseLimits(f.Tag.Get("jsonschema")),
				anyScalar: f.Tag.Get("stack") == "scalar",
			})
		}
	}
	return fields
}

func parseLimits(tag string) limits {
	var l limits
	for part := range strings.SplitSeq(tag, ",") {
		name, value, _ := strings.Cut(part, "=")
		number, err := strconv.ParseFloat(value, 64)
		switch {
		case name == "enum":
			l.enum = append(l.enum, value)
		case name == "minimum" && err == nil:
			l.minimum = &number
		case name == "maximum" && err == nil:
			l.maximum = &number
		}
	}
	return l
}

// field returns the field of a struct with the given key, or nil.
func (l *layout) field(key string) *field {
	if i, ok := l.byKey[key]; ok {
		return &l.fields[i]
	}
	return nil
}

// keys returns the keys of a struct in the order of the type.
func (l *layout) keys() []string {
	keys := make([]string, len(l.fields))
	for i, f := range l.fields {
		keys[i] = f.key
	}
	return keys
}

// places returns the paths below l at which key is known, such as
// "guest.memory", the shallowest first.
func (l *layout) places(key string) []string {
	var found []string
	for _, f := range l.fields {
		if f.key == key {
			found = append(found, key)
		}
		inner, prefix := f.layout, f.key
		for inner.elem != nil {
			if inner.kind == mapping {
				prefix += ".<name>"
			}
			inner = inner.elem
		}
		for _, p := range inner.places(key) {
			found = append(found, prefix+"."+p)
		}
	}
	slices.SortStableFunc(found, func(a, b string) int { return strings.Count(a, ".") - strings.Count(b, ".") })
	return found
}
