package app

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/git"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/internal/vault"
)

// A StackError is a stack file with mistakes, which have been told.
type StackError struct{ Problems diag.List }

// Error returns one line.
func (e *StackError) Error() string {
	if n := e.Problems.Count(diag.Error); n != 1 {
		return fmt.Sprintf("the stack file has %d errors", n)
	}
	return "the stack file has an error"
}

// tell passes diagnostics on, if somebody listens.
func (r *Run) tell(problems diag.List) {
	if r.Tell != nil && len(problems) > 0 {
		r.Tell(problems)
	}
}

// openSecrets decrypts the files that the selected environments need, and no others.
func (r *Run) openSecrets(ctx context.Context, spec *stack.Stack, sel resolve.Selection) (*vault.Secrets, error) {
	files := secretFiles(spec, sel.Envs)
	if len(files) == 0 {
		return &vault.Secrets{}, nil
	}
	needed := append(slices.Clone(files), vault.RecipientsFile)
	if ca := spec.Proxmox.CA; filepath.IsLocal(ca) {
		needed = append(needed, ca)
	}
	if err := r.Source.gather(ctx, needed...); err != nil {
		return nil, err
	}
	v, err := vault.At(r.Source.Dir)
	if err != nil {
		return nil, err
	}
	if v.Identities, err = vault.ParseIdentities(nil, r.Keys...); err != nil {
		return nil, err
	}
	v.Hide = r.Hide
	return v.Open(files...)
}

// secretFiles are the files that hold for at least one of the environments.
func secretFiles(spec *stack.Stack, envs []*stack.Env) []string {
	var files []string
	for _, f := range spec.Secrets {
		if slices.ContainsFunc(envs, func(e *stack.Env) bool {
			return (len(f.Envs) == 0 || slices.Contains(f.Envs, e.Name)) &&
				(len(f.Projects) == 0 || slices.Contains(f.Projects, e.Project))
		}) {
			files = append(files, f.File)
		}
	}
	return files
}

// targets resolves what is wanted, and tells what is wrong with it.
func (r *Run) targets(ctx context.Context, spec *stack.Stack, sel resolve.Selection, keys *vault.Secrets) ([]resolve.Target, error) {
	targets, problems := resolve.Targets(spec, sel.Envs, resolve.Context{
		Repository: r.Repository, CloneURL: r.CloneURL, Token: r.Token, SHA: sel.SHA, Branch: sel.Branch, Ref: sel.Ref, Policy: r.Policy,
		Commit:   r.commits(ctx, sel.Command),
		Pushed:   r.pushed(ctx, sel.Command),
		Secret:   keys.Get,
		Names:    keys.Names(),
		IsSecret: r.Hide.Contains,
		ReadFile: func(path string) ([]byte, error) { return r.Source.read(ctx, path) },
	})
	r.tell(problems)
	if problems.HasErrors() {
		return nil, &StackError{problems}
	}
	for _, t := range targets {
		if err := r.hide(t.Proxmox.Token, t.SSH.Key); err != nil {
			return nil, err
		}
	}
	return targets, nil
}

// hide adds values that need not come from the vault.
func (r *Run) hide(values ...secret.Value) error {
	for _, v := range values {
		if v.IsZero() {
			continue
		}
		if err := r.Hide.Add(v); err != nil {
			return err
		}
	}
	return nil
}

// commits tells what a branch of a git server is at. A command that deploys nothing new
// does without: it works while the git server does not.
func (r *Run) commits(ctx context.Context, command string) func(stack.Source, string) (string, error) {
	switch command {
	case "rollback", "restore", "destroy", "unlock":
		return nil
	}
	return func(source stack.Source, ref string) (string, error) { return r.remoteCommit(ctx, source, ref) }
}

// pushed tells what a branch of the workflow's repository is at, for a person's command
// that deploys.
func (r *Run) pushed(ctx context.Context, command string) func(string) string {
	if r.Pushed == nil || r.CloneURL == "" || !slices.Contains(deploying, command) {
		return nil
	}
	r.notPushed = make(map[string]string)
	return func(branch string) string {
		sha, err := r.Pushed(ctx, branch)
		if err != nil {
			r.notPushed[branch] = err.Error()
		}
		return sha
	}
}

// deploying are the commands that release a commit, or tell of it.
var deploying = []string{"apply", "configure", "plan"}

// undeployed says why a person's command releases nothing; "": it does, or need not.
func (r *Run) undeployed(command string, t resolve.Target) string {
	os := t.Want.OS
	if t.SHA != "" || r.Event.Name != "" || !slices.Contains(deploying, command) || os == nil || os.Release == nil || t.Spec.App.Source.Upload != "" {
		return ""
	}
	why := cmp.Or(r.notPushed[t.Branch], "this directory is no clone of the workflow's repository")
	return "no commit is deployed: " + why + "; a push deploys, and so does --ref in a clone"
}

// remoteCommit asks a git server for the commit of a branch or tag.
func (r *Run) remoteCommit(ctx context.Context, s stack.Source, ref string) (string, error) {
	if s.Git == "" { // the workflow's own repository, of which the stack wants a certain ref
		return r.commit(ctx, ref)
	}
	return git.Resolve(ctx, git.Remote{
		URL: s.Git, Key: secret.New(s.Key), Token: secret.New(s.Token), HostKey: cmp.Or(s.HostKey, resolve.PublishedHostKey(s.Git)),
	}, ref)
}
