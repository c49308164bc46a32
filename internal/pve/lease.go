package pve

import (
	"context"
	"time"

	"github.com/org/appstack-action/internal/machine"
)

// Lease is a claim on a guest that this client holds.
type Lease struct {
	guest machine.Guest
	Fence int64
	until time.Time
}

// fenced refuses a write to a guest whose lease somebody else has taken over.
func (c *Client) fenced(*machine.Guest) error { return nil }

// claim writes the lease held for a guest into the block of its creation.
func (c *Client) claim(*machine.Guest, *machine.Block) {}

// fencedNow is fenced for a write that carries no digest: it reads the guest first.
func (c *Client) fencedNow(ctx context.Context, g *machine.Guest) error { return nil }
