// Package cli is the program as people and the runner call it: one file a
// command, each of them flags, help and a call of package app.
//
// The rules of its texts: results go to standard output, everything about how it
// went to standard error. A message is lower case and ends without a full stop,
// after "error:", "warning:" or "hint:". An error of the stack file shows the line.
// Exit status 0 is success, 1 a failure, 2 wrong usage. No secret is ever written,
// but by `secrets get`, whose purpose it is.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/secret"
)

// Exit statuses.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// Environ is what the program gets from its process.
type Environ struct {
	Args           []string // the program's name first
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Environ        func() []string // all of the environment, as os.Environ
	Dir            string          // working directory
	Version        string
}

// globals are the flags that every command shares, and the streams.
type globals struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Environ        func() []string
	Dir            string

	StackFile string
	Project   string
	Env       string
	Identity  string
	JSON      bool
	NoColor   bool
	Timing    bool

	// hide knows every secret of the run; Stdout and Stderr are behind it.
	hide *secret.Redactor
	raw  io.Writer // standard output as it is, for what redacts by itself
}

// usageError is a mistake in how the program was called.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// reported is a failure whose message is written already.
var errReported = errors.New("reported")

// Main runs the program and returns its exit status.
func Main(env Environ) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	hide := &secret.Redactor{}
	stdout, stderr := hide.Writer(env.Stdout), hide.Writer(env.Stderr)
	defer stdout.Close()
	defer stderr.Close()
	g := &globals{Stdin: env.Stdin, Stdout: stdout, Stderr: stderr, Getenv: env.Getenv, Environ: env.Environ, Dir: env.Dir, hide: hide, raw: env.Stdout}
	root := rootCommand(g)
	root.Version = env.Version
	root.SetArgs(arguments(env.Args))
	return g.exit(root.ExecuteContext(ctx))
}

// arguments are those of the command line. The runner calls the action's
// post-entrypoint by a name of its own, without arguments.
func arguments(args []string) []string {
	if len(args) == 1 && filepath.Base(args[0]) == "appstack-post" {
		return []string{"post"}
	}
	return args[1:]
}

// exit tells of an error and returns the status for it.
func (g *globals) exit(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errReported):
		return exitFailure
	case errors.As(err, &usage):
		fmt.Fprintf(g.Stderr, "error: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(g.Stderr, "error: %v\n", err)
	if hint := app.Hint(err); hint != "" {
		fmt.Fprintf(g.Stderr, "hint: %s\n", hint)
	}
	return exitFailure
}

func rootCommand(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "appstack",
		Short: "Deploy apps to Proxmox VE from one stack file",
		Long: `appstack reads appstack.yaml, decrypts its age secrets, creates or reconciles the
container of an environment through the Proxmox API, configures it over SSH and
deploys the app. The same program is the GitHub Action.`,
		Example: `  appstack validate
  appstack plan --env qa
  appstack apply --project shop --env dev`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetIn(g.Stdin)
	root.SetOut(g.Stdout)
	root.SetErr(g.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	f := root.PersistentFlags()
	f.StringVar(&g.StackFile, "stack", "appstack.yaml", "stack `file`")
	f.StringVar(&g.Project, "project", "", "only this `project`")
	f.StringVar(&g.Env, "env", "", "only environments of this `name`")
	f.StringVar(&g.Identity, "identity", "", "`file` with the age identity that opens the secrets")
	f.BoolVar(&g.JSON, "json", false, "write the result as JSON")
	f.BoolVar(&g.NoColor, "no-color", false, "write without colours (also NO_COLOR)")
	f.BoolVar(&g.Timing, "timing", false, "tell at the end what took how long")
	g.completeNames(root)
	root.AddCommand(commands(g)...)
	return root
}

// noArgs refuses arguments, naming the command that may have been meant.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		message := fmt.Sprintf("unknown command %q of %s", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			message += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return usageError{errors.New(message)}
	}
	return usageError{fmt.Errorf("%s takes no arguments, but was given %q", cmd.CommandPath(), args[0])}
}

// namedByFlag refuses arguments of a command that works on environments: most often one
// is the name of an environment.
func namedByFlag(cmd *cobra.Command, args []string) error {
	if err := noArgs(cmd, args); err != nil {
		return usageError{fmt.Errorf("%w; did you mean --env %s?", err, args[0])}
	}
	return nil
}

// color tells whether to write colours to w.
func (g *globals) color(isTerminal bool) bool {
	return isTerminal && !g.NoColor && g.Getenv("NO_COLOR") == "" && g.Getenv("TERM") != "dumb"
}
