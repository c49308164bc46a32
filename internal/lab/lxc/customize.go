package lxc

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"strings"
)

// customize carries what Proxmox keeps in a container's files from its
// configuration into the mounted root, as Proxmox does before every start. All
// access goes through os.Root: the container's own root may have put a symlink in
// any place.
func (b *Backend) customize(g *guest, m meta) error {
	if m.VM {
		return b.postStop(g) // the rest is cloud-init's
	}
	config := m.Config
	root, err := os.OpenRoot(g.rootfs())
	if err != nil {
		return err
	}
	defer root.Close()
	name, domain, _ := strings.Cut(hostname(g.vmid, config), ".")
	if config["searchdomain"] != "" {
		domain = strings.Fields(config["searchdomain"])[0]
	}
	return errors.Join(
		put(root, "etc/hostname", name+"\n"),
		put(root, "etc/hosts", hosts(root, name, domain, firstAddress(config))),
		put(root, "etc/network/interfaces", interfaces(config)),
		put(root, "etc/resolv.conf", b.resolvConf(config)),
		timezone(root, config["timezone"]),
		b.postStop(g),
	)
}

// postStop writes the hook that turns LXC's own reboot into a stop with a mark; it
// uses the shell's built-ins only, for LXC runs without a PATH.
func (b *Backend) postStop(g *guest) error {
	script := fmt.Sprintf("#!/bin/sh\n[ \"$LXC_TARGET\" = reboot ] || exit 0\n: >'%s/rebooting'\nexit 1\n", g.dir)
	return errors.Join(
		os.RemoveAll(g.dir+"/rebooting"),
		os.WriteFile(g.dir+"/post-stop", []byte(script), 0o755),
	)
}

// put writes a file of the container unless it says, in Proxmox's way, that it is
// to be left alone: a file .pve-ignore.NAME beside it.
func put(root *os.Root, name, content string) error {
	ignore := path.Join(path.Dir(name), ".pve-ignore."+path.Base(name))
	if _, err := root.Lstat(ignore); err == nil {
		return nil
	}
	old, err := root.ReadFile(name)
	if err == nil && string(old) == content {
		return nil
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return root.WriteFile(name, []byte(content), 0o644)
}

// Proxmox's marks around what it writes into a file that others write, too.
const (
	beginPVE = "# --- BEGIN PVE ---\n"
	endPVE   = "# --- END PVE ---\n"
)

// section puts content between Proxmox's marks, keeping the text around them.
func section(old, content string) string {
	before, rest, found := strings.Cut(old, beginPVE)
	if !found {
		return beginPVE + content + endPVE + old
	}
	_, after, _ := strings.Cut(rest, endPVE)
	return before + beginPVE + content + endPVE + after
}

func hosts(root *os.Root, name, domain string, addr netip.Addr) string {
	old, err := root.ReadFile("etc/hosts")
	if errors.Is(err, fs.ErrNotExist) {
		old = []byte("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	}
	names := name
	if domain != "" {
		names = name + "." + domain + " " + name
	}
	at := "127.0.1.1"
	if addr.IsValid() {
		at = addr.String()
	}
	return section(string(old), at+" "+names+"\n")
}

// firstAddress is the static IPv4 address of the first interface that has one.
func firstAddress(config map[string]string) netip.Addr {
	for _, key := range numbered(config, "net") {
		if p, err := netip.ParsePrefix(options(config[key])["ip"]); err == nil {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

func (b *Backend) resolvConf(config map[string]string) string {
	var s strings.Builder
	if d := config["searchdomain"]; d != "" {
		fmt.Fprintf(&s, "search %s\n", d)
	}
	servers := strings.Fields(config["nameserver"])
	if len(servers) == 0 && b.opt.Nameserver.IsValid() {
		servers = []string{b.opt.Nameserver.String()}
	}
	for _, server := range servers {
		fmt.Fprintf(&s, "nameserver %s\n", server)
	}
	return section("", s.String())
}

func interfaces(config map[string]string) string {
	var s strings.Builder
	s.WriteString("auto lo\niface lo inet loopback\n\n")
	for _, key := range numbered(config, "net") {
		net := options(config[key])
		fmt.Fprintf(&s, "auto %s\n", net["name"])
		stanza(&s, net["name"], "inet", net["ip"], net["gw"])
		if net["ip6"] != "" {
			stanza(&s, net["name"], "inet6", net["ip6"], net["gw6"])
		}
		s.WriteString("\n")
	}
	return s.String()
}

// stanza is interfaces(5)'s for one address family.
func stanza(s *strings.Builder, name, family, ip, gateway string) {
	switch ip {
	case "", "manual":
		fmt.Fprintf(s, "iface %s %s manual\n", name, family)
	case "dhcp", "auto":
		fmt.Fprintf(s, "iface %s %s %s\n", name, family, ip)
	default:
		fmt.Fprintf(s, "iface %s %s static\n\taddress %s\n", name, family, ip)
		if gateway != "" {
			fmt.Fprintf(s, "\tgateway %s\n", gateway)
		}
	}
}

// timezone points /etc/localtime to a zone; "host" takes the machine's.
func timezone(root *os.Root, zone string) error {
	switch zone {
	case "":
		return nil
	case "host":
		link, err := os.Readlink("/etc/localtime")
		if err != nil {
			return nil // a machine without one runs on UTC, and so does the template
		}
		_, zone, _ = strings.Cut(link, "zoneinfo/")
	}
	err := root.Remove("etc/localtime")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.Symlink("/usr/share/zoneinfo/"+zone, "etc/localtime")
}
