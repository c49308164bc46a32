package pve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// ConflictError says that somebody changed a guest between plan and apply.
type ConflictError struct {
	VMID                int
	Key                 string
	Planned, Found, New string // value when the plan was made, now, and wanted
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("cannot set %s of guest %d to %q: it was %q when the plan was made and is %q now",
		e.Key, e.VMID, e.New, e.Planned, e.Found)
}

// Hint says what to do.
func (e *ConflictError) Hint() string {
	return "somebody else changed the guest: run again for a new plan"
}

// change is a change of a guest's configuration.
type change struct {
	set    machine.Config
	remove []string
	// block changes appstack's part of the description; nil leaves it.
	block func(*machine.Block) error
	// planned is the configuration that the change was planned for; nil: any.
	planned machine.Config
}

// rounds bounds how often a change is tried while others write, too.
const rounds = 8

// update carries a change out with the fewest keys and Proxmox's digest, and returns
// the guest as it is then. A change that is there already costs no write. Where the
// configuration changes in between, or the answer is lost, it looks again.
func (c *Client) update(ctx context.Context, ref *machine.Guest, ch change) (*machine.Guest, error) {
	var last error
	for range rounds {
		have, d, err := c.readOnce(ctx, ref)
		if err != nil {
			return nil, err
		}
		p, err := c.changes(have, d, ch)
		if err != nil || len(p) == 0 {
			return have, err
		}
		if have.Digest == "" {
			return nil, fmt.Errorf("cannot change %s: Proxmox sent no digest of its configuration", describe(ref))
		}
		p["digest"] = have.Digest
		last = c.call(ctx, http.MethodPut, guestPath(ref)+"/config", p, nil)
		switch e := asError(last); {
		case last == nil:
			after, _, err := c.readOnce(ctx, ref)
			return after, err
		case e == nil || !e.Uncertain && !digestText(e.Message):
			return nil, errors.Join(last, c.replug(ctx, have, ch, e))
		}
		if err := sleep(ctx, c.times.backoff); err != nil {
			return nil, errors.Join(last, err)
		}
	}
	return nil, fmt.Errorf("cannot change %s in %d attempts: %w", describe(ref), rounds, last)
}

// digestText recognises the refusal of a write whose digest is not the present one:
// a container's and a VM's.
func digestText(s string) bool {
	return strings.Contains(s, "detected modified configuration") || strings.Contains(s, "checksum mismatch")
}

// changes returns the parameters that are needed to get from have to the change.
func (c *Client) changes(have *machine.Guest, d description, ch change) (params, error) {
	if err := c.fenced(have); err != nil {
		return nil, err
	}
	p, next := make(params), have.Next()
	for key, want := range ch.set {
		want = machine.Merge(key, next[key], want)
		if next[key] == want {
			continue
		}
		if err := ch.stillPlanned(have.VMID, key, next[key], want); err != nil {
			return nil, err
		}
		p[key] = want
	}
	if gone := ch.removals(next); len(gone) > 0 {
		p["delete"] = strings.Join(gone, ",")
	}
	text, err := ch.describe(d)
	if err == nil && text != d.String() {
		p["description"] = text
	}
	return p, err
}

// record changes appstack's block in a guest's description, for instance the host keys
// that its guest agent tells. edit may be called several times, with the block as it is then.
func (c *Client) record(ctx context.Context, g *machine.Guest, edit func(*machine.Block)) (*machine.Guest, error) {
	return c.update(ctx, g, change{block: func(b *machine.Block) error {
		edit(b)
		return nil
	}})
}

// stillPlanned refuses to overwrite a value that the plan has not seen.
func (ch change) stillPlanned(vmid int, key, found, want string) error {
	if ch.planned == nil || ch.planned[key] == found || key == "cipassword" {
		return nil
	}
	return &ConflictError{VMID: vmid, Key: key, Planned: ch.planned[key], Found: found, New: want}
}

// removals are the keys to remove that are still there.
func (ch change) removals(next machine.Config) []string {
	var keys []string
	for _, key := range ch.remove {
		if _, there := next[key]; there {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// describe returns the description with the changed block.
func (ch change) describe(d description) (string, error) {
	if ch.block == nil {
		return d.String(), nil
	}
	block := new(machine.Block)
	if d.block != nil {
		*block = *d.block
	}
	if err := ch.block(block); err != nil {
		return "", err
	}
	if block.Project == "" {
		return d.String(), nil // a guest that is nobody's stays so
	}
	d.block = block
	text := d.String()
	if n := len([]rune(text)); n > maxDescription {
		return "", fmt.Errorf("cannot write a description of %d characters: Proxmox keeps %d", n, maxDescription)
	}
	return text, nil
}

// replug puts a network interface back as it was: Proxmox unplugs it before it finds
// that the new value cannot be plugged in.
func (c *Client) replug(ctx context.Context, have *machine.Guest, ch change, e *Error) error {
	if e == nil || e.Status != http.StatusBadRequest || !have.Running {
		return nil
	}
	p := make(params)
	for key := range maps.Keys(ch.set) {
		if strings.HasPrefix(key, "net") && strings.Contains(e.Params[key], "unable to hotplug") && have.Config[key] != "" {
			p[key] = have.Config[key]
		}
	}
	if len(p) == 0 {
		return nil
	}
	if err := c.call(ctx, http.MethodPut, guestPath(have)+"/config", p, nil); err != nil {
		return fmt.Errorf("cannot plug the former network interface in again: %w", err)
	}
	return nil
}
