package lxc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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
	if readable(filepath.Join(point, "proc/meminfo")) {
		return point, nil
	}
	if _, err := exec.LookPath("lxcfs"); err != nil {
		return "", nil
	}
	if err := errors.Join(unmountAll(ctx, point), os.MkdirAll(point, 0o755)); err != nil {
		return "", err
	}
	// It outlives ctx: the lab's end is Clean, which unmounts it.
	cmd := exec.Command("lxcfs", "--pidfile="+filepath.Join(dir, "lxcfs.pid"), point)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	go cmd.Wait() // it ends with its mount
	ctx, cancel := context.WithTimeout(ctx, calm)
	defer cancel()
	return point, poll(ctx, func() bool { return readable(filepath.Join(point, "proc/meminfo")) })
}

func readable(file string) bool {
	_, err := os.ReadFile(file)
	return err == nil
}

func (b *Backend) lxcfsConfig(c *lines) {
	if b.lxcfs == "" {
		return
	}
	for _, f := range lxcfsFiles {
		c.add("lxc.mount.entry", filepath.Join(b.lxcfs, f)+" "+f+" none bind,optional 0 0")
	}
}
