package pve

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Check finds what speaks against the plan's steps, before the first one is taken:
// addresses and names that others have, guests that cannot be seen, privileges that lack.
// Findings that block and are not overridden are the error of [Veto].
//
// It looks at other guests only if the plan creates or adopts the guest or changes
// its name, address or MAC address, so that it costs nothing where nothing changes.
func (c *Client) Check(ctx context.Context, steps []plan.Step, have, want *machine.Guest, allow Overrides) ([]Finding, error) {
	findings, err := c.newPlaces(ctx, have, want)
	if err != nil {
		return nil, err
	}
	if exposes(have, want) {
		others, err := c.others(ctx)
		if err != nil {
			return nil, err
		}
		findings = append(findings, conflicts(want, have, others)...)
		hidden, err := c.invisible(ctx, want.VMID)
		if err != nil {
			return nil, err
		}
		findings = append(findings, hidden...)
	}
	privileges, err := c.privileges(ctx, steps, have, want)
	if err != nil {
		return nil, err
	}
	findings = append(findings, privileges...)
	if starts(have, want) {
		findings = append(findings, c.answers(ctx, want)...)
	}
	return allow.apply(findings), nil
}

// privileges finds what the token lacks for a creation, or for the steps of a change.
func (c *Client) privileges(ctx context.Context, steps []plan.Step, have, want *machine.Guest) ([]Finding, error) {
	if have != nil {
		return c.lacking(ctx, changeNeeds(steps, have, want), want)
	}
	findings, err := c.lacking(ctx, needs(want), want)
	return append(findings, rootOnly(want)...), err
}

// starts tells whether the guest comes to life: then nothing may answer at its
// address before it does.
func starts(have, want *machine.Guest) bool {
	return want.Running && (have == nil || !have.Running)
}

// exposes tells whether the guest is to have a name or an address that it has not.
func exposes(have, want *machine.Guest) bool {
	if have == nil || !have.Block.Owns(want.Block) {
		return true
	}
	h, w := identityOf(have.Next(), have.Kind), identityOf(want.Config, want.Kind)
	for ip := range w.ips {
		if !h.ips[ip] {
			return true
		}
	}
	return w.name != h.name || w.mac != "" && !strings.EqualFold(w.mac, h.mac)
}

// identity is what of a guest must be its alone.
type identity struct {
	name string
	mac  string
	ips  map[netip.Addr]bool
}

func identityOf(c machine.Config, kind machine.Kind) identity {
	id := identity{name: c[nameKey(kind)], ips: make(map[netip.Addr]bool)}
	id.mac = machine.ParseProperties(c["net0"]).MAC()
	for _, key := range []string{"net0", "ipconfig0"} {
		for _, ip := range addresses(c[key]) {
			id.ips[ip] = true
		}
	}
	return id
}

// addresses are the static addresses of a net or ipconfig value.
func addresses(value string) []netip.Addr {
	var ips []netip.Addr
	ps := machine.ParseProperties(value)
	for _, key := range []string{"ip", "ip6"} {
		if prefix, err := netip.ParsePrefix(ps.Get(key)); err == nil {
			ips = append(ips, prefix.Addr())
		}
	}
	return ips
}

// neighbour is another guest with all its interfaces.
type neighbour struct {
	Known
	macs map[string]string     // upper-case MAC address → the key that has it
	ips  map[netip.Addr]string // address → the key that has it, or the live interface
}

func (n neighbour) String() string {
	kind := "CT"
	if n.Kind == machine.KVM {
		kind = "VM"
	}
	return fmt.Sprintf("%s %d (%s) on node %s", kind, n.VMID, n.Name, n.Node)
}

// conflicts finds what of the wanted guest other guests have.
func conflicts(want, have *machine.Guest, others []neighbour) []Finding {
	id := identityOf(want.Config, want.Kind)
	if id.mac == "" && have != nil {
		id.mac = identityOf(have.Config, have.Kind).mac
	}
	var findings []Finding
	for _, n := range others {
		if n.VMID == want.VMID {
			continue
		}
		for ip := range id.ips {
			if key, ok := n.ips[ip]; ok {
				findings = append(findings, blocks(GuardIP, "give one of them another address, or allow it with allow-ip-conflicts", "%s has the address %s already (%s)", n, ip, key))
			}
		}
		if key, ok := n.macs[strings.ToUpper(id.mac)]; ok {
			findings = append(findings, blocks(GuardMAC, "give one of them another MAC address, or allow it with allow-ip-conflicts", "%s has the MAC address %s already (%s)", n, id.mac, key))
		}
		if id.name != "" && strings.EqualFold(n.Name, id.name) {
			findings = append(findings, blocks(GuardName, "give one of them another name, or allow it with allow-ip-conflicts", "%s has the name already", n))
		}
	}
	return findings
}

// others reads every guest's interfaces once a run, several at a time.
func (c *Client) others(ctx context.Context) ([]neighbour, error) {
	c.neighboursOnce.Lock()
	defer c.neighboursOnce.Unlock()
	if c.neighbours != nil {
		return c.neighbours, nil
	}
	inv, err := c.resources(ctx)
	if err != nil {
		return nil, err
	}
	guests := inv.guests()
	all := make([]neighbour, len(guests))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, r := range guests {
		group.Go(func() (err error) {
			all[i], err = c.neighbour(gctx, r)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	c.neighbours = all
	return all, nil
}
