package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/internal/vault"
)

// Source is the repository's files: the working directory, or the commit on GitHub
// where nothing was checked out.
type Source struct {
	// Dir is the repository's root.
	Dir string
	// Fetch reads a file that is not in Dir; nil: there is nowhere else.
	Fetch func(ctx context.Context, path string) ([]byte, error)
	// Temp is where fetched files may be kept until the program ends. They are as
	// they are in the repository: the secrets among them are encrypted.
	Temp string
}

// A NoStackError says that there is no stack file.
type NoStackError struct{ Path string }

// Error returns one line.
func (e *NoStackError) Error() string { return "cannot find the stack file " + e.Path }

// Hint tells how to get one.
func (e *NoStackError) Hint() string {
	return "`appstack init` writes a first one; the flag --stack or the input `stack` names another"
}

// read returns a file of the repository.
func (s *Source) read(ctx context.Context, path string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(s.Dir, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) && s.Fetch != nil {
		return s.Fetch(ctx, path)
	}
	return text, err
}

// gather makes Dir a directory that has the given files, those fetched too.
func (s *Source) gather(ctx context.Context, paths ...string) error {
	if s.Fetch == nil {
		return nil
	}
	for _, path := range paths {
		if !filepath.IsLocal(path) {
			return fmt.Errorf("cannot read %s: it is outside the repository", path)
		}
		text, err := s.read(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // whoever needs it will say so
		}
		if err != nil {
			return err
		}
		to := filepath.Join(s.Temp, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return err
		}
	}
	s.Dir, s.Fetch = s.Temp, nil
	return nil
}

// loadStack reads the stack file and tells everything that is wrong with it.
func (r *Run) loadStack(ctx context.Context) (*stack.Stack, error) {
	text, err := r.Source.read(ctx, r.Stack)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NoStackError{r.Stack}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the stack file: %w", err)
	}
	spec, problems := stack.Load(r.Stack, text)
	r.tell(problems)
	if problems.HasErrors() {
		return nil, &StackError{problems}
	}
	return spec, nil
}

var fullCommit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// unlessDeleted takes it that there is no stack file where there is no commit any more.
func (r *Run) unlessDeleted(err error) error {
	if !r.Event.Deleted || !is[*NoStackError](err) {
		return err
	}
	show := r.View.Open("appstack")
	defer show.Close()
	show.Say(resolve.Deleted)
	return nil
}

// asked makes a full commit of the ref that was asked for, by an input, a flag or the form
// of a workflow_dispatch: every command is to take it for the same.
func (r *Run) asked(ctx context.Context, sel *resolve.Selection) (err error) {
	sel.Ref, err = r.commit(ctx, sel.Ref)
	r.Request.Ref = sel.Ref
	return err
}

// commit makes a full commit of what may be a branch, tag or shortened commit.
func (r *Run) commit(ctx context.Context, ref string) (string, error) {
	if ref == "" || fullCommit.MatchString(ref) || r.Commit == nil {
		return ref, nil
	}
	return r.Commit(ctx, ref)
}

// onlyChecked ends a run that has nothing to change: the stack file is right, and
// the secrets are encrypted, which shows without opening them.
func (r *Run) onlyChecked(ctx context.Context, spec *stack.Stack, sel resolve.Selection) ([]report.Report, error) {
	show := r.View.Open("appstack")
	defer show.Close()
	if sel.Reason != "" {
		show.Say(sel.Reason)
	}
	if err := r.Source.gather(ctx, secretFiles(spec, spec.Envs)...); err != nil {
		return nil, err
	}
	problems := CheckSecrets(spec, r.Source.Dir)
	r.tell(problems)
	if problems.HasErrors() {
		return nil, &StackError{problems}
	}
	var reports []report.Report
	for _, e := range sel.Envs {
		one := report.Report{Stack: r.Stack, Project: e.Project, Env: e.Name, Command: "validate", Status: report.Valid, Branch: e.Branch, RunURL: r.RunURL}
		if sel.Reason != "" {
			one.Warnings = []string{sel.Reason}
		}
		reports = append(reports, one)
	}
	show.Say(r.Stack + " is valid")
	return reports, nil
}

// CheckSecrets tells which of the stack's secrets files are missing, damaged or not
// encrypted. It opens none of them.
func CheckSecrets(spec *stack.Stack, dir string) diag.List {
	var problems diag.List
	v := &vault.Vault{Dir: dir}
	for i, f := range spec.Secrets {
		if err := v.Check(f.File); err != nil {
			problems.Add(diag.Diagnostic{
				Severity: diag.Error, Pos: spec.Pos(fmt.Sprintf("secrets[%d].file", i)), Summary: err.Error(), Hint: Hint(err),
			})
		}
	}
	return problems
}
