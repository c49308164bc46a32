package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/stack"
)

func resolveCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "resolve",
		Short: "Show the settings of an environment and where each comes from",
		Long: `resolve prints what an environment is after defaults, project and environment are
merged: each value with the line of the stack file that says it, or "default".
Secrets are shown by name.`,
		Example: "  appstack resolve --env qa",
		Args:    namedByFlag,
		RunE: func(*cobra.Command, []string) error {
			st, err := g.loadStack()
			if err != nil {
				return err
			}
			sel, err := resolve.Select(st, event.Event{}, resolve.Request{Command: "resolve", Project: g.Project, Env: g.Env})
			if err != nil {
				return err
			}
			if g.JSON {
				return g.writeJSON(origins(sel.Envs))
			}
			return g.writeOrigins(sel.Envs)
		},
	}
}

// setting is one value of an environment for programs.
type setting struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func origins(envs []*stack.Env) map[string][]setting {
	all := make(map[string][]setting, len(envs))
	for _, e := range envs {
		for _, o := range e.Origins() {
			all[e.String()] = append(all[e.String()], setting{o.Path, o.Value, o.String()})
		}
	}
	return all
}

func (g *globals) writeOrigins(envs []*stack.Env) error {
	for i, e := range envs {
		if i > 0 {
			fmt.Fprintln(g.Stdout)
		}
		fmt.Fprintf(g.Stdout, "%s\n", e)
		w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
		for _, o := range e.Origins() {
			fmt.Fprintf(w, "  %s:\t%s\t# %s\n", o.Path, o.Value, o)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}
