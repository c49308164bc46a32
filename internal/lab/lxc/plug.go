package lxc

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// plugNets brings a running container's interfaces from one configuration to
// another, as Proxmox hot-plugs them: an interface whose hardware side changed is
// replaced, one whose addresses changed keeps its link.
func (b *Backend) plugNets(ctx context.Context, g *guest, pid int, have, want map[string]string) error {
	keys := map[string]bool{}
	for _, key := range append(numbered(have, "net"), numbered(want, "net")...) {
		keys[key] = true
	}
	var errs []error
	for key := range keys {
		if have[key] != want[key] {
			errs = append(errs, b.plugNet(ctx, pid, options(have[key]), options(want[key])))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	root, err := os.OpenRoot(g.rootfs())
	if err != nil {
		return err
	}
	defer root.Close()
	return errors.Join(append(errs, put(root, "etc/network/interfaces", interfaces(want)))...)
}

func (b *Backend) plugNet(ctx context.Context, pid int, have, want map[string]string) error {
	link := func(net map[string]string) string {
		return strings.ToLower(strings.Join([]string{net["name"], net["hwaddr"], net["bridge"], net["mtu"], net["tag"]}, ","))
	}
	if link(have) == link(want) {
		return readdress(ctx, pid, want)
	}
	if have["name"] != "" {
		if _, err := inNet(ctx, pid, "link", "del", have["name"]); err != nil {
			return err
		}
	}
	if want["name"] == "" {
		return nil
	}
	if err := b.plug(ctx, pid, want); err != nil {
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

// disk is one of a container's mount points beside the root.
type disk struct {
	key  string // mp0
	path string // where it appears inside, absolute
	size int64  // bytes, for one that is yet to be made
}

// disks are the volumes that a configuration mounts. Bind mounts of the node's
// directories are none: a lab lends nothing of its machine.
func disks(config map[string]string) []disk {
	var all []disk
	for _, key := range numbered(config, "mp") {
		o := options(config[key])
		if strings.HasPrefix(o[""], "/") || o["mp"] == "" {
			continue
		}
		all = append(all, disk{key, o["mp"], diskSize(o)})
	}
	return all
}

// diskSize reads size=4G, or the GiB of a volume to be allocated (local-lvm:4).
func diskSize(o map[string]string) int64 {
	units := map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
	if s := o["size"]; s != "" {
		unit := units[s[len(s)-1:]]
		if unit == 0 {
			n, _ := strconv.ParseInt(s, 10, 64)
			return n
		}
		n, _ := strconv.ParseFloat(s[:len(s)-1], 64)
		return int64(n * float64(unit))
	}
	_, gib, _ := strings.Cut(o[""], ":")
	n, _ := strconv.ParseFloat(gib, 64)
	return int64(n * (1 << 30))
}

// mountDisks mounts the container's further volumes, making those that are new.
func (s *store) mountDisks(ctx context.Context, g *guest, config map[string]string) error {
	for _, d := range disks(config) {
		image, point := s.image(g.vmid, d.key), filepath.Join(g.dir, d.key)
		if _, err := os.Stat(image); errors.Is(err, os.ErrNotExist) {
			if d.size <= 0 {
				return fmt.Errorf("%s has no size", d.key)
			}
			if err := mkfs(ctx, image, "", d.size); err != nil {
				return err
			}
		}
		if mounted(point) {
			continue
		}
		if err := os.MkdirAll(point, 0o755); err != nil {
			return err
		}
		if _, err := command(ctx, "mount", "-o", imageOptions, image, point); err != nil {
			return err
		}
	}
	return nil
}

func (g *guest) diskConfig(c *lines, m meta) {
	for _, d := range disks(m.Config) {
		opts := "bind,create=dir"
		if m.Unprivileged {
			opts += ",idmap=container"
		}
		c.add("lxc.mount.entry", filepath.Join(g.dir, d.key)+" "+strings.TrimPrefix(d.path, "/")+" none "+opts+" 0 0")
	}
}
