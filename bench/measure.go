package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// sample is one call of a program.
type sample struct {
	took           time.Duration
	peak           float64 // MB that the process, or one of its children, had at most
	stdout, stderr string
}

func (s sample) ms() float64 { return float64(s.took) / float64(time.Millisecond) }

// call is a program with its arguments.
type call struct {
	args  []string
	dir   string
	env   []string // more variables
	stdin string
}

// do runs it; failure is an error that has the end of what it said.
func (c call) do(ctx context.Context) (sample, error) {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), c.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second // a master connection of OpenSSH's keeps the streams open
	began := time.Now()
	err := cmd.Run()
	s := sample{took: time.Since(began), stdout: stdout.String(), stderr: stderr.String()}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", strings.Join(c.args, " "), err, tail(s.stdout+s.stderr))
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.peak = float64(usage.Maxrss) / 1024
	}
	return s, nil
}

func tail(text string) string { return text[max(0, len(text)-3000):] }
