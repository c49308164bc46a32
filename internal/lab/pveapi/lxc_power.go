package pveapi

import (
	"errors"
	"fmt"
	"time"
)

// skipsLock refuses the option skiplock to everybody but root@pam itself.
func (c *call) skipsLock() error {
	if c.p.has("skiplock") && !c.who.root() {
		return paramError("skiplock", "Only root may use this option.")
	}
	return nil
}

// startLXC is POST …/status/start.
func startLXC(c *call) (any, error) {
	if err := c.skipsLock(); err != nil {
		return nil, err
	}
	if c.isRunning(c.vmid()) {
		return nil, fail("CT %d already running", c.vmid())
	}
	return c.forkStart(c.vmid()), nil
}

// forkStart starts the task vzstart, whoever caused it.
func (c *call) forkStart(vmid int) string {
	nodeName, skip := c.node(), c.p.bool("skiplock")
	return c.Server.fork(nodeName, "vzstart", itoa(vmid), c.who.authuser, func(t *task) error {
		unlock, err := c.lockGuest(t.ctx, vmid, t)
		if err != nil {
			return err
		}
		defer unlock()
		g, err := c.Server.guest(nodeName, "lxc", vmid)
		if err != nil {
			return err
		}
		return c.startNow(t, g, skip)
	})
}

// startNow boots a container, its lock being held.
func (s *Server) startNow(t *task, g *guest, skipLock bool) error {
	if g.Conf.Current["template"] == "1" {
		return fail("you can't start a CT if it's a template")
	}
	if err := g.checkLock(); err != nil && !skipLock && g.Conf.Current["lock"] != "mounted" {
		return err
	}
	if s.isRunning(g.VMID) {
		return fail("CT %d already running", g.VMID)
	}
	conf := g.Conf.Clone()
	u := &lxcUpdate{Server: s, g: g, conf: conf, errs: map[string]string{}}
	u.apply()
	g.Conf = conf
	if err := s.checkVolumes(g); err != nil {
		return err
	}
	s.warnNesting(t, conf.Current)
	if err := s.checkBridges(g, t); err != nil {
		return err
	}
	settings := map[string]string(conf.Current.Clone())
	var err error
	s.unlocked(func() { err = s.opt.Backend.Start(t.ctx, g.VMID, settings, t.progress) })
	if err != nil {
		t.log("%s", err)
		return fail("startup for container '%d' failed", g.VMID)
	}
	g.Running = true
	return nil
}

// checkVolumes fails where a disk of the container is not there.
func (s *Server) checkVolumes(g *guest) error {
	for _, o := range diskOrder(g.Conf.Current) {
		id := volumeOf(g.Conf.Current[o])
		sid, name, ok := parseVolume(id)
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
		if s.volume(g.Node, id) == nil {
			return fail("volume '%s' does not exist", id)
		}
	}
	return nil
}

// checkBridges fails as LXC does where an interface cannot be plugged.
func (s *Server) checkBridges(g *guest, t *task) error {
	for i := 0; i < 32; i++ {
		net, err := s.parseOption("lxc", fmt.Sprintf("net%d", i), g.Conf.Current[fmt.Sprintf("net%d", i)])
		if err != nil || net["bridge"] == "" {
			continue
		}
		if s.hasBridge(net["bridge"]) && net["tag"] == "" {
			continue
		}
		t.log("run_buffer: 571 Script exited with status 255")
		t.log("lxc_create_network_priv: 3466 Success - Failed to create network device")
		t.log("lxc_spawn: 1852 Failed to create the network")
		t.log("__lxc_start: 2119 Failed to spawn container \"%d\"", g.VMID)
		return fail("startup for container '%d' failed", g.VMID)
	}
	return nil
}

// powerTask forks a task that holds the container's lock while act runs.
func (c *call) powerTask(kind string, act func(t *task, g *guest) error) (any, error) {
	nodeName, vmid := c.node(), c.vmid()
	return c.fork(kind, itoa(vmid), func(t *task) error {
		unlock, err := c.lockGuest(t.ctx, vmid, t)
		if err != nil {
			return err
		}
		defer unlock()
		g, err := c.Server.guest(nodeName, "lxc", vmid)
		if err != nil {
			return err
		}
		return act(t, g)
	})
}

func stopLXC(c *call) (any, error) {
	if err := c.skipsLock(); err != nil {
		return nil, err
	}
	if !c.isRunning(c.vmid()) {
		return nil, fail("CT %d not running", c.vmid())
	}
	if c.p.bool("overrule-shutdown") {
		c.abortTasks("vzshutdown", itoa(c.vmid()))
	}
	return c.powerTask("vzstop", func(t *task, g *guest) error {
		if err := g.checkLock(); err != nil {
			return err
		}
		return c.stopNow(t, g)
	})
}

// abortTasks ends running tasks of a guest.
func (c *call) abortTasks(kind, id string) {
	for _, t := range c.tasks {
		if t.Type == kind && t.ID == id && t.running() {
			t.stop()
		}
	}
}

func (s *Server) stopNow(t *task, g *guest) error {
	var err error
	s.unlocked(func() { err = s.opt.Backend.Stop(t.ctx, g.VMID) })
	if err != nil {
		return fail("%s", err.Error())
	}
	g.Running = false
	return nil
}

func shutdownLXC(c *call) (any, error) {
	if !c.isRunning(c.vmid()) {
		return nil, fail("CT %d not running", c.vmid())
	}
	timeout := c.p.int("timeout", 60)
	force := c.p.bool("forceStop")
	return c.powerTask("vzshutdown", func(t *task, g *guest) error {
		if err := g.checkLock(); err != nil {
			return err
		}
		return c.shutdownNow(t, g, timeout, force)
	})
}

// shutdownNow asks the container to end; with force it is killed when it does not.
func (s *Server) shutdownNow(t *task, g *guest, timeout int, force bool) error {
	var err error
	s.unlocked(func() { err = s.opt.Backend.Shutdown(t.ctx, g.VMID, time.Duration(timeout)*time.Second) })
	switch {
	case err == nil:
		g.Running = false
		return nil
	case t.ctx.Err() != nil:
		return errors.New("received interrupt")
	case force:
		return s.stopNow(t, g)
	}
	t.log("command 'lxc-stop -n %d --nokill --timeout %d' failed: exit code 1", g.VMID, timeout)
	return fail("container did not stop")
}

func rebootLXC(c *call) (any, error) {
	if !c.isRunning(c.vmid()) {
		return nil, fail("VM %d not running", c.vmid())
	}
	timeout := c.p.int("timeout", 60)
	return c.powerTask("vzreboot", func(t *task, g *guest) error {
		if err := c.shutdownNow(t, g, timeout, true); err != nil {
			return err
		}
		if err := g.checkLock(); err != nil {
			t.log("run_buffer: 571 Script exited with status 255")
			t.log("lxc_init: 845 Failed to run lxc.hook.pre-start for container \"%d\"", g.VMID)
			t.log("__lxc_start: 2039 Failed to initialize container \"%d\"", g.VMID)
			return fail("startup for container '%d' failed", g.VMID)
		}
		return c.startNow(t, g, false)
	})
}

// suspendLXC fails as on a node without CRIU, which is every node.
func suspendLXC(c *call) (any, error) {
	if !c.isRunning(c.vmid()) {
		return nil, fail("CT %d not running", c.vmid())
	}
	return c.powerTask("vzsuspend", func(t *task, g *guest) error {
		t.log("lxc-checkpoint: %d: ../src/lxc/criu.c: criu_version_ok: 767 No such file or directory - execing criu failed, is it installed?", g.VMID)
		t.log("lxc-checkpoint: %d: ../src/lxc/tools/lxc_checkpoint.c: checkpoint: 182 Checkpointing %d failed", g.VMID, g.VMID)
		return fail("command 'lxc-checkpoint -n %d -s -D /var/lib/vz/dump' failed: exit code 1", g.VMID)
	})
}

func resumeLXC(c *call) (any, error) {
	return c.powerTask("vzresume", func(t *task, g *guest) error {
		t.log("lxc-checkpoint: %d: ../src/lxc/tools/lxc_checkpoint.c: lxc_checkpoint_main: 299 %d is not defined", g.VMID, g.VMID)
		return fail("command 'lxc-checkpoint -n %d -r --foreground -D /var/lib/vz/dump' failed: exit code 1", g.VMID)
	})
}
