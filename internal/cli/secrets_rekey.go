package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/vault"
)

func secretsRekeyCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "rekey [FILE...]",
		Short: "Encrypt the files anew to their present recipients",
		Long: `rekey decrypts every secrets file of the stack, or those given, and encrypts them
to the recipients that ` + vault.RecipientsFile + ` now names for them. If one cannot be read,
none is written.

Whoever could read a file before keeps what they have read, and git keeps the old
file: after somebody has left, change the secrets, too.`,
		Example: "  appstack secrets rekey",
		RunE:    func(_ *cobra.Command, args []string) error { return g.secretsRekey(args) },
	}
}

func (g *globals) secretsRekey(given []string) error {
	v, err := g.openVault()
	if err != nil {
		return err
	}
	files, err := g.presentFiles(given)
	if err != nil {
		return err
	}
	if err := v.Rekey(files...); err != nil {
		return err
	}
	for _, file := range files {
		g.tellWritten(v, file)
	}
	return nil
}

func secretsRecipientsCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "recipients [FILE...]",
		Short: "Show who can read which file",
		Long: `recipients reads the headers of the secrets files, which needs no identity. A header
names SSH keys by a short tag; of native age keys it tells only how many there are.
Beside it stands who should be able to read the file by ` + vault.RecipientsFile + `.`,
		Example: "  appstack secrets recipients",
		RunE:    func(_ *cobra.Command, args []string) error { return g.secretsRecipients(args) },
	}
}

func (g *globals) secretsRecipients(given []string) error {
	v, err := g.closedVault()
	if err != nil {
		return err
	}
	files, err := g.presentFiles(given)
	if err != nil {
		return err
	}
	all := []vault.Access{}
	for _, file := range files {
		a, err := v.Access(file)
		if err != nil {
			return err
		}
		all = append(all, a)
	}
	if g.JSON {
		return g.writeJSON(all)
	}
	for _, a := range all {
		g.writeAccess(a)
	}
	return nil
}

func (g *globals) writeAccess(a vault.Access) {
	fmt.Fprintf(g.Stdout, "%s\n  encrypted to    %s\n", a.File, strings.Join(a.Readers, ", "))
	switch {
	case len(a.Rule) == 0:
		fmt.Fprintf(g.Stdout, "  should be for   nobody: %s does not say\n", vault.RecipientsFile)
	default:
		fmt.Fprintf(g.Stdout, "  should be for   %s\n", strings.Join(a.Rule, ", "))
	}
	if !a.Agrees && len(a.Rule) > 0 {
		fmt.Fprintf(g.Stdout, "  these differ    appstack secrets rekey %s\n", a.File)
	}
}
