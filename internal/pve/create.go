package pve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// later are the keys that are set after a creation: a token whose rights come from a
// pool may set tags only when the guest is in the pool.
var later = []string{"tags"}

// create makes the wanted guest and leaves it stopped. Its description says from the
// first moment whose it is, and that it is not complete yet.
func (c *Client) create(ctx context.Context, want *machine.Guest) (*machine.Guest, error) {
	if want.Origin == nil || want.Block == nil {
		return nil, errors.New("cannot create a guest without an origin and an owner")
	}
	block := *want.Block
	block.Creating = true
	c.claim(want, &block)
	text, err := ownedDescription(want.Notes, &block)
	if err != nil {
		return nil, err
	}
	var keys []string
	if want.Kind == machine.KVM {
		err = c.createVM(ctx, want, text)
	} else {
		keys, err = c.createCT(ctx, want, text)
	}
	c.Refresh()
	if err != nil {
		return nil, err
	}
	c.claimed(want.VMID)
	return c.complete(ctx, want, keys)
}

// complete ends a creation: host keys, tags, and the mark taken off. It is also what
// a later run does with a guest whose creation was cut short.
func (c *Client) complete(ctx context.Context, want *machine.Guest, keys []string) (*machine.Guest, error) {
	set := make(machine.Config)
	for _, key := range later {
		if value := want.Config[key]; value != "" {
			set[key] = value
		}
	}
	return c.update(ctx, want, change{set: set, block: func(b *machine.Block) error {
		b.Creating = false
		if len(keys) > 0 {
			b.HostKeys = keys
		}
		return nil
	}})
}

// createCT makes a container from a template and returns its SSH host keys.
func (c *Client) createCT(ctx context.Context, want *machine.Guest, text string) ([]string, error) {
	if want.Origin.Download {
		if err := c.download(ctx, want); err != nil {
			return nil, err
		}
	}
	t, err := c.run(ctx, job{what: "the creation of " + describe(want), guest: want, kinds: creating,
		method: http.MethodPost, path: "/nodes/" + want.Node + "/lxc", params: ctParams(want, text), limit: c.times.create})
	if err != nil {
		return nil, err
	}
	log, err := c.taskLog(ctx, t.upid)
	return hostKeys(log), err
}

// ctParams are the parameters of a container's creation.
func ctParams(want *machine.Guest, text string) params {
	p := params(maps.Clone(want.Config))
	for _, key := range later {
		delete(p, key)
	}
	p["vmid"] = strconv.Itoa(want.VMID)
	p["ostemplate"] = want.Origin.Template
	p["rootfs"] = fmt.Sprintf("%s:%d", want.Origin.Storage, want.Origin.DiskGiB)
	p["description"] = text
	if want.Pool != "" {
		p["pool"] = want.Pool
	}
	if len(want.Origin.SSHKeys) > 0 {
		p["ssh-public-keys"] = strings.Join(want.Origin.SSHKeys, "\n")
	}
	if password := want.Origin.Password.Reveal(); password != "" {
		p["password"] = password
	}
	return p
}
