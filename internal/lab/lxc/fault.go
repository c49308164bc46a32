package lxc

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Fault is how a container misbehaves from its next start on; the zero value ends it.
type Fault struct {
	LateSSH     time.Duration // sshd begins to listen that much later
	RebootAfter time.Duration // the container reboots by itself, once, so long after its start
}

// Misbehave sets a container's fault.
func (b *Backend) Misbehave(vmid int, f Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[vmid] = f
}

// lateSSH is the drop-in that delays sshd in a container.
const lateSSH = "etc/systemd/system/ssh.service.d/lab-late.conf"

// plantFault prepares the container's files for its fault, or takes an old one back.
func (b *Backend) plantFault(g *guest) error {
	b.mu.Lock()
	f := b.faults[g.vmid]
	b.mu.Unlock()
	root, err := os.OpenRoot(g.rootfs())
	if err != nil {
		return err
	}
	defer root.Close()
	if f.LateSSH == 0 {
		if err := root.Remove(lateSSH); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	return put(root, lateSSH, fmt.Sprintf("[Service]\nExecStartPre=/bin/sleep %g\n", f.LateSSH.Seconds()))
}

// rebootSignal makes systemd reboot: SIGINT, as Ctrl-Alt-Del sends; systemd(1) § Signals.
const rebootSignal = syscall.SIGINT

// rebootLater carries out a container's RebootAfter.
func (b *Backend) rebootLater(vmid int, r *running) {
	b.mu.Lock()
	f := b.faults[vmid]
	after := f.RebootAfter
	f.RebootAfter = 0
	b.faults[vmid] = f
	b.mu.Unlock()
	if after == 0 {
		return
	}
	b.watch.Go(func() {
		select {
		case <-time.After(after):
			if err := r.signal(rebootSignal); err != nil {
				b.opt.Log.Error("a container would not reboot by itself", "vmid", vmid, "error", err)
			}
		case <-r.done:
		}
	})
}
