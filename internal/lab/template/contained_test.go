package template

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKilledBuildLeavesNothing kills a command that has mounted something and started
// something, as mmdebstrap does.
func TestKilledBuildLeavesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	script := `mount -t tmpfs lab "$0" && touch "$0/inside" && { sh -c 'sleep 1000; : ' "$0" & } && echo ready && wait`
	err := stream(contained(ctx, "sh", "-c", script, dir), func(line string) {
		if line == "ready" {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("a killed command ended well")
	}
	if ctx.Err() == nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), dir) {
		t.Error("its mount is still there")
	}
	for deadline := time.Now().Add(time.Minute); running(t, dir); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what it started still runs")
		}
	}
}

// running tells whether a process has that argument.
func running(t *testing.T, arg string) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), arg+"\x00") {
			return true
		}
	}
	return false
}
