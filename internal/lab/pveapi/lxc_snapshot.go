package pveapi

import (
	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

// listSnapshots is GET …/snapshot: the snapshots and "current".
func listSnapshots(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	for _, name := range sorted(g.Conf.Snapshots) {
		s := g.Conf.Snapshots[name]
		row := map[string]any{"name": name, "snaptime": c.typed(g.Type, "snaptime", s["snaptime"]), "description": s["description"]}
		if g.Type == "qemu" {
			row["vmstate"] = btoi(s["vmstate"] != "")
		}
		if p := s["parent"]; p != "" {
			row["parent"] = p
		}
		if st := s["snapstate"]; st != "" {
			row["snapstate"] = st
		}
		rows = append(rows, row)
	}
	cur := map[string]any{"name": "current", "digest": g.Conf.Digest(), "running": btoi(c.isRunning(g.VMID)), "description": "You are here!"}
	if p := g.Conf.Current["parent"]; p != "" {
		cur["parent"] = p
	}
	return append(rows, cur), nil
}

// taskNames maps what is done with a snapshot to Proxmox's names of the tasks.
var taskNames = map[string]map[string]string{
	"lxc":  {"create": "vzsnapshot", "delete": "vzdelsnapshot", "rollback": "vzrollback"},
	"qemu": {"create": "qmsnapshot", "delete": "qmdelsnapshot", "rollback": "qmrollback"},
}

// snapshotTask forks a task that works on a guest's snapshots under its lock.
func (c *call) snapshotTask(what string, act func(t *task, g *guest) error) (any, error) {
	nodeName, kind, vmid := c.node(), c.kind(), c.vmid()
	return c.fork(taskNames[kind][what], itoa(vmid), func(t *task) error {
		unlock, err := c.lockGuest(t.ctx, vmid, t)
		if err != nil {
			return err
		}
		defer unlock()
		g, err := c.Server.guest(nodeName, kind, vmid)
		if err != nil {
			return err
		}
		return act(t, g)
	})
}

func createSnapshot(c *call) (any, error) {
	name := c.p.str("snapname")
	if name == "current" || name == "vzdump" && c.kind() == "lxc" {
		return nil, fail("unable to use snapshot name '%s' (reserved name)", name)
	}
	text := c.p.str("description")
	return c.snapshotTask("create", func(t *task, g *guest) error {
		if err := c.maySnapshot(g, name); err != nil {
			return err
		}
		snap := g.Conf.Current.Clone()
		for _, k := range []string{"lock", "description", "template"} {
			delete(snap, k)
		}
		if d := description(g.Type, text); d != "" {
			snap["description"] = d
		}
		snap["snaptime"] = itoa(int(c.now().Unix()))
		g.Conf.Current["lock"] = "snapshot"
		err := c.onMachine(func(b Backend) error { return b.Snapshot(c.backendCtx(), g.VMID, name) })
		delete(g.Conf.Current, "lock")
		if err != nil {
			return fail("%s", err.Error())
		}
		g.Conf.Snapshots[name] = snap
		g.Conf.Current["parent"] = name
		return nil
	})
}

// onMachine calls the Backend without s.mu.
func (s *Server) onMachine(f func(Backend) error) error {
	var err error
	s.unlocked(func() { err = f(s.opt.Backend) })
	return err
}

func (s *Server) maySnapshot(g *guest, name string) error {
	if g.Conf.Current["template"] == "1" {
		return fail("you can't take a snapshot if it's a template")
	}
	if err := g.checkLock(); err != nil {
		return err
	}
	if g.Conf.Snapshots[name] != nil {
		return fail("snapshot name '%s' already used", name)
	}
	if !s.hasFeature(g, g.Conf.Current, "snapshot") {
		return fail("snapshot feature is not available")
	}
	return nil
}

func (g *guest) snapshot(name string) (guestconf.Section, error) {
	if s := g.Conf.Snapshots[name]; s != nil {
		return s, nil
	}
	return nil, fail("snapshot '%s' does not exist", name)
}

func deleteSnapshot(c *call) (any, error) {
	name := c.p.str("snapname")
	return c.snapshotTask("delete", func(t *task, g *guest) error {
		if err := g.checkLock(); err != nil {
			return err
		}
		snap, err := g.snapshot(name)
		if err != nil {
			return err
		}
		g.Conf.Current["lock"] = "snapshot-delete"
		err = c.onMachine(func(b Backend) error { return b.DeleteSnapshot(c.backendCtx(), g.VMID, name) })
		delete(g.Conf.Current, "lock")
		if err != nil {
			return fail("%s", err.Error())
		}
		g.unlink(name, snap["parent"])
		return nil
	})
}

// unlink removes a snapshot; what came after it hangs on its parent from now on.
func (g *guest) unlink(name, parent string) {
	delete(g.Conf.Snapshots, name)
	sections := []guestconf.Section{g.Conf.Current}
	for _, s := range g.Conf.Snapshots {
		sections = append(sections, s)
	}
	for _, s := range sections {
		if s["parent"] != name {
			continue
		}
		if s["parent"] = parent; parent == "" {
			delete(s, "parent")
		}
	}
}

func rollbackSnapshot(c *call) (any, error) {
	name, start := c.p.str("snapname"), c.p.bool("start")
	return c.snapshotTask("rollback", func(t *task, g *guest) error {
		if g.Conf.Current["template"] == "1" {
			return fail("you can't rollback if guest is a template")
		}
		snap, err := g.snapshot(name)
		if err != nil {
			return err
		}
		if err := g.checkLock(); err != nil {
			return err
		}
		if c.isRunning(g.VMID) {
			if err := c.stopNow(t, g); err != nil {
				return err
			}
		}
		g.Conf.Current["lock"] = "rollback"
		err = c.onMachine(func(b Backend) error { return b.Rollback(c.backendCtx(), g.VMID, name) })
		delete(g.Conf.Current, "lock")
		if err != nil {
			return fail("%s", err.Error())
		}
		c.restore(g, snap, name)
		if start {
			c.forkStartOf(g)
		}
		return nil
	})
}

// restore makes a snapshot's settings current; the description stays, nothing waits any more.
func (s *Server) restore(g *guest, snap guestconf.Section, name string) {
	cur := snap.Clone()
	delete(cur, "snaptime")
	delete(cur, "description")
	if d := g.Conf.Current["description"]; d != "" {
		cur["description"] = d
	}
	cur["parent"] = name
	g.Conf.Current, g.Conf.Pending = cur, guestconf.Section{}
	for _, o := range cur.Keys() {
		v := s.volume(g.Node, volumeOf(cur[o]))
		if v == nil || !isMount.MatchString(o) && !isDrive.MatchString(o) {
			continue
		}
		if disk, err := s.parseOption(g.Type, o, cur[o]); err == nil && disk["size"] != "" {
			v.Size, _ = parseSize(disk["size"])
		}
	}
}

func (c *call) forkStartOf(g *guest) {
	if g.Type == "lxc" {
		c.forkStart(g.VMID)
		return
	}
	c.forkStartVM(g.VMID)
}

func getSnapshotConfig(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	snap, err := g.snapshot(c.p.str("snapname"))
	if err != nil {
		return nil, err
	}
	return c.shown(g.Type, c.restrict(g, snap)), nil
}

func putSnapshotConfig(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	snap, err := g.snapshot(c.p.str("snapname"))
	if err != nil {
		return nil, err
	}
	if err := g.checkLock(); err != nil {
		return nil, err
	}
	if c.p.has("description") {
		snap["description"] = description(g.Type, c.p.str("description"))
	}
	return nil, nil
}

// getFeature is GET …/feature.
func getFeature(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	sec := g.Conf.Current
	if name := c.p.str("snapname"); name != "" {
		if sec, err = g.snapshot(name); err != nil {
			return nil, err
		}
	}
	has := map[string]any{"hasFeature": btoi(c.hasFeature(g, sec, c.p.str("feature")))}
	if g.Type == "qemu" {
		has["nodes"] = append([]string{}, c.opt.Nodes...)
	}
	return has, nil
}

// hasFeature tells whether every disk of a guest can do it.
func (s *Server) hasFeature(g *guest, sec guestconf.Section, what string) bool {
	if what == "copy" {
		return true
	}
	for _, o := range sec.Keys() {
		if !isMount.MatchString(o) && !isDrive.MatchString(o) {
			continue
		}
		sid, _, ok := parseVolume(volumeOf(sec[o]))
		if !ok {
			return false
		}
		st := s.st.Storages[sid]
		if st == nil || !st.can(what, g.Type, sec["template"] == "1", sec[o]) {
			return false
		}
	}
	return true
}
