package lxc

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

// command runs a program and puts its complaint into the error.
func command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}

// clockTicks is USER_HZ, which Linux fixes at 100 for its interfaces: proc(5).
const clockTicks = 100

// startTime is when a process began; the zero time if it is gone.
func startTime(pid int) time.Time {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return time.Time{}
	}
	// The command's name, in parentheses, may hold anything: count behind it.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	ticks, _ := strconv.ParseInt(f[19], 10, 64)
	return bootTime().Add(time.Duration(ticks) * time.Second / clockTicks)
}

func bootTime() time.Time {
	up, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return time.Time{}
	}
	secs, _ := strconv.ParseFloat(strings.Fields(string(up))[0], 64)
	return time.Now().Add(-time.Duration(secs * float64(time.Second)))
}
