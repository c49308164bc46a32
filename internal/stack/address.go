package stack

import (
	"fmt"
	"net/netip"
	"strings"
)

// Prefix4 returns the IPv4 address with its network, if it is known and
// valid.
func (s *Settings) Prefix4() (netip.Prefix, bool) { return parsePrefix(s.IP) }

// Prefix6 returns the IPv6 address with its network, if it is known and
// valid. It is not for `auto` and `dhcp`.
func (s *Settings) Prefix6() (netip.Prefix, bool) { return parsePrefix(s.IP6) }

func parsePrefix(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	return p, err == nil
}

// validateAddresses checks addresses and gateways of both families.
func (s *Settings) validateAddresses(p place) {
	if p.child("ip").required(s.IP, "such as ip: 10.0.10.101/24") {
		if prefix, ok := p.child("ip").prefix(s.IP, true); ok {
			p.child("ip").host(prefix)
			s.validateGateway(p, "gateway", s.Gateway, prefix)
		} else {
			p.child("gateway").address(s.Gateway, true)
		}
	}
	if s.IP6 == "auto" || s.IP6 == "dhcp" {
		if s.Gateway6 != "" {
			p.child("gateway6").fail("remove it", "has no use with `ip6: %s`", s.IP6)
		}
		return
	}
	if s.IP6 == "" {
		if s.Gateway6 != "" {
			p.child("gateway6").fail("", "needs `ip6`")
		}
		return
	}
	if prefix, ok := p.child("ip6").prefix(s.IP6, false); ok {
		p.child("ip6").host(prefix)
		s.validateGateway(p, "gateway6", s.Gateway6, prefix)
	}
}

func (s *Settings) validateGateway(p place, key, value string, prefix netip.Prefix) {
	at := p.child(key)
	gateway, ok := at.address(value, key == "gateway")
	if !ok {
		return
	}
	network := prefix.Masked()
	switch {
	case gateway == prefix.Addr():
		at.fail("", "is the guest's own address %s", gateway)
	case gateway.IsLinkLocalUnicast() && gateway.Is6():
	case !network.Contains(gateway):
		at.fail(prefixHint(prefix, gateway), "%s is outside the guest's network %s", gateway, network)
	case isEdge(network, gateway):
		at.fail("", "%s is the network's own or its broadcast address", gateway)
	}
}

// prefixHint says which prefix length would bring the gateway in.
func prefixHint(prefix netip.Prefix, gateway netip.Addr) string {
	if prefix.Bits() > 30 || gateway.Is6() {
		return ""
	}
	for bits := prefix.Bits() - 1; bits >= 16; bits-- {
		if wider, err := prefix.Addr().Prefix(bits); err == nil && wider.Contains(gateway) {
			return fmt.Sprintf("with /%d it would be inside", bits)
		}
	}
	return ""
}

// isEdge reports whether a is the first or last address of an IPv4 network
// that has such ones (up to /30).
func isEdge(network netip.Prefix, a netip.Addr) bool {
	if !a.Is4() || network.Bits() > 30 {
		return false
	}
	if a == network.Addr() {
		return true
	}
	broadcast := network.Addr().As4()
	for i := range broadcast {
		host := max(0, min(8, 8*(i+1)-network.Bits()))
		broadcast[i] |= byte(1<<host - 1)
	}
	return a == netip.AddrFrom4(broadcast)
}

// host reports an address that no guest can have.
func (p place) host(prefix netip.Prefix) {
	a := prefix.Addr()
	switch {
	case a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast(), a.IsInterfaceLocalMulticast():
		p.fail("", "%s is not an address that a guest can have", a)
	case a == prefix.Masked().Addr() && isEdge(prefix.Masked(), a):
		p.fail("", "%s is the address of the network %s itself", a, prefix.Masked())
	case isEdge(prefix.Masked(), a):
		p.fail("", "%s is the broadcast address of %s", a, prefix.Masked())
	}
}

// prefix returns the address with prefix length that s is, and reports
// anything else.
func (p place) prefix(s string, v4 bool) (netip.Prefix, bool) {
	if s == "" || pending(s) {
		return netip.Prefix{}, false
	}
	want, example, bits := "an IPv4 address with prefix length", "10.0.10.101/24", 24
	if !v4 {
		want, example, bits = "an IPv6 address with prefix length, `auto` or `dhcp`", "2001:db8::101/64", 64
	}
	prefix, err := netip.ParsePrefix(s)
	if err == nil && prefix.Addr().Is4() == v4 && !prefix.Addr().Is4In6() {
		return prefix, true
	}
	hint := "such as " + example
	address, addrErr := netip.ParseAddr(s)
	switch {
	case err == nil && v4:
		hint = "IPv6 addresses belong under `ip6`"
	case addrErr == nil && address.Is4() == v4:
		hint = fmt.Sprintf("add the prefix length, such as %s/%d", s, bits)
	case s == "dhcp" || s == "auto":
		hint = "a fixed address is needed: the guest is reached and guarded by it"
	case leadingZero(s):
		hint = "remove the leading zero"
	}
	p.fail(hint, "is %s, not %s", quote(s), want)
	return netip.Prefix{}, false
}

// address returns the address without prefix length that s is, and reports
// anything else.
func (p place) address(s string, v4 bool) (netip.Addr, bool) {
	if s == "" || pending(s) {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err == nil && a.Is4() == v4 && a.Zone() == "" {
		return a, true
	}
	want := "an IPv4 address"
	if !v4 {
		want = "an IPv6 address"
	}
	hint := ""
	switch prefix, err := netip.ParsePrefix(s); {
	case err == nil:
		hint = "write it without prefix length: " + prefix.Addr().String()
	case leadingZero(s):
		hint = "remove the leading zero"
	}
	p.fail(hint, "is %s, not %s", quote(s), want)
	return netip.Addr{}, false
}

// leadingZero reports whether a part of a dotted address begins with 0,
// which some programs read as octal.
func leadingZero(s string) bool {
	address, _, _ := strings.Cut(s, "/")
	for part := range strings.SplitSeq(address, ".") {
		if len(part) > 1 && part[0] == '0' {
			return true
		}
	}
	return false
}

// network reports s unless it is an address or a network.
func (p place) network(s string) {
	if s == "" || s == "any" || pending(s) {
		return
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return
	}
	prefix, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		p.fail("such as 10.0.0.0/8, or `any`", "is %s, not an address or a network", quote(s))
	case prefix != prefix.Masked():
		p.fail("write "+prefix.Masked().String(), "is %s, which has bits set behind its prefix length", quote(s))
	}
}
