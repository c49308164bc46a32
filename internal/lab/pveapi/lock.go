package pveapi

import (
	"context"
	"errors"
	"time"
)

// A guest's configuration has a file lock that one change or task holds at a time; who
// wants it waits up to LockTimeout (lock_config in Proxmox). It is not the setting "lock".

var errInterrupted = errors.New("received interrupt")

// lockGuest takes a guest's lock; the function returned gives it back. s.mu is held, but
// not while waiting. A task says in its log that it waits.
func (s *Server) lockGuest(ctx context.Context, vmid int, t *task) (func(), error) {
	file := lockFile(vmid, s.st.Guests[vmid])
	deadline := time.NewTimer(s.opt.LockTimeout)
	defer deadline.Stop()
	waited := false
	s.holdFirst(vmid)
	for s.locks[vmid] != nil {
		if t != nil && !waited {
			t.log("trying to acquire lock...")
		}
		waited = true
		freed := s.locks[vmid]
		var err error
		s.unlocked(func() {
			select {
			case <-freed:
			case <-deadline.C:
				err = fail("can't lock file '%s' - got timeout", file)
			case <-ctx.Done():
				err = fail("can't lock file '%s' - %v", file, errInterrupted)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if t != nil && waited {
		t.log(" OK")
	}
	mine := make(chan struct{})
	s.locks[vmid] = mine
	return func() {
		delete(s.locks, vmid)
		close(mine)
	}, nil
}

func lockFile(vmid int, g *guest) string {
	if g != nil && g.Type == "qemu" {
		return "/var/lock/qemu-server/lock-" + itoa(vmid) + ".conf"
	}
	return "/run/lock/lxc/pve-config-" + itoa(vmid) + ".lock"
}
