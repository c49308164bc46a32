package pveapi

import (
	"strings"
	"time"
)

// powerTaskVM forks a task that holds the VM's lock while act runs.
func (c *call) powerTaskVM(kind string, act func(t *task, g *guest) error) (any, error) {
	return c.forkVM(kind, c.vmid(), act), nil
}

func (c *call) forkVM(kind string, vmid int, act func(t *task, g *guest) error) string {
	nodeName := c.node()
	return c.Server.fork(nodeName, kind, itoa(vmid), c.who.authuser, func(t *task) error {
		unlock, err := c.lockGuest(t.ctx, vmid, t)
		if err != nil {
			return err
		}
		defer unlock()
		g, err := c.Server.guest(nodeName, "qemu", vmid)
		if err != nil {
			return err
		}
		return act(t, g)
	})
}

// qemuStatus adds what only VMs show.
func (c *call) qemuStatus(g *guest, m map[string]any) {
	delete(m, "type")
	m["qmpstatus"] = m["status"]
	if enabled := c.agentEnabled(g); enabled {
		m["agent"] = 1
	}
}

func startVM(c *call) (any, error) {
	if err := c.skipsLock(); err != nil {
		return nil, err
	}
	return c.forkStartVM(c.vmid()), nil
}

func (c *call) forkStartVM(vmid int) string {
	return c.forkVM("qmstart", vmid, func(t *task, g *guest) error { return c.startVMNow(t, g) })
}

// startVMNow boots a VM: its waiting changes and its cloud-init drive first.
func (c *call) startVMNow(t *task, g *guest) error {
	if g.Conf.Current["template"] == "1" {
		return fail("you can't start a vm if it's a template")
	}
	if err := g.checkLock(); err != nil {
		return err
	}
	if c.isRunning(g.VMID) {
		return fail("VM %d already running", g.VMID)
	}
	c.applyVM(g, true)
	if !g.Machine {
		return fail("start failed: the lab has no machine for VM %d: create it with import-from or clone a template that was", g.VMID)
	}
	for i := 0; i < 32; i++ {
		net, err := c.parseOption("qemu", "net0", g.Conf.Current["net"+itoa(i)])
		if err == nil && net["bridge"] != "" && !c.hasBridge(net["bridge"]) {
			t.log("bridge '%s' does not exist", net["bridge"])
			return fail("start failed: QEMU exited with code 1")
		}
	}
	if cloudDrive(g.Conf.Current) != "" {
		t.log("generating cloud-init ISO")
		if err := c.writeDrive(g); err != nil {
			return err
		}
	}
	conf := machineConfig(c.Server, g)
	var err error
	c.unlocked(func() { err = c.opt.Backend.Start(t.ctx, g.VMID, conf, func(string) {}) })
	if err != nil {
		return fail("start failed: %s", err.Error())
	}
	g.Running = true
	return nil
}

func stopVM(c *call) (any, error) {
	if err := c.skipsLock(); err != nil {
		return nil, err
	}
	return c.powerTaskVM("qmstop", func(t *task, g *guest) error {
		if !c.isRunning(g.VMID) {
			return nil
		}
		if err := g.checkLock(); err != nil {
			return err
		}
		return c.stopNow(t, g)
	})
}

func shutdownVM(c *call) (any, error) {
	timeout, force := c.p.int("timeout", 180), c.p.bool("forceStop")
	return c.powerTaskVM("qmshutdown", func(t *task, g *guest) error {
		if !c.isRunning(g.VMID) {
			return nil
		}
		if err := g.checkLock(); err != nil {
			return err
		}
		return c.shutdownVMNow(t, g, timeout, force)
	})
}

func (c *call) shutdownVMNow(t *task, g *guest, timeout int, force bool) error {
	var err error
	c.unlocked(func() {
		err = c.opt.Backend.Shutdown(t.ctx, g.VMID, time.Duration(timeout)*time.Second)
	})
	switch {
	case err == nil:
		g.Running = false
		return nil
	case force:
		t.log("VM still running - terminating now with SIGTERM")
		return c.stopNow(t, g)
	}
	return fail("VM quit/powerdown failed - got timeout")
}

func rebootVM(c *call) (any, error) {
	if !c.isRunning(c.vmid()) {
		return nil, fail("VM %d not running", c.vmid())
	}
	timeout := c.p.int("timeout", 180)
	return c.powerTaskVM("qmreboot", func(t *task, g *guest) error {
		if err := c.shutdownVMNow(t, g, timeout, false); err != nil {
			return err
		}
		c.forkStartVM(g.VMID) // as qmeventd does on a node, once QEMU has ended
		return nil
	})
}

func resetVM(c *call) (any, error) {
	if !c.isRunning(c.vmid()) {
		return nil, fail("VM %d not running", c.vmid())
	}
	return c.powerTaskVM("qmreset", func(t *task, g *guest) error {
		if err := c.stopNow(t, g); err != nil {
			return err
		}
		return c.startVMNow(t, g)
	})
}

// pauseVM is suspend and resume: the lab's VMs cannot.
func pauseVM(what string) handler {
	return func(c *call) (any, error) {
		if !c.isRunning(c.vmid()) {
			return nil, fail("VM %d not running", c.vmid())
		}
		return c.powerTaskVM(what, func(*task, *guest) error {
			return fail("the lab's VMs cannot be paused")
		})
	}
}

// templateVM is POST …/template.
func templateVM(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if err := g.checkLock(); err != nil {
		return nil, err
	}
	switch {
	case len(g.Conf.Snapshots) > 0:
		return nil, fail("unable to create template, because VM contains snapshots")
	case g.Conf.Current["template"] == "1" && !c.p.has("disk"):
		return nil, fail("you can't convert a template to a template")
	case c.isRunning(g.VMID):
		return nil, fail("you can't convert a VM to template if VM is running")
	}
	return c.powerTaskVM("qmtemplate", func(_ *task, g *guest) error {
		g.Conf.Current["template"] = "1"
		for _, o := range g.Conf.Current.Keys() {
			if isDrive.MatchString(o) && !strings.Contains(g.Conf.Current[o], "media=cdrom") {
				c.makeBase(g, o)
			}
		}
		return nil
	})
}

// makeBase renames a drive's volume to base-….
func (c *call) makeBase(g *guest, o string) {
	d, err := c.parseOption("qemu", o, g.Conf.Current[o])
	v := c.volume(g.Node, d["file"])
	if err != nil || v == nil {
		return
	}
	c.free(v.Node, v.ID)
	v.ID = strings.Replace(v.ID, "vm-", "base-", 1)
	c.st.Volumes[volKey(v.Node, v.ID)] = v
	d["file"] = v.ID
	g.Conf.Current[o] = c.printOption("qemu", o, d)
}
