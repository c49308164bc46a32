package stack

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/org/appstack-action/internal/diag"
)

// envNames are the names that `${…}` knows in the settings of an
// environment, beside secrets.
var envNames = []string{"project", "env", "branch", "sha", "ip"}

var secretPath = regexp.MustCompile(`^secret(\.[A-Za-z0-9_-]+)+$`)

// checkReferences reports each `${…}` of the file that can't have a value.
func (f *file) checkReferences(root *node, list *diag.List) {
	for _, p := range root.pairs {
		names := []string{}
		if p.key.value == "defaults" || p.key.value == "projects" {
			names = envNames
		}
		p.value.walk(func(n *node) { f.checkText(n, names, list) })
	}
	for _, item := range root.get("secrets").list() {
		if n := item.get("file"); n != nil && strings.Contains(n.value, "${") {
			list.Add(f.diagnostic(n, diag.Error, "the path of a secrets file can't contain `${…}`", "", ""))
		}
	}
}

// list returns the items of n, which may be nil.
func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

func (f *file) checkText(n *node, names []string, list *diag.List) {
	if !strings.Contains(n.value, "${") {
		return
	}
	for _, part := range splitText(n.value) {
		switch {
		case part.name == "" && strings.Contains(strings.ReplaceAll(part.raw, "$${", ""), "${"):
			list.Add(f.diagnostic(n, diag.Error, "`${` without a name and `}`", "", unclosedHint(part.raw)))
		case part.name == "" || secretPath.MatchString(part.name) || contains(names, part.name):
		default:
			list.Add(f.unknownName(n, part, names))
		}
	}
}

var unclosedSecret = regexp.MustCompile(`(?:^|[^$])\$\{(secret\.[A-Za-z0-9_.-]+)`)

// unclosedHint says what a `${` without its `}` most probably wants.
func unclosedHint(text string) string {
	if m := unclosedSecret.FindStringSubmatch(text); m != nil && !strings.Contains(text, "}") {
		return fmt.Sprintf("close it: `${%s}`", m[1])
	}
	return "for a literal `${` write `$${`"
}

// unknownName reports a reference to none of names.
func (f *file) unknownName(n *node, part textPart, names []string) diag.Diagnostic {
	d := f.diagnostic(n, diag.Error, fmt.Sprintf("unknown name `${%s}`", part.name), allowedNames(names), nameHint(part.name, names))
	if expression, ok := strings.CutPrefix(part.name, "{"); ok {
		part.raw += "}"
		d.Summary = "`${{ … }}` is an expression of GitHub's, which has no meaning in this file"
		d.Hint = expressionHint(strings.TrimSpace(expression), names)
	}
	narrow(&d, part.raw)
	return d
}

// expressionHint says what takes the place of an expression of a workflow.
func expressionHint(expression string, names []string) string {
	of, name, _ := strings.Cut(expression, ".")
	if of == "secrets" && secretPath.MatchString("secret."+name) {
		name = strings.ToLower(name)
		return fmt.Sprintf("write `${secret.%s}`, and put its value in with `appstack secrets set %s`", name, name)
	}
	if of == "github" && contains(names, name) {
		return fmt.Sprintf("write `${%s}`", name)
	}
	return ""
}

// narrow makes d point at what alone, if its line has it.
func narrow(d *diag.Diagnostic, what string) {
	line := []rune(d.Source)
	from := min(max(0, d.Pos.Col-1), len(line))
	if before, _, found := strings.Cut(string(line[from:]), what); found {
		d.Pos.Col = from + 1 + utf8.RuneCountInString(before)
		d.Pos.EndCol = d.Pos.Col + utf8.RuneCountInString(what)
	}
}

func allowedNames(names []string) string {
	allowed := []string{"${secret.<name>}"}
	for _, name := range names {
		allowed = append(allowed, "${"+name+"}")
	}
	return "known here: " + strings.Join(allowed, ", ")
}

func nameHint(name string, names []string) string {
	first, rest, dotted := strings.Cut(name, ".")
	switch {
	case dotted && nearest(first, []string{"secret"}) != "" && rest != "":
		return fmt.Sprintf("did you mean `${secret.%s}`?", rest)
	case name == "secret." || name == "secret":
		return "write the secret's name: ${secret.name}"
	case len(names) == 0 && contains(envNames, name):
		return fmt.Sprintf("`${%s}` has a value in `defaults` and `projects` only", name)
	}
	if meant := nearest(name, names); meant != "" {
		return fmt.Sprintf("did you mean `${%s}`?", meant)
	}
	return fmt.Sprintf("for a secret write `${secret.%s}`; for the shell's own variable `$%s` or `$${%s}`", name, name, name)
}
