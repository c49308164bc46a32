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
//	func TestCreate(t *testing.T) {
//		l := lab.Up(t) // the same lab's Proxmox API: l.Info.URL, .Token, .Fingerprint, .Template
//		vmid, addr := lab.Allocate(t)
//		…              // also l.GitHub, l.Git, and l.PVE for faults
//	}
//
// Test binaries that run at the same time get different labs. What a killed one left
// behind is cleaned up by the next that takes its place, or by pvelab clean.
//
// The first lab on a machine builds the template, which takes about two minutes.
package labtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/lxc"
)

// Lab is one test binary's lab. The zero value is ready for [Lab.Main].
type Lab struct {
	// Options are the lab's; bridge, subnet and directory are chosen for it.
	Options lab.Options

	once sync.Once
	main bool
	lab  *lab.Lab
	err  error // why it is not up
}

// patience is for what takes seconds on a machine that has nothing else to do.
const patience = 5 * time.Minute

// RequireOrSkip skips the test, aloud, on a machine that cannot run a lab and with
// -short.
func RequireOrSkip(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("the lab boots real containers: not with -short")
	}
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
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
	l.once.Do(func() {}) // whoever comes too late finds no lab
	if l.lab == nil {
		return result
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.lab.Down(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "labtest: cannot take the lab down:", err)
		return 1
	}
	return result
}

// Up is the lab, brought up by the first test that asks for it.
func (l *Lab) Up(t testing.TB) *lab.Lab {
	t.Helper()
	RequireOrSkip(t)
	if !l.main {
		t.Fatal("labtest: call Lab.Main from TestMain, or nothing takes the lab down")
	}
	l.once.Do(func() { l.lab, l.err = l.up(context.Background()) })
	if l.lab == nil {
		t.Fatalf("labtest: cannot bring the lab up: %v", l.err)
	}
	return l.lab
}

// Backend is the lab's containers themselves.
func (l *Lab) Backend(t testing.TB) *lxc.Backend {
	t.Helper()
	return l.Up(t).Guests
}

// Allocate gives a vmid and an address that no other test of this lab has.
func (l *Lab) Allocate(t testing.TB) (vmid int, addr netip.Prefix) {
	t.Helper()
	vmid, addr, err := l.Up(t).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	return vmid, addr
}

// up takes the first place that no other process has.
func (l *Lab) up(ctx context.Context) (*lab.Lab, error) {
	o := l.Options
	o.Fresh, o.GuardHost, o.OpenAPI = true, true, description()
	o.Progress = func(line string) { fmt.Fprintln(os.Stderr, "labtest:", line) }
	for n := byte(1); n < 64; n++ {
		o.Bridge = fmt.Sprintf("pvelab%d", n)
		o.Subnet = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 86, n, 0}), 24)
		o.Dir = filepath.Join("/var/lib/pvelab", o.Bridge)
		up, err := lab.Up(ctx, o)
		if !errors.Is(err, lab.ErrBusy) {
			return up, err
		}
	}
	return nil, errors.New("63 labs run already")
}

// description is the file with GitHub's API description, if it is here.
func description() string {
	shared := cmp.Or(os.Getenv("APPSTACK_SHARED"), filepath.Join("..", "..", "..", "shared"))
	file := filepath.Join(shared, "data", "github-openapi-subset.json")
	if _, err := os.Stat(file); err != nil {
		return ""
	}
	return file
}
