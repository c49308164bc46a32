package schema

import (
	"fmt"
	"sort"
	"strings"
)

// FormatError is a property string whose keys do not fit.
type FormatError struct{ Errors Errors }

// Error is Proxmox's text: "format error", then one line for each key.
func (e *FormatError) Error() string {
	keys := make([]string, 0, len(e.Errors))
	for k := range e.Errors {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var b strings.Builder
	b.WriteString("format error")
	for _, k := range keys {
		fmt.Fprintf(&b, "\n%s: %s", k, e.Errors[k])
	}
	return b.String()
}

// ParseString reads a property string ("name=eth0,bridge=vmbr0") into its keys. path names
// the parameter in errors.
func (o Object) ParseString(path, s string) (map[string]string, error) {
	res := Values{}
	hasDefault := false
	for _, part := range strings.Split(s, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		k, v, ok := strings.Cut(part, "=")
		switch {
		case !ok:
			if hasDefault {
				return nil, fmt.Errorf("duplicate key in comma-separated list property: %s", o.defaultKey())
			}
			if k = o.defaultKey(); k == "" {
				return nil, fmt.Errorf("value without key, but schema does not define a default key")
			}
			hasDefault, v = true, part
		case k == "" || v == "":
			return nil, fmt.Errorf("missing key in comma-separated list property")
		}
		if err := o.set(res, k, v); err != nil {
			return nil, err
		}
	}
	errs := Errors{}
	o.verify(path, res, false, errs)
	if len(errs) > 0 {
		return nil, &FormatError{errs}
	}
	out := map[string]string{}
	for k, v := range res {
		out[k], _ = v.(string)
	}
	return out, nil
}

// set stores one key, following aliases; an unknown key is left for verify to name.
func (o Object) set(res Values, k, v string) error {
	if _, dup := res[k]; dup {
		return fmt.Errorf("duplicate key in comma-separated list property: %s", k)
	}
	p := o[k]
	if p != nil && p.Alias != "" {
		if p.KeyAlias != "" {
			if _, dup := res[p.KeyAlias]; dup {
				return fmt.Errorf("key alias '%s' is already defined", p.KeyAlias)
			}
			res[p.KeyAlias] = k
		}
		k = p.Alias
		p = o[k]
	}
	if p != nil && p.Type == "boolean" {
		v = boolText(v)
	}
	res[k] = v
	return nil
}

// boolText maps the words that Proxmox takes for a boolean within a property string.
func boolText(s string) string {
	switch strings.ToLower(s) {
	case "1", "on", "yes", "true":
		return "1"
	case "0", "off", "no", "false":
		return "0"
	}
	return s
}

func (o Object) defaultKey() string {
	for _, p := range o {
		if p.DefaultKey {
			return p.Name
		}
	}
	return ""
}

// PrintString writes a property string as Proxmox does: the default key's value, then the
// required keys, then the others, each group in alphabetical order.
func (o Object) PrintString(vals map[string]string) string {
	var parts []string
	done := map[string]bool{}
	add := func(k string, bare bool) {
		v, ok := vals[k]
		if !ok || done[k] {
			return
		}
		done[k] = true
		if target := o.aliasedBy(k); target != "" && vals[target] != "" {
			done[target] = true
			parts = append(parts, v+"="+vals[target])
			return
		}
		if bare {
			parts = append(parts, v)
			return
		}
		parts = append(parts, k+"="+v)
	}
	add(o.defaultKey(), true)
	keys := make([]string, 0, len(vals))
	for k := range vals {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if p := o[k]; p != nil && !p.Optional {
			add(k, false)
		}
	}
	for _, k := range keys {
		add(k, false)
	}
	return strings.Join(parts, ",")
}

// aliasedBy is the key whose value is written after k's: macaddr for model (virtio=BC:24:…).
func (o Object) aliasedBy(k string) string {
	for _, p := range o {
		if p.KeyAlias == k {
			return p.Alias
		}
	}
	return ""
}
