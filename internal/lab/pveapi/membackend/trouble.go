package membackend

import (
	"time"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

var _ pveapi.Troubled = (*Backend)(nil)

// reboot is how long after its own reboot a guest's sshd listens again.
const reboot = 3 * time.Second

// Trouble implements [pveapi.Troubled].
func (b *Backend) Trouble(ask func(vmid int) pveapi.Trouble) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ask = ask
}

// trouble asks what goes wrong with a guest that is about to start.
func (b *Backend) trouble(vmid int) pveapi.Trouble {
	b.mu.Lock()
	ask := b.ask
	b.mu.Unlock()
	if ask == nil {
		return pveapi.Trouble{}
	}
	return ask(vmid)
}

// booted notes a start with its trouble; b.mu is held.
func (b *Backend) booted(vmid int, m *machine, t pveapi.Trouble, after time.Duration) {
	m.Running, m.Hung, m.since = true, false, time.Now()
	m.listens = m.since.Add(after + t.LateSSH)
	m.cloudInit()
	b.boots++
	boot := b.boots
	m.boot, m.pid = boot, 10000+boot
	if t.RebootAfter > 0 {
		time.AfterFunc(t.RebootAfter, func() { b.rebootItself(vmid, boot) })
	}
}

// rebootItself lets a guest end and start by itself, if it is still the same boot.
func (b *Backend) rebootItself(vmid, boot int) {
	t := b.trouble(vmid)
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.guests[vmid]
	if m == nil || m.boot != boot || !m.Running || b.closed {
		return
	}
	b.booted(vmid, m, t, reboot)
	b.events <- vmid
}

// Listens tells whether a guest's sshd would take a connection: the guest runs, and no
// fault lets it come late.
func (b *Backend) Listens(vmid int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.guests[vmid]
	return m != nil && m.Running && !time.Now().Before(m.listens)
}
