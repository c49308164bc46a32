package pveapi

import (
	"fmt"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

// cloneVM is POST /nodes/{node}/qemu/{vmid}/clone.
func cloneVM(c *call) (any, error) {
	cl := &cloning{from: c.vmid(), to: c.p.int("newid", 0), snap: c.p.str("snapname"), storage: c.p.str("storage"), pool: c.p.str("pool"), target: c.p.str("target")}
	if err := c.checkTarget(cl.target); err != nil {
		return nil, err
	}
	if cl.pool != "" && c.st.Pools[cl.pool] == nil {
		return nil, denied("pool '%s' does not exist", cl.pool)
	}
	if cl.storage != "" {
		if _, err := c.enabledStorage(cl.storage, c.node()); err != nil {
			return nil, err
		}
	}
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if err := g.checkLock(); err != nil {
		return nil, err
	}
	if err := c.prepareCloneVM(g, cl); err != nil {
		return nil, err
	}
	if g := c.st.Guests[cl.to]; g != nil {
		return nil, fail("unable to create VM %d: config file already exists", cl.to)
	}
	node := g.Node
	if cl.target != "" {
		node = cl.target
	}
	ng := &guest{VMID: cl.to, Node: node, Type: "qemu", Conf: guestconf.New(), NewAt: c.now().Unix()}
	ng.Conf.Current["lock"] = "clone"
	c.st.Guests[cl.to] = ng
	return c.fork("qmclone", itoa(cl.from), func(t *task) error { return c.runCloneVM(t, g, ng, cl) }, func() { c.forget(cl.to) })
}

func (c *call) prepareCloneVM(g *guest, cl *cloning) error {
	src := g.Conf.Current
	if cl.snap != "" {
		s, err := g.snapshot(cl.snap)
		if err != nil {
			return err
		}
		src = s
	}
	template := g.Conf.Current["template"] == "1"
	cl.full = c.p.bool("full") || !c.p.has("full") && !template
	cl.conf = src.Clone()
	for _, k := range []string{"lock", "template", "parent", "snaptime", "vmstate"} {
		delete(cl.conf, k)
	}
	for _, o := range cl.conf.Keys() {
		v := cl.conf[o]
		switch {
		case isUnused.MatchString(o):
			delete(cl.conf, o)
		case isNet.MatchString(o):
			net, err := c.parseOption("qemu", o, v)
			if err != nil {
				return err
			}
			delete(net, "macaddr")
			if cl.conf[o], err = c.normalVMNet(c.printOption("qemu", o, net)); err != nil {
				return err
			}
		case isDrive.MatchString(o) && !cl.full && !strings.Contains(v, "media=cdrom"):
			sid, _, _ := parseVolume(volumeOf(v))
			st := c.st.Storages[sid]
			if st == nil || !template && st.Type != "zfspool" {
				return fail("Linked clone feature is not supported for '%s' (%s)", volumeOf(v), o)
			}
		}
	}
	cl.conf["smbios1"], cl.conf["vmgenid"] = "uuid="+newUUID(), newUUID()
	cl.conf["name"] = fmt.Sprintf("Copy-of-VM-%s", guestName(g))
	for _, k := range []string{"name", "description"} {
		if c.p.has(k) {
			cl.conf[k] = c.p.str(k)
		}
	}
	return nil
}

func (c *call) runCloneVM(t *task, g, ng *guest, cl *cloning) error {
	t.log("creating a clone of VM %d with ID %d", cl.from, cl.to)
	err := c.cloneDrives(t, g, ng, cl)
	if err == nil && g.Machine {
		c.unlocked(func() { err = c.opt.Backend.Clone(t.ctx, cl.from, cl.to, cl.snap, func(string) {}) })
		ng.Machine = err == nil
	}
	if err != nil {
		_ = c.removeVMDisks(ng) // only what was just made; nothing hangs on it
		c.forget(cl.to)
		return fail("clone failed: %s", err.Error())
	}
	ng.Conf.Current = cl.conf
	if p := c.st.Pools[cl.pool]; p != nil {
		p.VMs[cl.to] = true
	}
	return nil
}

func (c *call) cloneDrives(t *task, g, ng *guest, cl *cloning) error {
	for _, o := range cl.conf.Keys() {
		if !isDrive.MatchString(o) {
			continue
		}
		d, err := c.parseOption("qemu", o, cl.conf[o])
		if err != nil {
			return err
		}
		old := c.volume(g.Node, d["file"])
		if old == nil {
			continue // an ISO image, or none
		}
		if err := c.cloneDrive(t, ng, cl, o, d, old); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) cloneDrive(t *task, ng *guest, cl *cloning, o string, d map[string]string, old *volume) error {
	sid, name, _ := parseVolume(old.ID)
	if cl.storage != "" {
		sid = cl.storage
	}
	st := c.st.Storages[sid]
	cloud := strings.Contains(name, "-cloudinit")
	if cloud || cl.full {
		t.log("create full clone of drive %s (%s)", o, old.ID)
	} else {
		t.log("create linked clone of drive %s (%s)", o, old.ID)
	}
	switch {
	case cloud:
		out, err := c.makeCloudDrive(nil, ng, o, sid, map[string]string{"size": "4M"})
		if err != nil {
			return err
		}
		if id := volumeOf(out); st.hasFiles() {
			_, n, _ := parseVolume(id)
			cloudFormatLog(t, st, n)
		}
		t.log("allocated target volume '%s'", volumeOf(out))
		cl.conf[o] = out
		return nil
	case cl.full:
		v, err := c.alloc(t, ng.Node, st, ng.VMID, old.Size, "images", old.Format)
		if err != nil {
			return err
		}
		t.log("allocated target volume '%s'", v.ID)
		size := fmt.Sprintf("%.1f GiB", float64(old.Size)/gib)
		t.log("transferred 0.0 B of %s (0.00%%)", size)
		t.log("transferred %s of %s (100.00%%)", size, size)
		d["file"] = v.ID
	default:
		d["file"] = c.linkDrive(t, st, ng, old, name).ID
	}
	cl.conf[o] = c.printOption("qemu", o, d)
	return nil
}

// linkDrive makes a volume on top of a template's; on a storage of files its name says so.
func (c *call) linkDrive(t *task, st *Storage, ng *guest, old *volume, baseName string) *volume {
	v := &volume{Node: ng.Node, VMID: ng.VMID, Size: old.Size, Kind: "images", Format: old.Format, CTime: c.now().Unix(), Parent: old.ID}
	for n := 0; ; n++ {
		leaf := fmt.Sprintf("vm-%d-disk-%d", ng.VMID, n)
		if st.hasFiles() {
			v.Format = "qcow2"
			leaf += ".qcow2"
			v.ID = fmt.Sprintf("%s:%s/%d/%s", st.ID, baseName, ng.VMID, leaf)
		} else {
			v.ID = st.ID + ":" + leaf
		}
		if c.diskTaken(ng, leaf) {
			continue
		}
		if st.hasFiles() {
			t.log("clone %s: images, %s, %d to %s (base=../%s)", baseName, leaf, ng.VMID, leaf, baseName)
			t.log("Formatting '%s', fmt=qcow2 cluster_size=131072 extended_l2=on preallocation=off compression_type=zlib size=%d backing_file=../%s backing_fmt=raw lazy_refcounts=off refcount_bits=16",
				st.apiPath(fmt.Sprintf("%d/%s", ng.VMID, leaf)), old.Size, baseName)
		}
		c.st.Volumes[volKey(v.Node, v.ID)] = v
		return v
	}
}

func (c *call) diskTaken(g *guest, leaf string) bool {
	for _, v := range c.volumesOf(g) {
		if strings.HasSuffix(v.ID, leaf) {
			return true
		}
	}
	return false
}
