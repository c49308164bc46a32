package pveapi

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
)

func (st *Storage) contentText() string {
	c := append([]string(nil), st.Content...)
	sort.Strings(c)
	return strings.Join(c, ",")
}

// space is a storage's size and what its volumes and files take, in bytes.
func (s *Server) space(st *Storage, node string) (total, used int64) {
	total = st.Size
	if total == 0 {
		total = 100 * gib
	}
	for _, v := range s.st.Volumes {
		if id, _, _ := parseVolume(v.ID); id == st.ID && (v.Node == node || v.Node == "shared") {
			used += v.Size / 4
		}
	}
	for _, f := range s.files(st, node) {
		used += f.size
	}
	if used += 64 * mib; s.full[st.ID] || used > total {
		used = total
	}
	return total, used
}

// file is a template, image, snippet or backup in a storage of files.
type file struct {
	kind, name string
	size       int64
	ctime      int64
}

func (s *Server) files(st *Storage, node string) []file {
	var out []file
	if !st.hasFiles() {
		return nil
	}
	for _, kind := range sorted(volumeDirs) {
		if !st.has(kind) {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(s.hostDir(st, node), volumeDirs[kind]))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
				out = append(out, file{kind, e.Name(), info.Size(), info.ModTime().Unix()})
			}
		}
	}
	return out
}

// fileFormats are Proxmox's short names of archive formats, by the end of the file's name.
var fileFormats = []struct{ suffix, format string }{
	{".tar.zst", "tzst"}, {".tar.gz", "tgz"}, {".tar.xz", "txz"}, {".tar.bz2", "tbz2"}, {".iso", "iso"}, {".img", "iso"},
	{".qcow2", "qcow2"}, {".raw", "raw"}, {".vmdk", "vmdk"}, {".tar", "tar"},
}

func (f file) row(storage string) map[string]any {
	format := f.kind
	for _, e := range fileFormats {
		if strings.HasSuffix(f.name, e.suffix) {
			format = e.format
			break
		}
	}
	if f.kind == "snippets" {
		format = "snippet"
	}
	return map[string]any{"volid": storage + ":" + f.kind + "/" + f.name, "content": f.kind, "format": format, "size": f.size, "ctime": f.ctime}
}

func (v *volume) row() map[string]any {
	m := map[string]any{"volid": v.listName(), "content": v.Kind, "format": v.Format, "size": v.Size, "vmid": v.VMID, "parent": nil, "ctime": v.CTime, "used": v.Size / 4}
	return m
}

// listName is a volume's name in the storage, where a template's disks are called base-….
func (v *volume) listName() string {
	if v.Base {
		return strings.Replace(v.ID, "vm-", "base-", 1)
	}
	return v.ID
}

func (c *call) mayUseStorage(id string) bool {
	return c.needAny("/storage/"+id, "Datastore.Audit", "Datastore.AllocateSpace") == nil
}

// nodeStorages is GET /nodes/{node}/storage.
func nodeStorages(c *call) (any, error) {
	rows := []map[string]any{}
	if id := c.p.str("storage"); id != "" && c.st.Storages[id] == nil {
		return nil, paramError("storage", "No such storage.")
	}
	for _, id := range sorted(c.st.Storages) {
		st := c.st.Storages[id]
		if want := c.p.str("storage"); want != "" && want != id || !st.on(c.node()) || !c.mayUseStorage(id) {
			continue
		}
		if c.p.bool("enabled") && st.Disabled || !c.holdsContent(st) {
			continue
		}
		row := c.storageRow(st)
		row["storage"] = id
		if total, ok := row["total"].(int64); ok && total > 0 {
			row["used_fraction"] = float64(row["used"].(int64)) / float64(total)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (c *call) holdsContent(st *Storage) bool {
	want := c.p.list("content")
	for _, k := range want {
		if st.has(k) {
			return true
		}
	}
	return len(want) == 0
}

func (c *call) storageRow(st *Storage) map[string]any {
	m := map[string]any{"type": st.Type, "content": st.contentText(), "enabled": btoi(!st.Disabled), "active": 0, "shared": btoi(st.Shared), "total": 0, "used": 0, "avail": 0}
	if !st.Disabled {
		total, used := c.space(st, c.node())
		m["active"], m["total"], m["used"], m["avail"] = 1, total, used, total-used
	}
	return m
}

func storageStatus(c *call) (any, error) {
	st := c.st.Storages[c.p.str("storage")]
	if st == nil {
		return nil, paramError("storage", "No such storage.")
	}
	return c.storageRow(st), nil
}

// storageContent is GET …/content.
func storageContent(c *call) (any, error) {
	st, err := c.enabledStorage(c.p.str("storage"), c.node())
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	for _, key := range sorted(c.st.Volumes) {
		v := c.st.Volumes[key]
		id, _, _ := parseVolume(v.ID)
		if id == st.ID && (v.Node == c.node() || v.Node == "shared") && c.wants(v.Kind, v.VMID) && c.seesVolume(st, v.VMID) {
			rows = append(rows, v.row())
		}
	}
	for _, f := range c.files(st, c.node()) {
		if c.wants(f.kind, 0) {
			rows = append(rows, f.row(st.ID))
		}
	}
	return rows, nil
}

func (c *call) wants(kind string, vmid int) bool {
	if w := c.p.str("content"); w != "" && w != kind {
		return false
	}
	w := c.p.int("vmid", 0)
	return w == 0 || w == vmid
}

func (c *call) seesVolume(st *Storage, vmid int) bool {
	return c.can("/storage/"+st.ID, "Datastore.Allocate") || c.can("/storage/"+st.ID, "Datastore.Audit") && c.can(vmPath(vmid), "VM.Audit") || c.can(vmPath(vmid), "VM.Config.Disk")
}

// fullVolid completes a volume's name with its storage.
func (c *call) fullVolid() string {
	v := c.p.str("volume")
	if _, _, ok := parseVolume(v); !ok {
		v = c.p.str("storage") + ":" + v
	}
	return v
}

func getVolume(c *call) (any, error) {
	id := c.fullVolid()
	if err := c.useVolume(0, id, ""); err != nil {
		return nil, err
	}
	sid, name, _ := parseVolume(id)
	st, err := c.storage(sid)
	if err != nil {
		return nil, err
	}
	if v := c.volume(c.node(), id); v != nil {
		return map[string]any{"path": st.apiPath(name), "size": v.Size, "used": v.Size / 4, "format": v.Format}, nil
	}
	if info, err := os.Stat(c.hostFile(c.node(), id)); err == nil {
		return map[string]any{"path": st.apiPath(name), "size": info.Size(), "used": info.Size(), "format": "raw"}, nil
	}
	return nil, fail("volume_size_info on '%s' failed - no format", id)
}

func deleteVolume(c *call) (any, error) {
	id := c.fullVolid()
	sid, name, _ := parseVolume(id)
	st, err := c.storage(sid)
	if err != nil {
		return nil, err
	}
	kind, owner, err := st.volumeType(name)
	if err != nil {
		return nil, err
	}
	switch {
	case c.can("/storage/"+sid, "Datastore.Allocate"):
	case kind != "images" && c.can("/storage/"+sid, "Datastore.AllocateTemplate"):
	default:
		if err := c.need("/storage/"+sid, "Datastore.Allocate"); err != nil {
			return nil, err
		}
	}
	what := sid
	if owner != 0 {
		what = itoa(owner) + "@" + sid
	}
	nodeName := c.node()
	return c.fork("imgdel", what, func(t *task) error {
		if f := c.hostFile(nodeName, id); f != "" {
			if err := os.Remove(f); err != nil {
				t.log("disk image '%s' does not exist", st.apiPath(name))
			}
		} else if c.volume(nodeName, id) == nil {
			return fail("unable to remove volume '%s' - it does not exist", id)
		}
		c.free(nodeName, id)
		t.log("Removed volume '%s'", id)
		return nil
	})
}

// allocVolume is POST …/content: a bare disk for a guest.
func allocVolume(c *call) (any, error) {
	st, err := c.enabledStorage(c.p.str("storage"), c.node())
	if err != nil {
		return nil, err
	}
	size, ok := parseSize(c.p.str("size"))
	if !ok {
		return nil, paramError("size", "unable to parse size '%s'", c.p.str("size"))
	}
	if plainInt.MatchString(c.p.str("size")) {
		size *= 1024 // without a unit it is KiB
	}
	format := c.p.str("format")
	if format == "" {
		format = "raw"
	}
	v, err := c.alloc(nil, c.node(), st, c.vmid(), size, "images", format)
	if err != nil {
		return nil, err
	}
	return v.ID, nil
}
