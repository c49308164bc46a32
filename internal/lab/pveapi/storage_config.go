package pveapi

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// ---- /storage: the cluster's storage.cfg

func (st *Storage) config() map[string]any {
	m := map[string]any{"storage": st.ID, "type": st.Type, "content": st.contentText()}
	if st.Path != "" {
		m["path"] = st.Path
	}
	if len(st.Nodes) > 0 {
		m["nodes"] = strings.Join(st.Nodes, ",")
	}
	if st.Shared {
		m["shared"] = 1
	}
	if st.Disabled {
		m["disable"] = 1
	}
	for k, v := range st.Extra {
		m[k] = v
	}
	return m
}

// storageDigest is one for all storages, as they are in one file.
func (s *Server) storageDigest() string {
	raw, _ := json.Marshal(s.st.Storages) // plain data always marshals
	sum := sha1.Sum(raw)
	return hex.EncodeToString(sum[:])
}

func listStorageConfig(c *call) (any, error) {
	rows := []map[string]any{}
	for _, id := range sorted(c.st.Storages) {
		st := c.st.Storages[id]
		if t := c.p.str("type"); t != "" && t != st.Type || !c.mayUseStorage(id) {
			continue
		}
		row := st.config()
		row["digest"] = c.storageDigest()
		rows = append(rows, row)
	}
	return rows, nil
}

func getStorageConfig(c *call) (any, error) {
	st, err := c.storage(c.p.str("storage"))
	if err != nil {
		return nil, err
	}
	row := st.config()
	row["digest"] = c.storageDigest()
	return row, nil
}

func createStorage(c *call) (any, error) {
	id := c.p.str("storage")
	if c.st.Storages[id] != nil {
		return nil, fail("create storage failed: storage ID '%s' already defined", id)
	}
	st := &Storage{ID: id, Type: c.p.str("type"), Path: c.p.str("path"), Extra: map[string]string{}}
	for _, k := range []string{"thinpool", "vgname"} {
		if c.p.has(k) {
			st.Extra[k] = c.p.str(k)
		}
	}
	switch st.Type {
	case "dir", "btrfs", "lvmthin", "zfspool":
	default:
		return nil, fail("create storage failed: the lab has no storages of type '%s'", st.Type)
	}
	c.setStorage(st)
	if len(st.Content) == 0 {
		st.Content = []string{"images", "rootdir"}
	}
	c.st.Storages[id] = st
	return map[string]any{"storage": id, "type": st.Type}, nil
}

func (c *call) setStorage(st *Storage) {
	if c.p.has("content") {
		st.Content = c.p.list("content")
	}
	if c.p.has("nodes") {
		st.Nodes = c.p.list("nodes")
	}
	if c.p.has("disable") {
		st.Disabled = c.p.bool("disable")
	}
	if c.p.has("shared") {
		st.Shared = c.p.bool("shared")
	}
	for _, k := range schema.SplitList(c.p.str("delete")) {
		switch k {
		case "nodes":
			st.Nodes = nil
		case "disable":
			st.Disabled = false
		case "shared":
			st.Shared = false
		}
	}
}

func putStorage(c *call) (any, error) {
	st, err := c.storage(c.p.str("storage"))
	if err != nil {
		return nil, err
	}
	c.setStorage(st)
	return map[string]any{"storage": st.ID, "type": st.Type}, nil
}

func deleteStorage(c *call) (any, error) {
	st, err := c.storage(c.p.str("storage"))
	if err != nil {
		return nil, err
	}
	delete(c.st.Storages, st.ID)
	for _, p := range c.st.Pools {
		delete(p.Storage, st.ID)
	}
	return nil, nil
}
