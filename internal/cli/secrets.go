package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/internal/vault"
)

func secretsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Keep the team's secrets in age files",
		Long: `secrets makes, changes and inspects the age files that the stack lists under
"secrets:". They are encrypted to the people and machines in ` + vault.RecipientsFile + `.

The identity that opens them is, in this order: --identity FILE, the variables
APPSTACK_AGE_KEY, SOPS_AGE_KEY and SOPS_AGE_KEY_FILE, and the file
~/.config/appstack/identity.txt, which "secrets init" makes. It may be an age
identity, also a post-quantum one, or an SSH private key (Ed25519 or RSA).`,
		Example: `  appstack secrets init
  appstack secrets edit secrets/prod.yaml.age
  appstack secrets set shop.deploy_key < ~/.ssh/shop`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		secretsInitCommand(g),
		secretsEditCommand(g),
		secretsSetCommand(g),
		secretsGetCommand(g),
		secretsListCommand(g),
		secretsRekeyCommand(g),
		secretsRecipientsCommand(g),
	)
	return cmd
}

// closedVault is the vault of the working directory, without an identity. What it
// opens joins the redactor.
func (g *globals) closedVault() (*vault.Vault, error) {
	v, err := vault.At(g.Dir)
	if err != nil {
		return nil, err
	}
	v.Hide = g.hide
	return v, nil
}

// openVault is the vault with the identity that is given.
func (g *globals) openVault() (*vault.Vault, error) {
	v, err := g.closedVault()
	if err != nil {
		return nil, err
	}
	source, err := vault.FindIdentity("", g.identityPath(), g.Getenv)
	if err != nil {
		return nil, err
	}
	v.Identities, err = vault.ParseIdentities(g.askPassphrase(), source)
	return v, err
}

func (g *globals) identityPath() string {
	if g.Identity == "" {
		return ""
	}
	return g.path(g.Identity)
}

// askPassphrase asks at the terminal; without one there is nobody to ask.
func (g *globals) askPassphrase() vault.Passphrase {
	if g.terminal() == nil {
		return nil
	}
	return func(key string) ([]byte, error) { return g.hidden("passphrase of " + key + ": ") }
}

// terminal returns standard input if a person sits at it, else nil.
func (g *globals) terminal() *os.File {
	if f, ok := g.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// hidden asks for a line that is not shown while it is typed. An interrupt ends it,
// and the terminal shows again what is typed.
func (g *globals) hidden(prompt string) ([]byte, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	fd := int(g.terminal().Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	g.prompt(prompt)
	defer fmt.Fprintln(g.Stderr)
	go func() {
		text, err := term.ReadPassword(fd)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		return nil, errors.Join(errors.New("interrupted"), term.Restore(fd, before))
	}
}

// prompt writes a text that ends within a line, of which the redactor would hold
// back an end that looks like the beginning of a secret.
func (g *globals) prompt(text string) {
	fmt.Fprint(g.Stderr, text)
	if f, ok := g.Stderr.(interface{ Flush() error }); ok {
		_ = f.Flush() // a prompt that cannot be written is no reason to stop
	}
}

func (g *globals) say(format string, args ...any) { fmt.Fprintf(g.Stderr, format+"\n", args...) }

// secretFiles returns the files given, or else those of the stack that concern
// --project and --env.
func (g *globals) secretFiles(given []string) ([]string, error) {
	if len(given) > 0 {
		return given, nil
	}
	st, err := g.loadStack()
	if err != nil {
		return nil, err
	}
	files := g.filesOf(st)
	if len(files) == 0 {
		return nil, fmt.Errorf("%s lists no secrets file for this; name one, or add it under `secrets:`", g.StackFile)
	}
	return files, nil
}

// presentFiles is secretFiles without those of the stack's that are not made yet.
func (g *globals) presentFiles(given []string) ([]string, error) {
	files, err := g.secretFiles(given)
	if err != nil || len(given) > 0 {
		return files, err
	}
	return slices.DeleteFunc(files, func(file string) bool {
		missing := g.missing(file)
		if missing {
			g.say("warning: %s lists %s, which is not there yet", g.StackFile, file)
		}
		return missing
	}), nil
}

func (g *globals) missing(file string) bool {
	_, err := os.Stat(g.path(file))
	return errors.Is(err, os.ErrNotExist)
}

func (g *globals) filesOf(st *stack.Stack) []string {
	var files []string
	for _, f := range st.Secrets {
		concerned := func(only []string, one string) bool { return one == "" || len(only) == 0 || slices.Contains(only, one) }
		if concerned(f.Envs, g.Env) && concerned(f.Projects, g.Project) {
			files = append(files, f.File)
		}
	}
	return files
}

// stackIfAny is the stack, or nil where there is no stack file yet.
func (g *globals) stackIfAny() (*stack.Stack, error) {
	if g.missing(g.StackFile) {
		return nil, nil
	}
	return g.loadStack()
}

// references lists what the stack names, for examples. Of several uses the first
// one is told.
func references(st *stack.Stack) []vault.Reference {
	if st == nil {
		return nil
	}
	var refs []vault.Reference
	for _, r := range st.References() {
		refs = append(refs, vault.Reference{Name: r.Name, Where: fmt.Sprintf("%s:%d", r.Pos.File, r.Pos.Line)})
	}
	return refs
}

// commented makes comments of all lines.
func commented(text string) string {
	var b bytes.Buffer
	for line := range strings.Lines(text) {
		b.WriteString("# " + line)
	}
	return b.String()
}

// args refuses a wrong number of arguments, as wrong usage.
func args(min, max int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < min || len(args) > max {
			return usageError{fmt.Errorf("%s takes %s; see `%[1]s --help`", cmd.CommandPath(), what)}
		}
		return nil
	}
}

// warnLockedOut tells those who could not read a file any more what they wrote.
func (g *globals) warnLockedOut(v *vault.Vault, file string) {
	if v.LockedOut(file) {
		g.say("warning: your identity is not among the recipients of %s: you cannot read it any more", file)
	}
}

// tellWritten says for whom a file now is.
func (g *globals) tellWritten(v *vault.Vault, file string) {
	var who []string
	for _, r := range v.Readers(file) {
		who = append(who, r.String())
	}
	g.say("%s: encrypted to %s", file, strings.Join(who, ", "))
	g.warnLockedOut(v, file)
}
