package pve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	probing "github.com/prometheus-community/pro-bing"
	"golang.org/x/sync/errgroup"

	"github.com/org/appstack-action/internal/machine"
)

// answers finds whether something is at the wanted guest's addresses although the
// guest does not run. Silence proves nothing, and so it is no finding.
func (c *Client) answers(ctx context.Context, want *machine.Guest) []Finding {
	var findings []Finding
	var mu sync.Mutex
	var group errgroup.Group
	for ip := range identityOf(want.Config, want.Kind).ips {
		group.Go(func() error {
			if how := c.ping(ctx, ip); how != "" {
				mu.Lock()
				defer mu.Unlock()
				findings = append(findings, blocks(GuardIP, "find out who has it, or allow it with allow-ip-conflicts",
					"something answers at %s (%s) although the guest does not run", ip, how))
			}
			return nil
		})
	}
	_ = group.Wait() // it has no errors
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.Summary, b.Summary) })
	return findings
}

// pingTime is how long an address may take to answer.
const pingTime = time.Second

// pinger returns what tells how an address answers. Where the API is in a network that
// only its dialer leads to, so is the address: it is asked from there, by TCP.
func pinger(dial Dialer) func(context.Context, netip.Addr) string {
	if dial == nil {
		return ping
	}
	return func(ctx context.Context, ip netip.Addr) string {
		if knocksThrough(ctx, dial, ip) {
			return "TCP port 22"
		}
		return ""
	}
}

// ping returns how an address answers, "" if it does not.
func ping(ctx context.Context, ip netip.Addr) string {
	return answered(ctx, ip, icmp, knocks)
}

// answered asks by TCP where ICMP is not permitted to this process.
func answered(ctx context.Context, ip netip.Addr, icmp func(context.Context, netip.Addr) (answered, permitted bool),
	knocks func(context.Context, netip.Addr) bool) string {
	answered, permitted := icmp(ctx, ip)
	if answered {
		return "ping"
	}
	if !permitted && knocks(ctx, ip) {
		return "TCP port 22"
	}
	return ""
}

// icmp pings once, and tells whether this process may.
func icmp(ctx context.Context, ip netip.Addr) (answered, permitted bool) {
	// Linux lets groups in net.ipv4.ping_group_range ping without privilege; raw
	// sockets take CAP_NET_RAW, which a container of a runner may lack.
	for _, privileged := range []bool{false, true} {
		p := probing.New("")
		p.SetIPAddr(&net.IPAddr{IP: ip.AsSlice(), Zone: ip.Zone()})
		p.SetPrivileged(privileged)
		p.SetLogger(probing.NoopLogger{})
		p.Count, p.Timeout, p.Interval = 2, pingTime, pingTime/4
		err := p.RunWithContext(ctx)
		if err == nil {
			return p.Statistics().PacketsRecv > 0, true
		}
	}
	return false, false
}

// knocks tells whether a host answers at the SSH port, be it by refusing.
func knocks(ctx context.Context, ip netip.Addr) bool {
	return knocksThrough(ctx, (&net.Dialer{}).DialContext, ip)
}

func knocksThrough(ctx context.Context, dial Dialer, ip netip.Addr) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	conn, err := dial(ctx, "tcp", netip.AddrPortFrom(ip, 22).String())
	if err == nil {
		_ = conn.Close()
		return true
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
