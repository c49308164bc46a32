package resolve

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/stack"
)

// guestState returns the guest that an environment wants, in Proxmox's words. The
// keys are those that may log in as root, or as the cloud-init user, of a new guest.
func guestState(e *stack.Env, px Proxmox, repository string, keys []string) *machine.Guest {
	g := &machine.Guest{
		Kind: machine.LXC, VMID: e.VMID,
		Node: cmp.Or(e.Guest.Node, px.Node), Pool: cmp.Or(e.Guest.Pool, px.Pool),
		HA: e.Guest.HA, Running: e.Guest.Start,
		MayRestart: e.Restart == "allowed" || e.Restart != "forbidden" && !e.Protected,
		Block: &machine.Block{Project: e.Project, Env: e.Name, Repository: repository,
			HostKeys: slices.Clone([]string(e.SSHFingerprint))},
		Origin: &machine.Origin{Template: e.Guest.Template, Storage: e.Guest.Storage, DiskGiB: e.Guest.Disk,
			SSHKeys: keys},
	}
	if e.Guest.Password != "" {
		g.Origin.Password = secret.New(e.Guest.Password)
	}
	c := make(config)
	c.common(e)
	if e.Guest.Type == "kvm" {
		g.Kind = machine.KVM
		c.vm(e, keys)
		g.Origin.Template = cmp.Or(e.Guest.Clone, e.Guest.Image)
		g.Origin.Image, g.Origin.Checksum = e.Guest.Clone == "", e.Guest.Checksum
		g.Origin.Full = !e.Guest.Linked
	} else {
		c.container(e)
	}
	g.Config = machine.Config(c)
	return g
}

// config is a machine.Config while it is written; empty values stay out of it.
type config machine.Config

func (c config) text(key, value string) {
	if value != "" {
		c[key] = value
	}
}

func (c config) number(key string, n int) {
	if n != 0 {
		c[key] = strconv.Itoa(n)
	}
}

func (c config) truth(key string, b bool) {
	if b {
		c[key] = "1"
	}
}

// common are the keys that containers and VMs share.
func (c config) common(e *stack.Env) {
	c.number("cores", e.Guest.Cores)
	c.number("memory", e.Guest.Memory)
	c.text("cpulimit", decimal(e.Guest.CPULimit))
	c.number("cpuunits", e.Guest.CPUUnits)
	c.text("nameserver", strings.Join(e.Guest.Nameserver, " "))
	c.text("searchdomain", strings.Join(e.Guest.Searchdomain, " "))
	c.truth("onboot", e.Guest.Onboot)
	c.text("startup", e.Guest.Startup)
	c.truth("protection", e.Guest.Protection)
	c.text("tags", tags(e.Guest.Tags))
}

// container are the keys of pct.conf(5).
func (c config) container(e *stack.Env) {
	c.text("hostname", e.Hostname)
	c["swap"] = strconv.Itoa(e.Guest.Swap)
	c["unprivileged"] = bit(e.Guest.Unprivileged)
	c["features"] = features(e.Guest)
	c.text("timezone", e.Guest.Timezone)
	c.text("net0", containerNet(e))
	for slot, m := range e.Guest.Mounts {
		c[slot] = mount(m)
	}
}

// containerNet is a container's network interface, in the order of Proxmox's parts.
func containerNet(e *stack.Env) string {
	ps := machine.Properties{{Key: "name", Value: "eth0"}, {Key: "bridge", Value: e.Guest.Bridge}}
	if e.Guest.Firewall {
		ps = ps.With("firewall", "1")
	}
	ps = ps.With("gw", e.Gateway).With("gw6", e.Gateway6).With("hwaddr", strings.ToUpper(e.Guest.MAC))
	ps = ps.With("ip", e.IP).With("ip6", e.IP6)
	return link(ps, e.Guest).String()
}

// link adds what the interfaces of containers and VMs have alike.
func link(ps machine.Properties, g stack.Guest) machine.Properties {
	if g.MTU != 0 {
		ps = ps.With("mtu", strconv.Itoa(g.MTU))
	}
	ps = ps.With("rate", decimal(g.Rate))
	if g.VLAN != 0 {
		ps = ps.With("tag", strconv.Itoa(g.VLAN))
	}
	return ps
}

// features are the container's; nesting is always said, so that a container which
// has it without the stack's wish loses it.
func features(g stack.Guest) string {
	ps := machine.Properties{{Key: "nesting", Value: bit(g.Nesting)}}
	if g.Keyctl {
		ps = ps.With("keyctl", "1")
	}
	if g.Fuse {
		ps = ps.With("fuse", "1")
	}
	return ps.String()
}

// mount is a further mount point: a new volume of so many GiB, or one that is there.
func mount(m stack.Mount) string {
	volume := m.Volume
	if volume == "" {
		volume = fmt.Sprintf("%s:%d", m.Storage, m.Size)
	}
	ps := machine.Properties{{Value: volume}, {Key: "mp", Value: m.Path}}
	if m.Backup {
		ps = ps.With("backup", "1")
	}
	if m.ReadOnly {
		ps = ps.With("ro", "1")
	}
	return ps.String()
}

// vm are the keys of qm.conf(5).
func (c config) vm(e *stack.Env, keys []string) {
	c.text("name", e.Hostname)
	c.number("sockets", e.Guest.Sockets)
	c.text("cpu", e.Guest.CPU)
	c["balloon"] = strconv.Itoa(e.Guest.Balloon)
	c.text("machine", e.Guest.Machine)
	c.text("bios", e.Guest.BIOS)
	c.text("agent", bit(e.Guest.Agent))
	c.text("ciuser", e.Guest.CIUser)
	if len(keys) > 0 {
		c["sshkeys"] = percentEncode(strings.Join(keys, "\n"))
	}
	nic := machine.Property{Value: "virtio"}
	if e.Guest.MAC != "" {
		nic = machine.Property{Key: "virtio", Value: strings.ToUpper(e.Guest.MAC)}
	}
	net := machine.Properties{nic, {Key: "bridge", Value: e.Guest.Bridge}}
	if e.Guest.Firewall {
		net = net.With("firewall", "1")
	}
	c["net0"] = link(net, e.Guest).String()
	ip := machine.Properties{}.With("ip", e.IP).With("gw", e.Gateway).With("ip6", e.IP6).With("gw6", e.Gateway6)
	c.text("ipconfig0", ip.String())
}

// percentEncode writes sshkeys as Proxmox wants it: percent-encoded, with %20 for a
// space, inside whatever encoding the request has.
func percentEncode(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// tags are lower-cased, sorted and unique, as Proxmox keeps them.
func tags(list []string) string {
	list = strings.Fields(strings.ToLower(strings.Join(list, " ")))
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ";")
}

func decimal(f float64) string {
	if f == 0 {
		return ""
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
