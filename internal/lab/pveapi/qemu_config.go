package pveapi

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

var (
	isDrive    = regexp.MustCompile(`^(?:ide|sata|scsi|virtio)\d+$|^(?:efidisk0|tpmstate0)$`)
	isIPConfig = regexp.MustCompile(`^ipconfig\d+$`)
	isPassed   = regexp.MustCompile(`^(?:unused|serial|usb|hostpci|virtiofs|parallel)\d+$`)
	isNUMA     = regexp.MustCompile(`^numa\d*$`)
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// The privilege that a VM's option needs, by Proxmox's groups of options.
var (
	cpuOptions     = set("affinity cores cpu cpulimit cpuunits smp sockets vcpus")
	memoryOptions  = set("allow-ksm balloon hugepages keephugepages memory shares")
	hwOptions      = set("acpi hotplug kvm machine scsihw smbios1 tablet vga watchdog audio0 rng0")
	generalOptions = set("agent autostart bios description keyboard localtime migrate_downtime migrate_speed name onboot ostype protection reboot startdate startup tdf template")
	diskOptions    = set("boot bootdisk vmstatestorage")
	cloudOptions   = set("cicustom cipassword citype ciuser ciupgrade nameserver searchdomain sshkeys")
	// fastPlugVM are options that a running VM takes at once.
	fastPlugVM = set("description hookscript lock migrate_downtime migrate_speed name onboot protection shares startup tags vmstatestorage")
)

// checkVM checks the caller's privileges for each option.
func (c *call) checkVM(vmid int, pool string, opts []string) error {
	if c.who.root() {
		return nil
	}
	for _, o := range opts {
		if err := c.checkVMOption(vmid, pool, o); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) checkVMOption(vmid int, pool, o string) error {
	switch {
	case isDrive.MatchString(o) || o == "cdrom" || isPassed.MatchString(o):
		return nil // depends on the value, see checkDrives
	case o == "tags":
		return c.need(vmPath(vmid), "VM.Config.Options")
	case cpuOptions[o] || isNUMA.MatchString(o):
		return c.needVM(vmid, pool, "VM.Config.CPU")
	case memoryOptions[o]:
		return c.needVM(vmid, pool, "VM.Config.Memory")
	case hwOptions[o]:
		return c.needVM(vmid, pool, "VM.Config.HWType")
	case generalOptions[o]:
		if err := c.needVM(vmid, pool, "VM.Config.Options"); err != nil || o != "startup" {
			return err
		}
		return c.need("/", "Sys.Modify")
	case o == "freeze":
		return c.needVM(vmid, pool, "VM.PowerMgmt")
	case diskOptions[o]:
		return c.needVM(vmid, pool, "VM.Config.Disk")
	case isNet.MatchString(o):
		return c.needVM(vmid, pool, "VM.Config.Network")
	case cloudOptions[o] || isIPConfig.MatchString(o):
		if pool != "" && c.needAny("/pool/"+pool, "VM.Config.Cloudinit", "VM.Config.Network") == nil {
			return nil
		}
		return c.needAny(vmPath(vmid), "VM.Config.Cloudinit", "VM.Config.Network")
	}
	return fail("only root can set '%s' config", o)
}

// checkVMValues checks disks, bridges and keys before anything is changed.
func (c *call) checkVMValues(vmid int, pool string, vals map[string]string, creating bool) error {
	for _, o := range sortedByPriv(vals) {
		v := vals[o]
		switch {
		case isDrive.MatchString(o):
			if err := c.checkDrive(vmid, pool, o, v, creating); err != nil {
				return err
			}
		case isNet.MatchString(o):
			net, err := c.parseOption("qemu", o, v)
			if err != nil {
				return err
			}
			if err := c.needBridge(net["bridge"], net["tag"], net["trunks"]); err != nil {
				return err
			}
		case o == "sshkeys":
			text, err := url.PathUnescape(v)
			if err != nil {
				text = v
			}
			if err := checkKeys(text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *call) checkDrive(vmid int, pool, o, v string, _ bool) error {
	d, err := c.parseOption("qemu", o, v)
	if err != nil {
		return err
	}
	file := d["file"]
	switch {
	case file == "none" || file == "cdrom":
		return c.needVM(vmid, pool, "VM.Config.CDROM")
	case strings.HasSuffix(file, ":cloudinit"):
		if err := c.needVM(vmid, pool, "VM.Config.Cloudinit"); err != nil {
			return err
		}
		id := strings.TrimSuffix(file, ":cloudinit")
		if _, err := c.storage(id); err != nil {
			return nil // found out by the task
		}
		return c.need("/storage/"+id, "Datastore.AllocateSpace")
	}
	if err := c.needVM(vmid, pool, "VM.Config.Disk"); err != nil {
		return err
	}
	if m := newDiskRE.FindStringSubmatch(file); m != nil {
		st, err := c.enabledStorage(m[1], c.node())
		if err != nil {
			return err
		}
		if err := c.need("/storage/"+st.ID, "Datastore.AllocateSpace"); err != nil {
			return err
		}
		if !st.has("images") {
			return fail("storage '%s' does not support vm images", st.ID)
		}
		if from := d["import-from"]; from != "" {
			return c.useVolume(vmid, from, "")
		}
		return nil
	}
	return c.useVolume(vmid, file, "")
}

// putVMConfig is PUT …/config: at once.
func putVMConfig(c *call) (any, error) { return c.changeVM(false) }

// postVMConfig is POST …/config: by a task.
func postVMConfig(c *call) (any, error) { return c.changeVM(true) }

func (c *call) changeVM(async bool) (any, error) {
	vals := c.settings()
	delete(vals, "lock")
	if len(vals)+len(c.p.undef) == 0 && !c.p.has("delete") && !c.p.has("revert") {
		return nil, fail("no options specified")
	}
	remove, revert := c.p.list("delete"), c.p.list("revert")
	keys := append(append(sortedByPriv(vals), remove...), revert...)
	vmid := c.vmid()
	if err := c.checkVM(vmid, "", keys); err != nil {
		return nil, err
	}
	for _, o := range append(append([]string{}, remove...), revert...) {
		if !c.isOption("qemu", o) {
			return nil, paramError("delete", "unknown option '%s'", o)
		}
		if _, both := vals[o]; both {
			return nil, paramError("delete", "you can't use '-%s' and '-delete %s' at the same time", o, o)
		}
	}
	if err := c.checkVMValues(vmid, "", vals, false); err != nil {
		return nil, err
	}
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if err := g.checkDigest(c.p.str("digest")); err != nil {
		return nil, err
	}
	if err := g.checkLock(); err != nil {
		return nil, err
	}
	if !async {
		unlock, err := c.lockGuest(c.ctx, vmid, nil)
		if err != nil {
			return nil, err
		}
		defer unlock()
		return nil, c.updateVM(nil, g, vals, remove, revert)
	}
	return c.powerTaskVM("qmconfig", func(t *task, g *guest) error {
		t.log("update VM %d:%s", vmid, arguments(vals, remove, revert))
		return c.updateVM(t, g, vals, remove, revert)
	})
}

// arguments writes a change as qm set would take it.
func arguments(vals map[string]string, remove, revert []string) string {
	var b strings.Builder
	if len(remove) > 0 {
		fmt.Fprintf(&b, " -delete %s", strings.Join(remove, ","))
	}
	if len(revert) > 0 {
		fmt.Fprintf(&b, " -revert %s", strings.Join(revert, ","))
	}
	for _, k := range sortedByPriv(vals) {
		v := vals[k]
		if k == "cipassword" {
			v = "<hidden>"
		}
		fmt.Fprintf(&b, " -%s %s", k, v)
	}
	return b.String()
}

// updateVM queues changes and carries out those that can be at this moment.
func (c *call) updateVM(t *task, g *guest, vals map[string]string, remove, revert []string) error {
	conf := g.Conf
	for _, o := range revert {
		delete(conf.Pending, o)
		conf.Undelete(o)
	}
	for _, o := range remove {
		if (isDrive.MatchString(o) || isUnused.MatchString(o)) && conf.Current[o] != "" {
			if err := g.checkProtection(fmt.Sprintf("can't remove drive '%s'", o)); err != nil {
				return err
			}
		}
		conf.AddDelete(o, c.p.bool("force"))
	}
	for _, o := range sortedByPriv(vals) {
		v, err := c.normalVM(t, g, o, vals[o])
		if err != nil {
			return err
		}
		conf.Pending[o] = v
		conf.Undelete(o)
	}
	conf.Cleanup()
	before := cloudInitText(c.Server, g)
	c.applyVM(g, !c.isRunning(g.VMID))
	if c.isRunning(g.VMID) && hotplugs(conf.Current, "cloudinit") && cloudInitText(c.Server, g) != before {
		if err := c.writeDrive(g); err != nil {
			return err
		}
	}
	return c.tellVM(g)
}

// normalVM is the text that Proxmox stores for an option.
func (c *call) normalVM(t *task, g *guest, o, v string) (string, error) {
	switch {
	case isDrive.MatchString(o):
		return c.makeDrive(t, g, o, v)
	case isNet.MatchString(o):
		return c.normalVMNet(v)
	case o == "tags":
		return uniqueTags(v), nil
	case o == "description":
		return description("qemu", v), nil
	case o == "vmgenid" && v == "1":
		return newUUID(), nil
	case o == "searchdomain" || o == "nameserver":
		return strings.Join(schema.SplitList(v), " "), nil
	}
	return v, nil
}

func (s *Server) normalVMNet(v string) (string, error) {
	net, err := s.parseOption("qemu", "net0", v)
	if err != nil {
		return "", err
	}
	if net["macaddr"] == "" {
		net["macaddr"] = randomMAC()
	}
	return s.printOption("qemu", "net0", net), nil
}

// applyVM makes pending options current: all of them, or those that can be hot-plugged.
func (s *Server) applyVM(g *guest, all bool) {
	conf := g.Conf
	for o := range conf.PendingDelete() {
		if !all && !s.unplugs(conf.Current, o) {
			continue
		}
		old := conf.Current[o]
		delete(conf.Current, o)
		conf.Undelete(o)
		switch {
		case isDrive.MatchString(o) && !strings.Contains(old, "media=cdrom"):
			addUnused(conf.Current, volumeOf(old))
		case isDrive.MatchString(o) && strings.Contains(old, "-cloudinit"), isUnused.MatchString(o):
			s.free(g.Node, volumeOf(old))
		}
	}
	for _, o := range conf.Pending.Keys() {
		if o == "delete" || !all && !s.plugs(conf.Current, o, conf.Pending[o]) {
			continue
		}
		old, v := conf.Current[o], conf.Pending[o]
		delete(conf.Pending, o)
		conf.Current[o] = v
		if isDrive.MatchString(o) && old != "" && volumeOf(old) != volumeOf(v) && !strings.Contains(old, "media=cdrom") {
			addUnused(conf.Current, volumeOf(old))
		}
		if o == "description" && v == "" {
			delete(conf.Current, o)
		}
	}
}
