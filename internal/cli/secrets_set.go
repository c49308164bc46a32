package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/vault"
)

func secretsSetCommand(g *globals) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Set one secret",
		Long: `set takes the value from standard input, or asks for it where that is a terminal.
It is never an argument, where the shell's history and other users would see it.
The line break at the end of a single line is not part of the value.

Without --file, the value goes where NAME has one already, or into the only file
that the stack lists.`,
		Example: `  appstack secrets set shop.deploy_key < ~/.ssh/shop
  openssl rand -hex 32 | appstack secrets set shop.db.password --file secrets/prod.yaml.age`,
		Args: setArgs,
		RunE: func(_ *cobra.Command, args []string) error { return g.secretsSet(args[0], file) },
	}
	cmd.Flags().StringVar(&file, "file", "", "secrets `file` to put it in")
	return cmd
}

func setArgs(cmd *cobra.Command, given []string) error {
	if len(given) > 1 {
		return usageError{errors.New("the value is not an argument, where others could see it: give it on standard input. If it was a real one, it is in your shell's history now")}
	}
	return args(1, 1, "one NAME")(cmd, given)
}

func (g *globals) secretsSet(name, file string) error {
	v, err := g.openVault()
	if err != nil {
		return err
	}
	if file == "" {
		if file, err = g.fileFor(v, name); err != nil {
			return err
		}
	}
	value, err := g.value(name)
	if err != nil {
		return err
	}
	if err := v.Set(file, name, value); err != nil {
		return err
	}
	g.tellWritten(v, file)
	return nil
}

// fileFor is the last file in which the name has a value, or else the only one.
func (g *globals) fileFor(v *vault.Vault, name string) (string, error) {
	files, err := g.secretFiles(nil)
	if err != nil {
		return "", err
	}
	if len(files) == 1 {
		return files[0], nil
	}
	opened, _ := openEach(v, files) // those that cannot be read are not the one
	if with := having(opened, name); len(with) > 0 {
		return with[len(with)-1].file, nil
	}
	return "", usageError{fmt.Errorf("%s is new and %s lists several secrets files; say which with --file: %s", name, g.StackFile, strings.Join(files, ", "))}
}

// value reads the value of a secret.
func (g *globals) value(name string) (secret.Value, error) {
	if g.terminal() != nil {
		typed, err := g.hidden("value of " + name + ": ")
		return secret.New(string(typed)), err
	}
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(g.Stdin, most+1))
	if err != nil {
		return secret.Value{}, fmt.Errorf("cannot read the value of %s: %w", name, err)
	}
	if len(text) > most {
		return secret.Value{}, fmt.Errorf("the value of %s has more than 1 MiB", name)
	}
	return secret.New(oneLine(string(text))), nil
}

// oneLine takes from a single line the break at its end, which echo and here
// documents add. In several lines, such as a key's, the last break belongs to it.
func oneLine(text string) string {
	if strings.Count(text, "\n") == 1 {
		return strings.TrimRight(text, "\r\n")
	}
	return text
}

// opened is one file's content.
type opened struct {
	file    string
	secrets *vault.Secrets
}

// openEach opens files one by one, and collects the errors of those that it can't.
func openEach(v *vault.Vault, files []string) (all []opened, errs []error) {
	for _, file := range files {
		s, err := v.Open(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, opened{file, s})
	}
	return all, errs
}

func having(all []opened, name string) []opened {
	return slices.DeleteFunc(slices.Clone(all), func(o opened) bool {
		_, ok := o.secrets.Get(name)
		return !ok
	})
}
