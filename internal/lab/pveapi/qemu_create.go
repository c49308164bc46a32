package pveapi

import (
	"fmt"
	"os"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

// createVM is POST /nodes/{node}/qemu.
func createVM(c *call) (any, error) {
	vmid, pool := c.vmid(), c.p.str("pool")
	vals := c.settings()
	if c.p.has("archive") {
		return nil, fail("unable to restore VM %d - the lab keeps no backups", vmid)
	}
	if err := c.mayCreateVM(vmid, pool, vals); err != nil {
		return nil, err
	}
	g := &guest{VMID: vmid, Node: c.node(), Type: "qemu", Conf: guestconf.New(), NewAt: c.now().Unix()}
	g.Conf.Current["lock"] = "create"
	c.st.Guests[vmid] = g
	start := c.p.bool("start")
	return c.fork("qmcreate", itoa(vmid), func(t *task) error {
		if err := c.runCreateVM(t, g, vals); err != nil {
			_ = c.removeVMDisks(g) // what was made so far
			c.forget(vmid)
			return fail("unable to create VM %d - %s", vmid, err.Error())
		}
		if p := c.st.Pools[pool]; p != nil {
			p.VMs[vmid] = true
		}
		if start {
			c.forkStartVM(vmid)
		}
		return nil
	}, func() { c.forget(vmid) })
}

func (c *call) mayCreateVM(vmid int, pool string, vals map[string]string) error {
	if pool != "" && c.st.Pools[pool] == nil {
		return denied("pool '%s' does not exist", pool)
	}
	if !c.can(vmPath(vmid), "VM.Allocate") && (pool == "" || !c.can("/pool/"+pool, "VM.Allocate")) {
		return denied("")
	}
	if c.p.bool("ha-managed") {
		if err := c.need("/", "Sys.Console"); err != nil {
			return err
		}
	}
	delete(vals, "lock")
	if err := c.checkVM(vmid, pool, sortedByPriv(vals)); err != nil {
		return err
	}
	if err := c.checkVMValues(vmid, pool, vals, true); err != nil {
		return err
	}
	if err := c.unused(vmid); err != nil {
		return fail("unable to create VM %d - %s", vmid, err.Error())
	}
	return nil
}

// qemuVersion is what the releases ship, as it stands in a new VM's meta.
const qemuVersion = "10.1.2"

func (c *call) runCreateVM(t *task, g *guest, vals map[string]string) error {
	image := ""
	conf := guestconf.Section{}
	for _, o := range vmOrder(vals) {
		if isDrive.MatchString(o) && image == "" {
			if d, err := c.parseOption("qemu", o, vals[o]); err == nil && d["import-from"] != "" {
				image = d["import-from"]
			}
		}
		v, err := c.normalVM(t, g, o, vals[o])
		if err != nil {
			return err
		}
		conf[o] = v
	}
	for k, v := range map[string]string{
		"smbios1": "uuid=" + newUUID(), "vmgenid": newUUID(), "meta": fmt.Sprintf("creation-qemu=%s,ctime=%d", qemuVersion, c.now().Unix()),
	} {
		if conf[k] == "" {
			conf[k] = v
		}
	}
	if conf["boot"] == "" {
		conf["boot"] = defaultBoot(conf)
	}
	if conf["description"] == "" {
		delete(conf, "description")
	}
	g.Conf.Current = conf
	if image == "" {
		return nil
	}
	return c.makeMachine(t, g, image)
}

// vmOrder puts drives after all else, as Proxmox makes them in the order of their names.
func vmOrder(vals map[string]string) []string {
	var drives, rest []string
	for _, o := range sortedByPriv(vals) {
		if isDrive.MatchString(o) {
			drives = append(drives, o)
		} else {
			rest = append(rest, o)
		}
	}
	return append(rest, drives...)
}

// defaultBoot is the order that Proxmox computes: first disk, CD drive, network.
func defaultBoot(conf guestconf.Section) string {
	var order []string
	if d := bootDisk(conf); d != "" {
		order = append(order, d)
	}
	for _, o := range conf.Keys() {
		if isDrive.MatchString(o) && strings.Contains(conf[o], "media=cdrom") && !strings.Contains(conf[o], "cloudinit") {
			order = append(order, o)
			break
		}
	}
	if conf["net0"] != "" {
		order = append(order, "net0")
	}
	if len(order) == 0 {
		return " "
	}
	return "order=" + strings.Join(order, ";")
}

// makeMachine lets the Backend play the VM: a container whose template is the image's file.
func (c *call) makeMachine(t *task, g *guest, image string) error {
	file := c.hostFile(g.Node, image)
	if _, err := os.Stat(file); err != nil {
		return fail("failed to stat '%s'", file)
	}
	spec := Spec{Node: g.Node, Template: file, VM: true, Size: c.bootDiskSize(g), Unprivileged: true, SSHKeys: "", Config: machineConfig(c.Server, g)}
	var err error
	c.unlocked(func() { err = c.opt.Backend.Create(t.ctx, g.VMID, spec, func(string) {}) })
	g.Machine = err == nil
	return err
}

// machineConfig is a VM's configuration as a container's, for the Backend that plays it.
func machineConfig(s *Server, g *guest) map[string]string {
	vm := g.Conf.Current
	m := map[string]string{
		"hostname": guestName(g), "memory": fmt.Sprint(memoryOf(vm)), "swap": "0", "cores": fmt.Sprint(cpuCount("qemu", vm)),
		"ostype": "debian", "arch": "amd64", "features": "nesting=1", "unprivileged": "1", "cmode": "shell",
	}
	if vm["name"] == "" {
		m["hostname"] = "debian"
	}
	for _, k := range []string{"nameserver", "searchdomain"} {
		if vm[k] != "" {
			m[k] = vm[k]
		}
	}
	for i := 0; i < 32; i++ {
		net, err := s.parseOption("qemu", "net0", vm["net"+itoa(i)])
		if err != nil || net["bridge"] == "" {
			continue
		}
		ct := map[string]string{"name": "eth" + itoa(i), "bridge": net["bridge"], "hwaddr": net["macaddr"], "type": "veth"}
		ip, err := s.parseOption("qemu", "ipconfig0", vm["ipconfig"+itoa(i)])
		if err == nil {
			for _, k := range []string{"ip", "ip6", "gw", "gw6"} {
				if ip[k] != "" {
					ct[k] = ip[k]
				}
			}
		}
		m["net"+itoa(i)] = s.printOption("lxc", "net0", ct)
	}
	return m
}

// tellVM lets the machine follow the VM's configuration.
func (s *Server) tellVM(g *guest) error {
	if !g.Machine || !s.isRunning(g.VMID) {
		return nil
	}
	conf := machineConfig(s, g)
	var err error
	s.unlocked(func() { err = s.opt.Backend.Update(s.backendCtx(), g.VMID, conf) })
	if err != nil {
		s.opt.Log.Error("machine did not take its configuration", "vmid", g.VMID, "err", err)
	}
	return nil
}

// removeVMDisks frees a VM's volumes; bases of linked clones stay, with Proxmox's error.
func (s *Server) removeVMDisks(g *guest) error {
	for _, k := range sorted(s.st.Volumes) {
		v := s.st.Volumes[k]
		if v.VMID != g.VMID || v.Node != g.Node {
			continue
		}
		for _, other := range s.st.Volumes {
			if other.Parent == v.ID && other.VMID != g.VMID {
				return fail("base volume '%s' is still in use by linked cloned", v.ID)
			}
		}
	}
	for _, v := range s.volumesOf(g) {
		s.free(v.Node, v.ID)
	}
	return nil
}

// destroyVM is DELETE /nodes/{node}/qemu/{vmid}.
func destroyVM(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	purge := c.p.bool("purge")
	if err := c.mayDestroy(g, purge); err != nil {
		return nil, err
	}
	if c.isRunning(g.VMID) {
		return nil, fail("VM %d is running - destroy failed", g.VMID)
	}
	return c.powerTaskVM("qmdestroy", func(t *task, g *guest) error {
		if err := c.mayDestroy(g, purge); err != nil {
			return err
		}
		if c.isRunning(g.VMID) {
			return fail("VM %d is running - destroy failed", g.VMID)
		}
		if err := c.removeVMDisks(g); err != nil {
			return err
		}
		var err error
		c.unlocked(func() { err = c.opt.Backend.Destroy(c.backendCtx(), g.VMID) })
		if err != nil {
			return fail("%s", err.Error())
		}
		if purge {
			t.log("purging VM %d from related configurations..", g.VMID)
			delete(c.st.HA, haID(g))
		}
		c.forget(g.VMID)
		return nil
	})
}
