package lxc

import (
	"context"
	"errors"
	"fmt"
)

// Update implements the API's Backend.
func (b *Backend) Update(ctx context.Context, vmid int, config map[string]string) error {
	g, unlock := b.lock(vmid)
	defer unlock()
	m, err := g.meta()
	if err != nil {
		return err
	}
	have := m.Config
	r := g.running()
	for _, d := range disks(config) {
		if r != nil && have[d.key] == "" {
			return fmt.Errorf("cannot hot-plug %s: the lab mounts it at the container's next start", d.key)
		}
	}
	m.Config = config
	if err := g.saveMeta(m); err != nil {
		return err
	}
	if r == nil {
		return b.store.whileMounted(ctx, g, func(string) error { return b.customize(g, m) })
	}
	return errors.Join(b.setLimits(vmid, config), b.plugNets(ctx, g, r.pid, have, m))
}
