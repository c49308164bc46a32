package membackend

import (
	"maps"
	"time"

	"golang.org/x/crypto/ssh"
)

// Guest is what a test may look at.
type Guest struct {
	HostKeys       []ssh.Signer // ed25519, ecdsa, rsa
	AuthorizedKeys string
	Password       string
	Config         map[string]string
	Running        bool
	Hung           bool // its init does not react
	Files          map[string]string
	Scripts        []string          // what was run in it, but for reading files
	Drive          map[string]string // a VM's cloud-init drive, its files by name
}

// Slow makes Create and Start take that long, so that a test can look at one in progress.
func (b *Backend) Slow(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slow = d
}

// Expire ends the patience of every shutdown that waits for a guest that hangs.
func (b *Backend) Expire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.expire)
	b.expire = make(chan struct{})
}

// Refuse makes an operation on running guests fail, as on a node that cannot do it: "mount"
// for hot-plugged mount points, "grow" for file systems; nil lets it succeed again.
func (b *Backend) Refuse(what string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse[what] = err
}

// Guest returns a copy of a guest's state.
func (b *Backend) Guest(vmid int) (Guest, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.guests[vmid]
	if m == nil {
		return Guest{}, false
	}
	g := m.Guest
	g.Files, g.Config = maps.Clone(m.Files), maps.Clone(m.Config)
	return g, true
}

// SetFile writes a file of a guest's; snapshots keep it and rollbacks restore it.
func (b *Backend) SetFile(vmid int, name, content string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.guests[vmid]; m != nil {
		m.Files[name] = content
	}
}

// Hang makes a guest's init deaf: a shutdown runs into its timeout.
func (b *Backend) Hang(vmid int, hung bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.guests[vmid]; m != nil {
		m.Hung = hung
	}
}

// PowerOff stops a guest from inside.
func (b *Backend) PowerOff(vmid int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.guests[vmid]; m != nil && m.Running && !b.closed {
		m.Running = false
		b.events <- vmid
	}
}
