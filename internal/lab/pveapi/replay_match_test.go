package pveapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"sort"
	"strings"
)

// matcher compares answers with records, in which <name> stands for a value of the kind:
// the same placeholder is the same value throughout a scenario, different ones differ.
type matcher struct {
	bound map[string]string // placeholder → value
	start string            // Unix time of the scenario's start
}

func newMatcher(start string) *matcher { return &matcher{bound: map[string]string{}, start: start} }

func (m *matcher) clone() *matcher {
	n := newMatcher(m.start)
	for k, v := range m.bound {
		n.bound[k] = v
	}
	return n
}

var holder = regexp.MustCompile(`<(?:UPID:[^>\s]*|pct:UPID:[^>\s]*|[a-z][a-z0-9-]*(?::[^>\s]+)?|template size|scenario start|hh:mm:ss)>`)

// kinds are the regular expressions of placeholders by name, up to the first colon.
var kinds = map[string]string{
	"UPID": `UPID:[^"\s]+:`, "digest": `[0-9a-f]{40}`, "mac": `BC:24:11(?::[0-9A-F]{2}){3}`, "fp": `[A-Za-z0-9+/]{43}`,
	"uuid": `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`, "tls-fp": `[0-9A-F]{2}(?::[0-9A-F]{2}){31}`, "ticket": `PVE:\S+`, "csrf": `[0-9A-F]{8}:\S+`,
	"int": `\d+`, "float": `\d+(?:\.\d+)?`, "str-int": `\d+`, "str-float": `\d+(?:\.\d+)?`, "str": `.*?`, "n": `[\d.,]+`, "size": `[\d.]+\s?[KMGT]?i?B?`,
	"rate": `.+?`, "time": `.+?`, "datetime": `.+?`, "http-date": `.+?`, "dumptime": `.+?`, "hh:mm:ss": `.+?`, "sha256": `[0-9a-f]{64}`, "sha512": `[0-9a-f]{128}`,
	"template size": `\d+`, "from-mac": `[0-9a-f:]+`, "hex8": `[0-9A-F]{8,9}`,
}

// named placeholders are bound to one value.
func named(h string) bool {
	return strings.Contains(h, ":") && h != "<hh:mm:ss>" || strings.HasPrefix(h, "<UPID")
}

func (m *matcher) re(h string) (string, bool) {
	name := strings.Trim(h, "<>")
	if mac, ok := strings.CutSuffix(name, ":lower"); ok {
		if v, ok := m.bound["<"+mac+">"]; ok {
			return regexp.QuoteMeta(strings.ToLower(v)), false
		}
		return `[0-9a-f]{2}(?::[0-9a-f]{2}){5}`, false
	}
	if v, ok := m.bound[h]; ok {
		return regexp.QuoteMeta(v), false
	}
	kind, _, _ := strings.Cut(name, ":")
	if kind == "hh" {
		kind = name
	}
	re, ok := kinds[kind]
	if !ok {
		return regexp.QuoteMeta(h), false
	}
	return re, named(h)
}

// text compares a recorded text with one that came.
func (m *matcher) text(want, got string) error {
	if want == got {
		return nil
	}
	var b strings.Builder
	var binds []string
	b.WriteString(`(?s)^`)
	rest := want
	for {
		loc := holder.FindStringIndex(rest)
		if loc == nil {
			break
		}
		h := rest[loc[0]:loc[1]]
		b.WriteString(regexp.QuoteMeta(rest[:loc[0]]))
		re, bind := m.re(h)
		if bind {
			binds = append(binds, h)
			re = "(" + re + ")"
		} else {
			re = "(?:" + re + ")"
		}
		b.WriteString(re)
		rest = rest[loc[1]:]
	}
	b.WriteString(regexp.QuoteMeta(rest) + `$`)
	sub := regexp.MustCompile(b.String()).FindStringSubmatch(got)
	if sub == nil {
		return fmt.Errorf("want %q, got %q", want, got)
	}
	for i, h := range binds {
		if err := m.bind(h, sub[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (m *matcher) bind(h, v string) error {
	kind, _, _ := strings.Cut(h, ":")
	for other, w := range m.bound {
		if w == v && other != h && strings.HasPrefix(other, kind+":") {
			return fmt.Errorf("%s and %s are both %q", h, other, v)
		}
	}
	m.bound[h] = v
	return nil
}

// fill puts values into a recorded request.
func (m *matcher) fill(s string) string {
	return holder.ReplaceAllStringFunc(s, func(h string) string {
		if v, ok := m.bound[h]; ok {
			return v
		}
		switch {
		case h == "<scenario start>":
			return m.start
		case strings.HasPrefix(h, "<pct:"):
			return url.PathEscape(m.fill("<" + strings.TrimPrefix(h, "<pct:")))
		case strings.HasPrefix(h, "<UPID:"):
			kind := strings.Split(strings.Trim(h, "<>"), ":")
			return fmt.Sprintf("UPID:pve:00000001:00000001:00000001:%s:%s:root@pam!ci:", kind[1], strings.Split(kind[2], "#")[0])
		case h == "<hex8>":
			return "0000ABCD"
		}
		return h
	})
}

// usage are figures that 0 may stand for.
var usage = map[string]bool{
	"cpu": true, "mem": true, "disk": true, "netin": true, "netout": true, "diskread": true, "diskwrite": true, "swap": true,
	"uptime": true, "wait": true, "idle": true, "memhost": true, "used": true, "free": true, "total": true, "shared": true,
}

// value compares JSON. path names where, for the report.
func (m *matcher) value(path string, want, got any) error {
	key := path[strings.LastIndexByte(path, '.')+1:]
	switch w := want.(type) {
	case string:
		return m.scalar(path, key, w, got)
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: want an object, got %v", path, got)
		}
		return m.object(path, w, g)
	case []any:
		g, ok := got.([]any)
		if !ok {
			return fmt.Errorf("%s: want a list, got %v", path, got)
		}
		return m.list(path, w, g)
	case json.Number:
		g, ok := got.(json.Number)
		if ok && (w == g || usage[key] && (w == "0" || g == "0")) {
			return nil
		}
		return fmt.Errorf("%s: want %v, got %s", path, w, show(got))
	}
	if want != got {
		return fmt.Errorf("%s: want %v, got %s", path, want, show(got))
	}
	return nil
}

func show(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}

func (m *matcher) scalar(path, key, want string, got any) error {
	if n, ok := got.(json.Number); ok {
		if want == "<int>" && (!strings.Contains(n.String(), ".") || usage[key]) || want == "<float>" {
			return nil
		}
		return fmt.Errorf("%s: want %q, got number %s", path, want, n)
	}
	g, ok := got.(string)
	if !ok || want == "<int>" || want == "<float>" {
		return fmt.Errorf("%s: want %q, got %s", path, want, show(got))
	}
	if err := m.text(want, g); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (m *matcher) object(path string, want, got map[string]any) error {
	for _, k := range keysOf(want) {
		if _, ok := got[k]; !ok {
			return fmt.Errorf("%s lacks %s (%s)", path, k, show(want[k]))
		}
		if err := m.value(path+"."+k, want[k], got[k]); err != nil {
			return err
		}
	}
	for _, k := range keysOf(got) {
		if _, ok := want[k]; !ok {
			return fmt.Errorf("%s has %s (%s) too much", path, k, show(got[k]))
		}
	}
	return nil
}

func keysOf(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// list compares in order, then in any order: Proxmox's is often random.
func (m *matcher) list(path string, want, got []any) error {
	if len(want) != len(got) {
		return fmt.Errorf("%s: want %d elements, got %d: %.300s", path, len(want), len(got), show(got))
	}
	try := m.clone()
	first := try.inOrder(path, want, got)
	if first == nil {
		m.bound = try.bound
		return nil
	}
	used := make([]bool, len(got))
	for i, w := range want {
		found := false
		for j, g := range got {
			if used[j] {
				continue
			}
			try := m.clone()
			if try.value(fmt.Sprintf("%s[%d]", path, i), w, g) == nil {
				m.bound, used[j], found = try.bound, true, true
				break
			}
		}
		if !found {
			return first
		}
	}
	return nil
}

func (m *matcher) inOrder(path string, want, got []any) error {
	for i := range want {
		if err := m.value(fmt.Sprintf("%s[%d]", path, i), want[i], got[i]); err != nil {
			return err
		}
	}
	return nil
}

// log compares a task's log: the three host keys come in any order, a wait for a lock may
// or may not be there, a long run of tar's complaints counts as one.
func (m *matcher) log(want, got []string) error {
	want, got = normalLog(want), normalLog(got)
	for i, w := range want {
		if strings.HasPrefix(w, "… ") {
			return m.text(want[len(want)-1], got[len(got)-1])
		}
		if i >= len(got) {
			return fmt.Errorf("log ends before %q", w)
		}
		if err := m.text(w, got[i]); err != nil {
			return fmt.Errorf("log line %d: %w", i+1, err)
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("log goes on: %q", got[len(want)])
	}
	return nil
}

func normalLog(lines []string) []string {
	var out []string
	keys := map[string]string{}
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		switch {
		case l == "trying to acquire lock..." || l == " OK":
		case strings.HasPrefix(l, "tar: ./") || strings.HasPrefix(l, "tar: Exiting"):
			if len(out) == 0 || out[len(out)-1] != "tar: …" {
				out = append(out, "tar: …")
			}
		case strings.HasPrefix(l, "… ") && len(out) > 0 && out[len(out)-1] == "tar: …":
		case strings.HasPrefix(l, "Creating SSH host key") && i+1 < len(lines):
			keys[l] = lines[i+1]
			i++
			if len(keys) == 3 {
				for _, k := range []string{"ecdsa", "ed25519", "rsa"} {
					for l, done := range keys {
						if strings.Contains(l, "_"+k+"_") {
							out = append(out, l, done)
						}
					}
				}
				keys = map[string]string{}
			}
		default:
			out = append(out, l)
		}
	}
	return out
}
