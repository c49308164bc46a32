package stack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// validate reports everything about a whole file that its structure allows
// and that makes no sense.
func (s *Stack) validate(list *diag.List) {
	s.file.checkReferences(s.document, list)
	plain := plainScan{file: s.file, list: list, names: secretNames{}}
	plain.scan(s.document, make([]string, 0, 16))
	s.checkNames(list)
	s.validateTop(list)
	for _, e := range s.Envs {
		e.validate(list)
	}
	list.AddAll(Duplicates(s.Envs))
}

// validateTop checks what concerns all environments.
func (s *Stack) validateTop(list *diag.List) {
	p := place{file: s.file, root: s.root, around: s.document, list: list}
	s.Proxmox.validate(p.child("proxmox"), s.SSH)
	s.SSH.validate(p.child("ssh"))
	seen := map[string]bool{}
	for i, f := range s.Secrets {
		f.validate(p.child("secrets").item(i), s)
		if f.File != "" && seen[f.File] {
			p.child("secrets").item(i).fail("", "names %s a second time", quote(f.File))
		}
		seen[f.File] = true
	}
}

// validate checks one environment by itself.
func (e *Env) validate(list *diag.List) {
	p := place{file: e.file, root: e.node, around: e.key, list: list}
	if e.file.lateEnums {
		p.enums(settingsLayout)
	}
	e.Settings.validate(p, e)
	e.Guest.validate(p.child("guest"), e)
	e.Base.validate(p.child("base"))
	if p.child("app").has() {
		e.App.validate(p.child("app"))
	}
}

// checkNames checks that there are projects and environments, with names
// that can become part of other names.
func (s *Stack) checkNames(list *diag.List) {
	projects := s.document.get("projects")
	if len(projects.members()) == 0 {
		if !s.document.bad && (projects == nil || !projects.bad) {
			list.Add(s.file.diagnostic(s.document, diag.Error, "there are no projects", "", "write them under `projects:`"))
		}
		return
	}
	for _, project := range projects.pairs {
		s.checkName("project", project.key, list)
		envs := project.value.get("envs")
		if len(envs.members()) == 0 && !project.value.bad && (envs == nil || !envs.bad) {
			list.Add(s.file.diagnostic(project.key, diag.Error, fmt.Sprintf("project `%s` has no environments", project.key.value),
				"", "write them under `envs:`"))
		}
		for _, env := range envs.members() {
			s.checkName("environment", env.key, list)
		}
	}
}

func (s *Stack) checkName(what string, key *node, list *diag.List) {
	if !keyName.matches(key.value) {
		list.Add(s.file.diagnostic(key, diag.Error, fmt.Sprintf("%s name %s is not %s", what, quote(key.value), keyName.name),
			keyName.allowed(), ""))
	}
}

// envKeys returns the names of all environments of all projects.
func (s *Stack) envKeys() []string {
	var names []string
	for _, e := range s.Envs {
		if !contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return names
}

// projectKeys returns the names of all projects.
func (s *Stack) projectKeys() []string {
	var names []string
	for _, p := range s.document.get("projects").members() {
		names = append(names, p.key.value)
	}
	return names
}

// oneOf reports each item of list that is none of the known names.
func (p place) oneOf(items []string, what string, known []string) {
	for i, name := range items {
		if contains(known, name) || name == "" || pending(name) {
			continue
		}
		hint := ""
		if meant := nearest(name, known); meant != "" {
			hint = fmt.Sprintf("did you mean `%s`?", meant)
		}
		sorted := slices.Sorted(slices.Values(known))
		p.item(i).fail(hint, "names %s, which is no %s", quote(name), what).Detail = "known: " + strings.Join(sorted, ", ")
	}
}

// each reports the items that have not the given form, and those that stand
// there twice.
func (p place) each(items []string, form syntax, hint func(string) string) {
	for i, s := range items {
		h := ""
		if hint != nil {
			h = hint(s)
		}
		p.item(i).text(s, form, h)
		if s != "" && !pending(s) && contains(items[:i], s) {
			p.item(i).fail("", "is %s a second time", quote(s))
		}
	}
}

// variables checks the names of environment variables.
func (p place) variables(vars map[string]string) {
	for name := range vars {
		if variableName.matches(name) {
			continue
		}
		hint := ""
		if better := strings.NewReplacer("-", "_", ".", "_", " ", "_").Replace(name); variableName.matches(better) {
			hint = fmt.Sprintf("write `%s`", better)
		}
		p.child(name).key().fail(hint, "is not %s", variableName.name).Detail = variableName.allowed()
	}
}
