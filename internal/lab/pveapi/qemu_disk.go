package pveapi

import (
	"fmt"
	"os"
	"strings"
)

// makeDrive allocates what a drive's value asks for: a new disk (STORAGE:GiB, or 0 with
// import-from), a cloud-init drive (STORAGE:cloudinit); an existing volume stays.
func (c *call) makeDrive(t *task, g *guest, o, v string) (string, error) {
	d, err := c.parseOption("qemu", o, v)
	if err != nil {
		return "", err
	}
	id, name, ok := parseVolume(d["file"])
	switch {
	case !ok:
		return v, nil
	case name == "cloudinit":
		return c.makeCloudDrive(t, g, o, id, d)
	}
	m := newDiskRE.FindStringSubmatch(d["file"])
	if m == nil {
		vol := c.volume(g.Node, d["file"])
		if vol == nil && c.hostFile(g.Node, d["file"]) == "" {
			return "", fail("volume '%s' does not exist", d["file"])
		}
		if vol != nil {
			d["size"] = formatSize(vol.Size)
		}
		return c.printOption("qemu", o, d), nil
	}
	return c.makeDisk(t, g, o, m, d)
}

func (c *call) makeDisk(t *task, g *guest, o string, m []string, d map[string]string) (string, error) {
	st, err := c.storage(m[1])
	if err != nil {
		return "", err
	}
	size, _ := parseSize(m[2] + "G")
	format := d["format"]
	if format == "" {
		format = "raw"
	}
	if from := d["import-from"]; from != "" {
		if size, err = c.importSize(g, from); err != nil {
			return "", err
		}
		delete(d, "import-from")
	}
	vol, err := c.alloc(t, g.Node, st, g.VMID, size, "images", format)
	if err != nil {
		return "", err
	}
	d["file"], d["size"] = vol.ID, formatSize(vol.Size)
	delete(d, "format")
	out := c.printOption("qemu", o, d)
	if t != nil {
		t.log("%s: successfully created disk '%s'", o, out)
	}
	return out, nil
}

// importSize is the size of the disk that an image holds: at least 2 GiB, as Debian's
// cloud images have it, whatever plays the image here.
func (c *call) importSize(g *guest, from string) (int64, error) {
	if v := c.volume(g.Node, from); v != nil {
		return v.Size, nil
	}
	file := c.hostFile(g.Node, from)
	if _, err := os.Stat(file); err != nil {
		sid, name, _ := parseVolume(from)
		if st := c.st.Storages[sid]; st != nil {
			return 0, fail("failed to stat '%s'", st.apiPath(name))
		}
		return 0, fail("failed to stat '%s'", from)
	}
	return 2 * gib, nil
}

// cloudDriveSize is that of every cloud-init drive.
const cloudDriveSize = 4 * mib

func (c *call) makeCloudDrive(t *task, g *guest, o, storage string, d map[string]string) (string, error) {
	st, err := c.enabledStorage(storage, g.Node)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("vm-%d-cloudinit", g.VMID)
	format := "raw"
	if st.hasFiles() {
		format = "qcow2"
		name = fmt.Sprintf("%d/%s.qcow2", g.VMID, name)
	}
	vol := &volume{ID: st.ID + ":" + name, Node: g.Node, VMID: g.VMID, Size: cloudDriveSize, Format: format, Kind: "images", CTime: c.now().Unix()}
	c.st.Volumes[volKey(vol.Node, vol.ID)] = vol
	if t != nil && st.hasFiles() {
		cloudFormatLog(t, st, name)
	}
	d["file"], d["media"] = vol.ID, "cdrom"
	out := c.printOption("qemu", o, d)
	if t != nil {
		t.log("%s: successfully created disk '%s'", o, out)
	}
	return out, nil
}

func cloudFormatLog(t *task, st *Storage, name string) {
	t.log("Formatting '%s', fmt=qcow2 cluster_size=65536 extended_l2=off preallocation=metadata compression_type=zlib size=%d lazy_refcounts=off refcount_bits=16", st.apiPath(name), int64(cloudDriveSize))
}

// bootDisk is the drive that a VM boots from.
func bootDisk(conf map[string]string) string {
	if order, ok := strings.CutPrefix(conf["boot"], "order="); ok {
		for _, o := range strings.Split(order, ";") {
			if isDrive.MatchString(o) && conf[o] != "" && !strings.Contains(conf[o], "media=cdrom") {
				return o
			}
		}
	}
	for _, bus := range []string{"scsi", "virtio", "sata", "ide"} {
		for i := 0; i < 31; i++ {
			if o := bus + itoa(i); conf[o] != "" && !strings.Contains(conf[o], "media=cdrom") {
				return o
			}
		}
	}
	return ""
}

func (s *Server) bootDiskSize(g *guest) int64 {
	o := bootDisk(g.Conf.Current)
	d, err := s.parseOption("qemu", o, g.Conf.Current[o])
	if err != nil {
		return 0
	}
	n, _ := parseSize(d["size"])
	return n
}

// resizeVM is PUT …/resize; everything about the disk is found out by the task.
func resizeVM(c *call) (any, error) {
	size, disk := c.p.str("size"), c.p.str("disk")
	digest := c.p.str("digest")
	return c.powerTaskVM("resize", func(t *task, g *guest) error {
		if err := g.checkDigest(digest); err != nil {
			return err
		}
		if err := g.checkLock(); err != nil {
			return err
		}
		d, err := c.parseOption("qemu", disk, g.Conf.Current[disk])
		if err != nil || g.Conf.Current[disk] == "" {
			return fail("disk '%s' does not exist", disk)
		}
		vol := c.volume(g.Node, d["file"])
		if vol == nil {
			return fail("volume '%s' does not exist", d["file"])
		}
		want, _ := parseSize(strings.TrimPrefix(size, "+"))
		if strings.HasPrefix(size, "+") {
			want += vol.Size
		}
		if want < vol.Size {
			return fail("shrinking disks is not supported")
		}
		if want == vol.Size {
			return nil
		}
		return c.growVM(t, g, disk, d, vol, want)
	})
}

func (c *call) growVM(t *task, g *guest, disk string, d map[string]string, vol *volume, want int64) error {
	t.log("Image resized.")
	vol.Size = want
	d["size"] = formatSize(want)
	g.Conf.Current[disk] = c.printOption("qemu", disk, d)
	if disk != bootDisk(g.Conf.Current) || !g.Machine {
		return nil
	}
	var err error
	c.unlocked(func() { err = c.opt.Backend.Resize(t.ctx, g.VMID, "rootfs", want, t.progress) })
	if err != nil {
		c.opt.Log.Warn("the machine's disk did not grow", "vmid", g.VMID, "err", err)
	}
	return nil
}
