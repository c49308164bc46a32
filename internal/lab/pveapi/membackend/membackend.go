// Package membackend plays guests without machines, in memory: for quick tests of what
// talks to the lab's Proxmox API. State is kept as a real guest would keep it (running or
// not, snapshots of its files), host keys are real keys.
package membackend

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
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
}

// Guest is what a test may look at.
type Guest struct {
	HostKeys       []ssh.Signer // ed25519, ecdsa, rsa
	AuthorizedKeys string
	Password       string
	Config         map[string]string
	Running        bool
	Hung           bool // its init does not react
	Files          map[string]string
	Scripts        []string // what was run in it, but for reading files
}

type machine struct {
	Guest
	since     time.Time
	size      int64
	snapshots map[string]map[string]string
	pid       int
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

// hostKeys makes fresh keys. The RSA key is small because making a real one takes long.
func hostKeys() ([]ssh.Signer, error) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	rs, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		return nil, err
	}
	var keys []ssh.Signer
	for _, k := range []any{ec, ed, rs} {
		s, err := ssh.NewSignerFromKey(k)
		if err != nil {
			return nil, err
		}
		keys = append(keys, s)
	}
	return keys, nil
}

// Start implements [pveapi.Backend].
func (b *Backend) Start(ctx context.Context, vmid int, config map[string]string, _ func(string)) error {
	b.mu.Lock()
	m, err := b.get(vmid)
	slow := b.slow
	if err == nil && m.Running {
		err = errors.New("already running")
	}
	if err != nil {
		b.mu.Unlock()
		return err
	}
	b.mu.Unlock()
	if !pause(ctx, slow) {
		return ctx.Err()
	}
	b.mu.Lock()
	m.Running, m.Hung, m.since, m.Config = true, false, time.Now(), maps.Clone(config)
	m.pid = 10000 + vmid
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

// Snapshot implements [pveapi.Backend].
func (b *Backend) Snapshot(_ context.Context, vmid int, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err == nil {
		m.snapshots[name] = maps.Clone(m.Files)
	}
	return err
}

// Rollback implements [pveapi.Backend].
func (b *Backend) Rollback(_ context.Context, vmid int, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil {
		return err
	}
	snap, ok := m.snapshots[name]
	switch {
	case m.Running:
		return errors.New("guest is running")
	case !ok:
		return fmt.Errorf("no snapshot %q", name)
	}
	m.Files = maps.Clone(snap)
	return nil
}

// DeleteSnapshot implements [pveapi.Backend].
func (b *Backend) DeleteSnapshot(_ context.Context, vmid int, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err == nil {
		delete(m.snapshots, name)
	}
	return err
}

// Clone implements [pveapi.Backend]. Host keys are copied, as Proxmox does.
func (b *Backend) Clone(_ context.Context, vmid, newid int, snapshot string, _ func(string)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil {
		return err
	}
	files := m.Files
	if snapshot != "" {
		files = m.snapshots[snapshot]
	}
	n := &machine{Guest: m.Guest, size: m.size, snapshots: map[string]map[string]string{}}
	n.Running, n.Hung, n.Files, n.Config = false, false, maps.Clone(files), maps.Clone(m.Config)
	if n.Files == nil {
		n.Files = map[string]string{}
	}
	b.guests[newid] = n
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

// Usage implements [pveapi.Backend].
func (b *Backend) Usage(_ context.Context, vmid int) (pveapi.Usage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil {
		return pveapi.Usage{}, err
	}
	u := pveapi.Usage{Disk: 320 << 20, MaxDisk: extSize(m.size)}
	if m.Running {
		u.PID, u.Uptime, u.CPU, u.Mem, u.NetIn, u.NetOut = m.pid, time.Since(m.since)+time.Second, 0.01, 24<<20, 1500, 900
	}
	return u, nil
}

// Interfaces implements [pveapi.Backend]: what net0, net1, … say, and lo.
func (b *Backend) Interfaces(_ context.Context, vmid int) ([]pveapi.Interface, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil || !m.Running {
		return nil, err
	}
	lo := pveapi.Interface{Name: "lo", MAC: "00:00:00:00:00:00", Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")}}
	ifs := []pveapi.Interface{lo}
	for i := 0; i < 32; i++ {
		if net := m.Config[fmt.Sprintf("net%d", i)]; net != "" {
			ifs = append(ifs, iface(net))
		}
	}
	return ifs, nil
}

func iface(conf string) pveapi.Interface {
	var i pveapi.Interface
	for _, part := range strings.Split(conf, ",") {
		k, v, _ := strings.Cut(part, "=")
		switch k {
		case "name":
			i.Name = v
		case "hwaddr":
			i.MAC = v
		case "ip", "ip6":
			if p, err := netip.ParsePrefix(v); err == nil {
				i.Addrs = append(i.Addrs, p)
			}
		}
	}
	if ll, ok := linkLocal(i.MAC); ok {
		i.Addrs = append(i.Addrs, ll)
	}
	return i
}

// linkLocal is the address that IPv6 derives from a MAC (EUI-64).
func linkLocal(mac string) (netip.Prefix, bool) {
	hw, err := net.ParseMAC(mac)
	if err != nil || len(hw) != 6 {
		return netip.Prefix{}, false
	}
	a := [16]byte{0: 0xfe, 1: 0x80, 8: hw[0] ^ 2, 9: hw[1], 10: hw[2], 11: 0xff, 12: 0xfe, 13: hw[3], 14: hw[4], 15: hw[5]}
	return netip.PrefixFrom(netip.AddrFrom16(a), 64), true
}

// Console implements [pveapi.Backend]: an echo.
func (b *Backend) Console(_ context.Context, vmid int, _ bool) (io.ReadWriteCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.guests[vmid]; m == nil || !m.Running {
		return nil, fmt.Errorf("guest %d does not run", vmid)
	}
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		_, _ = io.Copy(there, there) // ends with the connection
	}()
	return here, nil
}

// Run implements [pveapi.Runner] for what a VM's agent is asked: a file, nothing else.
func (b *Backend) Run(_ context.Context, vmid int, script string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.guests[vmid]
	if m == nil || !m.Running {
		return nil, fmt.Errorf("guest %d does not run", vmid)
	}
	name, isCat := strings.CutPrefix(script, "cat ")
	if !isCat {
		m.Scripts = append(m.Scripts, script)
		return nil, nil
	}
	name = strings.Trim(strings.TrimPrefix(name, "-- "), "'")
	if text, ok := m.Files[name]; ok {
		return []byte(text), nil
	}
	if name == "/etc/hostname" {
		return []byte(m.Config["hostname"] + "\n"), nil
	}
	for _, k := range m.HostKeys {
		if name == "/etc/ssh/ssh_host_"+keyName(k)+"_key.pub" {
			return ssh.MarshalAuthorizedKey(k.PublicKey()), nil
		}
	}
	return nil, fmt.Errorf("cat: %s: No such file or directory", name)
}

func keyName(k ssh.Signer) string {
	return map[string]string{ssh.KeyAlgoED25519: "ed25519", ssh.KeyAlgoECDSA256: "ecdsa", ssh.KeyAlgoRSA: "rsa"}[k.PublicKey().Type()]
}

// Events implements [pveapi.Backend].
func (b *Backend) Events() <-chan int { return b.events }
