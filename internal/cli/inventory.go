package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/resolve"
)

func inventoryCommand(g *globals) *cobra.Command {
	format := "table"
	c := &cobra.Command{
		Use:   "inventory",
		Short: "List the guests, also as an Ansible inventory",
		Long: `inventory lists the guests of the stack file. With --format ansible it prints what
ansible-inventory and ansible-playbook take as an inventory: the groups app_all,
app_<project>_all and app_<project>_<env>.`,
		Example: "  appstack inventory\n  appstack inventory --format ansible > inventory.json\n  ansible-inventory -i inventory.json --graph",
		Args:    namedByFlag,
		RunE: func(*cobra.Command, []string) error {
			st, err := g.loadStack()
			if err != nil {
				return err
			}
			sel, err := resolve.Select(st, event.Event{}, resolve.Request{Command: "inventory", Project: g.Project, Env: g.Env})
			if err != nil {
				return err
			}
			if format == "ansible" || g.JSON {
				return g.writeJSON(app.NewInventory(sel.Envs))
			}
			if format != "table" {
				return usageError{fmt.Errorf("--format is %q, but must be table or ansible", format)}
			}
			w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ENVIRONMENT\tVMID\tNAME\tIP\tBRANCH")
			for _, e := range sel.Envs {
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", e, e.VMID, e.Hostname, resolve.Address(e), dash(e.Branch))
			}
			return w.Flush()
		},
	}
	c.Flags().StringVar(&format, "format", format, "table or ansible")
	completeWords(c, "format", "table", "ansible")
	return c
}
