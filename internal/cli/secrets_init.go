package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/vault"
)

func secretsInitCommand(g *globals) *cobra.Command {
	var postQuantum bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make an identity and what secrets need in the repository",
		Long: `init makes what is not there yet:

  - an age identity, the private key, in ~/.config/appstack/identity.txt or where
    --identity says, unless one is given already
  - ` + vault.RecipientsFile + `, who can read the secrets: for now, you
  - ` + vault.ExampleFile + `, every secret that the stack names
  - lines in .gitignore for keys, backups and plain copies

It can be run again at any time: only the example is written anew.`,
		Example: "  appstack secrets init",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			files, err := g.secretsInit(postQuantum)
			if err == nil {
				g.say("next: appstack secrets edit %s", append(files, "FILE")[0])
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&postQuantum, "pq", false, "make a post-quantum identity; it cannot share files with others")
	return cmd
}

// secretsInit returns the secrets files that the stack names.
func (g *globals) secretsInit(postQuantum bool) (files []string, err error) {
	st, err := g.stackIfAny()
	if err != nil {
		return nil, err
	}
	v, err := g.closedVault()
	if err != nil {
		return nil, err
	}
	identity, own, err := g.ownIdentity(postQuantum)
	if err != nil {
		return nil, err
	}
	if err := g.initRecipients(v, own); err != nil {
		return nil, err
	}
	if st == nil {
		g.say("hint: once there is %s, run this again: it writes an example with the secrets that it names", g.StackFile)
		return nil, g.initIgnore(v, identity, nil)
	}
	files = g.filesOf(st)
	if err := v.WriteExample(references(st), files); err != nil {
		return nil, err
	}
	g.say("%s: every secret that %s names", vault.ExampleFile, g.StackFile)
	return files, g.initIgnore(v, identity, files)
}

// ownIdentity returns the public half of the identity that is given, or of a new
// one, and the file that it is in, if it is in one.
func (g *globals) ownIdentity(postQuantum bool) (file string, own []vault.Recipient, err error) {
	source, err := vault.FindIdentity("", g.identityPath(), g.Getenv)
	if err == nil {
		ids, err := vault.ParseIdentities(g.askPassphrase(), source)
		if err != nil {
			return "", nil, err
		}
		g.say("%s: your identity, is there already", source.Name)
		return source.Name, ids.Recipients(), nil
	}
	switch {
	case errors.Is(err, vault.ErrNoIdentity):
		file = vault.IdentityFile(g.Getenv)
	case errors.Is(err, fs.ErrNotExist):
		file = g.identityPath()
	}
	if file == "" {
		return "", nil, err
	}
	public, err := vault.NewIdentity(file, postQuantum, time.Now())
	if err != nil {
		return "", nil, &vault.Problem{Summary: "cannot make an identity", Err: err}
	}
	g.say("%s: your new identity, a private key: keep a copy in a safe place", file)
	g.say("  its text is also what the action needs: gh secret set APPSTACK_AGE_KEY < %s", file)
	return file, []vault.Recipient{public}, nil
}

func (g *globals) initRecipients(v *vault.Vault, own []vault.Recipient) error {
	who := g.person()
	for i := range own {
		own[i].Who = who
	}
	made, err := v.WriteRecipients(own)
	if err != nil {
		return err
	}
	if made {
		g.say("%s: who can read the secrets: %s", vault.RecipientsFile, own[0])
		return nil
	}
	g.say("%s: is there already", vault.RecipientsFile)
	for _, r := range v.Rules.All() {
		if r.Text == own[0].Text {
			return nil
		}
	}
	g.say("hint: you are not in it; let somebody who is add this line and run `appstack secrets rekey`:\n%s # %s", own[0].Text, who)
	return nil
}

// person is who runs the program, as a comment for others.
func (g *globals) person() string {
	host, err := os.Hostname()
	who := strings.TrimSpace(g.Getenv("USER"))
	switch {
	case err == nil && who != "":
		return who + "@" + host
	case err == nil:
		return host
	}
	return who
}

// initIgnore keeps the identity out of git, too, where it is in the repository.
func (g *globals) initIgnore(v *vault.Vault, identity string, files []string) error {
	var private []string
	if rel, err := filepath.Rel(g.Dir, identity); err == nil && filepath.IsAbs(identity) && filepath.IsLocal(rel) {
		private = append(private, filepath.ToSlash(rel))
	}
	added, err := v.WriteIgnore(files, private...)
	if err != nil {
		return err
	}
	if len(added) > 0 {
		g.say(".gitignore: %s", plural(len(added), "line")+" for keys, backups and plain copies")
	}
	return nil
}
