package lxc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

// Options say where a lab's containers live.
type Options struct {
	Dir        string     // the lab's own directory
	Name       string     // the lab's name, unique on this machine: its cgroups carry it
	Bridge     string     // every container's interfaces are attached to it
	Nameserver netip.Addr // for containers whose configuration names none
	Log        *slog.Logger
}

// firstID is the host id that an unprivileged container's root maps to, and idCount
// how many ids follow it: Proxmox's own numbers.
const (
	firstID = 100000
	idCount = 65536
)

// Backend runs containers. Its methods may be called at the same time; those
// that concern one container wait for each other.
type Backend struct {
	opt    Options
	store  *store
	limits limiter
	lxcfs  string // where lxcfs is mounted; empty without it
	events chan int

	mu     sync.Mutex
	guests map[int]*guest
	ask    func(vmid int) pveapi.Trouble // what goes wrong with the start of a guest
	closed bool
	watch  sync.WaitGroup
}

// ErrNotRunning is returned where an operation needs a running container.
var ErrNotRunning = errors.New("container is not running")

// ErrRunning is returned where an operation needs a stopped container.
var ErrRunning = errors.New("container is running")

// Open prepares the lab's storage and finds the containers that still run.
func Open(ctx context.Context, opt Options) (*Backend, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(filepath.Join(opt.Dir, "ct"), 0o755); err != nil {
		return nil, err
	}
	st, err := openStore(ctx, opt.Dir)
	if err != nil {
		return nil, err
	}
	b := &Backend{
		opt: opt, store: st, limits: newLimiter(),
		events: make(chan int, 64), guests: map[int]*guest{},
	}
	if b.lxcfs, err = startLXCFS(ctx, opt.Dir); err != nil {
		opt.Log.Warn("containers will see the machine's memory, not theirs", "error", err)
	}
	return b, b.findRunning(ctx)
}

// Close stops watching; running containers keep running.
func (b *Backend) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	for _, g := range b.guests {
		g.forget()
	}
	b.mu.Unlock()
	b.watch.Wait()
	close(b.events)
	return nil
}

// Events implements the API's Backend. After a reboot from inside, the container is
// running again by the time its vmid is delivered.
func (b *Backend) Events() <-chan int { return b.events }

// findRunning watches the containers that an earlier process left running.
func (b *Backend) findRunning(ctx context.Context) error {
	for _, vmid := range containers(b.opt.Dir) {
		pid, err := initPID(ctx, b.opt.Dir, vmid)
		if err != nil || pid == 0 {
			continue
		}
		g, unlock := b.lock(vmid)
		err = b.adopt(g, pid)
		unlock()
		if err != nil {
			return fmt.Errorf("cannot watch container %d: %w", vmid, err)
		}
	}
	return nil
}

// containers are the vmids that have a directory.
func containers(dir string) []int {
	entries, _ := os.ReadDir(filepath.Join(dir, "ct"))
	var ids []int
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// lock gives the guest of that vmid for one operation.
func (b *Backend) lock(vmid int) (*guest, func()) {
	b.mu.Lock()
	g := b.guests[vmid]
	if g == nil {
		g = &guest{vmid: vmid, dir: filepath.Join(b.opt.Dir, "ct", strconv.Itoa(vmid))}
		b.guests[vmid] = g
	}
	b.mu.Unlock()
	g.op.Lock()
	return g, g.op.Unlock
}

// guest is one container; op serializes the operations on it.
type guest struct {
	vmid int
	dir  string
	op   sync.Mutex

	mu  sync.Mutex
	run *running // nil: stopped
}

// rootfs is where the container's disk is mounted while it is in use.
func (g *guest) rootfs() string { return filepath.Join(g.dir, "rootfs") }

func (g *guest) running() *running {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.run
}

// forget ends the watch without touching the container.
func (g *guest) forget() {
	if r := g.running(); r != nil {
		r.forget()
	}
}

// Running implements the API's Backend.
func (b *Backend) Running(vmid int) bool {
	b.mu.Lock()
	g := b.guests[vmid]
	b.mu.Unlock()
	return g != nil && g.running() != nil
}
