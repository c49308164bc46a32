package pveapi

import (
	"fmt"
	"runtime"
	"strings"
)

// vmStatus is what Proxmox knows about a container at this moment. It gives s.mu away
// while it asks the Backend.
func (s *Server) vmStatus(g *guest) map[string]any {
	conf := g.Conf.Current.Clone()
	vmid := g.VMID
	m := map[string]any{
		"vmid": vmid, "type": g.Type, "name": guestName(g), "status": "stopped", "cpus": cpuCount(g.Type, conf), "cpu": 0,
		"maxmem": memoryOf(conf) * mib, "mem": 0, "disk": 0, "maxdisk": s.diskSize(g), "uptime": 0,
		"netin": 0, "netout": 0,
	}
	if g.Type == "lxc" {
		m["swap"], m["maxswap"], m["diskread"], m["diskwrite"] = 0, swapOf(conf)*mib, 0, 0
	} else {
		m["memhost"] = 0
	}
	if l := conf["lock"]; l != "" {
		m["lock"] = l
	}
	if tags := strings.TrimSpace(conf["tags"]); tags != "" {
		m["tags"] = conf["tags"]
	}
	if conf["template"] == "1" {
		m["template"] = 1
	}
	if !s.isRunning(vmid) {
		return m
	}
	m["status"] = "running"
	var u Usage
	var err error
	s.unlocked(func() { u, err = s.opt.Backend.Usage(s.backendCtx(), vmid) })
	if err != nil {
		s.opt.Log.Error("no usage", "vmid", vmid, "err", err)
		return m
	}
	u.fill(m, g.Type)
	return m
}

func (u Usage) fill(m map[string]any, kind string) {
	m["pid"], m["uptime"], m["cpu"] = u.PID, int64(u.Uptime.Seconds()), u.CPU
	m["mem"], m["disk"] = u.Mem, u.Disk
	m["netin"], m["netout"], m["diskread"], m["diskwrite"] = u.NetIn, u.NetOut, u.DiskRead, u.DiskWritten
	if kind != "lxc" {
		return
	}
	m["swap"] = u.Swap
	if u.MaxDisk > 0 {
		m["maxdisk"] = u.MaxDisk
	}
	for _, what := range []string{"cpu", "io", "memory"} {
		m["pressure"+what+"some"], m["pressure"+what+"full"] = "0.00", "0.00"
	}
}

func guestName(g *guest) string {
	conf := g.Conf.Current
	if g.Type == "qemu" {
		if n := conf["name"]; n != "" {
			return n
		}
		return fmt.Sprintf("VM %d", g.VMID)
	}
	if n := conf["hostname"]; n != "" {
		return n
	}
	return fmt.Sprintf("CT%d", g.VMID)
}

// cpuCount is cores, or cpulimit, or all that the node has; text where it is no whole number.
func cpuCount(kind string, conf map[string]string) any {
	if kind == "qemu" {
		n := max(atoi(conf["sockets"]), 1) * max(atoi(conf["cores"]), 1)
		if v := atoi(conf["vcpus"]); v > 0 {
			n = v
		}
		return n
	}
	if n := atoi(conf["cores"]); n > 0 {
		return n
	}
	if l := conf["cpulimit"]; l != "" && l != "0" {
		return l
	}
	return runtime.NumCPU()
}

func memoryOf(conf map[string]string) int64 {
	text, _, _ := strings.Cut(conf["memory"], ",")
	if n := int64(atoi(strings.TrimPrefix(text, "current="))); n > 0 {
		return n
	}
	return 512
}

func swapOf(conf map[string]string) int64 {
	if _, ok := conf["swap"]; !ok {
		return 0
	}
	return int64(atoi(conf["swap"]))
}

// diskSize is the size of the root disk; 4 GiB where there is none yet, as Proxmox assumes.
func (s *Server) diskSize(g *guest) int64 {
	if g.Type == "qemu" {
		return s.bootDiskSize(g)
	}
	rootfs := g.Conf.Current["rootfs"]
	mp, err := s.parseOption("lxc", "rootfs", rootfs)
	if err != nil || mp["size"] == "" {
		return 4 * gib
	}
	n, _ := parseSize(mp["size"])
	return n
}

// currentStatus is GET …/status/current.
func currentStatus(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	m := c.vmStatus(g)
	m["ha"] = map[string]any{"managed": 0}
	if ha := c.st.HA[haID(g)]; ha != nil {
		m["ha"] = map[string]any{"managed": 1, "state": ha["state"]}
	}
	if g.Type == "qemu" {
		c.qemuStatus(g, m)
	}
	return m, nil
}

func haID(g *guest) string {
	return map[string]string{"lxc": "ct:", "qemu": "vm:"}[g.Type] + itoa(g.VMID)
}

// listGuests is GET /nodes/{node}/lxc and …/qemu.
func listGuests(c *call) (any, error) {
	rows := []map[string]any{}
	for _, vmid := range sorted(c.st.Guests) {
		g := c.st.Guests[vmid]
		if g == nil || g.Node != c.node() || g.Type != c.kind() || !c.can(vmPath(vmid), "VM.Audit") {
			continue
		}
		row := c.vmStatus(g)
		if g.Type == "qemu" {
			delete(row, "type")
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// lxcInterfaces is GET …/interfaces; null for a container that does not run.
func lxcInterfaces(c *call) (any, error) {
	vmid := c.vmid()
	if !c.isRunning(vmid) {
		return nil, nil
	}
	var ifs []Interface
	var err error
	c.unlocked(func() { ifs, err = c.opt.Backend.Interfaces(c.ctx, vmid) })
	if err != nil {
		return nil, fail("%s", err.Error())
	}
	rows := []map[string]any{}
	for _, i := range ifs {
		rows = append(rows, i.row())
	}
	return rows, nil
}

func (i Interface) row() map[string]any {
	mac := strings.ToLower(i.MAC)
	m := map[string]any{"name": i.Name, "hwaddr": mac, "hardware-address": mac}
	addrs := []map[string]any{}
	for _, p := range i.Addrs {
		kind := "inet6"
		if p.Addr().Is4() {
			kind = "inet"
		}
		addrs = append(addrs, map[string]any{"ip-address": p.Addr().String(), "ip-address-type": kind, "prefix": itoa(p.Bits())})
		m[kind] = p.String() // the last one of its kind, as in Proxmox
	}
	m["ip-addresses"] = addrs
	return m
}

var lxcDirs = subdirs("subdir", "config", "pending", "status", "vncproxy", "termproxy", "vncwebsocket", "spiceproxy", "migrate", "clone", "rrd", "rrddata", "firewall", "snapshot", "resize", "interfaces")

// guestIndex is GET of a guest itself.
func guestIndex(list handler) handler {
	return func(c *call) (any, error) {
		if _, err := c.guest(); err != nil {
			return nil, err
		}
		return list(c)
	}
}
