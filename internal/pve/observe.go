package pve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/org/appstack-action/internal/machine"
)

// HiddenError says that a vmid is taken by a guest that the token cannot see.
type HiddenError struct {
	VMID  int
	token string
	pool  string
}

func (e *HiddenError) Error() string {
	return fmt.Sprintf("cannot use vmid %d: a guest has it that the token %s cannot see", e.VMID, e.token)
}

// Hint says how to see it.
func (e *HiddenError) Hint() string {
	path := "/vms"
	if e.pool != "" {
		path = "/pool/" + e.pool
	}
	return "choose another vmid; or if the guest is yours, " + grantHint(e.token, path, "VM.Audit")
}

// Observe returns the guest with the wanted one's vmid as it is, on whichever node
// it is, or nil if there is none. A guest that is being created, perhaps by a run
// that died since, is waited for.
//
// Where the stack wishes HA and the token may not have it, the wish is taken back
// and the reason noted in want. So it is with another pool: a guest that the token may
// not move is reported as being in the wanted one, and so is one whose pool it cannot
// see.
//
// It costs one request for all guests of a run and two for each guest.
func (c *Client) Observe(ctx context.Context, want *machine.Guest) (*machine.Guest, error) {
	have, err := c.find(ctx, want)
	if err == nil && want.HA && (have == nil || !have.HA) {
		err = c.allowHA(ctx, want)
	}
	if err == nil && have != nil && want.Pool != "" && have.Pool != want.Pool {
		err = c.allowPool(ctx, have, want)
	}
	return have, err
}

// allowHA takes the wish for HA back where the token has not what it takes: Proxmox
// asks for Sys.Console on / (PVE::API2::HA::Resources).
func (c *Client) allowHA(ctx context.Context, want *machine.Guest) error {
	p, err := c.own(ctx)
	if err != nil || p.has("/", "Sys.Console") {
		return err
	}
	want.HA = false
	want.Origin.Because("ha: the token may not add HA resources: %s", grantHint(c.tokenID, "/", "Sys.Console"))
	return nil
}

func (c *Client) find(ctx context.Context, want *machine.Guest) (*machine.Guest, error) {
	inv, err := c.resources(ctx)
	if err != nil {
		return nil, err
	}
	if r := inv.guest(want.VMID); r != nil {
		g, err := c.read(ctx, r.ref())
		if !gone(err) && !hiddenNow(err) {
			return g, err
		}
		c.Refresh() // it was destroyed or moved in between
		if inv, err = c.resources(ctx); err != nil {
			return nil, err
		}
		if r = inv.guest(want.VMID); r != nil {
			return c.read(ctx, r.ref())
		}
	}
	return c.observeHidden(ctx, inv, want)
}

// ref is a guest of which only the place is known.
func (r resource) ref() *machine.Guest {
	return &machine.Guest{Kind: machine.Kind(r.Type), VMID: r.VMID, Node: r.Node, Pool: r.Pool}
}

// gone tells whether Proxmox says that a guest is not (or no longer) on that node.
func gone(err error) bool {
	e := asError(err)
	return e != nil && e.Status == http.StatusInternalServerError && strings.Contains(e.Message, "does not exist")
}

// hiddenNow tells whether Proxmox says that the token may not see a guest. Of one that
// it saw before this may mean that the guest is gone: the rights of a pool end with it.
func hiddenNow(err error) bool {
	e := asError(err)
	return e != nil && e.Status == http.StatusForbidden
}

// vanished tells whether a request failed because the guest is gone, with its vmid free.
func (c *Client) vanished(ctx context.Context, vmid int, err error) bool {
	if !hiddenNow(err) {
		return gone(err)
	}
	free, failed := c.free(ctx, vmid)
	return failed == nil && free
}

// observeHidden looks for a guest that the list does not show. A token whose rights
// come from a pool sees a guest only when its creation has ended.
func (c *Client) observeHidden(ctx context.Context, inv *inventory, want *machine.Guest) (*machine.Guest, error) {
	free, err := c.free(ctx, want.VMID)
	if free || err != nil {
		return nil, err
	}
	for _, node := range candidates(inv, want) {
		if err := c.awaitCreation(ctx, node, want); err != nil {
			return nil, err
		}
		// A guest that has become visible is so through the pool that it was made in.
		g, err := c.read(ctx, &machine.Guest{Kind: want.Kind, VMID: want.VMID, Node: node, Pool: want.Pool})
		if err == nil {
			return g, nil
		}
	}
	return nil, &HiddenError{VMID: want.VMID, token: c.tokenID, pool: c.pool}
}

// awaitCreation waits for a creation of the wanted guest that is under way on the
// node, or for the clones of its template. A node that does not answer hides no guest
// of another one.
func (c *Client) awaitCreation(ctx context.Context, node string, want *machine.Guest) error {
	ids := []int{want.VMID}
	if want.Kind == machine.KVM && want.Origin != nil && !want.Origin.Image {
		if source, err := c.cloneSource(ctx, want); err == nil {
			ids = append(ids, source.VMID)
		}
	}
	for _, id := range ids {
		rows, err := c.tasks(ctx, &machine.Guest{Node: node, VMID: id}, creating)
		if err != nil {
			continue
		}
		for _, r := range rows {
			if !r.running() {
				continue
			}
			if _, err := c.wait(ctx, r.UPID, "the creation of "+describe(want), c.times.create); err != nil && id == want.VMID {
				return err
			}
		}
	}
	return nil
}

// candidates are the nodes on which the wanted guest may be.
func candidates(inv *inventory, want *machine.Guest) []string {
	if want.Node != "" && want.Node != "auto" {
		return []string{want.Node}
	}
	var names []string
	for _, n := range inv.nodes() {
		names = append(names, n.Node)
	}
	return names
}

// read reads a guest whose node is known.
func (c *Client) read(ctx context.Context, ref *machine.Guest) (*machine.Guest, error) {
	start := time.Now()
	for {
		g, _, err := c.readOnce(ctx, ref)
		if err != nil || g.Lock != "create" && g.Lock != "clone" {
			return g, err
		}
		if time.Since(start) > c.times.create {
			return nil, fmt.Errorf("cannot use %s: its creation has not ended for %s; if it was interrupted on the node, as root there: pct unlock %d && pct destroy %d",
				describe(g), c.times.create, g.VMID, g.VMID)
		}
		progressOf(ctx).Wait("the creation of "+describe(g), time.Since(start))
		if err := sleep(ctx, 5*c.times.backoff); err != nil {
			return nil, err
		}
	}
}

// pendingRow is a row of a guest's pending list: every key of its configuration
// with the value that it runs with and the one that waits.
type pendingRow struct {
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Pending json.RawMessage `json:"pending"`
	Delete  json.RawMessage `json:"delete"`
}

// readOnce reads configuration and state at the same time. The description comes
// back as it is, too.
func (c *Client) readOnce(ctx context.Context, ref *machine.Guest) (*machine.Guest, description, error) {
	var rows []pendingRow
	var status struct {
		Status string `json:"status"`
		Uptime int64  `json:"uptime"` // s
		Lock   string `json:"lock"`
		HA     struct {
			Managed int `json:"managed"`
		} `json:"ha"`
	}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.get(gctx, guestPath(ref)+"/pending", &rows) })
	group.Go(func() error { return c.get(gctx, guestPath(ref)+"/status/current", &status) })
	if err := group.Wait(); err != nil {
		return nil, description{}, err
	}
	g := &machine.Guest{Kind: ref.Kind, VMID: ref.VMID, Node: ref.Node, Pool: ref.Pool,
		Running: status.Status == "running", Uptime: time.Duration(status.Uptime) * time.Second, HA: status.HA.Managed == 1, Lock: status.Lock}
	d, err := fill(g, rows)
	return g, d, err
}

// fill puts the rows of the pending list into the guest.
func fill(g *machine.Guest, rows []pendingRow) (description, error) {
	g.Config, g.Pending = make(machine.Config), make(machine.Config)
	var text string
	for _, row := range rows {
		switch row.Key {
		case "digest":
			g.Digest = scalar(row.Value)
			continue
		case "lock":
			g.Lock = scalar(row.Value)
			continue
		case "description":
			text = scalar(row.Value)
			continue
		}
		if row.Value != nil {
			g.Config[row.Key] = scalar(row.Value)
		}
		if row.Pending != nil {
			g.Pending[row.Key] = scalar(row.Pending)
		} else if d := scalar(row.Delete); d != "" && d != "0" {
			g.Pending[row.Key] = ""
		}
	}
	d, err := parseDescription(text)
	if err != nil {
		return d, errors.Join(err, fmt.Errorf("mend or remove the block in the notes of %s", describe(g)))
	}
	g.Block, g.Notes = d.block, d.notes()
	return d, nil
}

// scalar returns a JSON string's text, and a number as it is written: Proxmox sends
// the same key as one or the other.
func scalar(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.TrimSpace(string(raw))
}
