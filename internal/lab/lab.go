// Package lab is a Proxmox VE, a GitHub and a git server to deploy to, on any Linux
// machine: what cmd/pvelab serves and what tests borrow through package labtest.
//
// [Up] ties the parts together: the API server of package pveapi, the containers of
// package lxc on the bridge of package network, the GitHub look-alike of package
// githubapi and the git server of package gitserver. All of them listen on the
// bridge's address, which makes two labs with different bridges and subnets strangers
// to each other.
//
// A lab is one directory, one bridge and one lock file. Its state survives the
// program: [Lab.Close] leaves containers running, and a later [Up] with the same
// options goes on with them. [Down] removes every trace.
package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/lab/githubapi"
	"github.com/org/appstack-action/internal/lab/gitserver"
	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/network"
	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/template"
)

// Options say what lab to bring up. The zero value is the default lab: one node,
// 10.86.0.0/24, bridge pvelab0.
type Options struct {
	Bridge    string       // the lab's name, too
	Subnet    netip.Prefix // IPv4, at least a /29; the bridge has its first address
	Dir       string       // the lab's state; default /var/lib/pvelab/BRIDGE
	Cache     string       // templates and downloads, shared by all labs; see [CacheDir]
	Port      int          // of the Proxmox API on the bridge's address; default 8006
	Nodes     int          // pve1, pve2, …; default 1
	Storages  []pveapi.Storage
	Release   string        // of Proxmox VE; default the newest that pveapi knows
	AuthDelay time.Duration // of a refused login; Proxmox: 3 s
	Templates []template.Template
	Image     *template.Template // a cloud image, see [Lab.OfferVMs]; nil: none at first
	Repos     []string           // owner/name of repositories to make on the lab's GitHub
	OpenAPI   string             // GitHub's API description; empty: its requests are not checked
	GuardHost bool               // refuse private addresses to this machine's own processes, too
	Fresh     bool               // remove what an earlier lab of this name left
	Progress  func(string)
	Log       *slog.Logger
}

// CacheDir is where templates and downloads are kept across labs: $APPSTACK_LAB_CACHE
// or /var/cache/appstack-lab.
func CacheDir() string {
	return cmp.Or(os.Getenv("APPSTACK_LAB_CACHE"), "/var/cache/appstack-lab")
}

func (o *Options) defaults() error {
	o.Bridge = cmp.Or(o.Bridge, "pvelab0")
	if !o.Subnet.IsValid() {
		o.Subnet = netip.MustParsePrefix("10.86.0.0/24")
	}
	o.Subnet = o.Subnet.Masked()
	o.Dir = cmp.Or(o.Dir, filepath.Join("/var/lib/pvelab", o.Bridge))
	o.Cache = cmp.Or(o.Cache, CacheDir())
	o.Port = cmp.Or(o.Port, 8006)
	o.Nodes = cmp.Or(o.Nodes, 1)
	if len(o.Templates) == 0 {
		o.Templates = []template.Template{template.Default()}
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.Dir)
	o.Dir = dir
	if err == nil && len(o.Bridge) > 15 {
		err = fmt.Errorf("bridge name %q is longer than the 15 bytes that Linux allows", o.Bridge)
	}
	return err
}

// Lab is a lab that this process serves.
type Lab struct {
	PVE    *pveapi.Server
	GitHub *githubapi.Server
	Git    *gitserver.Server
	Guests *lxc.Backend
	Info   Info // what a client needs to know

	opt    Options
	net    network.Config
	lock   *os.File
	cancel context.CancelFunc
	served sync.WaitGroup
	next   int
	mu     sync.Mutex
	vms    sync.Mutex // one template VM is made at a time
}

// Up brings a lab up and serves it until [Lab.Close] or [Lab.Down]. It needs root;
// see [Missing]. Where another process serves that lab, the error is [ErrBusy].
func Up(ctx context.Context, o Options) (_ *Lab, err error) {
	if err := errors.Join(Missing(), o.defaults()); err != nil {
		return nil, err
	}
	l := &Lab{opt: o}
	if l.lock, err = claim(o.Bridge); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Down(context.WithoutCancel(ctx)))
		}
	}()
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	if err := l.serve(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// prepare makes what lies below the servers: directory, templates, network, containers.
func (l *Lab) prepare(ctx context.Context) error {
	resolvers, err := network.Resolvers("/etc/resolv.conf")
	if err != nil {
		return err
	}
	l.net = network.Config{
		Bridge: l.opt.Bridge, Subnet: l.opt.Subnet, ProxyPort: proxyPort,
		Resolver: resolvers,
	}
	if l.opt.Fresh {
		if err := remove(ctx, record{Bridge: l.opt.Bridge, Dir: l.opt.Dir}); err != nil {
			return err
		}
	}
	if err := network.Clash(l.net); err != nil {
		return err
	}
	if err := os.MkdirAll(l.opt.Dir, 0o755); err != nil {
		return err
	}
	if err := errors.Join(l.register(), raiseLimits()); err != nil {
		return err
	}
	if err := network.Up(ctx, l.net); err != nil {
		return err
	}
	if l.opt.GuardHost {
		if err := guard(ctx, resolvers); err != nil {
			return err
		}
	}
	l.Guests, err = lxc.Open(ctx, lxc.Options{
		Dir: l.opt.Dir, Name: l.opt.Bridge, Bridge: l.opt.Bridge, Nameserver: l.net.Gateway(), Log: l.opt.Log,
	})
	return err
}

// Ports on the bridge's address beside the Proxmox API's.
const (
	proxyPort   = 3142 // downloads; guests are redirected to it
	githubPort  = 8080 // GitHub's API and pages, and git over HTTP
	gitPort     = 2222 // git over SSH
	controlPort = 8086 // faults on demand
)

// Gateway is the address that the lab's servers listen on and guests route through.
func (l *Lab) Gateway() netip.Addr { return l.net.Gateway() }

// Subnet is the lab's network.
func (l *Lab) Subnet() netip.Prefix { return l.net.Subnet }

// Bridge is the name of the lab's bridge on this machine.
func (l *Lab) Bridge() string { return l.net.Bridge }

// Allocate gives a vmid and an address that it has not given before in this process.
func (l *Lab) Allocate() (vmid int, addr netip.Prefix, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	ip := l.net.Gateway()
	for range 9 + l.next {
		ip = ip.Next()
	}
	if !l.net.Subnet.Contains(ip.Next()) {
		return 0, netip.Prefix{}, fmt.Errorf("no address is left in %s", l.net.Subnet)
	}
	return 100 + l.next, netip.PrefixFrom(ip, l.net.Subnet.Bits()), nil
}

// nodes are the names of the lab's nodes.
func (l *Lab) nodes() []string {
	var names []string
	for i := range l.opt.Nodes {
		names = append(names, "pve"+strconv.Itoa(i+1))
	}
	return names
}

// at is a port on the bridge's address.
func (l *Lab) at(port int) string {
	return net.JoinHostPort(l.net.Gateway().String(), strconv.Itoa(port))
}

// Close stops serving; containers keep running and state stays.
func (l *Lab) Close() error {
	var errs []error
	if l.Git != nil {
		errs = append(errs, l.Git.Close())
	}
	if l.PVE != nil {
		errs = append(errs, l.PVE.Close())
	}
	if l.cancel != nil {
		l.cancel()
	}
	if l.Guests != nil {
		errs = append(errs, l.Guests.Close())
	}
	l.served.Wait()
	return errors.Join(append(errs, l.lock.Close())...)
}

// Down stops serving and removes every trace of the lab, guests included.
func (l *Lab) Down(ctx context.Context) error {
	hold, err := l.lock.SyscallConn()
	if err != nil {
		return err
	}
	again, err := dupLock(hold)
	if err != nil {
		return err
	}
	defer again.Close() // the name stays taken until everything is gone
	return errors.Join(l.Close(), remove(ctx, record{Bridge: l.opt.Bridge, Dir: l.opt.Dir}))
}
