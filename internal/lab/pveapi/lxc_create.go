package pveapi

import (
	"context"
	"fmt"
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
