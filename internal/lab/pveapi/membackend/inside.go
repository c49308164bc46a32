package membackend

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

// Usage implements [pveapi.Backend].
func (b *Backend) Usage(_ context.Context, vmid int) (pveapi.Usage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil {
		return pveapi.Usage{}, err
	}
	u := pveapi.Usage{Disk: 320 << 20, MaxDisk: extSize(m.size)}
	if m.Running {
		u.PID, u.Uptime, u.CPU, u.Mem, u.NetIn, u.NetOut = m.pid, time.Since(m.since)+time.Second, 0.01, 24<<20, 1500, 900
	}
	return u, nil
}

// Interfaces implements [pveapi.Backend]: what net0, net1, … say, and lo.
func (b *Backend) Interfaces(_ context.Context, vmid int) ([]pveapi.Interface, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil || !m.Running {
		return nil, err
	}
	lo := pveapi.Interface{Name: "lo", MAC: "00:00:00:00:00:00", Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")}}
	ifs := []pveapi.Interface{lo}
	for i := 0; i < 32; i++ {
		if net := m.Config[fmt.Sprintf("net%d", i)]; net != "" {
			ifs = append(ifs, iface(net))
		}
	}
	return ifs, nil
}

func iface(conf string) pveapi.Interface {
	var i pveapi.Interface
	for _, part := range strings.Split(conf, ",") {
		k, v, _ := strings.Cut(part, "=")
		switch k {
		case "name":
			i.Name = v
		case "hwaddr":
			i.MAC = v
		case "ip", "ip6":
			if p, err := netip.ParsePrefix(v); err == nil {
				i.Addrs = append(i.Addrs, p)
			}
		}
	}
	if ll, ok := linkLocal(i.MAC); ok {
		i.Addrs = append(i.Addrs, ll)
	}
	return i
}

// linkLocal is the address that IPv6 derives from a MAC (EUI-64).
func linkLocal(mac string) (netip.Prefix, bool) {
	hw, err := net.ParseMAC(mac)
	if err != nil || len(hw) != 6 {
		return netip.Prefix{}, false
	}
	a := [16]byte{0: 0xfe, 1: 0x80, 8: hw[0] ^ 2, 9: hw[1], 10: hw[2], 11: 0xff, 12: 0xfe, 13: hw[3], 14: hw[4], 15: hw[5]}
	return netip.PrefixFrom(netip.AddrFrom16(a), 64), true
}

// Console implements [pveapi.Backend]: an echo.
func (b *Backend) Console(_ context.Context, vmid int, _ bool) (io.ReadWriteCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.guests[vmid]; m == nil || !m.Running {
		return nil, fmt.Errorf("guest %d does not run", vmid)
	}
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		_, _ = io.Copy(there, there) // ends with the connection
	}()
	return here, nil
}

func keyName(k ssh.Signer) string {
	return map[string]string{ssh.KeyAlgoED25519: "ed25519", ssh.KeyAlgoECDSA256: "ecdsa", ssh.KeyAlgoRSA: "rsa"}[k.PublicKey().Type()]
}
