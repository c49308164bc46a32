package pve

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// UnreachableError says that no connection to the API came about.
type UnreachableError struct {
	Address string // host:port
	// Private: the address is a private one, and no interface of this machine is in
	// a network of the same addresses.
	Private bool
	// Jump: the connection was to go through the jump host.
	Jump  bool
	cause error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("cannot reach Proxmox at %s: %v", e.Address, e.cause)
}

func (e *UnreachableError) Unwrap() error { return e.cause }

// Hint tells a network that this machine is not part of from a service that is down.
func (e *UnreachableError) Hint() string {
	host, _, _ := net.SplitHostPort(e.Address)
	dns, noName := errors.AsType[*net.DNSError](e.cause)
	switch {
	case noName:
		return fmt.Sprintf("the name %s is not known here: is this runner in the network that knows it, or is proxmox.url mistyped?", dns.Name)
	case e.Jump:
		return "the jump host was to carry the connection: does it reach that address, and does its sshd allow forwarding (AllowTcpForwarding, PermitOpen)?"
	case e.Private:
		return host + " is private and this runner is not in it: use a self-hosted runner there, a jump host (ssh.jump and proxmox.via: jump) or a VPN"
	}
	return "is proxmox.url right, does pveproxy run on that node, and does a firewall let port 8006 through?"
}

// diagnose says of a connection that did not come about why that may be.
func (c *Client) diagnose(err error) error {
	d, ok := errors.AsType[*dialError](err)
	if !ok {
		return err
	}
	return &UnreachableError{Address: d.address, Private: c.direct && foreignPrivate(d.address), Jump: !c.direct, cause: d.cause}
}

// foreignPrivate tells whether the address is private, link-local or shared
// (RFC 6598) and outside of every network of this machine.
func foreignPrivate(address string) bool {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := ap.Addr().Unmap()
	if !ip.IsPrivate() && !ip.IsLinkLocalUnicast() && !netip.MustParsePrefix("100.64.0.0/10").Contains(ip) {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range own {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Masked().Contains(ip) {
			return false
		}
	}
	return true
}
