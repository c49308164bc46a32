package pveapi

import "strings"

func (p *pool) row(id string) map[string]any {
	m := map[string]any{"poolid": id}
	if p.Comment != "" {
		m["comment"] = p.Comment
	}
	return m
}

// listPools is GET /pools; with poolid= the pool with its members.
func listPools(c *call) (any, error) {
	rows := []map[string]any{}
	if id := c.p.str("poolid"); id != "" {
		if err := c.need("/pool/"+id, "Pool.Audit"); err != nil {
			return nil, err
		}
		p, err := c.pool(id)
		if err != nil {
			return nil, err
		}
		row := p.row(id)
		row["members"] = c.members(p)
		return append(rows, row), nil
	}
	for _, id := range sorted(c.st.Pools) {
		if c.can("/pool/"+id, "Pool.Audit") {
			rows = append(rows, c.st.Pools[id].row(id))
		}
	}
	return rows, nil
}

func (s *Server) pool(id string) (*pool, error) {
	if p := s.st.Pools[id]; p != nil {
		return p, nil
	}
	return nil, fail("pool '%s' does not exist", id)
}

func (c *call) members(p *pool) []map[string]any {
	rows := c.guestResources(p)
	if len(p.Storage) > 0 {
		rows = append(rows, c.storageResources(p)...)
	}
	kind := c.p.str("type")
	out := []map[string]any{}
	for _, r := range rows {
		if kind == "" || r["type"] == kind {
			out = append(out, r)
		}
	}
	return out
}

func getPool(c *call) (any, error) {
	id := c.p.str("poolid")
	p, err := c.pool(id)
	if err != nil {
		return nil, err
	}
	row := p.row(id)
	row["members"] = c.members(p)
	return row, nil
}

func createPool(c *call) (any, error) {
	id := c.p.str("poolid")
	if c.st.Pools[id] != nil {
		return nil, fail("create pool failed: pool '%s' already exists", id)
	}
	if parent := id[:max(strings.LastIndexByte(id, '/'), 0)]; parent != "" && c.st.Pools[parent] == nil {
		return nil, fail("create pool failed: parent '%s' of pool '%s' does not exist", parent, id)
	}
	c.st.Pools[id] = &pool{Comment: c.p.str("comment"), VMs: map[int]bool{}, Storage: map[string]bool{}}
	return nil, nil
}

// putPool is PUT /pools and PUT /pools/{poolid}: members in, or with delete=1 out.
func putPool(c *call) (any, error) {
	id := c.p.str("poolid")
	p := c.st.Pools[id]
	if p == nil {
		return nil, fail("update pools failed: pool '%s' does not exist", id)
	}
	if c.p.has("comment") {
		p.Comment = c.p.str("comment")
	}
	remove := c.p.bool("delete")
	for _, v := range c.p.list("vms") {
		if err := c.poolGuest(p, atoi(v), remove); err != nil {
			return nil, err
		}
	}
	for _, st := range c.p.list("storage") {
		if err := c.poolStorage(p, st, remove); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (c *call) poolGuest(p *pool, vmid int, remove bool) error {
	if err := c.needAny(vmPath(vmid), "VM.Allocate", "Pool.Allocate"); err != nil && !c.can(vmPath(vmid), "VM.Allocate") {
		return denied("%s, VM.Allocate", vmPath(vmid))
	}
	switch {
	case remove && !p.VMs[vmid]:
		return fail("update pools failed: VM %d is not a pool member", vmid)
	case remove:
		delete(p.VMs, vmid)
		return nil
	case p.VMs[vmid]:
		return fail("update pools failed: VM %d is already a pool member", vmid)
	}
	for other, q := range c.st.Pools {
		if !q.VMs[vmid] {
			continue
		}
		if !c.p.bool("allow-move") {
			return fail("update pools failed: VM %d belongs already to pool '%s' and 'allow-move' is not set", vmid, other)
		}
		if err := c.need("/pool/"+other, "Pool.Allocate"); err != nil {
			return err
		}
		delete(q.VMs, vmid)
	}
	p.VMs[vmid] = true
	return nil
}

func (c *call) poolStorage(p *pool, id string, remove bool) error {
	if err := c.need("/storage/"+id, "Datastore.Allocate"); err != nil {
		return err
	}
	switch {
	case remove && !p.Storage[id]:
		return fail("update pools failed: Storage '%s' is not a pool member", id)
	case remove:
		delete(p.Storage, id)
	case p.Storage[id]:
		return fail("update pools failed: Storage '%s' is already a pool member", id)
	default:
		p.Storage[id] = true
	}
	return nil
}

func deletePool(c *call) (any, error) {
	id := c.p.str("poolid")
	p := c.st.Pools[id]
	if p == nil {
		return nil, fail("delete pool failed: pool '%s' does not exist", id)
	}
	for other := range c.st.Pools {
		if strings.HasPrefix(other, id+"/") {
			return nil, fail("delete pool failed: pool '%s' is not empty (contains pool '%s')", id, other)
		}
	}
	for _, vmid := range sorted(p.VMs) {
		if c.st.Guests[vmid] != nil {
			return nil, fail("delete pool failed: pool '%s' is not empty (contains VM %d)", id, vmid)
		}
	}
	for _, st := range sorted(p.Storage) {
		return nil, fail("delete pool failed: pool '%s' is not empty (contains storage '%s')", id, st)
	}
	delete(c.st.Pools, id)
	delete(c.st.ACL, "/pool/"+id)
	return nil, nil
}
