package pve

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// neighbour reads a guest's interfaces: those of its configuration and, where it
// runs and the token may, those that are up inside.
func (c *Client) neighbour(ctx context.Context, r resource) (neighbour, error) {
	n := neighbour{Known: Known{machine.Kind(r.Type), r.VMID, r.Name, r.Node, r.Status == "running"},
		macs: make(map[string]string), ips: make(map[netip.Addr]string)}
	var raw map[string]json.RawMessage
	err := c.get(ctx, guestPath(r.ref())+"/config", &raw)
	if gone(err) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	config := make(machine.Config, len(raw))
	for key, value := range raw {
		config[key] = scalar(value)
	}
	n.add(config)
	if n.Running {
		n.addLive(c.liveAddresses(ctx, r, config))
	}
	return n, nil
}

// add takes the interfaces of a configuration: a container's net*, a VM's net* and
// ipconfig*.
func (n *neighbour) add(config machine.Config) {
	if name := config[nameKey(n.Kind)]; name != "" {
		n.Name = name
	}
	for key, value := range config {
		if !strings.HasPrefix(key, "net") && !strings.HasPrefix(key, "ipconfig") {
			continue
		}
		if mac := machine.ParseProperties(value).MAC(); mac != "" {
			n.macs[strings.ToUpper(mac)] = key
		}
		for _, ip := range addresses(value) {
			n.ips[ip] = key
		}
	}
}

// addLive takes addresses that are up inside, such as those from DHCP.
func (n *neighbour) addLive(live map[netip.Addr]string) {
	for ip, name := range live {
		if _, known := n.ips[ip]; !known && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			n.ips[ip] = "live on " + name
		}
	}
}

// liveInterface is an interface as Proxmox sees it inside a container, or as a VM's
// guest agent tells it.
type liveInterface struct {
	Name      string `json:"name"`
	Inet      string `json:"inet"`
	Inet6     string `json:"inet6"`
	Addresses []struct {
		Address string `json:"ip-address"`
	} `json:"ip-addresses"`
}

// liveAddresses asks a running guest. One that does not answer, for want of an agent
// or of the privilege, has none: the configuration and the ping still speak.
func (c *Client) liveAddresses(ctx context.Context, r resource, config machine.Config) map[netip.Addr]string {
	var rows []liveInterface
	if r.Type == "lxc" {
		if c.get(ctx, guestPath(r.ref())+"/interfaces", &rows) != nil {
			return nil
		}
	} else {
		if g := (&machine.Guest{Kind: machine.KVM, Config: config}); !g.HasAgent() {
			return nil
		}
		var answer struct {
			Result []liveInterface `json:"result"`
		}
		if c.get(ctx, guestPath(r.ref())+"/agent/network-get-interfaces", &answer) != nil {
			return nil
		}
		rows = answer.Result
	}
	return liveOf(rows)
}

func liveOf(rows []liveInterface) map[netip.Addr]string {
	live := make(map[netip.Addr]string)
	for _, row := range rows {
		texts := []string{row.Inet, row.Inet6}
		for _, a := range row.Addresses {
			texts = append(texts, a.Address)
		}
		for _, text := range texts {
			text, _, _ = strings.Cut(text, "/")
			if ip, err := netip.ParseAddr(text); err == nil {
				live[ip] = row.Name
			}
		}
	}
	return live
}
