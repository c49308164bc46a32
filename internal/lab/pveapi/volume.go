package pveapi

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// parseVolume splits STORAGE:NAME; ok is false for a path or nonsense.
func parseVolume(id string) (storage, name string, ok bool) {
	m := volumeRE.FindStringSubmatch(id)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

var (
	volumeRE   = regexp.MustCompile(`(?is)^([a-z][a-z0-9\-_.]*[a-z0-9]):(.+)$`)
	newDiskRE  = regexp.MustCompile(`^([^:\s]+):(\d+(?:\.\d+)?)$`)
	dirImageRE = regexp.MustCompile(`^(\d+)/((?:vm|base|subvol|basevol)-(\d+)-[^/\s]+)$|^(\d+)/([^/\s]+\.(?:raw|qcow2|vmdk|subvol))$`)
	lvmImageRE = regexp.MustCompile(`^((?:vm|base|subvol|basevol)-(\d+)-\S+)$`)
)

// volumeDirs maps what a storage of files holds beside images to its directory.
var volumeDirs = map[string]string{
	"vztmpl": "template/cache", "iso": "template/iso", "backup": "dump", "snippets": "snippets", "import": "import",
}

// volumeType tells what a volume's name stands for: images, vztmpl, iso, … and, for a
// guest's disk, whose. Where the storage cannot have such a name, Proxmox's error.
func (st *Storage) volumeType(name string) (kind string, owner int, err error) {
	if kind, _, ok := strings.Cut(name, "/"); ok && volumeDirs[kind] != "" && st.hasFiles() {
		return kind, 0, nil
	}
	if !st.hasFiles() {
		if m := lvmImageRE.FindStringSubmatch(name); m != nil {
			return "images", atoi(m[2]), nil
		}
		kindOf := map[string]string{"lvmthin": "lvm", "zfspool": "zfs"}[st.Type]
		return "", 0, fail("unable to parse %s volume name '%s'", kindOf, name)
	}
	if m := dirImageRE.FindStringSubmatch(name); m != nil {
		return "images", atoi(m[1] + m[4]), nil
	}
	return "", 0, fail("unable to parse directory volume name '%s'", name)
}

func atoi(s string) int {
	n := 0
	_, _ = fmt.Sscanf(s, "%d", &n)
	return n
}

// hasFiles tells whether the storage is a directory.
func (st *Storage) hasFiles() bool { return st.Type == "dir" || st.Type == "btrfs" }

// snapshots tells whether the storage can take snapshots of containers' volumes.
func (st *Storage) snapshots() bool { return st.Type != "dir" }

func (st *Storage) has(content string) bool {
	for _, c := range st.Content {
		if c == content {
			return true
		}
	}
	return false
}

func (st *Storage) on(node string) bool {
	for _, n := range st.Nodes {
		if n == node {
			return true
		}
	}
	return len(st.Nodes) == 0
}

// storage finds a storage's configuration.
func (s *Server) storage(id string) (*Storage, error) {
	if st := s.st.Storages[id]; st != nil {
		return st, nil
	}
	return nil, fail("storage '%s' does not exist", id)
}

// enabledStorage is one that the node may use.
func (s *Server) enabledStorage(id, node string) (*Storage, error) {
	st, err := s.storage(id)
	switch {
	case err != nil:
		return nil, err
	case st.Disabled:
		return nil, fail("storage '%s' is disabled", id)
	case !st.on(node):
		return nil, fail("storage '%s' is not available on node '%s'", id, node)
	}
	return st, nil
}

// hostDir is the real directory that plays a storage of files; a shared one has no node.
func (s *Server) hostDir(st *Storage, node string) string {
	if st.Shared {
		node = "shared"
	}
	return filepath.Join(s.opt.Dir, "storage", node, st.ID)
}

// hostFile is the real file of a template, image or snippet; "" for a guest's disk.
func (s *Server) hostFile(node, volid string) string {
	id, name, ok := parseVolume(volid)
	st := s.st.Storages[id]
	if !ok || st == nil {
		return ""
	}
	kind, file, _ := strings.Cut(name, "/")
	dir, ok := volumeDirs[kind]
	if !ok || strings.Contains(file, "/") || file == "" || file == "." || file == ".." {
		return ""
	}
	return filepath.Join(s.hostDir(st, node), dir, file)
}

// TemplateDir is the directory whose files are a storage's container templates. It is made.
func (s *Server) TemplateDir(node, storage string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.storage(storage)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.hostDir(st, node), volumeDirs["vztmpl"])
	return dir, os.MkdirAll(dir, 0o755)
}

// apiPath is a volume's path as the API shows it.
func (st *Storage) apiPath(name string) string {
	kind, file, _ := strings.Cut(name, "/")
	if dir, ok := volumeDirs[kind]; ok {
		return path.Join(st.Path, dir, file)
	}
	switch st.Type {
	case "dir":
		return path.Join(st.Path, "images", name)
	case "btrfs":
		return path.Join(st.Path, "images", strings.TrimSuffix(name, ".raw"), "disk.raw")
	case "zfspool":
		return path.Join("/rpool/data", name)
	}
	return path.Join("/dev/pve", name)
}

func volKey(node, id string) string { return node + " " + id }

func (s *Server) volume(node, id string) *volume {
	if v := s.st.Volumes[volKey(node, id)]; v != nil {
		return v
	}
	return s.st.Volumes[volKey("shared", id)]
}

// alloc makes the next disk of a guest on a storage and logs what Proxmox's tools print.
func (s *Server) alloc(t *task, node string, st *Storage, vmid int, size int64, kind, format string) (*volume, error) {
	if s.full[st.ID] {
		return nil, fail("unable to create image: No space left on device")
	}
	v := &volume{Node: node, VMID: vmid, Size: size, Kind: kind, Format: format, CTime: s.now().Unix()}
	if st.Shared {
		v.Node = "shared"
	}
	for n := 0; ; n++ {
		v.ID = st.ID + ":" + st.diskName(vmid, n, format)
		if s.volume(node, v.ID) == nil && s.volume(node, strings.Replace(v.ID, "vm-", "base-", 1)) == nil {
			break
		}
	}
	s.st.Volumes[volKey(v.Node, v.ID)] = v
	_, name, _ := parseVolume(v.ID)
	switch {
	case t == nil || format == "subvol":
	case st.Type == "dir":
		t.log("Formatting '%s', fmt=%s size=%d preallocation=off", st.apiPath(name), format, size)
	case st.Type == "lvmthin":
		t.log("  Logical volume \"%s\" created.", name)
	}
	return v, nil
}

func (st *Storage) diskName(vmid, n int, format string) string {
	switch {
	case format == "subvol":
		name := fmt.Sprintf("subvol-%d-disk-%d", vmid, n)
		if st.hasFiles() {
			return fmt.Sprintf("%d/%s.subvol", vmid, name)
		}
		return name
	case st.hasFiles():
		return fmt.Sprintf("%d/vm-%d-disk-%d.%s", vmid, vmid, n, format)
	}
	return fmt.Sprintf("vm-%d-disk-%d", vmid, n)
}

func (s *Server) free(node, id string) {
	delete(s.st.Volumes, volKey(node, id))
	delete(s.st.Volumes, volKey("shared", id))
}

// useVolume checks that the caller may read a volume as content for a guest.
func (c *call) useVolume(vmid int, volid, kind string) error {
	id, name, ok := parseVolume(volid)
	if !ok {
		if c.who.root() {
			return nil
		}
		return fail("Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 651.")
	}
	st, err := c.storage(id)
	if err != nil {
		return err
	}
	have, owner, err := st.volumeType(name)
	if err != nil {
		return err
	}
	if kind != "" && have != kind && !(kind == "rootdir" && have == "images") {
		return fail("unable to use volume %s - content type needs to be '%s'", volid, kind)
	}
	path := "/storage/" + id
	switch {
	case c.can(path, "Datastore.Allocate"):
		return nil
	case have == "iso" || have == "vztmpl" || have == "import":
		return c.needAny(path, "Datastore.AllocateSpace", "Datastore.Audit")
	case owner == vmid && vmid != 0:
		return nil
	case have == "images" && owner != 0:
		if err := c.need(path, "Datastore.Audit"); err != nil {
			return err
		}
		return c.need(vmPath(owner), "VM.Config.Disk")
	}
	return fail("missing privileges to access %s", volid)
}
