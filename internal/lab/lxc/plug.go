package lxc

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// plugNets brings a running container's interfaces from one configuration to
// another, as Proxmox hot-plugs them: an interface whose hardware side changed is
// replaced, one whose addresses changed keeps its link.
//
// What plays a virtual machine has its links changed, never its addresses.
func (b *Backend) plugNets(ctx context.Context, g *guest, pid int, have map[string]string, m meta) error {
	want := m.Config
	keys := map[string]bool{}
	for _, key := range append(numbered(have, "net"), numbered(want, "net")...) {
		keys[key] = true
	}
	var errs []error
	for key := range keys {
		if have[key] != want[key] {
			errs = append(errs, b.plugNet(ctx, pid, options(have[key]), options(want[key]), !m.VM))
		}
	}
	if len(keys) == 0 || m.VM {
		return errors.Join(errs...)
	}
	root, err := os.OpenRoot(g.rootfs())
	if err != nil {
		return err
	}
	defer root.Close()
	return errors.Join(append(errs, put(root, "etc/network/interfaces", interfaces(want)))...)
}

func (b *Backend) plugNet(ctx context.Context, pid int, have, want map[string]string, addresses bool) error {
	link := func(net map[string]string) string {
		return strings.ToLower(strings.Join([]string{net["name"], net["hwaddr"], net["bridge"], net["mtu"], net["tag"]}, ","))
	}
	switch {
	case link(have) != link(want):
	case addresses:
		return readdress(ctx, pid, want)
	default:
		return nil
	}
	if have["name"] != "" {
		if _, err := inNet(ctx, pid, "link", "del", have["name"]); err != nil {
			return err
		}
	}
	if want["name"] == "" {
		return nil
	}
	if err := b.plug(ctx, pid, want); err != nil || !addresses {
		return err
	}
	return readdress(ctx, pid, want)
}

// plug makes a pair of interfaces, one end on the bridge, one in the container.
func (b *Backend) plug(ctx context.Context, pid int, net map[string]string) error {
	var random [4]byte
	rand.Read(random[:])
	host := "vl" + hex.EncodeToString(random[:])
	peer := []string{"name", net["name"], "netns", strconv.Itoa(pid)}
	if net["hwaddr"] != "" {
		peer = append(peer, "address", net["hwaddr"])
	}
	size := mtu(b.opt.Bridge, net["mtu"])
	add := append([]string{"link", "add", host, "mtu", size, "type", "veth", "peer", "mtu", size}, peer...)
	if _, err := command(ctx, "ip", add...); err != nil {
		return err
	}
	if _, err := command(ctx, "ip", "link", "set", host, "master", b.opt.Bridge, "up"); err != nil {
		return err
	}
	_, err := inNet(ctx, pid, "link", "set", net["name"], "up")
	return err
}

// readdress gives an interface its static addresses and gateways and no others.
func readdress(ctx context.Context, pid int, net map[string]string) error {
	if _, err := inNet(ctx, pid, "addr", "flush", "dev", net["name"], "scope", "global"); err != nil {
		return err
	}
	for _, family := range []struct{ flag, ip, gw string }{{"-4", net["ip"], net["gw"]}, {"-6", net["ip6"], net["gw6"]}} {
		if !strings.Contains(family.ip, "/") {
			continue
		}
		if _, err := inNet(ctx, pid, family.flag, "addr", "add", family.ip, "dev", net["name"]); err != nil {
			return err
		}
		if family.gw == "" {
			continue
		}
		if _, err := inNet(ctx, pid, family.flag, "route", "replace", "default", "via", family.gw, "dev", net["name"]); err != nil {
			return err
		}
	}
	return nil
}

// inNet runs the machine's own ip(8) in a container's network.
func inNet(ctx context.Context, pid int, args ...string) (string, error) {
	ns := fmt.Sprintf("--net=/proc/%d/ns/net", pid)
	return command(ctx, "nsenter", append([]string{ns, "ip"}, args...)...)
}
