package pveapi

import (
	"fmt"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

// can tells whether a storage's volumes can be snapshotted or be the base of a linked clone.
func (st *Storage) can(what, kind string, template bool, disk string) bool {
	switch {
	case what == "snapshot" && kind == "qemu" && st.Type == "dir":
		return strings.Contains(disk, ".qcow2")
	case what == "snapshot":
		return st.snapshots()
	case what == "clone" && st.Type == "dir":
		return kind == "qemu" && template
	case what == "clone" && st.Type == "lvmthin":
		return template
	}
	return what == "clone"
}

// cloning is what POST …/clone will do.
type cloning struct {
	from, to int
	snap     string
	full     bool
	storage  string
	pool     string
	target   string
	conf     guestconf.Section
}

// cloneLXC is POST …/clone.
func cloneLXC(c *call) (any, error) {
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
	if err := c.prepareClone(g, cl); err != nil {
		return nil, err
	}
	if err := c.unused(cl.to); err != nil {
		return nil, err
	}
	node := g.Node
	if cl.target != "" {
		node = cl.target
	}
	ng := &guest{VMID: cl.to, Node: node, Type: "lxc", Conf: guestconf.New(), NewAt: c.now().Unix()}
	ng.Conf.Current["lock"] = "create"
	c.st.Guests[cl.to] = ng
	g.Conf.Current["lock"] = "disk"
	return c.fork("vzclone", itoa(cl.from), func(t *task) error { return c.runClone(t, g, ng, cl) },
		func() { c.forget(cl.to); delete(g.Conf.Current, "lock") })
}

func (c *call) checkTarget(target string) error {
	if target == "" {
		return nil
	}
	for _, n := range c.opt.Nodes {
		if n == target {
			return nil
		}
	}
	return fail("no such cluster node '%s'", target)
}

// prepareClone settles full or linked and the new configuration.
func (c *call) prepareClone(g *guest, cl *cloning) error {
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
	if cl.full && cl.snap == "" && c.isRunning(g.VMID) {
		return fail("Full clone of a running container is only possible from a snapshot")
	}
	if cl.storage != "" && !cl.full {
		return fail("Cannot do full clones on a running container without snapshots")
	}
	cl.conf = src.Clone()
	for _, k := range []string{"lock", "template", "parent", "snaptime", "snapstate"} {
		delete(cl.conf, k)
	}
	if err := c.cloneDisksOK(g, cl); err != nil {
		return err
	}
	for _, k := range []string{"hostname", "description"} {
		if c.p.has(k) {
			cl.conf[k] = c.p.str(k)
		}
	}
	if d := description("lxc", cl.conf["description"]); d != "" {
		cl.conf["description"] = d
	}
	return nil
}

func (c *call) cloneDisksOK(g *guest, cl *cloning) error {
	for o, v := range cl.conf {
		if isUnused.MatchString(o) {
			delete(cl.conf, o)
		}
		if isNet.MatchString(o) {
			net, err := c.parseOption("lxc", o, v)
			if err != nil {
				return err
			}
			delete(net, "hwaddr")
			if cl.conf[o], err = c.normalNet(c.printOption("lxc", o, net)); err != nil {
				return err
			}
		}
		if !isMount.MatchString(o) {
			continue
		}
		id := volumeOf(v)
		sid, _, _ := parseVolume(id)
		st, err := c.storage(sid)
		if err != nil {
			return err
		}
		if !cl.full && !st.can("clone", "lxc", g.Conf.Current["template"] == "1", v) {
			return fail("Linked clone feature for '%s' is not available", c.baseName(g, id))
		}
		target := sid
		if cl.storage != "" {
			target = cl.storage
		}
		if err := c.need("/storage/"+target, "Datastore.AllocateSpace"); err != nil {
			return err
		}
	}
	return nil
}

// baseName is a template's volume as it is called on disk.
func (c *call) baseName(g *guest, id string) string {
	if g.Conf.Current["template"] == "1" {
		return strings.Replace(id, "vm-", "base-", 1)
	}
	return id
}

func (c *call) runClone(t *task, g, ng *guest, cl *cloning) error {
	defer delete(g.Conf.Current, "lock")
	t.log("creating a clone of container %d with ID %d", cl.from, cl.to)
	err := c.cloneVolumes(t, g, ng, cl)
	if err == nil {
		c.unlocked(func() { err = c.opt.Backend.Clone(t.ctx, cl.from, cl.to, cl.snap, t.progress) })
	}
	if err != nil {
		_ = c.removeDisks(t, ng) // the volumes just made; their storages are known
		c.forget(cl.to)
		return fail("clone failed: %s", err.Error())
	}
	ng.Conf.Current = cl.conf
	if cl.full {
		c.warnNesting(t, cl.conf)
	}
	if p := c.st.Pools[cl.pool]; p != nil {
		p.VMs[cl.to] = true
	}
	return c.tellBackend(ng)
}

func (c *call) cloneVolumes(t *task, g, ng *guest, cl *cloning) error {
	for _, o := range diskOrder(cl.conf) {
		mp, err := c.parseOption("lxc", o, cl.conf[o])
		if err != nil {
			return err
		}
		old := c.volume(g.Node, mp["volume"])
		if old == nil {
			return fail("volume '%s' does not exist", mp["volume"])
		}
		sid, _, _ := parseVolume(old.ID)
		if cl.storage != "" {
			sid = cl.storage
		}
		how := "create linked clone of mount point"
		if cl.full {
			how = "create full clone of mountpoint"
		}
		t.log("%s %s (%s)", how, o, c.baseName(g, old.ID))
		logTo := t
		if !cl.full {
			logTo = nil
		}
		v, err := c.alloc(logTo, ng.Node, c.st.Storages[sid], cl.to, old.Size, "rootdir", old.Format)
		if err != nil {
			return err
		}
		if cl.full {
			copyLog(t, old.Size)
		} else {
			v.Parent = old.ID
		}
		mp["volume"] = v.ID
		cl.conf[o] = c.printOption("lxc", o, mp)
	}
	return nil
}

// copyLog is what mke2fs and rsync --stats print.
func copyLog(t *task, size int64) {
	for _, l := range mkfsLog(size) {
		t.progress(l)
	}
	n := size / 100
	t.log("")
	t.log("Number of files: 8,000 (reg: 7,000, dir: 800, link: 200)")
	t.log("Number of created files: 7,999 (reg: 7,000, dir: 799, link: 200)")
	t.log("Number of deleted files: 0")
	t.log("Number of regular files transferred: 7,000")
	t.log("Total file size: %s bytes", commas(n))
	t.log("Total transferred file size: %s bytes", commas(n))
	t.log("Literal data: %s bytes", commas(n))
	t.log("Matched data: 0 bytes")
	t.log("File list size: 196,560")
	t.log("File list generation time: 0.001 seconds")
	t.log("File list transfer time: 0.000 seconds")
	t.log("Total bytes sent: %s", commas(n))
	t.log("Total bytes received: 140,000")
	t.log("")
	t.log("sent %s bytes  received 140,000 bytes  %s.00 bytes/sec", commas(n), commas(n))
	t.log("total size is %s  speedup is 1.00", commas(n))
}

func commas(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// templateLXC is POST …/template.
func templateLXC(c *call) (any, error) {
	unlock, err := c.lockGuest(c.ctx, c.vmid(), nil)
	if err != nil {
		return nil, err
	}
	defer unlock()
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if err := g.checkLock(); err != nil {
		return nil, err
	}
	switch {
	case len(g.Conf.Snapshots) > 0:
		return nil, fail("unable to create template, because CT contains snapshots")
	case g.Conf.Current["template"] == "1":
		return nil, fail("you can't convert a template to a template")
	case c.isRunning(g.VMID):
		return nil, fail("you can't convert a CT to template if the CT is running")
	}
	nodeName, vmid := c.node(), g.VMID
	_, err = c.fork("vztemplate", itoa(vmid), func(*task) error {
		g, err := c.Server.guest(nodeName, "lxc", vmid)
		if err == nil {
			c.makeTemplate(g)
		}
		return err
	})
	return nil, err
}

// makeTemplate marks a guest and its disks as something to clone.
func (s *Server) makeTemplate(g *guest) {
	g.Conf.Current["template"] = "1"
	for _, v := range s.st.Volumes {
		if v.VMID == g.VMID {
			v.Base = true
		}
	}
}

// migrateTargets is GET …/migrate.
func migrateTargets(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	var others []string
	for _, n := range c.opt.Nodes {
		if n != g.Node {
			others = append(others, n)
		}
	}
	return map[string]any{"running": btoi(c.isRunning(g.VMID)), "allowed-nodes": append([]string{}, others...), "not-allowed-nodes": map[string]any{}}, nil
}

// migrateLXC is POST …/migrate, between the lab's nodes: the machine stays where it is.
func migrateLXC(c *call) (any, error) {
	target := c.p.str("target")
	if target == c.node() {
		return nil, paramError("target", "target is local node.")
	}
	if err := c.checkTarget(target); err != nil {
		return nil, err
	}
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	running := c.isRunning(g.VMID)
	if running && !c.p.bool("restart") && !c.p.bool("online") {
		return nil, fail("can't migrate running container without --online or --restart")
	}
	if running && c.p.bool("online") {
		return nil, fail("lxc live migration is currently not implemented")
	}
	nodeName, vmid := c.node(), g.VMID
	timeout := c.p.int("timeout", 180)
	return c.fork("vzmigrate", itoa(vmid), func(t *task) error {
		unlock, err := c.lockGuest(t.ctx, vmid, t)
		if err != nil {
			return err
		}
		defer unlock()
		g, err := c.Server.guest(nodeName, "lxc", vmid)
		if err != nil {
			return err
		}
		return c.migrateNow(t, g, target, running, timeout)
	})
}

func (c *call) migrateNow(t *task, g *guest, target string, restart bool, timeout int) error {
	if err := g.checkLock(); err != nil {
		return err
	}
	stamp := func(format string, args ...any) {
		t.log("%s %s", c.now().Format("2006-01-02 15:04:05"), fmt.Sprintf(format, args...))
	}
	if restart {
		stamp("shutdown CT %d", g.VMID)
		if err := c.shutdownNow(t, g, timeout, true); err != nil {
			return err
		}
	}
	stamp("starting migration of CT %d to node '%s'", g.VMID, target)
	for _, v := range c.volumesOf(g) {
		stamp("found local volume '%s' (in current VM config)", v.ID)
		c.free(v.Node, v.ID)
		v.Node = target
		c.st.Volumes[volKey(target, v.ID)] = v
	}
	g.Node = target
	stamp("start final cleanup")
	if restart {
		stamp("start container on target node")
		if err := c.startNow(t, g, false); err != nil {
			return err
		}
	}
	stamp("migration finished successfully (duration 00:00:01)")
	return nil
}

// volumesOf are a guest's volumes that are on its node alone.
func (s *Server) volumesOf(g *guest) []*volume {
	var out []*volume
	for _, k := range sorted(s.st.Volumes) {
		if v := s.st.Volumes[k]; v.VMID == g.VMID && v.Node == g.Node {
			out = append(out, v)
		}
	}
	return out
}
