package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Clean takes away every container, mount and cgroup of the lab name in dir, and
// with them the containers' disks. It needs nothing but the two names, so it also
// works after a crash, and finding nothing is no error.
func Clean(ctx context.Context, dir, name string) error {
	err := errors.Join(killAll(ctx, name), unmountAll(ctx, dir), removeCgroups(name))
	if err != nil {
		return fmt.Errorf("cannot clean up lab %s: %w", name, err)
	}
	for _, sub := range []string{"ct", "store", "store.img", "lxcfs"} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, sub)))
	}
	return err
}

// cgroups are the lab's in every hierarchy.
func cgroups(name string) []string {
	v1, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", name))
	v2, _ := filepath.Glob(filepath.Join(cgroupRoot, name))
	return append(v1, v2...)
}

// members are the processes in the lab's cgroups: the containers' and LXC's monitors.
func members(name string) map[int]bool {
	pids := map[int]bool{}
	for _, top := range cgroups(name) {
		filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.Name() != "cgroup.procs" {
				return nil
			}
			text, _ := os.ReadFile(path)
			for _, f := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
					pids[pid] = true
				}
			}
			return nil
		})
	}
	return pids
}

// Count is how many containers of the lab name run.
func Count(name string) int {
	n := 0
	for pid := range members(name) {
		if isMonitor(pid) {
			n++
		}
	}
	return n
}

// killAll ends the lab's processes; a monitor that loses its container cleans up
// and ends by itself, so those are given a moment.
func killAll(ctx context.Context, name string) error {
	for began, attempt := time.Now(), 0; ; attempt++ {
		pids := members(name)
		if len(pids) == 0 {
			return nil
		}
		if time.Since(began) > calm {
			return fmt.Errorf("%d processes will not end", len(pids))
		}
		for pid := range pids {
			if attempt > 30 || !isMonitor(pid) {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func isMonitor(pid int) bool {
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.HasPrefix(string(cmdline), "[lxc monitor]")
}

// removeCgroups removes the lab's empty cgroups, the innermost first.
func removeCgroups(name string) error {
	var errs []error
	for _, top := range cgroups(name) {
		var dirs []string
		filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			errs = append(errs, os.Remove(dirs[i]))
		}
	}
	return errors.Join(errs...)
}
