package network

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// uplink is the interface of the machine's default route.
func uplink() (*net.Interface, error) {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return nil, fmt.Errorf("cannot read the routes: %w", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if w := strings.Fields(s.Text()); len(w) > 7 && w[1] == "00000000" && w[7] == "00000000" {
			return net.InterfaceByName(w[0])
		}
	}
	return nil, errors.New("this machine has no default route")
}

// uplinkMTU is what the bridge takes over, for a guest that sends bigger packets
// would depend on path MTU discovery. Without an uplink it is Ethernet's.
func uplinkMTU() (int, error) {
	up, err := uplink()
	if err != nil {
		return 1500, nil
	}
	return up.MTU, nil
}

// uplinkNetworks are the IPv4 networks that the uplink is attached to.
func uplinkNetworks() ([]string, error) {
	up, err := uplink()
	if err != nil {
		return nil, err
	}
	addrs, err := up.Addrs()
	if err != nil {
		return nil, err
	}
	var nets []string
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			nets = append(nets, p.Masked().String())
		}
	}
	return nets, nil
}

// Resolvers are the name servers of a resolv.conf(5), IPv4 only.
func Resolvers(path string) ([]netip.Addr, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the machine's resolvers: %w", err)
	}
	defer f.Close()
	var addrs []netip.Addr
	s := bufio.NewScanner(f)
	for s.Scan() {
		w := strings.Fields(s.Text())
		if len(w) < 2 || w[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(w[1]); err == nil && a.Is4() {
			addrs = append(addrs, a)
		}
	}
	return addrs, s.Err()
}

// forwardedMark remembers that forwarding on the uplink was off before the first
// lab came up, so that the last one turns it off again.
const forwardedMark = "/run/pvelab/forwarding-was-off"

func forwardingFile(link string) string {
	return filepath.Join("/proc/sys/net/ipv4/conf", link, "forwarding")
}

// forwardingUp opens forwarding on the two interfaces concerned only; the
// machine-wide switch stays as it is.
func (c Config) forwardingUp() error {
	if err := os.WriteFile(forwardingFile(c.Bridge), []byte("1"), 0o644); err != nil {
		return fmt.Errorf("cannot forward from %s: %w", c.Bridge, err)
	}
	up, err := uplink()
	if err != nil {
		return nil // a machine without an uplink has a lab without registries
	}
	was, err := os.ReadFile(forwardingFile(up.Name))
	if err != nil || strings.TrimSpace(string(was)) == "1" {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(forwardedMark), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(forwardedMark, []byte(up.Name), 0o644); err != nil {
		return err
	}
	return os.WriteFile(forwardingFile(up.Name), []byte("1"), 0o644)
}

// forwardingDown restores the uplink once no bridge is left that forwards.
func forwardingDown() error {
	name, err := os.ReadFile(forwardedMark)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	bridges, _ := filepath.Glob("/sys/class/net/*/bridge")
	for _, b := range bridges {
		link := filepath.Base(filepath.Dir(b))
		if on, err := os.ReadFile(forwardingFile(link)); err == nil && strings.TrimSpace(string(on)) == "1" {
			return nil
		}
	}
	return errors.Join(os.WriteFile(forwardingFile(string(name)), []byte("0"), 0o644), os.Remove(forwardedMark))
}
