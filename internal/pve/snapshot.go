package pve

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// CanSnapshot asks whether all volumes of the guest are on storages that can take
// snapshots. It needs VM.Audit.
func (c *Client) CanSnapshot(ctx context.Context, g *machine.Guest) (bool, error) {
	var feature struct {
		Has int `json:"hasFeature"`
	}
	err := c.get(ctx, guestPath(g)+"/feature?feature=snapshot", &feature)
	return feature.Has == 1, err
}

// Snapshot takes a snapshot. One of the same name is taken for the one wanted.
func (c *Client) Snapshot(ctx context.Context, g *machine.Guest, name, about string) error {
	if err := c.fencedNow(ctx, g); err != nil {
		return err
	}
	_, err := c.run(ctx, job{what: "the snapshot " + name + " of " + describe(g), guest: g,
		kinds: []string{taskKind(g, "snapshot")}, method: http.MethodPost, path: guestPath(g) + "/snapshot",
		params: params{"snapname": name, "description": about}})
	if err != nil && strings.Contains(err.Error(), "already used") {
		return nil
	}
	return err
}

// Rollback puts the guest back to a snapshot and starts it. What was written since is
// lost, and so are changes of its configuration; appstack's block survives.
func (c *Client) Rollback(ctx context.Context, g *machine.Guest, name string) error {
	if err := c.fencedNow(ctx, g); err != nil {
		return err
	}
	p := params{"start": "1"}
	if g.Kind == machine.KVM {
		p = nil
	}
	_, err := c.run(ctx, job{what: "the rollback of " + describe(g) + " to " + name, guest: g,
		kinds: []string{taskKind(g, "rollback")}, method: http.MethodPost,
		path: fmt.Sprintf("%s/snapshot/%s/rollback", guestPath(g), name), params: p})
	return err
}

// DeleteSnapshot removes a snapshot. One that is not there is no error.
func (c *Client) DeleteSnapshot(ctx context.Context, g *machine.Guest, name string) error {
	if err := c.fencedNow(ctx, g); err != nil {
		return err
	}
	_, err := c.run(ctx, job{what: "the removal of the snapshot " + name + " of " + describe(g), guest: g,
		kinds: []string{taskKind(g, "delsnapshot")}, method: http.MethodDelete,
		path: fmt.Sprintf("%s/snapshot/%s", guestPath(g), name)})
	if err != nil && strings.Contains(err.Error(), "does not exist") {
		return nil
	}
	return err
}

// taskKind is the type of the guest's task for a verb: vzstart, qmstart.
func taskKind(g *machine.Guest, verb string) string {
	if g.Kind == machine.KVM {
		return "qm" + verb
	}
	return "vz" + verb
}
