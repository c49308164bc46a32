package cli

import (
	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/stack"
)

func schemaCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Write the JSON schema of the stack file",
		Long: `schema writes the JSON schema that editors use to complete and check appstack.yaml.
A first line such as this one names it:

  # yaml-language-server: $schema=https://raw.githubusercontent.com/org/appstack-action/v1/appstack.schema.json`,
		Example: "  appstack schema > appstack.schema.json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := g.Stdout.Write(stack.Schema())
			return err
		},
	}
}
