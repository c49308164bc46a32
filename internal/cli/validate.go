package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/stack"
)

func validateCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the stack file",
		Long: `validate checks the stack file and tells everything that is wrong with it, with
the line and what to do. It needs no secrets and no network.`,
		Example: "  appstack validate --stack ops/appstack.yaml",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			start := time.Now()
			st, err := g.loadStack()
			if err != nil {
				return err
			}
			if err := g.tell(app.CheckSecrets(st, g.Dir)); err != nil {
				return err
			}
			if g.JSON {
				return g.writeJSON(map[string]any{"valid": true, "environments": len(st.Envs)})
			}
			fmt.Fprintf(g.Stdout, "%s is valid: %s\n", g.StackFile, plural(len(st.Envs), "environment"))
			if g.Timing {
				fmt.Fprintf(g.Stderr, "validate  %s\n", time.Since(start).Round(100*time.Microsecond))
			}
			return nil
		},
	}
}

// loadStack reads the stack file and writes what is wrong with it.
func (g *globals) loadStack() (*stack.Stack, error) {
	if err := g.elsewhere(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(g.path(g.StackFile))
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("cannot find the stack file %s; `appstack init` writes a first one, --stack names another", g.StackFile)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the stack file: %w", err)
	}
	st, problems := stack.Load(g.StackFile, text)
	if err := g.tell(problems); err != nil {
		return nil, err
	}
	return st, nil
}

// elsewhere is the error of somebody who is in a subdirectory of the repository: the
// paths in a stack file count from its top.
func (g *globals) elsewhere() error {
	if filepath.IsAbs(g.StackFile) || !g.missing(g.StackFile) {
		return nil
	}
	for dir := filepath.Dir(g.Dir); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(filepath.Join(dir, g.StackFile)); err == nil && info.Mode().IsRegular() {
			return fmt.Errorf("cannot find the stack file %s here; there is one in %s: run this there", g.StackFile, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// tell writes diagnostics and returns an error if there is one among them.
func (g *globals) tell(problems diag.List) error {
	if g.JSON && problems.HasErrors() {
		if err := g.writeJSON(map[string]any{"valid": false, "problems": forPrograms(problems)}); err != nil {
			return err
		}
		return errReported
	}
	if err := problems.Render(g.Stderr, g.color(isTerminal(os.Stderr))); err != nil {
		return err
	}
	if problems.HasErrors() {
		return errReported
	}
	return nil
}

// problemJSON is a diagnostic for programs.
type problemJSON struct {
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

func forPrograms(problems diag.List) []problemJSON {
	all := make([]problemJSON, len(problems))
	for i, d := range problems {
		all[i] = problemJSON{d.Severity.String(), d.Pos.File, d.Pos.Line, d.Pos.Col, d.Summary, d.Detail, d.Hint}
	}
	return all
}

// tellAll writes diagnostics of a run.
func (g *globals) tellAll(problems diag.List) { _ = g.tell(problems) } // the run itself fails for them

func (g *globals) writeJSON(v any) error {
	enc := json.NewEncoder(g.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// path makes a path of the user's absolute.
func (g *globals) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(g.Dir, name)
}

// relative makes a path of the user's one that counts from the working directory.
func (g *globals) relative(name string) string {
	if rel, err := filepath.Rel(g.Dir, name); err == nil && filepath.IsAbs(name) {
		return rel
	}
	return name
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// plural writes a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
