package pveapi

import (
	"cmp"
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

// getCloudInit is GET …/cloudinit: the options that cloud-init sees but the addresses,
// which Proxmox leaves out.
func getCloudInit(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	cur := c.restrict(g, g.Conf.Current)
	for _, k := range cur.Keys() {
		if cloudOptions[k] && k != "ciupgrade" {
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
	if err := g.checkLock(); err != nil {
		return nil, err
	}
	return nil, c.writeDrive(g)
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
	return metaData(c.Server, g), nil
}

// metaData names the instance after what the drive says: whatever changes makes the VM a
// new instance for cloud-init.
func metaData(s *Server, g *guest) string {
	sum := sha1.Sum([]byte(cloudInitText(s, g)))
	return "instance-id: " + hex.EncodeToString(sum[:]) + "\n"
}

func cloudInitText(s *Server, g *guest) string { return userData(g) + networkData(s, g) }

func userData(g *guest) string {
	conf := g.Conf.Current
	name := guestName(g)
	if conf["name"] == "" {
		name = fmt.Sprintf("VM%d", g.VMID)
	}
	host, _, dotted := strings.Cut(name, ".")
	fqdn := name
	if d := conf["searchdomain"]; d != "" && !dotted {
		fqdn += "." + d // all of them, if there are several
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
		if err != nil || nic["macaddr"] == "" || conf["ipconfig"+itoa(i)] == "" {
			continue
		}
		fmt.Fprintf(&b, "    - type: physical\n      name: eth%d\n      mac_address: '%s'\n      subnets:\n", i, strings.ToLower(nic["macaddr"]))
		ip, err := s.parseOption("qemu", "ipconfig0", conf["ipconfig"+itoa(i)])
		if err == nil {
			subnet(&b, ip["ip"], ip["gw"], "")
			subnet(&b, ip["ip6"], ip["gw6"], "6")
		}
	}
	dns, search := strings.Fields(conf["nameserver"]), strings.Fields(conf["searchdomain"])
	if len(dns) == 0 {
		dns = s.opt.Nameservers
	}
	b.WriteString("    - type: nameserver\n")
	list(&b, "address", dns)
	list(&b, "search", search)
	return b.String()
}

func list(b *strings.Builder, key string, values []string) {
	if len(values) == 0 {
		return
	}
	fmt.Fprintf(b, "      %s:\n", key)
	for _, v := range values {
		fmt.Fprintf(b, "      - '%s'\n", v)
	}
}

func subnet(b *strings.Builder, ip, gw, six string) {
	switch ip {
	case "":
		return
	case "auto":
		b.WriteString("      - type: ipv6_slaac\n")
		return
	case "dhcp":
		fmt.Fprintf(b, "      - type: dhcp%s\n", cmp.Or(six, "4"))
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

// writeDrive writes a VM's cloud-init drive anew, if it has one.
func (s *Server) writeDrive(g *guest) error {
	if cloudDrive(g.Conf.Current) == "" {
		return nil
	}
	g.CloudInit = cloudInitText(s, g)
	m, ok := s.opt.Backend.(Machines)
	if !ok || !g.Machine {
		return nil
	}
	drive := map[string]string{"user-data": userData(g), "network-config": networkData(s, g), "meta-data": metaData(s, g), "vendor-data": ""}
	var err error
	s.unlocked(func() { err = m.Insert(s.backendCtx(), g.VMID, drive) })
	if err != nil {
		return fail("cannot write the cloud-init drive: %s", err.Error())
	}
	return nil
}
