package pveapi

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// cloudDrive is the drive that carries a VM's cloud-init data, "" for none.
func cloudDrive(conf map[string]string) string {
	for o, v := range conf {
		if isDrive.MatchString(o) && strings.Contains(v, "-cloudinit") {
			return o
		}
	}
	return ""
}

// getCloudInit is GET …/cloudinit: the options that cloud-init sees, and what waits.
func getCloudInit(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	cur := c.restrict(g, g.Conf.Current)
	for _, k := range cur.Keys() {
		if cloudOptions[k] && k != "ciupgrade" || isIPConfig.MatchString(k) && c.isRunning(g.VMID) {
			rows = append(rows, map[string]any{"key": k, "value": cur[k]})
		}
	}
	return rows, nil
}

// putCloudInit is PUT …/cloudinit: the drive is written anew.
func putCloudInit(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if cloudDrive(g.Conf.Current) == "" {
		return nil, nil
	}
	g.CloudInit = cloudInitText(c.Server, g)
	return nil, nil
}

// dumpCloudInit is GET …/cloudinit/dump.
func dumpCloudInit(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	switch c.p.str("type") {
	case "user":
		return userData(g), nil
	case "network":
		return networkData(c.Server, g), nil
	}
	sum := sha1.Sum([]byte(cloudInitText(c.Server, g)))
	return "instance-id: " + hex.EncodeToString(sum[:]) + "\n", nil
}

func cloudInitText(s *Server, g *guest) string { return userData(g) + networkData(s, g) }

func userData(g *guest) string {
	conf := g.Conf.Current
	name := guestName(g)
	host, _, _ := strings.Cut(name, ".")
	if conf["name"] == "" {
		host = fmt.Sprintf("VM%d", g.VMID)
	}
	fqdn := host
	if d, _, _ := strings.Cut(conf["searchdomain"], " "); d != "" {
		fqdn += "." + d
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#cloud-config\nhostname: %s\nmanage_etc_hosts: true\nfqdn: %s\n", host, fqdn)
	if u := conf["ciuser"]; u != "" {
		fmt.Fprintf(&b, "user: %s\n", u)
		if u == "root" {
			b.WriteString("disable_root: False\n")
		}
	}
	if p := conf["cipassword"]; p != "" {
		fmt.Fprintf(&b, "password: %s\n", p)
	}
	if keys := sshKeysOf(conf); len(keys) > 0 {
		b.WriteString("ssh_authorized_keys:\n")
		for _, k := range keys {
			fmt.Fprintf(&b, "  - %s\n", k)
		}
	}
	b.WriteString("chpasswd:\n  expire: False\n")
	if conf["ciuser"] != "root" {
		b.WriteString("users:\n  - default\n")
	}
	if conf["ciupgrade"] != "0" {
		b.WriteString("package_upgrade: true\n")
	}
	return b.String()
}

// sshKeysOf are the keys in sshkeys, which is percent-encoded text.
func sshKeysOf(conf map[string]string) []string {
	text, err := url.PathUnescape(conf["sshkeys"])
	if err != nil {
		return nil
	}
	var keys []string
	for _, l := range strings.Split(text, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			keys = append(keys, l)
		}
	}
	return keys
}

func networkData(s *Server, g *guest) string {
	conf := g.Conf.Current
	var b strings.Builder
	b.WriteString("version: 1\nconfig:\n")
	for i := 0; i < 32; i++ {
		nic, err := s.parseOption("qemu", "net0", conf["net"+itoa(i)])
		if err != nil || nic["macaddr"] == "" {
			continue
		}
		fmt.Fprintf(&b, "    - type: physical\n      name: eth%d\n      mac_address: '%s'\n      subnets:\n", i, strings.ToLower(nic["macaddr"]))
		ip, err := s.parseOption("qemu", "ipconfig0", conf["ipconfig"+itoa(i)])
		if err == nil {
			subnet(&b, ip["ip"], ip["gw"], "")
			subnet(&b, ip["ip6"], ip["gw6"], "6")
		}
	}
	if conf["nameserver"]+conf["searchdomain"] != "" {
		b.WriteString("    - type: nameserver\n")
		for _, l := range []struct{ key, list string }{{"address", conf["nameserver"]}, {"search", conf["searchdomain"]}} {
			if l.list == "" {
				continue
			}
			fmt.Fprintf(&b, "      %s:\n", l.key)
			for _, e := range strings.Fields(l.list) {
				fmt.Fprintf(&b, "      - '%s'\n", e)
			}
		}
	}
	return b.String()
}

func subnet(b *strings.Builder, ip, gw, six string) {
	switch ip {
	case "":
		return
	case "dhcp", "auto":
		version := "4"
		if six != "" {
			version = "6"
		}
		fmt.Fprintf(b, "      - type: dhcp%s\n", version)
		return
	}
	p, err := netip.ParsePrefix(ip)
	if err != nil {
		return
	}
	fmt.Fprintf(b, "      - type: static%s\n", six)
	if six == "" {
		fmt.Fprintf(b, "        address: '%s'\n        netmask: '%s'\n", p.Addr(), net.IP(net.CIDRMask(p.Bits(), 32)))
	} else {
		fmt.Fprintf(b, "        address: '%s'\n", ip)
	}
	if gw != "" {
		fmt.Fprintf(b, "        gateway: '%s'\n", gw)
	}
}

// runCloudInit does in the machine what cloud-init would do at its first boot: the user,
// its password and keys. It needs a Backend that is a [Runner].
func (s *Server) runCloudInit(_ *task, g *guest) error {
	r, ok := s.opt.Backend.(Runner)
	if !ok || g.CloudInit == "" {
		return nil
	}
	script := cloudInitScript(g.Conf.Current)
	vmid := g.VMID
	var err error
	s.unlocked(func() { _, err = r.Run(s.backendCtx(), vmid, script) })
	if err != nil {
		s.opt.Log.Error("cloud-init failed", "vmid", vmid, "err", err)
	}
	return nil
}

func cloudInitScript(conf map[string]string) string {
	user := conf["ciuser"]
	if user == "" {
		user = "debian"
	}
	home := "/home/" + user
	if user == "root" {
		home = "/root"
	}
	q := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	var b strings.Builder
	fmt.Fprintf(&b, "set -e\nid %[1]s >/dev/null 2>&1 || useradd -m -s /bin/bash %[1]s\n", q(user))
	if user != "root" {
		fmt.Fprintf(&b, "mkdir -p /etc/sudoers.d\necho %s > /etc/sudoers.d/90-cloud-init-users\n", q(user+" ALL=(ALL) NOPASSWD:ALL"))
	}
	if p := conf["cipassword"]; p != "" {
		fmt.Fprintf(&b, "echo %s | chpasswd\n", q(user+":"+p))
	}
	if keys := sshKeysOf(conf); len(keys) > 0 {
		fmt.Fprintf(&b, "install -d -m 700 -o %[1]s %[2]s/.ssh\nprintf '%%s\\n' %[3]s > %[2]s/.ssh/authorized_keys\nchown %[1]s %[2]s/.ssh/authorized_keys\nchmod 600 %[2]s/.ssh/authorized_keys\n",
			q(user), q(home), q(strings.Join(keys, "\n")))
	}
	b.WriteString("mkdir -p /var/lib/cloud/instance && touch /var/lib/cloud/instance/boot-finished\n")
	return b.String()
}
