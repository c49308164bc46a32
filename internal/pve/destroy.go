package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// ProtectedError says that a guest is protected from removal.
type ProtectedError struct{ VMID int }

func (e *ProtectedError) Error() string {
	return fmt.Sprintf("cannot destroy guest %d: it is protected", e.VMID)
}

// Hint says what removes the protection.
func (e *ProtectedError) Hint() string {
	return "take `protected: true` out of the stack and apply, then destroy"
}

// Destroy stops and removes a guest with its disks and everything in Proxmox that
// names it, and checks that it is gone. The guest must be the owner's and must not be
// protected, now and not only when it was observed. One that is gone is no error.
func (c *Client) Destroy(ctx context.Context, g *machine.Guest, owner *machine.Block, progress plan.Progress) error {
	ctx = withProgress(ctx, progress)
	defer c.Refresh()
	now, err := c.read(ctx, g)
	if c.vanished(ctx, g.VMID, err) {
		return c.verifyGone(ctx, g)
	}
	if err != nil {
		return err
	}
	if err := c.mayDestroy(now, owner); err != nil {
		return err
	}
	if now.Running {
		if err := c.stop(ctx, now); err != nil && !c.vanished(ctx, g.VMID, err) {
			return err
		}
	}
	if err := c.remove(ctx, now); err != nil && !c.vanished(ctx, g.VMID, err) {
		return err
	}
	return c.verifyGone(ctx, g)
}

func (c *Client) mayDestroy(now *machine.Guest, owner *machine.Block) error {
	if !now.Block.Owns(owner) {
		return &OwnerError{VMID: now.VMID, Name: now.Config[nameKey(now.Kind)], Owner: now.Block.Owner()}
	}
	if now.Config["protection"] == "1" {
		return &ProtectedError{VMID: now.VMID}
	}
	return c.fenced(now)
}

// remove removes a stopped guest.
func (c *Client) remove(ctx context.Context, g *machine.Guest) error {
	_, err := c.run(ctx, job{what: "the removal of " + describe(g), guest: g, kinds: []string{taskKind(g, "destroy")},
		method: http.MethodDelete, path: guestPath(g), params: params{"purge": "1", "destroy-unreferenced-disks": "1"}})
	failed, ok := errors.AsType[*TaskError](err)
	if ok && strings.Contains(failed.Status, "does not exist") {
		return nil
	}
	return err
}

// verifyGone asks Proxmox whether the vmid is free.
func (c *Client) verifyGone(ctx context.Context, g *machine.Guest) error {
	free, err := c.free(ctx, g.VMID)
	if err != nil {
		return fmt.Errorf("cannot verify that %s is gone: %w", describe(g), err)
	}
	if !free {
		return fmt.Errorf("cannot verify that %s is gone: Proxmox still has a guest of this vmid", describe(g))
	}
	return nil
}
