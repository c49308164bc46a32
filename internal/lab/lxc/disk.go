package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

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
		if err := s.mountImage(ctx, image, point); err != nil {
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
