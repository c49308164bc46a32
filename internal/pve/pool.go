package pve

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// allowPool takes the wish for another pool back where the token cannot see in which
// one the guest is, or may not move it, which takes Pool.Allocate on both pools and
// VM.Allocate on the guest (PVE::API2::Pool).
func (c *Client) allowPool(ctx context.Context, have, want *machine.Guest) error {
	inv, err := c.resources(ctx)
	if err != nil {
		return err
	}
	if have.Pool == "" && !inv.showsPool(want.Pool) {
		have.Pool = want.Pool
		return nil
	}
	p, err := c.own(ctx)
	if err != nil {
		return err
	}
	hint := c.lacksForPool(p, have, want)
	if hint == "" {
		return nil
	}
	where := "in no pool"
	if have.Pool != "" {
		where = "in pool " + have.Pool
	}
	have.Pool = want.Pool
	want.Origin.Because("pool: the guest is %s, the stack says %s: it is left where it is, since %s", where, want.Pool, hint)
	return nil
}

// lacksForPool is the hint that grants what the token lacks to move the guest, or "".
func (c *Client) lacksForPool(p permissions, have, want *machine.Guest) string {
	for _, pool := range []string{want.Pool, have.Pool} {
		if path := "/pool/" + pool; pool != "" && !p.has(path, "Pool.Allocate") {
			return grantHint(c.tokenID, path, "Pool.Allocate")
		}
	}
	if !(need{guestPaths(have), "VM.Allocate|Permissions.Modify"}).anywhere(p) {
		return grantHint(c.tokenID, "/vms", "VM.Allocate")
	}
	return ""
}

// showsPool tells whether the token may see who is in a pool: Proxmox lists pools to
// those who have Pool.Audit on them.
func (inv *inventory) showsPool(name string) bool {
	return slices.ContainsFunc(inv.rows, func(r resource) bool { return r.Type == "pool" && r.Pool == name })
}

// setPool moves the guest to the wanted pool. That it is there already is no error, so
// that the request may be sent again where its answer is lost.
func (a *application) setPool(ctx context.Context) error {
	defer a.Refresh()
	p := params{"poolid": a.want.Pool, "vms": itoa(a.want.VMID), "allow-move": "1"}
	for attempt := 1; ; attempt++ {
		err := a.call(ctx, http.MethodPut, "/pools", p, nil)
		e := asError(err)
		switch {
		case err == nil, e != nil && strings.Contains(e.Message, "already a pool member"):
			a.now.Pool = a.want.Pool
			return nil
		case e == nil || !e.Uncertain || attempt == maxAttempts || ctx.Err() != nil:
			return err
		}
	}
}
