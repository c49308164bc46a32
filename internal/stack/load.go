package stack

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// Load reads a stack file. name is what diagnostics call it. All that is
// wrong with it is in the list, sorted; the stack is nil if the file can't
// be read as one at all, and must not be acted upon if the list has errors.
func Load(name string, src []byte) (*Stack, diag.List) {
	f := newFile(name, src)
	tree, list := parse(f, src)
	if tree == nil || list.HasErrors() {
		return nil, list
	}
	c := checker{file: f}
	root := c.conform(tree, &field{layout: documentLayout}, "")
	s := assemble(f, root, &c.list)
	s.validate(&c.list)
	c.list.Sort()
	return s, shorten(c.list)
}

// maxProblems is how many problems are told at once.
const maxProblems = 500

// shorten bounds what a file that is wrong throughout makes people read.
func shorten(list diag.List) diag.List {
	if len(list) <= maxProblems {
		return list
	}
	rest := diag.Diagnostic{
		Pos:     diag.Pos{File: list[0].Pos.File},
		Summary: fmt.Sprintf("%d more problems are not shown", len(list)-maxProblems),
	}
	return append(list[:maxProblems:maxProblems], rest)
}

// assemble builds the stack from a checked tree.
func assemble(f *file, root *node, list *diag.List) *Stack {
	defaults := root.get("defaults")
	projects := root.get("projects")
	top := fill(dropNulls(root.with("defaults", nil).with("projects", nil)), documentDefaults)

	s := &Stack{file: f, document: root, root: top}
	s.decode()
	if tooMuch(f, root, list) || projects == nil {
		return s
	}
	budget := newBudget()
	table := slices.Concat(inherit(top), settingsDefaults)
	for _, project := range projects.pairs {
		if project.value.kind != mapping {
			continue
		}
		layer := project.value.with("envs", nil)
		for _, env := range project.value.get("envs").members() {
			over := env.value
			if over.isNull() {
				over = &node{kind: mapping, line: env.key.line, col: env.key.col}
			}
			if over.kind != mapping {
				continue
			}
			e := &Env{Project: project.key.value, Name: env.key.value, file: f, key: env.key}
			e.own = merge(layer, over)
			e.node = fill(merge(merge(defaults, layer), over), table)
			e.expandOwn(list, budget)
			e.decode()
			s.Envs = append(s.Envs, e)
		}
	}
	slices.SortFunc(s.Envs, func(a, b *Env) int { return strings.Compare(a.String(), b.String()) })
	return s
}

// inherit returns the rows of defaults that the top level gives to each
// environment.
func inherit(top *node) []compiled {
	var rows []compiled
	give := func(value *node, key string, only ...string) {
		if value != nil {
			copied := *value
			copied.derived = true
			value = &copied
			rows = append(rows, compiled{steps: []step{{key: text("guest")}, {key: text(key)}}, value: value, only: only, equal: "kvm"})
		}
	}
	give(top.get("proxmox", "node"), "node")
	give(top.get("proxmox", "pool"), "pool")
	give(top.get("ssh", "user"), "ciuser", "guest", "type")
	return rows
}

// members returns the pairs of n, which may be nil.
func (n *node) members() []pair {
	if n == nil {
		return nil
	}
	return n.pairs
}

// tooMuch reports a stack whose environments multiply to more values than
// fit into a second and 200 MB: defaults are merged into each.
func tooMuch(f *file, root *node, list *diag.List) bool {
	const most = 400_000
	defaults := root.get("defaults").weight()
	total := 0
	for _, project := range root.get("projects").members() {
		envs := project.value.get("envs").members()
		inEnvs := project.value.get("envs").weight()
		total += len(envs)*(defaults+project.value.weight()-inEnvs) + inEnvs
	}
	if total > most {
		list.Add(f.diagnostic(root.find("projects").key, diag.Error,
			fmt.Sprintf("all environments together have %d values, more than %d", total, most),
			"what `defaults` and a project set counts once for each of their environments", ""))
	}
	return total > most
}

// weight returns the size of n, which may be nil.
func (n *node) weight() int {
	if n == nil {
		return 0
	}
	return n.size
}

// decode fills the fields of s from its tree.
func (s *Stack) decode() {
	var d Document
	documentLayout.decode(s.root, reflect.ValueOf(&d).Elem())
	s.Proxmox, s.Secrets, s.SSH, s.LockWait = d.Proxmox, d.Secrets, d.SSH, d.LockWait
}

// decode fills the settings of e from its tree.
func (e *Env) decode() {
	e.Settings = Settings{}
	settingsLayout.decode(e.node, reflect.ValueOf(&e.Settings).Elem())
}
