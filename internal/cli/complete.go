package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/stack"
)

// completeNames lets a shell complete --project and --env from the stack file, and --stack
// and --identity with files.
func (g *globals) completeNames(root *cobra.Command) {
	for flag, name := range map[string]func(*stack.Env) string{
		"project": func(e *stack.Env) string { return e.Project },
		"env":     func(e *stack.Env) string { return e.Name },
	} {
		err := root.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return g.names(name), cobra.ShellCompDirectiveNoFileComp
		})
		if err != nil {
			panic(err) // only without such a flag: a mistake of ours
		}
	}
}

// completeWords lets a shell complete a flag that takes one of a few words.
func completeWords(c *cobra.Command, flag string, words ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // only without such a flag: a mistake of ours
	}
}

// names are those of the stack file's environments that the flags given leave; a stack
// file that cannot be read has none.
func (g *globals) names(of func(*stack.Env) string) []string {
	st, err := g.stackIfAny()
	if err != nil || st == nil {
		return nil
	}
	var names []string
	for _, e := range st.Envs {
		if (g.Project == "" || g.Project == e.Project) && (g.Env == "" || g.Env == e.Name) {
			names = append(names, of(e))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
