package pveapi

// moveVolume is POST …/move_volume: a disk to another storage. The machine stays.
func moveVolume(c *call) (any, error) {
	disk, target := c.p.str("volume"), c.p.str("storage")
	remove := c.p.bool("delete")
	if target == "" {
		return nil, paramError("storage", "the lab moves volumes between storages only")
	}
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if err := g.checkLock(); err != nil {
		return nil, err
	}
	if _, err := c.enabledStorage(target, c.node()); err != nil {
		return nil, err
	}
	if err := c.need("/storage/"+target, "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	p, _ := c.optionsOf("lxc").Lookup(disk)
	mp, err := p.Props.ParseString("", g.Conf.Current[disk])
	if err != nil {
		return nil, formatFailure(err)
	}
	if c.isRunning(g.VMID) {
		return nil, fail("cannot move volumes of a running container")
	}
	old := c.volume(g.Node, mp["volume"])
	if old == nil {
		return nil, fail("volume '%s' does not exist", mp["volume"])
	}
	if err := g.checkDigest(c.p.str("digest")); err != nil {
		return nil, err
	}
	return c.powerTask("move_volume", func(t *task, g *guest) error {
		v, err := c.alloc(t, g.Node, c.st.Storages[target], g.VMID, old.Size, old.Kind, old.Format)
		if err != nil {
			return err
		}
		copyLog(t, old.Size)
		mp["volume"] = v.ID
		g.Conf.Current[disk] = c.printOption("lxc", disk, mp)
		if remove {
			c.free(old.Node, old.ID)
			return nil
		}
		addUnused(g.Conf.Current, old.ID)
		return nil
	})
}
