package lxc

import (
	"context"
	"errors"
	"io"
)

// Update implements the API's Backend.
func (b *Backend) Update(ctx context.Context, vmid int, config map[string]string) error {
	g, unlock := b.lock(vmid)
	defer unlock()
	m, err := g.meta()
	if err != nil {
		return err
	}
	m.Config = config
	if err := g.saveMeta(m); err != nil {
		return err
	}
	if g.running() == nil {
		return b.store.whileMounted(ctx, g, func(string) error { return b.customize(g, config) })
	}
	return b.setLimits(vmid, config)
}

// Console implements the API's Backend.
func (b *Backend) Console(ctx context.Context, vmid int, shell bool) (io.ReadWriteCloser, error) {
	return nil, errors.ErrUnsupported
}
