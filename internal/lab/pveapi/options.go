package pveapi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// Storage is a storage as /etc/pve/storage.cfg describes it.
type Storage struct {
	ID       string
	Type     string   // dir, btrfs, lvmthin, zfspool
	Path     string   // as the API shows it; "" where the type has none
	Content  []string // content types: rootdir, images, vztmpl, iso, backup, snippets, import
	Nodes    []string // nodes that have it; none: all
	Shared   bool
	Disabled bool
	Extra    map[string]string // further keys (vgname, thinpool, pool, …)
	Size     int64             // bytes in total; 0: 100 GiB
}

// Appliance is an entry in the list of templates that a node can download.
type Appliance struct {
	Template string                                         // file name: debian-12-standard_12.12-1_amd64.tar.zst
	Info     map[string]string                              // package, version, os, section, type, architecture, headline, …
	Source   string                                         // file that the download copies; "": what Make returns
	Make     func(context.Context) (file string, err error) // called in the task of the download
}

// Bridge is a bridge of every node.
type Bridge struct {
	Name string
	CIDR string // 10.99.0.1/24; may be empty
}

// Options configure a [Server]. The zero value is a usable lab but for Dir and Backend.
type Options struct {
	Dir         string        // state, certificate and storages live below it
	Release     string        // release of Proxmox VE to play: "9.2" (default) or "9.1"
	Nodes       []string      // default: pve1
	Storages    []Storage     // default: local (dir) and local-lvm (lvmthin)
	Nameservers []string      // the nodes' own, for VMs whose configuration names none
	Bridges     []Bridge      // default: vmbr0
	Appliances  []Appliance   // templates to download
	Backend     Backend       // the guests' machines
	AuthDelay   time.Duration // how long a refused login waits; Proxmox: 3 s, 0 here for quick tests
	// LockTimeout is how long a change waits for a guest's lock; Proxmox: 10 s, the default.
	LockTimeout time.Duration
	// StatusLag is how long a new guest is shown without name and figures in
	// /cluster/resources and pools, until the status daemon has seen it. Proxmox: up to
	// 10 s; default 0.
	StatusLag    time.Duration
	CGroup       int    // version of the nodes' control groups: 2, the default, or 1
	RootPassword string // of root@pam; "": no password login
	Log          *slog.Logger
	Now          func() time.Time // clock; default time.Now
}

func (o *Options) defaults() error {
	if o.Dir == "" || o.Backend == nil {
		return fmt.Errorf("cannot start the lab's Proxmox: Dir and Backend are needed")
	}
	if o.Release == "" {
		o.Release = "9.2"
	}
	if len(o.Nodes) == 0 {
		o.Nodes = []string{"pve1"}
	}
	if len(o.Storages) == 0 {
		o.Storages = defaultStorages()
	}
	if len(o.Bridges) == 0 {
		o.Bridges = []Bridge{{Name: "vmbr0", CIDR: "10.99.0.1/24"}}
	}
	if o.CGroup == 0 {
		o.CGroup = 2
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// defaultStorages is what the installer of Proxmox VE leaves on a disk with LVM.
func defaultStorages() []Storage {
	return []Storage{
		{ID: "local", Type: "dir", Path: "/var/lib/vz", Content: []string{"backup", "import", "iso", "rootdir", "images", "snippets", "vztmpl"}},
		{ID: "local-lvm", Type: "lvmthin", Content: []string{"images", "rootdir"}, Extra: map[string]string{"thinpool": "data", "vgname": "pve"}},
	}
}

// Server is the lab's Proxmox VE: an [http.Handler] that speaks its API for all nodes.
// Create one with [New]; its methods may be called from any goroutine.
type Server struct {
	opt     Options
	router  *router
	started time.Time
	certMu  sync.Mutex // guards the certificate's files

	mu       sync.Mutex // guards everything below, and the state that it points to
	st       *state
	tasks    map[string]*task // by UPID
	running  sync.WaitGroup   // tasks' goroutines
	locks    map[int]chan struct{}
	faults   faults
	requests []Request
	closed   bool
	pids     uint32
	endSeq   int
	webs     map[string]*console    // open consoles by ticket
	execs    map[int]map[string]any // ends of what the guest agent ran, by pid
	full     map[string]bool        // storages that are out of space
	offline  map[string]bool        // nodes that do not answer
}

// New starts the lab's Proxmox with the state that Dir holds, or a fresh one.
func New(o Options) (*Server, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	methods, err := schema.Parse(o.Release, tables()...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the lab's parameter tables: %w", err)
	}
	s := &Server{
		opt: o, started: o.Now(), tasks: map[string]*task{}, locks: map[int]chan struct{}{},
		webs: map[string]*console{}, full: map[string]bool{}, offline: map[string]bool{},
		execs: map[int]map[string]any{}, pids: 1000,
	}
	if s.router, err = newRouter(methods, s.handlers()); err != nil {
		return nil, err
	}
	if s.st, err = loadState(s.statePath(), &s.opt); err != nil {
		return nil, err
	}
	if err := s.loadTasks(); err != nil {
		return nil, err
	}
	if b, ok := o.Backend.(Troubled); ok {
		b.Trouble(s.trouble)
	}
	go s.watchBackend()
	return s, nil
}

func tables() []string {
	return []string{sharedTable, qemuOptionsTable, accessTable, clusterTable, nodesTable, storageTable, lxcTable, firewallTable, qemuTable}
}

func (s *Server) statePath() string { return filepath.Join(s.opt.Dir, "state.json") }

// Close waits for running tasks and writes the state. The Backend stays open.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, t := range s.tasks {
		t.stop()
	}
	s.mu.Unlock()
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save()
}

// watchBackend notes guests that stopped or rebooted by themselves.
func (s *Server) watchBackend() {
	for vmid := range s.opt.Backend.Events() {
		s.mu.Lock()
		s.guestEnded(vmid)
		s.mu.Unlock()
	}
}
