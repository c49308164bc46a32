package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// sample is one call of a program.
type sample struct {
	took           time.Duration
	peak           float64 // MB that the process had at most, without its children
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
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	peak := peakMemory(cmd.Process.Pid)
	err := cmd.Wait()
	s := sample{took: time.Since(began), stdout: stdout.String(), stderr: stderr.String(), peak: float64(<-peak) / 1024}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", strings.Join(c.args, " "), err, tail(s.stdout+s.stderr))
	}
	return s, nil
}

// peakMemory delivers, when a process is over, the most memory in KiB that was seen of
// it. What getrusage(2) tells is not less than this process had when it made that one.
func peakMemory(pid int) <-chan int {
	peak := make(chan int, 1)
	go func() {
		most := 0
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, rest, found := strings.Cut(string(text), "VmHWM:")
			if err != nil || !found { // it is over
				break
			}
			line, _, _ := strings.Cut(rest, "kB")
			if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
				most = max(most, n)
			}
		}
		peak <- most
	}()
	return peak
}

func tail(text string) string { return text[max(0, len(text)-3000):] }
