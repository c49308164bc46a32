package lxc

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// Terminal is an open console. Closing it ends the session.
type Terminal struct {
	*os.File // the terminal's controlling side
	cmd      *exec.Cmd
	once     sync.Once
}

// Resize tells the session the size of its terminal.
func (t *Terminal) Resize(columns, rows uint16) error {
	raw, err := t.SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(raw.Control(func(fd uintptr) {
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows})
	}), err)
}

// Close implements io.Closer.
func (t *Terminal) Close() error {
	err := os.ErrClosed
	t.once.Do(func() {
		err = t.File.Close()
		t.cmd.Process.Kill()
		t.cmd.Wait()
	})
	return err
}

// Console implements the API's Backend; what it returns is a [*Terminal]. The login
// console is shared by all who open it and replays nothing.
func (b *Backend) Console(ctx context.Context, vmid int, shell bool) (io.ReadWriteCloser, error) {
	if !b.Running(vmid) {
		return nil, ErrNotRunning
	}
	path, id := filepath.Join(b.opt.Dir, "ct"), strconv.Itoa(vmid)
	cmd := exec.Command("lxc-console", "-P", path, "-n", id, "-t", "0", "-e", "-1")
	if shell {
		cmd = exec.Command("lxc-attach", "-P", path, "-n", id, "--clear-env",
			"--set-var=TERM=linux", "--set-var=HOME=/root", "--set-var=USER=root")
	}
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		return nil, wrap(err, "cannot open a console")
	}
	file, err := pollable(f)
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	return &Terminal{File: file, cmd: cmd}, nil
}

// pollable opens a terminal's file anew without blocking, so that closing it ends a
// read that waits: the pty package leaves it blocking.
func pollable(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// ConsoleLog is what a container printed on its console since its first start: the
// place to look when it does not come up.
func (b *Backend) ConsoleLog(vmid int) string {
	text, err := os.ReadFile(filepath.Join(b.opt.Dir, "ct", strconv.Itoa(vmid), "console.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
