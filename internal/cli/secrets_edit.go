package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/vault"
)

func secretsEditCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "edit [FILE]",
		Short: "Edit a secrets file, or make one",
		Long: `edit decrypts a file, opens it in $VISUAL or $EDITOR, and encrypts what you save.
FILE may be left out where the stack lists one file only.

The plain text lies in a directory that only you can read, in memory where the
system has a place for that, and is removed whatever happens. If it is not valid
afterwards, you are asked to edit it again. Unchanged, the file is not written.`,
		Example: "  EDITOR=nano appstack secrets edit secrets/prod.yaml.age",
		Args:    args(0, 1, "one FILE at most"),
		RunE:    func(cmd *cobra.Command, args []string) error { return g.secretsEdit(cmd.Context(), args) },
	}
}

func (g *globals) secretsEdit(parent context.Context, args []string) error {
	file, err := g.oneFile(args)
	if err != nil {
		return err
	}
	editor, err := g.editor()
	if err != nil {
		return err
	}
	v, err := g.openVault()
	if err != nil {
		return err
	}
	template, err := g.template(file)
	if err != nil {
		return err
	}
	ctx, stop := g.editing(parent)
	defer stop()
	changed, err := v.Edit(ctx, file, vault.Editor{
		Open:     func(ctx context.Context, draft string) error { return openEditor(ctx, editor, draft) },
		Again:    g.editAgain,
		Template: template,
	})
	if err != nil {
		return err
	}
	if !changed {
		g.say("%s: not changed", file)
		return nil
	}
	g.tellWritten(v, file)
	return nil
}

// oneFile is the file given, or the only one there is.
func (g *globals) oneFile(given []string) (string, error) {
	files, err := g.secretFiles(given)
	if err != nil {
		return "", err
	}
	if len(files) > 1 {
		return "", usageError{fmt.Errorf("%s lists several secrets files; say which: %s", g.StackFile, strings.Join(files, ", "))}
	}
	return files[0], nil
}

// template is what a new file starts with.
func (g *globals) template(file string) (string, error) {
	if _, err := os.Stat(g.path(file)); err == nil {
		return "", nil // it is not new, and a broken stack is no hindrance
	}
	st, err := g.stackIfAny()
	if err != nil {
		return "", err
	}
	return "# Secrets, as `name: value`, also in groups. All values are text.\n" + commented(vault.Example(references(st))), nil
}

// editor is the command that people want to edit with, for the shell, as git
// takes it.
func (g *globals) editor() (string, error) {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if command := strings.TrimSpace(g.Getenv(name)); command != "" {
			return command, nil
		}
	}
	for _, command := range []string{"sensible-editor", "vi", "nano"} {
		if _, err := exec.LookPath(command); err == nil {
			return command, nil
		}
	}
	return "", errors.New("there is no editor: set VISUAL or EDITOR")
}

// plainCommand matches what the shell would run as it is.
var plainCommand = regexp.MustCompile(`^[\w./+-]+(\s+[\w./+=:,-]+)*$`)

// openEditor gives the editor the process's own streams, because on others it
// would find no terminal. Where that can be, it takes the shell's place, so that a
// signal to end it reaches it.
func openEditor(ctx context.Context, editor, draft string) error {
	script := editor + ` "$@"`
	if plainCommand.MatchString(editor) {
		script = "exec " + script
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", script, editor, draft)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %q failed: %w", editor, err)
	}
	return nil
}

// editing is the context of an editing session. At a terminal, keys that send a
// signal, such as emacs's ctrl-g, are the editor's business. No signal that can be
// caught ends the program before the draft is gone, not even one of a broken pipe.
func (g *globals) editing(parent context.Context) (context.Context, context.CancelFunc) {
	swallowed := make(chan os.Signal, 1)
	signal.Notify(swallowed, syscall.SIGPIPE, syscall.SIGQUIT)
	ending := []os.Signal{syscall.SIGTERM, syscall.SIGHUP}
	if g.terminal() == nil {
		ending = append(ending, syscall.SIGQUIT, os.Interrupt)
	}
	ctx, stop := signal.NotifyContext(context.WithoutCancel(parent), ending...)
	return ctx, func() {
		stop()
		signal.Stop(swallowed)
	}
}

// editAgain asks whether to correct a draft. No answer means no.
func (g *globals) editAgain(ctx context.Context, mistake error) bool {
	g.say("error: %v", mistake)
	g.prompt("edit it again? [y/N] ")
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	answer := make(chan string, 1)
	go func() { answer <- readLine(g.Stdin) }()
	select {
	case a := <-answer:
		if a == "" {
			g.say("")
		}
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(a)), "y")
	case <-ctx.Done():
		g.say("")
		return false
	}
}

// readLine reads a line with its break, and no further: the rest is for the editor.
func readLine(r io.Reader) string {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := r.Read(b)
		line = append(line, b[:n]...)
		if n > 0 && b[0] == '\n' || err != nil {
			return string(line)
		}
	}
}
