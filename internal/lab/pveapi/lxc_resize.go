package pveapi

import (
	"strings"
)

// resizeLXC is PUT …/resize.
func resizeLXC(c *call) (any, error) {
	size, disk := c.p.str("size"), c.p.str("disk")
	grow := strings.HasPrefix(size, "+")
	want, ok := parseSize(strings.TrimPrefix(size, "+"))
	if !ok {
		return nil, fail("invalid size string")
	}
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if err := g.checkLock(); err != nil {
		return nil, err
	}
	if err := g.checkDigest(c.p.str("digest")); err != nil {
		return nil, err
	}
	vol, err := c.resizable(g, disk)
	if err != nil {
		return nil, err
	}
	if grow {
		want += vol.Size
	}
	if want < vol.Size {
		return nil, fail("unable to shrink disk size")
	}
	if want == vol.Size {
		return nil, fail("disk is already at specified size")
	}
	want = (want + 1023) / 1024 * 1024
	nodeName, vmid := c.node(), g.VMID
	return c.fork("resize", itoa(vmid), func(t *task) error {
		unlock, err := c.lockGuest(t.ctx, vmid, t)
		if err != nil {
			return err
		}
		defer unlock()
		g, err := c.Server.guest(nodeName, "lxc", vmid)
		if err != nil {
			return err
		}
		return c.resizeNow(t, g, disk, vol, want)
	})
}

// resizable finds the volume of a disk that may grow.
func (c *call) resizable(g *guest, disk string) (*volume, error) {
	conf := g.Conf.Current[disk]
	p, _ := c.optionsOf("lxc").Lookup(disk)
	mp, err := p.Props.ParseString("", conf)
	if err != nil {
		return nil, formatFailure(err)
	}
	id := mp["volume"]
	sid, _, ok := parseVolume(id)
	if !ok {
		return nil, fail("can't resize mount point owned by another container (0)")
	}
	if err := c.need("/storage/"+sid, "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	vol := c.volume(g.Node, id)
	if vol == nil {
		return nil, fail("volume '%s' does not exist", id)
	}
	if vol.Format == "subvol" && vol.Size == 0 {
		return nil, fail("can't resize this volume")
	}
	return vol, nil
}

// maxFile is what a file of a disk image can hold; more fails as qemu-img does.
const maxFile = 16 << 40

func (c *call) resizeNow(t *task, g *guest, disk string, vol *volume, want int64) error {
	sid, name, _ := parseVolume(vol.ID)
	st, err := c.storage(sid)
	if err != nil {
		return err
	}
	path := st.apiPath(name)
	if want > maxFile || c.full[sid] {
		t.log("qemu-img: Could not resize file: File too large")
		return fail("command '/usr/bin/qemu-img resize '--preallocation=off' -f raw %s %d' failed: exit code 1", path, want)
	}
	oldSize := vol.Size
	running := c.isRunning(g.VMID)
	switch st.Type {
	case "lvmthin":
		t.log("  Size of logical volume pve/%s changed from %s to %s.", name, lvmSize(oldSize), lvmSize(want))
		t.log("  Logical volume pve/%s successfully resized.", name)
	case "dir", "btrfs":
		t.log("Image resized.")
	}
	lines := []string{}
	c.unlocked(func() {
		err = c.opt.Backend.Resize(t.ctx, g.VMID, disk, want, func(l string) { lines = append(lines, l) })
	})
	vol.Size = want
	mp, perr := c.parseOption("lxc", disk, g.Conf.Current[disk])
	if perr == nil {
		mp["size"] = formatSize(want)
		g.Conf.Current[disk] = c.printOption("lxc", disk, mp)
	}
	if err != nil { // Proxmox warns and ends OK: the volume has grown, the file system has not
		for _, l := range lines {
			t.progress(l)
		}
		t.log("Failed to update the container's filesystem: %s", err)
		t.log("")
		return nil
	}
	if vol.Format == "raw" {
		c.growLog(t, path, oldSize, want, running)
	}
	for _, l := range lines {
		t.progress(l)
	}
	t.log("")
	return nil
}

func lvmSize(n int64) string {
	if n%gib == 0 {
		return itoa(int(n/gib)) + ".00 GiB (" + itoa(int(n/(4*mib))) + " extents)"
	}
	return itoa(int(n/mib)) + ".00 MiB (" + itoa(int(n/(4*mib))) + " extents)"
}

// growLog is what e2fsck and resize2fs print.
func (c *call) growLog(t *task, path string, from, to int64, running bool) {
	if !running {
		t.log("e2fsck 1.47.2 (1-Jan-2025)")
		for i, what := range []string{"inodes, blocks, and sizes", "directory structure", "directory connectivity", "reference counts", "group summary information"} {
			t.log("Pass %d: Checking %s", i+1, what)
		}
		t.log("%s: %d/%d files (0.1%% non-contiguous), %d/%d blocks", path, from/(32*4096), from/(4*4096), from/(8*4096), from/4096)
	}
	t.log("resize2fs 1.47.2 (1-Jan-2025)")
	t.log("Resizing the filesystem on %s to %d (4k) blocks.", path, to/4096)
	t.log("The filesystem on %s is now %d (4k) blocks long.", path, to/4096)
}
