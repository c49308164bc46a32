package lxc

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

var _ pveapi.Troubled = (*Backend)(nil)

// Trouble implements the API's Troubled.
func (b *Backend) Trouble(ask func(vmid int) pveapi.Trouble) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ask = ask
}

// troubleOf is what goes wrong with a container that is about to start.
func (b *Backend) troubleOf(vmid int) pveapi.Trouble {
	b.mu.Lock()
	ask := b.ask
	b.mu.Unlock()
	if ask == nil {
		return pveapi.Trouble{}
	}
	return ask(vmid)
}

// lateSSH is the drop-in that delays sshd in a container.
const lateSSH = "etc/systemd/system/ssh.service.d/lab-late.conf"

// plantLateSSH delays the sshd of a container's next start, or takes an old delay back.
func plantLateSSH(g *guest, late time.Duration) error {
	root, err := os.OpenRoot(g.rootfs())
	if err != nil {
		return err
	}
	defer root.Close()
	if late == 0 {
		if err := root.Remove(lateSSH); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	return put(root, lateSSH, fmt.Sprintf("[Service]\nTimeoutStartSec=infinity\nExecStartPre=/bin/sleep %g\n", late.Seconds()))
}

// rebootSignal makes systemd reboot: SIGINT, as Ctrl-Alt-Del sends; systemd(1) § Signals.
const rebootSignal = syscall.SIGINT

// rebootLater lets a container reboot by itself, so long after now. An init that has only
// begun to boot takes no notice of a signal: it is repeated.
func (b *Backend) rebootLater(vmid int, r *running, after time.Duration) {
	if after == 0 || r == nil {
		return
	}
	b.watch.Go(func() {
		for wait := after; ; wait = 2 * time.Second {
			select {
			case <-time.After(wait):
				if err := r.signal(rebootSignal); err != nil {
					b.opt.Log.Error("a container would not reboot by itself", "vmid", vmid, "error", err)
					return
				}
			case <-r.done:
				return
			}
		}
	})
}
