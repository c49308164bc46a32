package pve

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// resource is a row of /cluster/resources. Figures lag behind by up to 10 s, and a
// token sees only what it may audit; who exists and where is always current.
type resource struct {
	Type     string  `json:"type"` // lxc, qemu, node, storage, pool, …
	VMID     int     `json:"vmid"`
	Name     string  `json:"name"`
	Node     string  `json:"node"`
	Status   string  `json:"status"`
	Pool     string  `json:"pool"`
	HAState  string  `json:"hastate"`
	Template int     `json:"template"`
	Storage  string  `json:"storage"`
	Content  string  `json:"content"`
	MaxMem   float64 `json:"maxmem"`
	Mem      float64 `json:"mem"`
	Tags     string  `json:"tags"`
}

func (r resource) isGuest() bool { return r.Type == "lxc" || r.Type == "qemu" }

// inventory is what the cluster has, as far as the token may see.
type inventory struct{ rows []resource }

// guest returns the guest with this vmid, or nil.
func (inv *inventory) guest(vmid int) *resource {
	i := slices.IndexFunc(inv.rows, func(r resource) bool { return r.isGuest() && r.VMID == vmid })
	if i < 0 {
		return nil
	}
	return &inv.rows[i]
}

// guests returns all guests, by vmid.
func (inv *inventory) guests() []resource {
	var gs []resource
	for _, r := range inv.rows {
		if r.isGuest() {
			gs = append(gs, r)
		}
	}
	slices.SortFunc(gs, func(a, b resource) int { return a.VMID - b.VMID })
	return gs
}

// nodes returns the nodes that are online, by name.
func (inv *inventory) nodes() []resource {
	var ns []resource
	for _, r := range inv.rows {
		if r.Type == "node" && r.Status == "online" {
			ns = append(ns, r)
		}
	}
	slices.SortFunc(ns, func(a, b resource) int { return strings.Compare(a.Node, b.Node) })
	return ns
}

// resources returns the inventory of the run, fetched when it is first needed. All
// environments share it.
func (c *Client) resources(ctx context.Context) (*inventory, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inventory != nil {
		return c.inventory, nil
	}
	inv := new(inventory)
	if err := c.get(ctx, "/cluster/resources", &inv.rows); err != nil {
		return nil, err
	}
	c.inventory = inv
	return inv, nil
}

// Refresh makes the next verb fetch anew what a run otherwise fetches once.
func (c *Client) Refresh() {
	c.mu.Lock()
	c.inventory = nil
	c.mu.Unlock()
	c.permissionsOnce.Lock()
	c.permissions = nil
	c.permissionsOnce.Unlock()
	c.neighboursOnce.Lock()
	c.neighbours = nil
	c.neighboursOnce.Unlock()
}

// Known is a guest of the cluster, as the list of guests shows it.
type Known struct {
	Kind    machine.Kind
	VMID    int
	Name    string
	Node    string
	Running bool
}

// Guests lists the guests that the token can see, by vmid.
func (c *Client) Guests(ctx context.Context) ([]Known, error) {
	inv, err := c.resources(ctx)
	if err != nil {
		return nil, err
	}
	var known []Known
	for _, r := range inv.guests() {
		known = append(known, Known{machine.Kind(r.Type), r.VMID, r.Name, r.Node, r.Status == "running"})
	}
	return known, nil
}

// free asks whether a vmid is free, which Proxmox tells of guests that the token
// cannot see, too.
func (c *Client) free(ctx context.Context, vmid int) (bool, error) {
	err := c.call(ctx, http.MethodGet, fmt.Sprintf("/cluster/nextid?vmid=%d", vmid), nil, nil)
	if e := asError(err); e != nil && strings.Contains(e.Params["vmid"], "already exists") {
		return false, nil
	}
	return err == nil, err
}

// guestPath is where a guest's part of the API begins.
func guestPath(g *machine.Guest) string {
	return fmt.Sprintf("/nodes/%s/%s/%d", g.Node, g.Kind, g.VMID)
}

// describe names a guest as Proxmox does: "CT 101", "VM 101".
func describe(g *machine.Guest) string {
	if g.Kind == machine.KVM {
		return fmt.Sprintf("VM %d", g.VMID)
	}
	return fmt.Sprintf("CT %d", g.VMID)
}

// nameKey is the configuration key that holds a guest's name.
func nameKey(kind machine.Kind) string {
	if kind == machine.KVM {
		return "name"
	}
	return "hostname"
}
