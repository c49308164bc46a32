// Package gitrepo reads and writes the lab's bare git repositories with the git
// program itself, so that what the lab's git server hands out and what its GitHub
// look-alike says about branches, commits and files are one and the same thing.
//
// A [Repo] holds nothing but a directory: every answer is git's at that moment.
package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// ErrNotFound is returned for a revision, branch or path that the repository does not have.
var ErrNotFound = errors.New("not found in the repository")

// Repo is a bare git repository on disk.
type Repo struct {
	Dir string // the repository's own directory, usually named x.git
}

// Init makes an empty bare repository in dir whose HEAD is the branch main.
// An existing repository stays as it is.
func Init(dir string) (Repo, error) {
	r := Repo{Dir: dir}
	if _, err := os.Stat(dir + "/HEAD"); err == nil {
		return r, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return r, fmt.Errorf("cannot make the repository's directory: %w", err)
	}
	if _, err := r.git(nil, "init", "--quiet", "--bare", "--initial-branch=main", "."); err != nil {
		return r, err
	}
	// A lab's repository is fetched by commit, as GitHub allows.
	_, err := r.git(nil, "config", "uploadpack.allowAnySHA1InWant", "true")
	return r, err
}

// gitTimeout ends a git process that hangs; the lab's repositories are small.
const gitTimeout = time.Minute

// git runs one git command in the repository and returns its standard output.
func (r Repo) git(stdin []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.Dir
	cmd.Env = Env()
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, &CommandError{Args: args, Stderr: strings.TrimSpace(stderr.String()), Err: err}
	}
	return out, nil
}

// Env is the environment that git runs in: the machine's own git configuration,
// which could sign commits, rewrite URLs or run hooks, is left out.
func Env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=/nonexistent",
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_TERMINAL_PROMPT=0",
		// The lab may run as root over a directory that another user owns.
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	}
}

// CommandError says which git command failed and what git said.
type CommandError struct {
	Args   []string
	Stderr string
	Err    error
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("cannot run git %s: %v: %s", e.Args[0], e.Err, e.Stderr)
}

func (e *CommandError) Unwrap() error { return e.Err }

// exitCode is the status of a git command that ran and failed, else -1.
func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}
