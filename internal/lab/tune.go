package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// limits are kernel settings that many containers on one machine need. To the kernel
// the same uid of all containers is one user: with its default of 128 inotify instances
// a user the twentieth systemd gives up (the values are those of Proxmox's
// 10-pve-ct-inotify-limits.conf), and with 200 keys a user, each unit having a keyring,
// units fail at step KEYRING from the fifteenth container on.
var limits = map[string]int{
	"/proc/sys/fs/inotify/max_user_instances": 65536,
	"/proc/sys/fs/inotify/max_user_watches":   4194304,
	"/proc/sys/kernel/keys/maxkeys":           20000,
	"/proc/sys/kernel/keys/maxbytes":          2000000,
}

// mark is the file that remembers a setting's value from before the first lab.
func mark(setting string) string {
	return filepath.Join(registry, filepath.Base(setting)+".was")
}

// raiseLimits raises what is too low.
func raiseLimits() error {
	for setting, want := range limits {
		text, err := os.ReadFile(setting)
		if err != nil {
			return err
		}
		if is, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || is >= want {
			continue
		}
		// The mark first: a crash in between must not lose the old value.
		if err := os.WriteFile(mark(setting), text, 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(setting, []byte(strconv.Itoa(want)), 0o644); err != nil {
			return fmt.Errorf("cannot raise %s: %w", setting, err)
		}
	}
	return nil
}

// restoreLimits puts the old values back once no lab is left.
func restoreLimits() error {
	left, err := records()
	if err != nil || len(left) > 0 {
		return err
	}
	var errs []error
	for setting := range limits {
		was, err := os.ReadFile(mark(setting))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(setting, was, 0o644)
		}
		errs = append(errs, err, os.Remove(mark(setting)))
	}
	return errors.Join(errs...)
}
