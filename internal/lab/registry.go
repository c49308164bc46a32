package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/network"
)

// registry is where the labs of this machine are known: a lock file and a record for
// each. It lives as long as what it describes, until the machine restarts.
const registry = "/run/pvelab"

// ErrBusy is returned where another process serves the lab.
var ErrBusy = errors.New("another process serves this lab")

// record is what later processes know of a lab.
type record struct {
	Bridge string
	Dir    string
	PID    int  // of the process that serves it, or did
	Guard  bool // it needs network.GuardHost
}

// claim takes the lab's lock, which a killed process gives back by itself.
func claim(bridge string) (*os.File, error) {
	if err := os.MkdirAll(registry, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(registry, bridge+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s", ErrBusy, bridge)
	}
	return f, nil
}

// dupLock keeps a lock held beyond its file's closing.
func dupLock(c syscall.RawConn) (*os.File, error) {
	var dup int
	var err error
	if cerr := c.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(dup), "lock"), nil
}

func (l *Lab) register() error {
	text, err := json.Marshal(record{Bridge: l.opt.Bridge, Dir: l.opt.Dir, PID: os.Getpid(), Guard: l.opt.GuardHost})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(registry, l.opt.Bridge+".json"), text, 0o644)
}

// records are the labs of this machine, by bridge name.
func records() ([]record, error) {
	files, err := filepath.Glob(filepath.Join(registry, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []record
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var r record
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// find is the record of a lab; a lab that nobody remembers may still have its
// directory in the default place.
func find(bridge, dir string) (record, error) {
	all, err := records()
	if err != nil {
		return record{}, err
	}
	for _, r := range all {
		if r.Bridge == bridge {
			return r, nil
		}
	}
	o := Options{Bridge: bridge, Dir: dir}
	err = o.defaults()
	return record{Bridge: o.Bridge, Dir: o.Dir}, err
}

// remove takes away everything of a lab; what is not there is no error. Of the
// lab's directory it removes what labs put there and nothing else.
func remove(ctx context.Context, r record) error {
	err := errors.Join(
		lxc.Clean(ctx, r.Dir, r.Bridge),
		network.Down(ctx, network.Config{Bridge: r.Bridge}),
	)
	if err != nil {
		return err
	}
	for _, name := range []string{"pve", "git", "github", infoFile, "lxcfs.pid"} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(r.Dir, name)))
	}
	for _, f := range []string{r.Dir, filepath.Join(registry, r.Bridge+".json")} {
		if rerr := os.Remove(f); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) && !errors.Is(rerr, syscall.ENOTEMPTY) {
			err = errors.Join(err, rerr)
		}
	}
	return errors.Join(err, restoreLimits(), unguard(ctx))
}

// guard begins the guard over this machine's own packets, if it is not there.
func guard(ctx context.Context, resolvers []netip.Addr) error {
	lock, err := lockGuard()
	if err != nil {
		return err
	}
	defer lock.Close()
	return network.GuardHost(ctx, resolvers)
}

// lockGuard waits for the labs that begin or end the guard at this moment. One that
// begins it is registered already.
func lockGuard() (*os.File, error) {
	if err := os.MkdirAll(registry, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(registry, "guard"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// unguard ends the guard over this machine's own packets with the last lab that
// needs it.
func unguard(ctx context.Context) error {
	lock, err := lockGuard()
	if err != nil {
		return err
	}
	defer lock.Close()
	all, err := records()
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Guard {
			return nil
		}
	}
	return network.UnguardHost(ctx)
}

// Down removes a lab by its bridge's name. A process that serves it is asked to do so
// itself; after a crash this does it all. dir is needed only for a lab with a
// directory of its own that this machine forgot in a restart.
func Down(ctx context.Context, bridge, dir string) error {
	r, err := find(bridge, dir)
	if err != nil {
		return err
	}
	lock, err := claim(r.Bridge)
	for asked := false; errors.Is(err, ErrBusy); lock, err = claim(r.Bridge) {
		if !asked && r.PID > 0 {
			if err := syscall.Kill(r.PID, syscall.SIGTERM); err != nil {
				return fmt.Errorf("cannot ask process %d to end: %w", r.PID, err)
			}
			asked = true
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return remove(ctx, r)
}

// Clean removes what dead labs left on this machine and returns their names; labs
// that a process serves are left alone.
func Clean(ctx context.Context) ([]string, error) {
	all, err := records()
	if err != nil {
		return nil, err
	}
	var cleaned []string
	for _, r := range all {
		lock, err := claim(r.Bridge)
		if errors.Is(err, ErrBusy) {
			continue
		}
		if err == nil {
			err = errors.Join(remove(ctx, r), lock.Close())
		}
		if err != nil {
			return cleaned, err
		}
		cleaned = append(cleaned, r.Bridge)
	}
	return cleaned, nil
}

// Status is a lab of this machine as an outsider sees it.
type Status struct {
	Bridge string
	Dir    string
	PID    int  // of the process that serves it; 0: none
	Info   Info // as of its last serving
	Guests int  // containers that run
}

// List returns the labs of this machine, served or left over.
func List() ([]Status, error) {
	all, err := records()
	if err != nil {
		return nil, err
	}
	var list []Status
	for _, r := range all {
		s := Status{Bridge: r.Bridge, Dir: r.Dir, PID: r.PID, Guests: lxc.Count(r.Bridge)}
		if lock, err := claim(r.Bridge); err == nil {
			s.PID = 0
			lock.Close()
		}
		s.Info, _ = readInfo(r.Dir)
		list = append(list, s)
	}
	return list, nil
}
