// Package labtest lends tests real machines: a lab of their own for each test
// binary, on a free subnet, up at first use and gone at the end.
//
//	var lab labtest.Lab
//
//	func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }
//
//	func TestDeploy(t *testing.T) {
//		g := lab.Guest(t) // a booted Debian 12 container; skips where there can be none
//		out := g.Run(t, "systemctl is-system-running")
//		…                 // or dial g.Addr as root with g.Key and pin g.HostKeys
//	}
//
// Test binaries that run at the same time get different labs. What a killed one left
// behind is cleaned up by the next that takes its place.
//
// The first lab on a machine builds the template, which takes about two minutes.
package labtest

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/network"
	"github.com/org/appstack-action/internal/lab/template"
)

// Lab is one test binary's lab. The zero value is ready for [Lab.Main].
type Lab struct {
	once sync.Once
	err  error // why it is not up
	main bool

	slot     *os.File
	dir      string
	net      network.Config
	backend  *lxc.Backend
	template string
	cancel   context.CancelFunc
	served   sync.WaitGroup

	mu   sync.Mutex
	next int
}

// Main runs the package's tests and takes down what they needed of the lab; pass
// its result to os.Exit. An interrupt takes the lab down, too.
func (l *Lab) Main(m *testing.M) int {
	l.main = true
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code := make(chan int, 1)
	go func() { code <- m.Run() }()
	result := 1
	select {
	case result = <-code:
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr, "labtest: interrupted, taking the lab down")
	}
	if err := l.down(); err != nil {
		fmt.Fprintln(os.Stderr, "labtest: cannot take the lab down:", err)
		return 1
	}
	return result
}

// Backend is the lab's containers themselves; it brings the lab up.
func (l *Lab) Backend(t testing.TB) *lxc.Backend {
	t.Helper()
	l.use(t)
	return l.backend
}

// Template is the path of the lab's default template.
func (l *Lab) Template(t testing.TB) string {
	t.Helper()
	l.use(t)
	return l.template
}

// Network is the lab's network.
func (l *Lab) Network(t testing.TB) network.Config {
	t.Helper()
	l.use(t)
	return l.net
}

// Allocate gives a vmid and an address that no other test of this lab has.
func (l *Lab) Allocate(t testing.TB) (vmid int, addr netip.Prefix) {
	t.Helper()
	l.use(t)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	ip := l.net.Gateway().As4()
	ip[3] += byte(9 + l.next)
	if l.next > 240 {
		t.Fatal("labtest: this lab's subnet has no address left")
	}
	return 100 + l.next, netip.PrefixFrom(netip.AddrFrom4(ip), l.net.Subnet.Bits())
}

// use brings the lab up once, or skips or fails the test.
func (l *Lab) use(t testing.TB) {
	t.Helper()
	RequireOrSkip(t)
	if !l.main {
		t.Fatal("labtest: call Lab.Main from TestMain, or nothing takes the lab down")
	}
	l.once.Do(func() { l.err = l.up(context.Background()) })
	if l.err != nil {
		t.Fatalf("labtest: cannot bring the lab up: %v", l.err)
	}
}

// cacheDir is where templates and downloads are kept across labs.
func cacheDir() string {
	if dir := os.Getenv("APPSTACK_LAB_CACHE"); dir != "" {
		return dir
	}
	return "/var/cache/appstack-lab"
}

func (l *Lab) up(ctx context.Context) (err error) {
	if err := l.claim(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			l.down()
		}
	}()
	progress := func(line string) { fmt.Fprintln(os.Stderr, "labtest:", line) }
	if l.template, err = template.Build(ctx, cacheDir(), template.Default(), progress); err != nil {
		return err
	}
	if err := network.Up(ctx, l.net); err != nil {
		return err
	}
	l.serve()
	l.backend, err = lxc.Open(ctx, lxc.Options{
		Dir: l.dir, Name: l.net.Bridge, Bridge: l.net.Bridge, Nameserver: l.net.Gateway(),
	})
	return err
}

// serve runs what the guests find on the bridge's address.
func (l *Lab) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	complain := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "labtest:", err)
		}
	}
	cache := &network.Cache{Dir: filepath.Join(cacheDir(), "http")}
	l.served.Go(func() { complain(cache.Serve(ctx, netip.AddrPortFrom(l.net.Gateway(), uint16(l.net.ProxyPort)))) })
	names := network.Resolver{Upstream: l.net.Resolver}
	l.served.Go(func() { complain(names.Serve(ctx, l.net.Gateway())) })
}

// claim finds a place for the lab that no other process has: a locked file.
func (l *Lab) claim(ctx context.Context) error {
	if err := os.MkdirAll("/run/pvelab", 0o755); err != nil {
		return err
	}
	resolvers, err := network.Resolvers("/etc/resolv.conf")
	if err != nil {
		return err
	}
	for n := 1; n < 64; n++ {
		f, err := os.OpenFile(fmt.Sprintf("/run/pvelab/slot-%d", n), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			f.Close()
			continue
		}
		l.slot, l.dir = f, fmt.Sprintf("/var/lib/pvelab/test-%d", n)
		l.net = network.Config{
			Bridge: fmt.Sprintf("pvelab%d", n), ProxyPort: 3142, Resolver: resolvers,
			Subnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 86, byte(n), 0}), 24),
		}
		return l.sweep(ctx)
	}
	return fmt.Errorf("63 labs run already")
}

// sweep removes what the place's last tenant left.
func (l *Lab) sweep(ctx context.Context) error {
	if err := lxc.Clean(ctx, l.dir, l.net.Bridge); err != nil {
		return err
	}
	if err := network.Down(ctx, l.net); err != nil {
		return err
	}
	return os.RemoveAll(l.dir)
}

func (l *Lab) down() error {
	if l.slot == nil {
		return nil
	}
	if l.backend != nil {
		l.backend.Close()
	}
	if l.cancel != nil {
		l.cancel()
		l.served.Wait()
	}
	err := l.sweep(context.Background())
	return firstError(err, l.slot.Close())
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

var _ io.Closer = (*lxc.Backend)(nil)
