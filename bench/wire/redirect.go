package wire

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// mark is on the packets that a redirection lets pass.
const mark = 0xbe9c

// Detour leads this machine's own connections to a port through a [Proxy], whoever
// makes them and whatever they know of it. It needs root and iptables.
type Detour struct {
	*Proxy
	undo func() error
	stop func()
}

// Lead puts a way of this length before a server's port.
func Lead(ctx context.Context, server netip.AddrPort, rtt time.Duration) (*Detour, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &Detour{Proxy: &Proxy{To: server.String(), RTT: rtt, Mark: mark}}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- d.Serve(serving, ln) }()
	d.stop = func() { cancel(); <-done }
	if d.undo, err = Redirect(ctx, server, ln.Addr().(*net.TCPAddr).Port); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// Close takes the detour away.
func (d *Detour) Close() error {
	err := d.undo()
	d.stop()
	return err
}

// Redirect leads this machine's own connections to a port of another to one of its own,
// until undo. It needs root and iptables.
func Redirect(ctx context.Context, server netip.AddrPort, port int) (undo func() error, err error) {
	rule := []string{
		"OUTPUT", "-t", "nat", "-d", server.Addr().String(), "-p", "tcp", "--dport", strconv.Itoa(int(server.Port())),
		"-m", "mark", "!", "--mark", fmt.Sprintf("%#x", mark), "-j", "REDIRECT", "--to-ports", strconv.Itoa(port),
	}
	if err := iptables(ctx, "-A", rule); err != nil {
		return nil, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return iptables(ctx, "-D", rule)
	}, nil
}

// iptables adds or deletes a rule.
func iptables(ctx context.Context, verb string, rule []string) error {
	args := append([]string{"--wait", "10", verb}, rule...)
	if out, err := exec.CommandContext(ctx, "iptables", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("iptables %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
