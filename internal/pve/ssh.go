package pve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/plan"
)

// WaitSSH waits until an SSH server greets at the address (host:port), and tells
// progress every few seconds. dial nil dials directly.
func WaitSSH(ctx context.Context, dial Dialer, address string, limit time.Duration, progress plan.Progress) error {
	direct := dial == nil
	if direct {
		dial = (&net.Dialer{}).DialContext
	}
	return waitSSH(withProgress(ctx, progress), dial, direct, address, limit)
}

func waitSSH(ctx context.Context, dial Dialer, direct bool, address string, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("there was none for %s", limit))
	defer cancel()
	start, told, interval := time.Now(), time.Now(), 50*time.Millisecond
	for {
		err := banner(ctx, dial, address)
		if err == nil {
			return nil
		}
		if sleep(ctx, interval) != nil {
			return &NoSSHError{Address: address, Private: direct && foreignPrivate(address), cause: errors.Join(context.Cause(ctx), err)}
		}
		interval = min(2*interval, time.Second)
		if time.Since(told) >= defaultTiming().tell {
			told = time.Now()
			progressOf(ctx).Wait("SSH on "+address+doubt(time.Since(start), direct, address), time.Since(start))
		}
	}
}

// doubt is what people are told while they wait for a guest that they may never reach.
// It may be on its way all the same, through a router: the waiting goes on.
func doubt(waited time.Duration, direct bool, address string) string {
	if waited < 6*time.Second || !direct || !foreignPrivate(address) {
		return ""
	}
	return " (" + privateHint(address) + ")"
}

func privateHint(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host + " is private and this runner is not in it: use a self-hosted runner there, a jump host (ssh.jump) or a VPN"
}

// ExplainSSH returns the error for a direct connection that did not come about because
// the address is in a network that this machine is not part of, and nil where the cause
// must be another.
func ExplainSSH(address string, cause error) error {
	if !foreignPrivate(address) {
		return nil
	}
	return &NoSSHError{Address: address, Private: true, cause: cause}
}

// NoSSHError says that no SSH server answered in time.
type NoSSHError struct {
	Address string
	Private bool // the address is in a network that this machine is not part of
	cause   error
}

func (e *NoSSHError) Error() string {
	return fmt.Sprintf("cannot find an SSH server at %s: %v", e.Address, strings.ReplaceAll(e.cause.Error(), "\n", ": "))
}

func (e *NoSSHError) Unwrap() error { return e.cause }

// Hint says where to look.
func (e *NoSSHError) Hint() string {
	if e.Private {
		return privateHint(e.Address)
	}
	_, port, _ := net.SplitHostPort(e.Address)
	return "does the guest have this address, has its template an SSH server, and does Proxmox's firewall let port " + port + " in?"
}

// banner connects and reads the server's greeting. RFC 4253, 4.2: other lines may
// come before the one that begins with "SSH-".
func banner(ctx context.Context, dial Dialer, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	lines := bufio.NewReaderSize(io.LimitReader(conn, 64<<10), 1<<10)
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "SSH-") {
			return nil
		}
		if err != nil {
			return fmt.Errorf("no SSH greeting: %w", err)
		}
	}
}
