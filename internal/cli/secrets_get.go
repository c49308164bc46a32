package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/vault"
)

func secretsGetCommand(g *globals) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "get NAME",
		Short: "Write one secret to standard output",
		Long: `get writes the value of a secret, in plain text, to standard output. It is the only
command that shows one. Of several files with that name the last one's value holds,
as in a run; --env and --file say which files count.`,
		Example: "  appstack secrets get shop.db.password --env prod",
		Args:    args(1, 1, "one NAME"),
		RunE:    func(_ *cobra.Command, args []string) error { return g.secretsGet(args[0], file) },
	}
	cmd.Flags().StringVar(&file, "file", "", "secrets `file` to look in")
	return cmd
}

func (g *globals) secretsGet(name, file string) error {
	v, err := g.openVault()
	if err != nil {
		return err
	}
	// Standard output hides what joins the redactor; this value is to be seen.
	v.Hide = nil
	files := []string{file}
	if file == "" {
		if files, err = g.secretFiles(nil); err != nil {
			return err
		}
		files = slices.DeleteFunc(files, g.missing)
	}
	all, errs := openEach(v, files)
	with := having(all, name)
	if len(with) == 0 {
		return noSuchSecret(name, files, errs)
	}
	if len(with) > 1 {
		g.say("warning: %s is in several files; this is the value in %s", name, with[len(with)-1].file)
	}
	g.warnAll(errs)
	return g.writeSecret(name, with[len(with)-1])
}

func (g *globals) writeSecret(name string, from opened) error {
	value, _ := from.secrets.Get(name)
	text := value.Reveal()
	if g.JSON {
		return g.writeJSON(map[string]string{"name": name, "file": from.file, "value": text})
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	_, err := fmt.Fprint(g.Stdout, text)
	return err
}

// noSuchSecret is the error of a name without a value. Files that could not be
// opened may have it.
func noSuchSecret(name string, files []string, errs []error) error {
	if len(errs) > 0 {
		return fmt.Errorf("there is no secret %s in the files that can be read: %w", name, errors.Join(errs...))
	}
	return &vault.Problem{
		Summary: fmt.Sprintf("there is no secret %s in %s", name, strings.Join(files, ", ")),
		Advice:  "`appstack secrets list` shows the names",
	}
}

func (g *globals) warnAll(errs []error) {
	for _, err := range errs {
		g.say("warning: %v", err)
	}
}

func secretsListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list [FILE...]",
		Short: "List the names of the secrets",
		Long: `list writes the names of all secrets in the files given, or in those that the stack
lists, and never a value. Of all of the stack's files it also tells which secrets the
stack names and none of them has, and which they have and the stack does not name.`,
		Example: "  appstack secrets list --env prod",
		RunE:    func(_ *cobra.Command, args []string) error { return g.secretsList(args) },
	}
}

// listed is a secret's name for programs.
type listed struct {
	Name string `json:"name"`
	File string `json:"file"`
}

func (g *globals) secretsList(given []string) error {
	v, err := g.openVault()
	if err != nil {
		return err
	}
	files, err := g.presentFiles(given)
	if err != nil {
		return err
	}
	all, errs := openEach(v, files)
	if len(all) == 0 && len(errs) > 0 {
		return errs[0]
	}
	g.warnAll(errs)
	names := []listed{}
	for _, o := range all {
		for _, name := range o.secrets.Names() {
			names = append(names, listed{name, o.file})
		}
	}
	if len(given) == 0 && g.Env == "" && g.Project == "" && len(errs) == 0 {
		g.warnUnmatched(names)
	}
	if g.JSON {
		return g.writeJSON(names)
	}
	return g.writeNames(names, len(files) > 1)
}

// warnUnmatched tells of secrets that only one of the stack file and its secrets files
// knows.
func (g *globals) warnUnmatched(names []listed) {
	st, err := g.stackIfAny()
	if err != nil {
		return // told by whoever read it first
	}
	known, used := map[string]bool{}, map[string]bool{}
	for _, n := range names {
		known[n.Name] = true
	}
	for _, ref := range references(st) {
		if !known[ref.Name] && !used[ref.Name] {
			g.say("warning: %s names the secret %s, which no file has: appstack secrets set %[2]s", ref.Where, ref.Name)
		}
		used[ref.Name] = true
	}
	for _, n := range names {
		if !used[n.Name] {
			g.say("warning: %s has the secret %s, which %s does not name", n.File, n.Name, g.StackFile)
		}
	}
}

// writeNames writes a name a line, below its file where there are several.
func (g *globals) writeNames(names []listed, headings bool) error {
	file := ""
	for _, n := range names {
		if headings && n.File != file {
			file = n.File
			fmt.Fprintf(g.Stdout, "# %s\n", file)
		}
		if _, err := fmt.Fprintln(g.Stdout, n.Name); err != nil {
			return err
		}
	}
	return nil
}
