package pveapi

// destroyLXC is DELETE /nodes/{node}/lxc/{vmid}.
func destroyLXC(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	force, purge := c.p.bool("force"), c.p.bool("purge")
	if err := c.mayDestroy(g, purge); err != nil {
		return nil, err
	}
	if c.isRunning(g.VMID) && !force {
		return nil, fail("unable to destroy CT %d - container is running", g.VMID)
	}
	nodeName, vmid := c.node(), g.VMID
	return c.fork("vzdestroy", itoa(vmid), func(t *task) error {
		unlock, err := c.lockGuest(t.ctx, vmid, t)
		if err != nil {
			return err
		}
		defer unlock()
		g, err := c.Server.guest(nodeName, "lxc", vmid)
		if err != nil {
			return err
		}
		if err := c.mayDestroy(g, purge); err != nil {
			return err
		}
		return c.destroyNow(t, g, force, purge)
	})
}

func (s *Server) mayDestroy(g *guest, purge bool) error {
	if err := g.checkLock(); err != nil {
		return err
	}
	if err := g.checkProtection("can't remove " + g.word() + " " + itoa(g.VMID)); err != nil {
		return err
	}
	if s.st.HA[haID(g)] != nil && !purge {
		return fail("unable to remove %s %d - used in HA resources and purge parameter not set.", g.word(), g.VMID)
	}
	return nil
}

func (s *Server) destroyNow(t *task, g *guest, force, purge bool) error {
	if s.isRunning(g.VMID) {
		if !force {
			return fail("unable to destroy CT %d - container is running", g.VMID)
		}
		t.log("forced to stop CT %d before destroying!", g.VMID)
		if err := s.stopNow(t, g); err != nil {
			return err
		}
	}
	if err := s.removeDisks(t, g); err != nil {
		return err
	}
	var err error
	s.unlocked(func() { err = s.opt.Backend.Destroy(s.backendCtx(), g.VMID) })
	if err != nil {
		return fail("%s", err.Error())
	}
	if purge {
		t.log("purging %s %d from related configurations..", g.word(), g.VMID)
		delete(s.st.HA, haID(g))
	}
	s.forget(g.VMID)
	return nil
}

// removeDisks frees every volume that the configuration or a snapshot names and that
// belongs to the guest.
func (s *Server) removeDisks(t *task, g *guest) error {
	for _, o := range g.Conf.Current.Keys() {
		if !isMount.MatchString(o) {
			continue
		}
		sid, name, ok := parseVolume(volumeOf(g.Conf.Current[o]))
		if !ok {
			continue
		}
		st, err := s.storage(sid)
		if err != nil {
			return err
		}
		if _, _, err := st.volumeType(name); err != nil {
			return err
		}
		if s.volume(g.Node, sid+":"+name) == nil && st.hasFiles() {
			t.log("disk image '%s' does not exist", st.apiPath(name))
		}
	}
	for key, v := range s.st.Volumes {
		if v.VMID == g.VMID && (v.Node == g.Node || v.Node == "shared") {
			delete(s.st.Volumes, key)
		}
	}
	return nil
}
