package lxc

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// meta is what the backend itself must know of a container: DIR/ct/VMID/meta.json.
type meta struct {
	VM           bool // it plays a virtual machine
	Unprivileged bool
	Config       map[string]string // Proxmox's, as of the last start or change
}

func (g *guest) meta() (meta, error) {
	var m meta
	text, err := os.ReadFile(filepath.Join(g.dir, "meta.json"))
	if err != nil {
		return m, fmt.Errorf("container %d is not there: %w", g.vmid, err)
	}
	return m, json.Unmarshal(text, &m)
}

func (g *guest) saveMeta(m meta) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(g.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.dir, "meta.json"), text, 0o600)
}

// options parses Proxmox's property strings: "name=eth0,bridge=vmbr0" or
// "local:4,mp=/data", whose first part has no name.
func options(s string) map[string]string {
	m := map[string]string{}
	for i, part := range strings.Split(s, ",") {
		name, value, ok := strings.Cut(part, "=")
		switch {
		case ok:
			m[name] = value
		case i == 0:
			m[""] = part
		}
	}
	return m
}

// numbered are the keys such as net0 or mp3, in numerical order.
func numbered(config map[string]string, prefix string) []string {
	var keys []string
	for k := range config {
		if n, ok := strings.CutPrefix(k, prefix); ok && index(n) >= 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return index(a[len(prefix):]) - index(b[len(prefix):]) })
	return keys
}

func index(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// hostname is the container's, with Proxmox's default.
func hostname(vmid int, config map[string]string) string {
	if h := config["hostname"]; h != "" {
		return h
	}
	return "CT" + strconv.Itoa(vmid)
}

// lxcConfig is the container's lxc.container.conf(5). It includes none of the
// distribution's files: they pull in hooks that need programs and a PATH.
func (b *Backend) lxcConfig(g *guest, m meta) string {
	var c lines
	if m.VM {
		c.add("lxc.uts.name", "localhost") // cloud-init gives it its name
	} else {
		c.add("lxc.uts.name", hostname(g.vmid, m.Config))
	}
	c.add("lxc.rootfs.path", "dir:"+g.rootfs())
	c.add("lxc.init.cmd", "/sbin/init")
	c.add("lxc.signal.halt", "SIGRTMIN+3")
	c.add("lxc.pty.max", "1024")
	c.add("lxc.tty.max", "2")
	c.add("lxc.apparmor.profile", "unconfined")
	c.add("lxc.seccomp.profile", filepath.Join(g.dir, "seccomp"))
	c.add("lxc.cap.drop", "mac_admin mac_override sys_time sys_module sys_rawio")
	c.add("lxc.hook.post-stop", filepath.Join(g.dir, "post-stop"))
	c.add("lxc.mount.auto", "proc:mixed sys:mixed")
	c.add("lxc.mount.entry", "cgroup2 sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec 0 0")
	if nesting(m.Config) {
		// systemd's sandboxing mounts proc and sysfs anew, which the kernel allows
		// only while an uncovered one is in sight: mount_namespaces(7).
		c.add("lxc.mount.entry", "proc dev/.lxc/proc proc create=dir,optional 0 0")
		c.add("lxc.mount.entry", "sys dev/.lxc/sys sysfs create=dir,optional 0 0")
	}
	if m.Unprivileged {
		c.add("lxc.idmap", fmt.Sprintf("u 0 %d %d", firstID, idCount))
		c.add("lxc.idmap", fmt.Sprintf("g 0 %d %d", firstID, idCount))
		c.add("lxc.rootfs.options", "idmap=container")
	}
	b.lxcfsConfig(&c)
	g.diskConfig(&c, m)
	b.cgroupConfig(&c, g.vmid, m.Config)
	for i, key := range numbered(m.Config, "net") {
		b.netConfig(&c, i, options(m.Config[key]))
	}
	return c.String()
}

func nesting(config map[string]string) bool {
	return options(config["features"])["nesting"] == "1"
}

// seccomp is the container's system call filter: LXC's, and without nesting one
// more rule. On a Proxmox node AppArmor then denies bind mounts, so that units with
// PrivateTmp= and the like fail with 226/NAMESPACE; a lab without AppArmor would
// let them pass and hide it.
func (b *Backend) seccomp(g *guest, config map[string]string) error {
	profile, err := os.ReadFile("/usr/share/lxc/config/common.seccomp")
	if err != nil {
		return err
	}
	if !nesting(config) {
		const eacces, flags, bind = 13, 3, unix.MS_BIND
		profile = fmt.Appendf(profile, "mount errno %d [%d,%d,SCMP_CMP_MASKED_EQ,%d]\n", eacces, flags, bind, bind)
	}
	return os.WriteFile(filepath.Join(g.dir, "seccomp"), profile, 0o644)
}

func (b *Backend) cgroupConfig(c *lines, vmid int, config map[string]string) {
	id := strconv.Itoa(vmid)
	c.add("lxc.cgroup.dir.container", b.opt.Name+"/"+id)
	c.add("lxc.cgroup.dir.container.inner", "ns")
	c.add("lxc.cgroup.dir.monitor", b.opt.Name+"/"+id+".monitor")
	for _, l := range b.limits.of(config, b.firstCPU(vmid)) {
		c.add(b.limits.prefix()+l.file, l.value)
	}
}

func (b *Backend) netConfig(c *lines, i int, net map[string]string) {
	p := fmt.Sprintf("lxc.net.%d.", i)
	c.add(p+"type", "veth")
	c.add(p+"link", b.opt.Bridge)
	c.add(p+"name", net["name"])
	c.add(p+"flags", "up")
	c.add(p+"mtu", mtu(b.opt.Bridge, net["mtu"]))
	if net["hwaddr"] != "" {
		c.add(p+"hwaddr", net["hwaddr"])
	}
}

// mtu is an interface's own or the bridge's.
func mtu(bridge, own string) string {
	if own != "" && own != "1" {
		return own
	}
	text, err := os.ReadFile(filepath.Join("/sys/class/net", bridge, "mtu"))
	if err != nil {
		return "1500"
	}
	return strings.TrimSpace(string(text))
}

// lines is a configuration file in the making.
type lines struct{ strings.Builder }

func (l *lines) add(key, value string) { fmt.Fprintf(l, "%s = %s\n", key, value) }
