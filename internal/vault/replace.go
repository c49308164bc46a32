package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// replaceFile gives a file new content so that at every moment, a crash included,
// it has either the old one or the new one, whole. The mode and the owner stay; a
// new file gets mode. A symbolic link stays one, and what it leads to is replaced.
func replaceFile(file string, data []byte, mode fs.FileMode) error {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	old, err := os.Stat(file)
	if err == nil {
		mode = old.Mode().Perm()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".new-*")
	if err != nil {
		return err
	}
	if err = fill(temp, data, mode, old); err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return syncDir(filepath.Dir(file))
}

// fill writes, syncs and closes the new file.
func fill(temp *os.File, data []byte, mode fs.FileMode, old fs.FileInfo) error {
	_, err := temp.Write(data)
	if err == nil {
		err = temp.Chmod(mode)
	}
	if err == nil && old != nil {
		keepOwner(temp, old)
	}
	if err == nil {
		err = temp.Sync()
	}
	return errors.Join(err, temp.Close())
}

// keepOwner makes the new file the old one's owner's, for root who works on
// somebody's repository. Others may not, and need not: the file is theirs.
func keepOwner(temp *os.File, old fs.FileInfo) {
	if stat, ok := old.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		_ = temp.Chown(int(stat.Uid), int(stat.Gid))
	}
}

// syncDir makes the rename itself durable. Some file systems cannot sync a
// directory; the content is safe then, too.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return errors.Join(err, d.Close())
	}
	return d.Close()
}
