package cli

import "github.com/spf13/cobra"

// commands returns the program's commands in the order of its help.
func commands(g *globals) []*cobra.Command {
	all := []*cobra.Command{
		initCommand(g),
		validateCommand(g),
		resolveCommand(g),
		schemaCommand(g),
		inventoryCommand(g),
		secretsCommand(g),
		actionCommand(g),
		postCommand(g),
	}
	return append(all, runCommands(g)...)
}
