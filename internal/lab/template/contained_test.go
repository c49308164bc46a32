package template

import (
	"context"
	"os"
	"os/exec"
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

// TestContainedHoldsNoDisk sees that a disk that is mounted elsewhere is not kept from
// being unmounted by a build that begins meanwhile.
func TestContainedHoldsNoDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	image, point := filepath.Join(dir, "disk"), filepath.Join(dir, "point")
	script := `truncate -s 16M "$0" && mkfs.ext4 -q "$0" && mkdir "$1" && mount -o loop "$0" "$1"`
	if out, err := exec.Command("sh", "-c", script, image, point).CombinedOutput(); err != nil {
		t.Skipf("no disk can be mounted here: %v: %s", err, out)
	}
	defer exec.Command("umount", "--lazy", point).Run()
	seen := ""
	if err := stream(contained(t.Context(), "cat", "/proc/mounts"), func(line string) { seen += line + "\n" }); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(seen, point) || !strings.Contains(seen, " / ") {
		t.Errorf("the build's mounts are\n%s", seen)
	}
	if mounts, err := os.ReadFile("/proc/mounts"); err != nil || !strings.Contains(string(mounts), point) {
		t.Errorf("the disk is gone where it was mounted (%v)", err)
	}
}
