package schema

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Values are a request's parameters: a string each, a [List] where JSON had an array or a
// form repeated the name, a [Composite] for anything else.
type Values map[string]any

// List is a value with several parts.
type List []string

// Composite marks a value that is no text; its text is Perl's name for it: HASH.
type Composite string

// JoinLists makes one text of a list where the parameter's format is a list of its own, and
// a list of a text where the parameter is an array.
func (o Object) JoinLists(vals Values) {
	for k, v := range vals {
		p, known := o.Lookup(k)
		if !known {
			continue
		}
		switch v := v.(type) {
		case List:
			if strings.HasSuffix(p.Format, "-list") {
				vals[k] = strings.Join(v, ",")
			}
		case string:
			if p.Type == "array" {
				vals[k] = List{v}
			}
		}
	}
}

// Errors are texts by parameter, in Proxmox's words.
type Errors map[string]string

func (e Errors) add(path, format string, args ...any) {
	if path == "" {
		path = "_root"
	}
	msg := fmt.Sprintf(format, args...)
	if old, ok := e[path]; ok {
		msg = old + `\n` + msg
	}
	e[path] = msg
}

// Verify checks every parameter and reports all that is wrong at once.
func (m *Method) Verify(vals Values) Errors {
	errs := Errors{}
	m.Params.verify("", vals, m.Open, errs)
	return errs
}

func (o Object) verify(path string, vals Values, open bool, errs Errors) {
	for _, p := range o {
		if p.Base != "" {
			continue
		}
		if _, given := vals[p.Name]; !given && !p.Optional && p.Alias == "" {
			errs.add(join(path, p.Name), "property is missing and it is not optional")
		}
	}
	for _, name := range sortedKeys(vals) {
		p, ok := o.Lookup(name)
		if !ok {
			if !open {
				errs.add(join(path, name), "property is not defined in schema and the schema does not allow additional properties")
			}
			continue
		}
		if p.Alias != "" {
			continue
		}
		p.verify(join(path, name), vals[name], errs)
		if _, given := vals[p.Requires]; p.Requires != "" && !given {
			errs.add(join(path, p.Requires), "missing property required by '%s'", join(path, name))
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sortedKeys(v Values) []string {
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

var (
	numberRE  = regexp.MustCompile(`^[+-]?(\d+\.\d+|\d+\.|\.\d+|\d+)([eE][+-]?\d+)?$`)
	integerRE = regexp.MustCompile(`^[+-]?\d+$`)
)

func (p *Param) verify(path string, v any, errs Errors) {
	if _, ok := v.(List); ok {
		v = Composite("ARRAY")
	}
	if p.Type == "array" {
		if v != Composite("ARRAY") {
			errs.add(path, "type check ('array') failed")
		}
		return
	}
	if c, ok := v.(Composite); ok {
		errs.add(path, "type check ('%s') failed - got %s", p.Type, c)
		return
	}
	s, _ := v.(string)
	if !p.typeOK(s) {
		errs.add(path, "type check ('%s') failed - got '%s'", p.Type, s)
		return
	}
	if err := p.limits(path, s); err != "" {
		errs.add(path, "%s", err)
	}
}

func (p *Param) typeOK(s string) bool {
	switch p.Type {
	case "integer":
		return integerRE.MatchString(s)
	case "number":
		return numberRE.MatchString(s)
	case "boolean":
		return s == "0" || s == "1"
	}
	return true
}

// limits returns the first thing that is wrong, in Proxmox's order of checks.
func (p *Param) limits(path, s string) string {
	if err := p.checkFormat(path, s); err != nil {
		return "invalid format - " + err.Error() + "\n"
	}
	if p.re != nil && !p.re.MatchString(s) {
		return "value does not match the regex pattern"
	}
	n := utf8.RuneCountInString(s)
	if p.MaxLen != nil && n > *p.MaxLen {
		return fmt.Sprintf("value may only be %d characters long", *p.MaxLen)
	}
	if p.MinLen != nil && n < *p.MinLen {
		return fmt.Sprintf("value must be at least %d characters long", *p.MinLen)
	}
	if numberRE.MatchString(s) {
		f, _ := strconv.ParseFloat(s, 64)
		if p.Max != nil && f > *p.Max {
			return fmt.Sprintf("value must have a maximum value of %v", strconv.FormatFloat(*p.Max, 'f', -1, 64))
		}
		if p.Min != nil && f < *p.Min {
			return fmt.Sprintf("value must have a minimum value of %v", strconv.FormatFloat(*p.Min, 'f', -1, 64))
		}
	}
	if p.Enum != nil && !contains(p.Enum, s) {
		return fmt.Sprintf("value '%s' does not have a value in the enumeration '%s'", s, strings.Join(p.Enum, ", "))
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func (p *Param) checkFormat(path, s string) error {
	if p.Props != nil {
		_, err := p.Props.ParseString(path, s)
		return err
	}
	if p.Format == "" {
		return nil
	}
	return CheckFormat(p.Format, s)
}
