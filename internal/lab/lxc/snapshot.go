package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func (s *store) snapshot(vmid int, name string) string {
	return filepath.Join(s.guest(vmid), "snap", name)
}

// copyImages copies every disk in one directory to another.
func copyImages(ctx context.Context, from, to string) error {
	images, err := filepath.Glob(filepath.Join(from, "*.raw"))
	if err != nil {
		return err
	}
	if len(images) == 0 {
		return fmt.Errorf("no disk in %s", from)
	}
	for _, image := range images {
		if err := cp(ctx, image, filepath.Join(to, filepath.Base(image))); err != nil {
			return err
		}
	}
	return nil
}

// Snapshot implements the API's Backend.
func (b *Backend) Snapshot(ctx context.Context, vmid int, name string) error {
	g, unlock := b.lock(vmid)
	defer unlock()
	dir := b.store.snapshot(vmid, name)
	if _, err := os.Stat(dir); err == nil {
		return fmt.Errorf("snapshot name '%s' already used", name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := frozen(g.rootfs(), func() error { return copyImages(ctx, b.store.guest(vmid), dir) })
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

// Rollback implements the API's Backend.
func (b *Backend) Rollback(ctx context.Context, vmid int, name string) error {
	g, unlock := b.lock(vmid)
	defer unlock()
	if g.running() != nil {
		return ErrRunning
	}
	dir := b.store.snapshot(vmid, name)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("snapshot '%s' does not exist", name)
	}
	if err := b.store.unmount(ctx, g); err != nil {
		return err
	}
	return copyImages(ctx, dir, b.store.guest(vmid))
}

// DeleteSnapshot implements the API's Backend.
func (b *Backend) DeleteSnapshot(ctx context.Context, vmid int, name string) error {
	_, unlock := b.lock(vmid)
	defer unlock()
	return os.RemoveAll(b.store.snapshot(vmid, name))
}

// Resize implements the API's Backend. A mounted ext4 grows online. It cannot be called
// off, for a file system in the middle of it is none.
func (b *Backend) Resize(ctx context.Context, vmid int, disk string, size int64, progress func(string)) error {
	ctx = context.WithoutCancel(ctx)
	g, unlock := b.lock(vmid)
	defer unlock()
	image := b.store.image(vmid, disk)
	info, err := os.Stat(image)
	if err != nil {
		return fmt.Errorf("container %d has no disk %s: %w", vmid, disk, err)
	}
	if size < info.Size() {
		return errors.New("unable to shrink disk size")
	}
	if g.running() == nil {
		return b.store.resizeOffline(ctx, image, size)
	}
	if err := os.Truncate(image, size); err != nil {
		return err
	}
	if err := growOnline(ctx, image); err != nil {
		return errors.Join(err, os.WriteFile(image+growMark, nil, 0o644))
	}
	return nil
}

// growMark is the suffix of a file beside an image whose file system could not grow
// while it was mounted (Linux wants CAP_SYS_RESOURCE for that, which root has not
// everywhere): it grows before the next mount.
const growMark = ".grow"

func (s *store) growLater(ctx context.Context, image string) error {
	if _, err := os.Stat(image + growMark); err != nil {
		return nil
	}
	info, err := os.Stat(image)
	if err != nil {
		return err
	}
	if err := s.resizeOffline(ctx, image, info.Size()); err != nil {
		return err
	}
	return os.Remove(image + growMark)
}

// growOnline tells the loop device of an image its new size, then the file system.
func growOnline(ctx context.Context, image string) error {
	out, err := command(ctx, "losetup", "--noheadings", "--output", "NAME", "--associated", image)
	if err != nil {
		return err
	}
	device := strings.TrimSpace(out)
	if device == "" {
		return fmt.Errorf("no loop device has %s", image)
	}
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.LOOP_SET_CAPACITY, 0); err != nil {
		return fmt.Errorf("cannot grow %s: %w", device, err)
	}
	_, err = command(ctx, "resize2fs", device)
	return err
}

// diskUsage is used and available bytes of the root file system, mounted or not.
func (b *Backend) diskUsage(ctx context.Context, g *guest) (used, size int64, err error) {
	if mounted(g.rootfs()) {
		var fs unix.Statfs_t
		if err := unix.Statfs(g.rootfs(), &fs); err != nil {
			return 0, 0, err
		}
		return int64(fs.Blocks-fs.Bfree) * fs.Bsize, int64(fs.Blocks) * fs.Bsize, nil
	}
	out, err := command(ctx, "dumpe2fs", "-h", b.store.image(g.vmid, "rootfs"))
	if err != nil {
		return 0, 0, err
	}
	var blocks, free int64
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		switch name {
		case "Block count":
			blocks = n
		case "Free blocks":
			free = n
		}
	}
	return (blocks - free) * 4096, blocks * 4096, nil
}
