package stack

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// place is where in a tree a check stands. The checks of each type get one
// and report to it by key.
type place struct {
	file   *file
	root   *node
	around *node // the place of what the file does not say
	list   *diag.List
	atKey  bool // point at the last key itself, not at its value
	mute   bool // hints here repeat nothing of the value
	// path has the first depth keys; no type is nested deeper. An array,
	// because a stack of hundreds of environments makes places by the
	// hundred thousand.
	path  [8]string
	depth int
}

// keys returns the path as a slice.
func (p *place) keys() []string { return p.path[:p.depth] }

// child returns the place of a key or of an item's index.
func (p place) child(keys ...string) place {
	p.depth += copy(p.path[p.depth:], keys)
	return p
}

// item returns the place of item i.
func (p place) item(i int) place { return p.child(strconv.Itoa(i)) }

// String returns the path, such as "app.cron[0].schedule".
func (p place) String() string {
	var b strings.Builder
	for i, key := range p.keys() {
		if _, err := strconv.Atoi(key); err == nil && i > 0 {
			b.WriteString("[" + key + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(key)
	}
	return b.String()
}

// key returns the place of the last key itself.
func (p place) key() place {
	p.atKey = true
	return p
}

// muted returns the place for checks whose hints repeat nothing of the value, so that
// they can be shown of a secret, too.
func (p place) muted() place {
	p.mute = true
	return p
}

// secretHint says what can be said of a secret's value that does not fit, and how it is
// replaced.
func (p place) secretHint(n *node, hint string) string {
	set := fmt.Sprintf("put the right value in with `appstack secrets set %s`", n.secret)
	switch {
	case strings.TrimSpace(n.value) != n.value:
		return "it begins or ends with white space\n" + set
	case p.mute && hint != "":
		return hint + "\n" + set
	}
	return set
}

// fail reports an error here. The summary follows the path.
func (p place) fail(hint, format string, args ...any) *diag.Diagnostic {
	return p.report(diag.Error, hint, format, args...)
}

// warn reports a warning here.
func (p place) warn(hint, format string, args ...any) *diag.Diagnostic {
	return p.report(diag.Warning, hint, format, args...)
}

func (p place) report(severity diag.Severity, hint, format string, args ...any) *diag.Diagnostic {
	n := locate(p.root, p.keys())
	if last := p.depth - 1; p.atKey && last >= 0 {
		if found := p.root.get(p.path[:last]...).find(p.path[last]); found != nil && found.key.line > 0 {
			n = found.key
		}
	}
	if n == nil {
		n = p.around
	}
	here := p.root.get(p.keys()...)
	if here != nil && here.derived {
		return &diag.Diagnostic{}
	}
	if here != nil && here.secret != "" && !p.atKey {
		p.list.Add(p.file.diagnostic(n, severity, p.String()+": what the secret holds does not fit here", "", p.secretHint(here, hint)))
		return &diag.Diagnostic{}
	}
	summary := strings.TrimSpace(p.String() + " " + fmt.Sprintf(format, args...))
	p.list.Add(p.file.diagnostic(n, severity, summary, "", hint))
	return &(*p.list)[len(*p.list)-1]
}

// has reports whether the file says something here.
func (p place) has() bool { return p.root.get(p.keys()...) != nil }

// enums checks the values that are one of a few words and were not known
// when the structure was checked.
func (p place) enums(l *layout) {
	n := p.root.get(p.keys()...)
	if n == nil || n.kind != mapping {
		return
	}
	for _, pr := range n.pairs {
		inner := l.elem
		if f := l.field(pr.key.value); f != nil {
			inner = f.layout
			if s := pr.value.value; len(f.enum) > 0 && !pr.value.bad && !pending(s) && !contains(f.enum, s) {
				p.child(f.key).fail("", "can't be %s", quote(s)).Detail = "allowed: " + strings.Join(f.enum, ", ")
			}
		}
		if inner != nil && inner.kind == mapping {
			p.child(pr.key.value).enums(inner)
		}
	}
}

// bad reports whether what stands here has been reported already.
func (p place) bad() bool {
	n := p.root.get(p.keys()...)
	return n != nil && n.bad
}

// text reports s, which stands here, unless it has the given form. Empty
// text and text that is not known yet are let pass.
func (p place) text(s string, form syntax, hint string) bool {
	if s == "" && (!p.has() || p.bad()) || pending(s) || form.matches(s) {
		return true
	}
	before := len(*p.list)
	p.fail(hint, "is %s, not %s", quote(s), form.name)
	if len(*p.list) > before {
		(*p.list)[before].Detail = form.allowed()
	}
	return false
}

// required reports that nothing stands here. Where something of the wrong
// type stood, that has been said already.
func (p place) required(s, hint string) bool {
	if s != "" || p.bad() {
		return true
	}
	if !p.has() {
		p.fail(hint, "is missing")
	} else {
		p.fail(hint, "is empty")
	}
	return false
}

// locate returns the node at keys below root; where there is none, the key
// of the last one before that stands in the file.
func locate(root *node, keys []string) *node {
	var found *node
	n := root
	for i, key := range keys {
		if p := n.find(key); p != nil && p.key.line > 0 {
			found = p.key
		}
		isItem := n != nil && n.kind == sequence
		if n = n.member(key); n == nil {
			return found
		}
		if n.line > 0 && (isItem || i == len(keys)-1) {
			found = n
		}
	}
	return found
}
