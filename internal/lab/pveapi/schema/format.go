package schema

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// CheckFormat checks a value against one of Proxmox's named formats; NAME-list is a list
// of NAME, NAME-opt one that may be empty. Formats that the lab has no use for are not checked.
func CheckFormat(format, s string) error {
	if check, ok := formats[format]; ok {
		return check(s)
	}
	if name, ok := strings.CutSuffix(format, "-list"); ok {
		for _, e := range SplitList(s) {
			if err := CheckFormat(name, e); err != nil {
				return err
			}
		}
		return nil
	}
	if name, ok := strings.CutSuffix(format, "-opt"); ok && s != "" {
		return CheckFormat(name, s)
	}
	return nil
}

var listSep = regexp.MustCompile(`[,;\s\x00]+`)

// SplitList splits where Proxmox does: at commas, semicolons, NUL and white space.
func SplitList(s string) []string {
	var out []string
	for _, e := range listSep.Split(s, -1) {
		if e != "" {
			out = append(out, e)
		}
	}
	return out
}

type check func(string) error

// matching returns a check against a regular expression; text is the error, in which
// %s is replaced by the value where it has one.
func matching(re, text string) check {
	r := regexp.MustCompile(`^(?:` + re + `)\n?$`)
	return func(s string) error {
		if r.MatchString(s) {
			return nil
		}
		return fmt.Errorf("%s", strings.ReplaceAll(text, "%s", s))
	}
}

const (
	dnsLabel = `[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?`
	configID = `(?i:[a-z][a-z0-9_-]+)`
)

var (
	ipCheck     = address("value does not look like a valid IP address", netip.Addr.IsValid)
	ifaceCheck  = matching(`(?i:[a-z][a-z0-9_]{1,20}([:.]\d+)?)`, "invalid network interface name '%s'")
	volumeCheck = matching(`(?i:[a-z][a-z0-9\-_.]*[a-z0-9]):(?s:.+)`, "unable to parse volume ID '%s'")
	dnsCheck    = matching(`(?:`+dnsLabel+`\.)*`+dnsLabel, "value does not look like a valid DNS name")
)

var formats = map[string]check{
	"pve-vmid":                       matching(`[1-9][0-9]{2,8}`, "value does not look like a valid VM ID"),
	"pve-node":                       matching(dnsLabel, "value does not look like a valid node name"),
	"pve-configid":                   matching(configID, "invalid configuration ID '%s'"),
	"pve-storage-id":                 storageID,
	"pve-bridge-id":                  matching(`[-_.\w]+`, "invalid bridge ID '%s'"),
	"pve-iface":                      ifaceCheck,
	"mac-addr":                       matching(`(?i:[a-f0-9][02468ace](?::[a-f0-9]{2}){5})`, "value does not look like a valid unicast MAC address"),
	"dns-name":                       dnsCheck,
	"urlencoded":                     matching(`[-%a-zA-Z0-9_.!~*'()]*`, "invalid urlencoded string: %s"),
	"pve-tag":                        matching(`(?i:[a-z0-9_][a-z0-9_\-+.]*)`, "invalid characters in tag"),
	"disk-size":                      matching(`\d+(\.\d+)?([KMGT](?:iB)?)?`, "value does not look like a valid disk size: %s"),
	"pve-volume-id":                  volumeCheck,
	"pve-volume-id-or-qm-path":       volumeOrPath,
	"pve-volume-id-or-absolute-path": volumeOrPath,
	"pve-groupid":                    matching(`[A-Za-z0-9.\-_]+`, "group name '%s' contains invalid characters"),
	"pve-roleid":                     matching(`[A-Za-z0-9.\-_]+`, "role name '%s' contains invalid characters"),
	"pve-realm":                      matching(`[A-Za-z][A-Za-z0-9.\-_]+`, "value does not look like a valid realm"),
	"pve-tokenid":                    matching(`[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+![A-Za-z][A-Za-z0-9.\-_]+`, "value '%s' does not look like a valid token ID"),
	"pve-storage-path":               matching(`/[^;()]+`, "value does not look like a valid absolute path"),
	"pve-hotplug-features":           matching(`0|1|(?:network|disk|cpu|memory|usb|cloudinit)(?:,(?:network|disk|cpu|memory|usb|cloudinit))*`, "unable to parse hotplug option"),
	"pve-qm-bootdisk":                matching(`(ide|sata|scsi|virtio)\d+`, "invalid boot disk '%s'"),
	"pve-poolid":                     poolID,
	"pve-userid":                     userID,
	"pve-priv":                       privilege,
	"pve-storage-content":            contentType,
	"pve-task-status-type":           matching(`ok|error|warning|unknown`, "'%s' is not a valid task status type"),
	"ipv4":                           address("value does not look like a valid IPv4 address", netip.Addr.Is4),
	"ipv6":                           address("value does not look like a valid IPv6 address", netip.Addr.Is6),
	"ip":                             ipCheck,
	"address":                        anAddress,
	"pve-ipv4-config":                prefix("value does not look like a valid ipv4 network configuration", netip.Addr.Is4, "dhcp", "manual"),
	"pve-ipv6-config":                prefix("value does not look like a valid ipv6 network configuration", netip.Addr.Is6, "auto", "dhcp", "manual"),
	"CIDR":                           prefix("value does not look like a valid CIDR network", netip.Addr.IsValid),
	"CIDRv4":                         prefix("value does not look like a valid IPv4 CIDR network", netip.Addr.Is4),
	"CIDRv6":                         prefix("value does not look like a valid IPv6 CIDR network", netip.Addr.Is6),
	"lxc-ip-with-ll-iface":           linkLocal,
	"pve-startup-order":              startupOrder,
	"pve-ct-timezone":                timezone,
	"pve-lxc-mp-string":              mountPath,
	"pve-lxc-dev-string":             matching(`/dev/.+`, "%s is not a valid device path"),
	"pve-fw-addr-spec":               nonEmpty,
	"pve-fw-dport-spec":              ports,
	"pve-fw-sport-spec":              ports,
	"pve-fw-protocol-spec":           protocol,
	"pve-storage-portal-dns":         nonEmpty,
}

// volumeOrPath is what a VM's drive may name.
func volumeOrPath(s string) error {
	if s == "none" || s == "cdrom" || strings.HasPrefix(s, "/") {
		return nil
	}
	return volumeCheck(s)
}

func nonEmpty(s string) error {
	if s == "" {
		return fmt.Errorf("value is empty")
	}
	return nil
}

func storageID(s string) error {
	if len(s) < 2 {
		return fmt.Errorf("storage ID '%s' cannot be shorter than 2 characters", s)
	}
	return matching(`(?i:[a-z][a-z0-9\-_.]*[a-z0-9])`, "storage ID '%s' contains illegal characters")(s)
}

func poolID(s string) error {
	if strings.Count(s, "/") > 2 {
		return fmt.Errorf("pool name '%s' nested too deeply (max levels = 3)", s)
	}
	return matching(`[A-Za-z0-9.\-_]+(?:/[A-Za-z0-9.\-_]+){0,2}`, "pool name '%s' contains invalid characters")(s)
}

func userID(s string) error {
	if len(s) < 3 {
		return fmt.Errorf("user name '%s' is too short", s)
	}
	if len(s) > 64 {
		return fmt.Errorf("user name '%s' is too long (%d > 64)", s, len(s))
	}
	return matching(`[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+`, "value '%s' does not look like a valid user name")(s)
}

func privilege(s string) error {
	for _, p := range Privileges {
		if p == s {
			return nil
		}
	}
	return fmt.Errorf("invalid privilege '%s'", s)
}

func contentType(s string) error {
	switch s {
	case "images", "rootdir", "vztmpl", "iso", "backup", "snippets", "none", "import":
		return nil
	}
	return fmt.Errorf("invalid content type '%s'", s)
}

func address(text string, want func(netip.Addr) bool) check {
	return func(s string) error {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" && want(a) {
			return nil
		}
		return fmt.Errorf("%s", text)
	}
}

func anAddress(s string) error {
	if _, err := netip.ParseAddr(s); err == nil || dnsCheck(s) == nil {
		return nil
	}
	return fmt.Errorf("value does not look like a valid address: %s", s)
}

func prefix(text string, want func(netip.Addr) bool, words ...string) check {
	return func(s string) error {
		if contains(words, s) {
			return nil
		}
		if p, err := netip.ParsePrefix(s); err == nil && want(p.Addr()) && p.Bits() > 7 {
			return nil
		}
		return fmt.Errorf("%s", text)
	}
}

func linkLocal(s string) error {
	if a, iface, ok := strings.Cut(s, "%"); ok && strings.HasPrefix(a, "fe80:") && ifaceCheck(iface) == nil {
		s = a
	}
	return ipCheck(s)
}

var startupRE = regexp.MustCompile(`^(?:(?:order=)?\d+|up=\d+|down=\d+|\s*)$`)

func startupOrder(s string) error {
	for _, p := range strings.Split(s, ",") {
		if !startupRE.MatchString(p) || s == "" {
			return fmt.Errorf("unable to parse startup options")
		}
	}
	return nil
}

func timezone(s string) error {
	if s == "host" {
		return nil
	}
	if st, err := os.Stat(filepath.Join("/usr/share/zoneinfo", filepath.Clean("/"+s))); err == nil && !st.IsDir() {
		return nil
	}
	return fmt.Errorf("invalid time zone '%s'", s)
}

var dotsRE = regexp.MustCompile(`/\.\.?/|/\.\.?$|^\.\./`)

func mountPath(s string) error {
	if dotsRE.MatchString(s) {
		return fmt.Errorf("%s contains illegal character sequences", s)
	}
	return nil
}

func ports(s string) error {
	for _, e := range strings.Split(s, ",") {
		for _, p := range strings.SplitN(strings.Replace(e, "-", ":", 1), ":", 2) {
			n, err := strconv.Atoi(p)
			if err == nil && (n < 0 || n > 65535) {
				return fmt.Errorf("invalid port '%s'", p)
			}
			if err != nil && !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(p) {
				return fmt.Errorf("invalid port '%s'", p)
			}
		}
	}
	return nil
}

func protocol(s string) error {
	switch s {
	case "tcp", "udp", "icmp", "icmpv6", "ipv6-icmp", "igmp", "gre", "esp", "ah", "sctp", "vrrp", "ospf":
		return nil
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 256 {
		return nil
	}
	return fmt.Errorf("unknown protocol '%s'", s)
}
