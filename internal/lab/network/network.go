// Package network gives a lab its own Ethernet: a bridge, NAT for package
// registries, a name server and a caching HTTP proxy on the bridge's address,
// and a guard that keeps every other packet on this machine.
//
// The guard has two layers. Routing rules answer "unreachable" to whatever a
// guest sends to a private, link-local or carrier-grade address, other labs'
// subnets and the uplink's own network included; a packet filter then lets out
// nothing but HTTPS. Plain HTTP is redirected to the proxy, names are resolved by
// the forwarder, so that guests need no setting to use either.
package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Config names a lab's network.
type Config struct {
	Bridge    string       // name of the bridge, at most 15 bytes
	Subnet    netip.Prefix // IPv4; the bridge has its first address
	ProxyPort int          // port of the HTTP proxy on the bridge's address
	Resolver  []netip.Addr // the name servers that the machine itself uses
}

// Gateway is the bridge's address: the guests' gateway, name server and proxy.
func (c Config) Gateway() netip.Addr { return c.Subnet.Masked().Addr().Next() }

// private is what no packet of a guest may reach: RFC 1918, RFC 6598, RFC 3927,
// RFC 2544 and multicast.
var private = []string{
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
	"100.64.0.0/10", "169.254.0.0/16", "198.18.0.0/15", "224.0.0.0/4",
}

// Up makes the network; what exists already is kept, so that it also repairs.
func Up(ctx context.Context, c Config) error {
	if !c.Subnet.Addr().Is4() || c.Subnet.Bits() > 29 {
		return fmt.Errorf("subnet %s is not an IPv4 network with room for guests", c.Subnet)
	}
	mtu, err := uplinkMTU()
	if err != nil {
		return err
	}
	if err := c.bridgeUp(ctx, mtu); err != nil {
		return err
	}
	if err := c.guardUp(ctx); err != nil {
		return errors.Join(err, Down(ctx, c))
	}
	return nil
}

// Down removes whatever of the network exists; nothing is no error.
func Down(ctx context.Context, c Config) error {
	errs := []error{c.filterDown(ctx), c.rulesDown(ctx)}
	if exists(c.Bridge) {
		errs = append(errs, run(ctx, "ip", "link", "del", c.Bridge))
	}
	return errors.Join(append(errs, forwardingDown())...)
}

func (c Config) bridgeUp(ctx context.Context, mtu int) error {
	if !exists(c.Bridge) {
		if err := run(ctx, "ip", "link", "add", c.Bridge, "type", "bridge"); err != nil {
			return err
		}
	}
	addr := netip.PrefixFrom(c.Gateway(), c.Subnet.Bits()).String()
	for _, args := range [][]string{
		{"addr", "replace", addr, "dev", c.Bridge},
		{"link", "set", c.Bridge, "mtu", strconv.Itoa(mtu), "up"},
	} {
		if err := run(ctx, "ip", args...); err != nil {
			return err
		}
	}
	return nil
}

// guardUp closes the way out before forwarding opens it.
func (c Config) guardUp(ctx context.Context) error {
	if err := c.rulesUp(ctx); err != nil {
		return err
	}
	if err := c.filterUp(ctx); err != nil {
		return err
	}
	return c.forwardingUp()
}

// Clash tells what on this machine already uses the lab's subnet, if anything does;
// the lab's own bridge does not count.
func Clash(c Config) error {
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, l := range links {
		addrs, err := l.Addrs()
		if err != nil || l.Name == c.Bridge {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Overlaps(c.Subnet) {
				return fmt.Errorf("subnet %s is in use: %s has %s", c.Subnet, l.Name, p)
			}
		}
	}
	return nil
}

func exists(link string) bool {
	_, err := os.Stat(filepath.Join("/sys/class/net", link))
	return err == nil
}

func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
