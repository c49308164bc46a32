package pveapi

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

// backendCtx is for work on guests that no request or task may abort.
func (s *Server) backendCtx() context.Context { return context.Background() }

// creation is what POST /nodes/{node}/lxc will do, once everything about it is checked.
type creation struct {
	vmid         int
	pool         string
	template     string // volume id
	storage      string // default for sizes without one
	unprivileged bool
	mounts       map[string]string // rootfs, mp0, …
	conf         guestconf.Section
	password     string
	keys         string
	start        bool
	ha           bool
}

// createLXC is POST /nodes/{node}/lxc.
func createLXC(c *call) (any, error) {
	cr := &creation{
		vmid: c.vmid(), pool: c.p.str("pool"), template: c.p.str("ostemplate"), storage: c.p.str("storage"),
		unprivileged: !c.p.has("unprivileged") || c.p.bool("unprivileged"), mounts: map[string]string{},
		conf: guestconf.Section{}, password: c.p.str("password"), keys: c.p.str("ssh-public-keys"),
		start: c.p.bool("start"), ha: c.p.bool("ha-managed"),
	}
	if cr.storage == "" {
		cr.storage = "local"
	}
	if err := c.mayCreate(cr); err != nil {
		return nil, err
	}
	if err := c.prepareCreate(cr); err != nil {
		return nil, err
	}
	if c.p.bool("restore") {
		return nil, fail("unable to restore CT %d - the lab keeps no backups", cr.vmid)
	}
	g := &guest{VMID: cr.vmid, Node: c.node(), Type: "lxc", Conf: guestconf.New(), NewAt: c.now().Unix()}
	g.Conf.Current["lock"] = "create"
	c.st.Guests[cr.vmid] = g
	unlock, err := c.lockGuest(c.ctx, cr.vmid, nil)
	if err != nil {
		return nil, err
	}
	return c.fork("vzcreate", itoa(cr.vmid), func(t *task) error {
		if err := c.runCreate(t, g, cr, unlock); err != nil {
			return err
		}
		return c.afterCreate(t, cr)
	}, func() { c.forget(cr.vmid); unlock() })
}

// mayCreate checks privileges and existence in Proxmox's order.
func (c *call) mayCreate(cr *creation) error {
	if !cr.unprivileged && !c.p.bool("restore") {
		if err := c.need("/", "Sys.Modify"); err != nil {
			return err
		}
	}
	if cr.ha {
		if err := c.need("/", "Sys.Console"); err != nil {
			return err
		}
	}
	if err := c.unused(cr.vmid); err != nil {
		return err
	}
	if err := checkKeys(cr.keys); err != nil {
		return err
	}
	if cr.pool != "" && c.st.Pools[cr.pool] == nil {
		return denied("pool '%s' does not exist", cr.pool)
	}
	if !c.can(vmPath(cr.vmid), "VM.Allocate") && (cr.pool == "" || !c.can("/pool/"+cr.pool, "VM.Allocate")) {
		return denied("")
	}
	set := c.settings()
	delete(set, "unprivileged")
	if err := c.checkLXC(lxcChange{vmid: cr.vmid, pool: cr.pool, unprivileged: cr.unprivileged}, set, nil); err != nil {
		return err
	}
	content := "vztmpl"
	if c.p.bool("restore") {
		content = "backup"
	}
	return c.useVolume(cr.vmid, cr.template, content)
}

// checkKeys takes what ssh-keygen -l takes: one key a line.
func checkKeys(text string) error {
	for _, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err != nil {
			return fail("SSH public key validation error")
		}
	}
	return nil
}

func (c *call) prepareCreate(cr *creation) error {
	for o, v := range c.settings() {
		switch {
		case o == "unprivileged" || isUnused.MatchString(o):
		case isMount.MatchString(o):
			if _, isNumber := parseSize(v); isNumber && !strings.ContainsAny(v, "KMGTiB") {
				v = cr.storage + ":" + v
			}
			cr.mounts[o] = v
		default:
			n, err := c.normalLXC(nil, o, v)
			if err != nil {
				return err
			}
			if isNet.MatchString(o) {
				if n, err = c.normalNet(n); err != nil {
					return err
				}
			}
			cr.conf[o] = n
		}
	}
	if cr.conf["description"] == "" {
		delete(cr.conf, "description")
	}
	if len(cr.mounts) > 0 && cr.mounts["rootfs"] == "" {
		return fail("mount points configured, but 'rootfs' not set - aborting")
	}
	if cr.unprivileged {
		cr.conf["unprivileged"] = "1"
	}
	return c.checkCreateStorages(cr)
}

func (c *call) checkCreateStorages(cr *creation) error {
	if cr.mounts["rootfs"] == "" {
		return c.checkCreateStorage(cr.storage)
	}
	for _, o := range sortedByPriv(cr.mounts) {
		mp, err := c.parseOption("lxc", o, cr.mounts[o])
		if err != nil {
			return err
		}
		id, _, ok := parseVolume(mp["volume"])
		if !ok {
			continue
		}
		if err := c.checkCreateStorage(id); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) checkCreateStorage(id string) error {
	st, err := c.enabledStorage(id, c.node())
	if err != nil {
		return err
	}
	if !st.has("rootdir") {
		return paramError("storage", "storage '%s' does not support container directories", id)
	}
	return c.need("/storage/"+id, "Datastore.AllocateSpace")
}

// runCreate is the task: disks, template, configuration. On failure nothing is left.
func (c *call) runCreate(t *task, g *guest, cr *creation, unlock func()) error {
	defer unlock()
	if cr.mounts["rootfs"] == "" {
		cr.mounts["rootfs"] = cr.storage + ":4"
	}
	made, err := c.createDisks(t, g, cr)
	if err == nil {
		err = c.unpack(t, g, cr)
	}
	if err != nil {
		for _, v := range made {
			c.free(g.Node, v.ID)
		}
		vmid := g.VMID
		c.unlocked(func() {
			if derr := c.opt.Backend.Destroy(c.backendCtx(), vmid); derr != nil {
				c.opt.Log.Error("half a guest is left", "vmid", vmid, "err", derr)
			}
		})
		c.forget(g.VMID)
		return fail("unable to create CT %d - %s", cr.vmid, err.Error())
	}
	conf := g.Conf.Current
	if cr.conf["lock"] == "" {
		delete(conf, "lock")
	}
	for k, v := range map[string]string{"hostname": "CT" + itoa(cr.vmid), "memory": "512", "swap": "512"} {
		if conf[k] == "" {
			conf[k] = v
		}
	}
	if cr.pool != "" {
		if p := c.st.Pools[cr.pool]; p != nil {
			p.VMs[cr.vmid] = true
		}
	}
	return nil
}

// createDisks makes the volumes and puts them into the configuration.
func (c *call) createDisks(t *task, g *guest, cr *creation) ([]*volume, error) {
	var made []*volume
	for k, v := range cr.conf {
		g.Conf.Current[k] = v
	}
	for _, o := range diskOrder(cr.mounts) {
		mp, err := c.parseOption("lxc", o, cr.mounts[o])
		if err != nil {
			return made, err
		}
		m := newDiskRE.FindStringSubmatch(mp["volume"])
		if m == nil {
			if id, _, ok := parseVolume(mp["volume"]); ok && c.volume(g.Node, mp["volume"]) == nil && id != "" {
				return made, fail("volume '%s' does not exist", mp["volume"])
			}
			g.Conf.Current[o] = c.printOption("lxc", o, mp)
			continue
		}
		v, err := c.createDisk(t, g, m)
		if err != nil {
			return made, err
		}
		made = append(made, v)
		mp["volume"] = v.ID
		if mp["size"] = formatSize(v.Size); v.Size == 0 {
			mp["size"] = "0T"
		}
		g.Conf.Current[o] = c.printOption("lxc", o, mp)
	}
	return made, nil
}

func (c *call) createDisk(t *task, g *guest, m []string) (*volume, error) {
	st, err := c.storage(m[1])
	if err != nil {
		return nil, err
	}
	size, _ := parseSize(m[2] + "G")
	size = size / mib * mib // Proxmox allocates whole MiB
	format := "raw"
	if size == 0 || st.Type == "zfspool" {
		format = "subvol"
	}
	v, err := c.alloc(t, g.Node, st, g.VMID, size, "rootdir", format)
	if err == nil && format == "raw" {
		for _, line := range mkfsLog(size) {
			t.progress(line)
		}
	}
	return v, err
}

// diskOrder is rootfs, then the mount points by number.
func diskOrder(mounts map[string]string) []string {
	order := []string{}
	if _, ok := mounts["rootfs"]; ok {
		order = append(order, "rootfs")
	}
	for i := 0; i < 256; i++ {
		if k := fmt.Sprintf("mp%d", i); mounts[k] != "" {
			order = append(order, k)
		}
	}
	return order
}

// unpack lets the Backend make the machine.
func (c *call) unpack(t *task, g *guest, cr *creation) error {
	archive := c.hostFile(g.Node, cr.template)
	st, err := os.Stat(archive)
	if err != nil {
		t.log("volume '%s' does not exist", cr.template)
		return fail("volume '%s' does not exist", cr.template)
	}
	id, name, _ := parseVolume(cr.template)
	t.log("extracting archive '%s'", c.st.Storages[id].apiPath(name))
	rootfs := volumeOf(g.Conf.Current["rootfs"])
	vol := c.volume(g.Node, rootfs)
	if vol == nil {
		return fail("volume '%s' does not exist", rootfs)
	}
	if vol.Size > 0 && vol.Size < templateNeeds {
		return outOfSpace(t, g.VMID)
	}
	conf := g.Conf.Current.Clone()
	delete(conf, "lock")
	g.Conf.Current["arch"], g.Conf.Current["ostype"] = archOf(archive, conf), osOf(archive, conf)
	spec := Spec{Node: g.Node, Template: archive, Size: vol.Size, Unprivileged: cr.unprivileged, Password: cr.password, SSHKeys: cr.keys, Config: conf}
	visible := g.Conf
	g.Conf = guestconf.New() // during a creation only the lock is seen
	g.Conf.Current["lock"] = "create"
	report := &unpackLogger{t: t, size: st.Size(), arch: conf["arch"] == ""}
	c.unlocked(func() { err = c.opt.Backend.Create(t.ctx, g.VMID, spec, report.line) })
	g.Conf = visible
	if err != nil {
		if t.ctx.Err() != nil {
			return fail("command '%s' failed: received interrupt", tarCommand(g.VMID))
		}
		return err
	}
	report.head()
	c.warnNesting(t, g.Conf.Current)
	return nil
}

// templateNeeds is the least that a Debian template fits into.
const templateNeeds = 256 * mib

func outOfSpace(t *task, vmid int) error {
	for _, f := range []string{"usr/lib/udev/hwdb.bin", "usr/lib/udev/dmi_memory_id", "usr/lib/udev/ata_id"} {
		t.log("tar: ./%s: Cannot write: No space left on device", f)
	}
	t.log("tar: Exiting with failure status due to previous errors")
	return fail("command '%s' failed: exit code 2", tarCommand(vmid))
}

func tarCommand(vmid int) string {
	return fmt.Sprintf("lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- tar xpf - --zstd --totals --one-file-system -p --sparse --numeric-owner --acls --xattrs '--xattrs-include=user.*' '--xattrs-include=security.capability' '--warning=no-file-ignored' '--warning=no-xattr-write' -C /var/lib/lxc/%d/rootfs --skip-old-files --anchored --exclude './dev/*'", vmid)
}

// unpackLogger puts what tar and the detection print before the Backend's first line.
type unpackLogger struct {
	t     *task
	size  int64
	arch  bool // it has to be detected
	begun bool
}

func (l *unpackLogger) head() {
	if !l.begun {
		l.begun = true
		total := max(l.size*9, 4096)
		l.t.log("Total bytes read: %d (%s, %s/s)", total, humanSize(total), humanSize(max(total/4, 1024)))
		if l.arch {
			l.t.log("Detected container architecture: amd64")
		}
	}
}

func (l *unpackLogger) line(s string) {
	l.head()
	l.t.progress(s)
}

func archOf(_ string, conf guestconf.Section) string {
	if a := conf["arch"]; a != "" {
		return a
	}
	return "amd64"
}

// osOf takes the distribution from the template's name, as its os-release would say.
func osOf(archive string, conf guestconf.Section) string {
	if o := conf["ostype"]; o != "" {
		return o
	}
	base := filepath.Base(archive)
	for _, o := range []string{"debian", "devuan", "ubuntu", "centos", "fedora", "opensuse", "archlinux", "alpine", "gentoo", "nixos"} {
		if strings.HasPrefix(base, o) {
			return o
		}
	}
	return "unmanaged"
}

// warnNesting is Proxmox's warning about systemd without nesting.
func (s *Server) warnNesting(t *task, conf guestconf.Section) {
	f, err := s.parseOption("lxc", "features", conf["features"])
	if err == nil && f["nesting"] != "1" && conf["ostype"] != "alpine" && conf["ostype"] != "unmanaged" {
		t.warn("Systemd 252 detected. You may need to enable nesting.")
	}
}

func (c *call) afterCreate(t *task, cr *creation) error {
	if cr.start {
		c.forkStart(cr.vmid)
	}
	if cr.ha {
		t.log("Add as HA resource")
		state := map[bool]string{true: "started", false: "stopped"}[cr.start]
		c.st.HA["ct:"+itoa(cr.vmid)] = map[string]string{"type": "ct", "state": state}
	}
	return nil
}
