package membackend

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// Snapshot implements [pveapi.Backend].
func (b *Backend) Snapshot(_ context.Context, vmid int, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err == nil {
		m.snapshots[name] = maps.Clone(m.Files)
	}
	return err
}

// Rollback implements [pveapi.Backend].
func (b *Backend) Rollback(_ context.Context, vmid int, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil {
		return err
	}
	snap, ok := m.snapshots[name]
	switch {
	case m.Running:
		return errors.New("guest is running")
	case !ok:
		return fmt.Errorf("no snapshot %q", name)
	}
	m.Files = maps.Clone(snap)
	return nil
}

// DeleteSnapshot implements [pveapi.Backend].
func (b *Backend) DeleteSnapshot(_ context.Context, vmid int, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err == nil {
		delete(m.snapshots, name)
	}
	return err
}

// Clone implements [pveapi.Backend]. Host keys are copied, as Proxmox does.
func (b *Backend) Clone(_ context.Context, vmid, newid int, snapshot string, _ func(string)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err != nil {
		return err
	}
	files := m.Files
	if snapshot != "" {
		files = m.snapshots[snapshot]
	}
	n := &machine{Guest: m.Guest, size: m.size, snapshots: map[string]map[string]string{}}
	n.Running, n.Hung, n.Files, n.Config, n.Drive = false, false, maps.Clone(files), maps.Clone(m.Config), nil
	if n.Files == nil {
		n.Files = map[string]string{}
	}
	b.guests[newid] = n
	return nil
}
