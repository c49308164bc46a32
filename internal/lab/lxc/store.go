package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// storeSize is the size of the sparse file behind a lab's storage; it takes only
// what is written.
const storeSize = 200 << 30

// store keeps the images: DIR/store/VMID/rootfs.raw, …/mp0.raw, snapshots beside
// them in snap/NAME, base images of templates in base/.
type store struct {
	dir  string // where the images are
	back string // the file that holds them all; empty where images are plain files

	baseMu sync.Mutex // one base image is made at a time
}

func openStore(ctx context.Context, dir string) (*store, error) {
	s := &store{dir: filepath.Join(dir, "store"), back: filepath.Join(dir, "store.img")}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("mkfs.xfs"); err != nil {
		s.back = ""
		return s, nil
	}
	if mounted(s.dir) {
		return s, nil
	}
	if err := s.format(ctx); err != nil {
		return nil, fmt.Errorf("cannot make the lab's storage: %w", err)
	}
	_, err := command(ctx, "mount", "-o", "loop,discard,noatime", s.back, s.dir)
	return s, err
}

func (s *store) format(ctx context.Context) error {
	if _, err := os.Stat(s.back); err == nil {
		return nil
	}
	part := s.back + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(storeSize), f.Close()); err != nil {
		return err
	}
	if _, err := command(ctx, "mkfs.xfs", "-q", "-m", "reflink=1", part); err != nil {
		return err
	}
	return os.Rename(part, s.back)
}

// mounted tells whether a file system is mounted on exactly that directory.
func mounted(dir string) bool {
	points, err := mountpoints(dir)
	if err != nil {
		return false
	}
	for _, p := range points {
		if p == dir {
			return true
		}
	}
	return false
}

// mountpoints are those at or below dir, in the order of mounting.
func mountpoints(dir string) ([]string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var points []string
	for line := range strings.Lines(string(info)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		point := unescape.Replace(f[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points, nil
}

// unescape undoes what proc_pid_mountinfo(5) does to blanks.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func (s *store) guest(vmid int) string { return filepath.Join(s.dir, strconv.Itoa(vmid)) }

func (s *store) image(vmid int, disk string) string {
	return filepath.Join(s.guest(vmid), disk+".raw")
}

// cp copies an image; on the lab's own storage the copy shares its blocks. What was there
// stays until all of the copy is.
func cp(ctx context.Context, from, to string) error {
	part := to + ".part"
	if _, err := command(ctx, "cp", "--reflink=auto", "--sparse=always", from, part); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	return os.Rename(part, to)
}

// create makes a container's root disk from a template's archive.
func (s *store) create(ctx context.Context, vmid int, archive string, size int64) error {
	base, err := s.base(ctx, archive)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.guest(vmid), 0o755); err != nil {
		return err
	}
	image := s.image(vmid, "rootfs")
	if err := cp(ctx, base, image); err != nil {
		return err
	}
	if err := s.resizeOffline(ctx, image, size); err != nil {
		return err
	}
	_, err = command(ctx, "tune2fs", "-U", "random", image)
	return err
}

// resizeOffline sets an unmounted image's size and its file system's with it.
func (s *store) resizeOffline(ctx context.Context, image string, size int64) error {
	if _, err := command(ctx, "e2fsck", "-f", "-p", image); err != nil {
		var failed *exec.ExitError
		// 1 says that errors were corrected: e2fsck(8).
		if !errors.As(err, &failed) || failed.ExitCode() > 1 {
			return err
		}
	}
	info, err := os.Stat(image)
	if err != nil {
		return err
	}
	if info.Size() < size {
		if err := os.Truncate(image, size); err != nil {
			return err
		}
	}
	if _, err := command(ctx, "resize2fs", image, strconv.FormatInt(size/1024, 10)+"K"); err != nil {
		return fmt.Errorf("the template needs a bigger disk than %d MiB: %w", size>>20, err)
	}
	return os.Truncate(image, size)
}

// mount puts the container's disks in place; mounted ones stay.
func (s *store) mount(ctx context.Context, g *guest) error {
	if mounted(g.rootfs()) {
		return nil
	}
	if err := os.MkdirAll(g.rootfs(), 0o755); err != nil {
		return err
	}
	return s.mountImage(ctx, s.image(g.vmid, "rootfs"), g.rootfs())
}

func (s *store) mountImage(ctx context.Context, image, point string) error {
	if err := s.growLater(ctx, image); err != nil {
		return err
	}
	_, err := command(ctx, "mount", "-o", imageOptions, image, point)
	return err
}

// imageOptions leave out the flushes to the disk that fsync(2) asks for: they would
// pass through four file systems, and a lab need not survive a power cut.
const imageOptions = "loop,barrier=0"

// calm is how long the kernel may take to come to rest on a machine with much to do: an
// unmount, the end of a container's processes.
const calm = 2 * time.Minute

// unmount returns when the images are at rest: a dying container's mount namespace
// may keep a file system alive, and write to its image, a moment longer.
func (s *store) unmount(ctx context.Context, g *guest) error {
	if err := unmountAll(ctx, g.dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, calm)
	defer cancel()
	return poll(ctx, func() bool { return !inUse(s.guest(g.vmid) + "/") })
}

// inUse tells whether a loop device has a file below dir.
func inUse(dir string) bool {
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, f := range files {
		if file, err := os.ReadFile(f); err == nil && strings.HasPrefix(string(file), dir) {
			return true
		}
	}
	return false
}

// poll waits until done or the end of ctx.
func poll(ctx context.Context, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// unmountAll takes away every mount at or below dir, the last one first.
func unmountAll(ctx context.Context, dir string) error {
	points, err := mountpoints(dir)
	if err != nil {
		return err
	}
	var errs []error
	for i := len(points) - 1; i >= 0; i-- {
		errs = append(errs, unmountOne(ctx, points[i]))
	}
	return errors.Join(errs...)
}

// unmountOne waits where a mount is busy: a loop device gives its file back only a
// moment after it was unmounted.
func unmountOne(ctx context.Context, point string) error {
	ctx, cancel := context.WithTimeout(ctx, calm)
	defer cancel()
	var err error
	poll(ctx, func() bool {
		err = unix.Unmount(point, 0)
		return !errors.Is(err, unix.EBUSY)
	})
	return wrap(err, "cannot unmount "+point)
}

func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// whileMounted runs do with the container's root file system in place.
func (s *store) whileMounted(ctx context.Context, g *guest, do func(root string) error) error {
	if mounted(g.rootfs()) {
		return do(g.rootfs())
	}
	if err := s.mount(ctx, g); err != nil {
		return err
	}
	return errors.Join(do(g.rootfs()), s.unmount(context.WithoutCancel(ctx), g))
}

// The requests of ioctl_fs(2) that freeze a file system and thaw it.
const (
	fifreeze = 0xc0045877
	fithaw   = 0xc0045878
)

// frozen runs do while a mounted file system is at rest on its disk.
func frozen(dir string, do func() error) error {
	if !mounted(dir) {
		return do()
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), fifreeze, 0); err != nil {
		return fmt.Errorf("cannot freeze %s: %w", dir, err)
	}
	return errors.Join(do(), unix.IoctlSetInt(int(f.Fd()), fithaw, 0))
}
