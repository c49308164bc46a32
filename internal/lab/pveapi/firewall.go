package pveapi

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// firewall is a container's firewall as configuration: the lab filters no packet.
type firewall struct {
	Options map[string]string
	Rules   []map[string]string
}

func (f *firewall) digest() string {
	raw, _ := json.Marshal(f) // plain data always marshals
	sum := sha1.Sum(raw)
	return hex.EncodeToString(sum[:])
}

// fw is the firewall of the request's guest; one that was never set is empty.
func (c *call) fw() *firewall {
	if f := c.st.Firewall[c.vmid()]; f != nil {
		return f
	}
	return &firewall{Options: map[string]string{}}
}

// changeFW checks the digest and makes the firewall the guest's.
func (c *call) changeFW() (*firewall, error) {
	f := c.fw()
	if d := c.p.str("digest"); d != "" && d != f.digest() {
		return nil, fail("detected modified configuration - file changed by other user? Try again.")
	}
	c.st.Firewall[c.vmid()] = f
	return f, nil
}

// fwTyped gives numbers to what Proxmox keeps as numbers.
func fwTyped(k, v string) any {
	switch k {
	case "enable", "dhcp", "ndp", "radv", "macfilter", "ipfilter":
		return atoi(v)
	}
	return v
}

func getFWOptions(c *call) (any, error) {
	f := c.fw()
	m := map[string]any{"digest": f.digest()}
	for k, v := range f.Options {
		m[k] = fwTyped(k, v)
	}
	return m, nil
}

func putFWOptions(c *call) (any, error) {
	f, err := c.changeFW()
	if err != nil {
		return nil, err
	}
	for k := range c.p.Values {
		if !notOptions[k] {
			f.Options[k] = c.p.str(k)
		}
	}
	for _, k := range c.p.list("delete") {
		delete(f.Options, k)
	}
	return nil, nil
}

func (f *firewall) row(i int) map[string]any {
	m := map[string]any{"digest": f.digest(), "pos": i}
	for k, v := range f.Rules[i] {
		m[k] = fwTyped(k, v)
	}
	for _, k := range []string{"source", "dest"} {
		if v := f.Rules[i][k]; v != "" && v[0] >= '0' && v[0] <= '9' {
			m["ipversion"] = 4
			if strings.Contains(v, ":") {
				m["ipversion"] = 6
			}
		}
	}
	return m
}

func listFWRules(c *call) (any, error) {
	f := c.fw()
	rows := []map[string]any{}
	for i := range f.Rules {
		rows = append(rows, f.row(i))
	}
	return rows, nil
}

func (c *call) rulePos(f *firewall) (int, error) {
	pos := c.p.int("pos", -1)
	if pos < 0 || pos >= len(f.Rules) {
		return 0, fail("no rule at position %d", pos)
	}
	return pos, nil
}

func getFWRule(c *call) (any, error) {
	f := c.fw()
	pos, err := c.rulePos(f)
	if err != nil {
		return nil, err
	}
	row := f.row(pos)
	row["pos"] = c.p.str("pos")
	return row, nil
}

// setRule takes the parameters that belong to a rule.
func (c *call) setRule(r map[string]string) {
	for k := range c.p.Values {
		switch {
		case notOptions[k] || k == "pos" || k == "moveto":
		case c.p.str(k) == "":
			delete(r, k)
		default:
			r[k] = c.p.str(k)
		}
	}
}

func checkRule(r map[string]string) error {
	if r["type"] != "group" {
		switch r["action"] {
		case "ACCEPT", "DROP", "REJECT":
		default:
			return paramError("action", "unknown action '%s'", r["action"])
		}
	}
	if m := r["macro"]; m != "" && !slices.Contains(fwMacros, strings.ToLower(m)) {
		return paramError("macro", "unknown macro '%s'", m)
	}
	if r["dport"]+r["sport"] != "" && r["proto"] == "" {
		return paramError("proto", "missing property - 'dport' and 'sport' require a protocol")
	}
	return nil
}

// fwMacros are names of pve-firewall's macros, in lower case.
var fwMacros = strings.Fields(`amanda auth bgp bittorrent bittorrenttls bittorrenttcp ceph citrix dap dcc dhcpfwd dhcpv6 distcc dns
 finger fs2020 ftp git gnutella gre hkp http https icpv2 icq imap imaps ipip ipsec ipsecah ipsecnat irc jetdirect l2tp ldap ldaps
 mdns mail mosh mqtt msnp mssql munin mysql nntp nntps ntp neighbordiscovery openvpn ospf pbs pcanywhere pmg pop3 pop3s pptp ping
 postgresql printer rdp rip rndc razor rdate rsync sane smb smbswat smtp smtps snmp spamd spice ssh svn sixxs squid submission
 syslog tftp telnet telnets time trcrt vnc vncl web webcache webmin whois`)

func addFWRule(c *call) (any, error) {
	r := map[string]string{}
	c.setRule(r)
	if err := checkRule(r); err != nil {
		return nil, err
	}
	f, err := c.changeFW()
	if err != nil {
		return nil, err
	}
	pos := min(c.p.int("pos", 0), len(f.Rules))
	f.Rules = slices.Insert(f.Rules, pos, r)
	return nil, nil
}

func putFWRule(c *call) (any, error) {
	f, err := c.changeFW()
	if err != nil {
		return nil, err
	}
	pos, err := c.rulePos(f)
	if err != nil {
		return nil, err
	}
	r := f.Rules[pos]
	if c.p.has("moveto") {
		f.Rules = slices.Delete(f.Rules, pos, pos+1)
		f.Rules = slices.Insert(f.Rules, min(c.p.int("moveto", 0), len(f.Rules)), r)
		return nil, nil
	}
	c.setRule(r)
	for _, k := range c.p.list("delete") {
		delete(r, k)
	}
	return nil, checkRule(r)
}

func deleteFWRule(c *call) (any, error) {
	f, err := c.changeFW()
	if err != nil {
		return nil, err
	}
	pos, err := c.rulePos(f)
	if err != nil {
		return nil, err
	}
	f.Rules = slices.Delete(f.Rules, pos, pos+1)
	return nil, nil
}

// fwLog is empty: no packet is filtered.
func fwLog(c *call) (any, error) {
	return c.page([]string{"unable to open file - No such file or directory"}), nil
}
