// Package membackend plays guests without machines, in memory: for quick tests of what
// talks to the lab's Proxmox API. State is kept as a real guest would keep it (running or
// not, snapshots of its files), host keys are real keys.
package membackend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

// Backend is a [pveapi.Backend]. The zero value is not usable; see [New].
type Backend struct {
	// OnStart, if set, is called after a guest started and may give it an SSH server: with
	// the guest's host keys and its root's authorized_keys. It must be set before use.
	OnStart func(vmid int, g Guest)

	mu     sync.Mutex
	guests map[int]*machine
	events chan int
	closed bool
	slow   time.Duration
	expire chan struct{}
	refuse map[string]error
	ask    func(vmid int) pveapi.Trouble
	boots  int
}

type machine struct {
	Guest
	since     time.Time
	size      int64
	snapshots map[string]map[string]string
	pid, boot int
	listens   time.Time // since when its sshd does
	instance  string    // what cloud-init took the VM for at its last boot
}

// New returns a Backend without guests.
func New() *Backend {
	return &Backend{guests: map[int]*machine{}, events: make(chan int, 16), expire: make(chan struct{}), refuse: map[string]error{}}
}

// Close ends the Backend; its events end.
func (b *Backend) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.events)
	}
}

func (b *Backend) get(vmid int) (*machine, error) {
	if m := b.guests[vmid]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("no guest %d", vmid)
}

// Create implements [pveapi.Backend].
func (b *Backend) Create(ctx context.Context, vmid int, spec pveapi.Spec, progress func(string)) error {
	b.mu.Lock()
	slow := b.slow
	b.mu.Unlock()
	if !pause(ctx, slow) {
		return ctx.Err()
	}
	keys, err := hostKeys()
	if err != nil {
		return err
	}
	host, _, _ := strings.Cut(spec.Config["hostname"], ".")
	if host == "" {
		host = "localhost"
	}
	for _, k := range keys {
		progress(fmt.Sprintf("Creating SSH host key 'ssh_host_%s_key' - this may take some time ...", keyName(k)))
		progress(fmt.Sprintf("done: %s root@%s", ssh.FingerprintSHA256(k.PublicKey()), host))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.guests[vmid] = &machine{
		Guest:     Guest{HostKeys: keys, AuthorizedKeys: spec.SSHKeys, Password: spec.Password, Config: maps.Clone(spec.Config), Files: map[string]string{}},
		size:      spec.Size,
		snapshots: map[string]map[string]string{},
	}
	return ctx.Err()
}

// pause waits; false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Start implements [pveapi.Backend].
func (b *Backend) Start(ctx context.Context, vmid int, config map[string]string, _ func(string)) error {
	b.mu.Lock()
	m, err := b.get(vmid)
	slow := b.slow
	if err == nil && m.Running {
		err = errors.New("already running")
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	if !pause(ctx, slow) {
		return ctx.Err()
	}
	trouble := b.trouble(vmid)
	b.mu.Lock()
	m.Config = maps.Clone(config)
	b.booted(vmid, m, trouble, 0)
	hook, g := b.OnStart, m.Guest
	b.mu.Unlock()
	if hook != nil {
		hook(vmid, g)
	}
	return nil
}

// Shutdown implements [pveapi.Backend].
func (b *Backend) Shutdown(ctx context.Context, vmid int, timeout time.Duration) error {
	b.mu.Lock()
	m, err := b.get(vmid)
	hung := err == nil && m.Hung
	expire := b.expire
	if err == nil && !hung {
		m.Running = false
	}
	b.mu.Unlock()
	if !hung {
		return err
	}
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-t.C:
	case <-expire:
	case <-ctx.Done():
		return ctx.Err()
	}
	return errors.New("timeout")
}

// Stop implements [pveapi.Backend].
func (b *Backend) Stop(_ context.Context, vmid int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err == nil {
		m.Running, m.Hung = false, false
	}
	return err
}

// Update implements [pveapi.Backend].
func (b *Backend) Update(_ context.Context, vmid int, config map[string]string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil {
		return err
	}
	if err := b.refuse["mount"]; err != nil && m.Running && newMount(m.Config, config) {
		return err
	}
	m.Config = maps.Clone(config)
	return nil
}

// newMount tells whether there is a mount point that there was not.
func newMount(old, conf map[string]string) bool {
	for k := range conf {
		if _, had := old[k]; !had && strings.HasPrefix(k, "mp") {
			return true
		}
	}
	return false
}

// Resize implements [pveapi.Backend].
func (b *Backend) Resize(_ context.Context, vmid int, disk string, size int64, _ func(string)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil {
		return err
	}
	if err := b.refuse["grow"]; err != nil && m.Running {
		return err
	}
	if disk == "rootfs" {
		m.size = size
	}
	return nil
}

// Destroy implements [pveapi.Backend].
func (b *Backend) Destroy(_ context.Context, vmid int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.guests, vmid)
	return nil
}

// Running implements [pveapi.Backend].
func (b *Backend) Running(vmid int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.guests[vmid]
	return m != nil && m.Running
}

// Events implements [pveapi.Backend].
func (b *Backend) Events() <-chan int { return b.events }
