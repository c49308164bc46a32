package pveapi

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

// putLXCConfig is PUT /nodes/{node}/lxc/{vmid}/config.
func putLXCConfig(c *call) (any, error) {
	digest := c.p.str("digest")
	set := c.settings()
	if len(set)+len(c.p.undef) == 0 && !c.p.has("delete") && !c.p.has("revert") {
		return nil, fail("no options specified")
	}
	unlock, err := c.lockGuest(c.ctx, c.vmid(), nil)
	if err != nil {
		return nil, err
	}
	defer unlock()
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	if err := g.checkLock(); err != nil {
		return nil, err
	}
	if err := g.checkDigest(digest); err != nil {
		return nil, err
	}
	remove, revert := c.p.list("delete"), c.p.list("revert")
	if err := c.checkLXCPut(g, set, remove, revert); err != nil {
		return nil, err
	}
	return nil, c.updateLXC(g, set, remove, revert)
}

func (c *call) checkLXCPut(g *guest, set map[string]string, remove, revert []string) error {
	ch := lxcChange{vmid: g.VMID, old: g.Conf.Current, unprivileged: g.Conf.Current["unprivileged"] == "1"}
	if err := c.checkLXC(ch, nil, append(append([]string{}, remove...), revert...)); err != nil {
		return err
	}
	for _, o := range revert {
		if !c.isOption("lxc", o) {
			return paramError("revert", "unknown option '%s'", o)
		}
		if _, both := set[o]; both {
			return paramError("revert", "you can't use '-%s' and '-revert %s' at the same time", o, o)
		}
	}
	for _, o := range remove {
		if !c.isOption("lxc", o) {
			return paramError("delete", "unknown option '%s'", o)
		}
		if _, both := set[o]; both {
			return paramError("delete", "you can't use '-%s' and -delete %s' at the same time", o, o)
		}
	}
	return c.checkLXC(ch, set, nil)
}

// updateLXC queues the changes as pending and then carries out what can be at this moment.
func (c *call) updateLXC(g *guest, set map[string]string, remove, revert []string) error {
	conf := g.Conf.Clone()
	for _, o := range revert {
		delete(conf.Pending, o)
		conf.Undelete(o)
	}
	selected := map[string]bool{}
	for _, o := range remove {
		if err := c.queueDelete(g, conf, o, selected); err != nil {
			return err
		}
	}
	for _, o := range sortedByPriv(set) {
		v, err := c.normalLXC(g, o, set[o])
		if err != nil {
			return err
		}
		conf.Pending[o] = v
		conf.Undelete(o)
		selected[o] = true
	}
	conf.Cleanup()
	u := &lxcUpdate{Server: c.Server, g: g, conf: conf, selected: selected, errs: map[string]string{}}
	if c.isRunning(g.VMID) {
		u.hotplug()
	} else {
		u.apply()
	}
	if len(u.errs) > 0 {
		if u.written != nil {
			g.Conf = u.written
		}
		return perlErrors(u.errs)
	}
	g.Conf = conf
	return c.tellBackend(g)
}

func (c *call) queueDelete(g *guest, conf *guestconf.Config, o string, selected map[string]bool) error {
	_, cur := conf.Current[o]
	_, pend := conf.Pending[o]
	if !cur && !pend {
		return nil
	}
	selected[o] = true
	switch {
	case o == "memory" || o == "rootfs" || o == "ostype":
		return fail("unable to delete required option '%s'", o)
	case o == "unprivileged":
		return fail("unable to delete read-only option: '%s'", o)
	case isMP.MatchString(o) || isUnused.MatchString(o):
		if err := g.checkProtection(fmt.Sprintf("can't remove CT %d drive '%s'", g.VMID, o)); err != nil {
			return err
		}
	}
	conf.AddDelete(o, false)
	return nil
}

// fastplug are settings that a running container takes at once because nothing in it
// depends on them.
var fastplug = map[string]bool{
	"description": true, "onboot": true, "startup": true, "protection": true, "hostname": true,
	"hookscript": true, "cores": true, "tags": true, "lock": true,
}

var hotLXC = regexp.MustCompile(`^(?:memory|swap|cpulimit|cpuunits|net\d+|mp\d+|unused\d+)$`)

// lxcUpdate carries pending changes over to the current configuration.
type lxcUpdate struct {
	*Server
	g        *guest
	conf     *guestconf.Config
	selected map[string]bool // nil: all
	errs     map[string]string
	written  *guestconf.Config // what a failure leaves in the file; nil: what was there
}

func (u *lxcUpdate) takes(o string) bool {
	return o != "delete" && (u.selected == nil || u.selected[o])
}

// hotplug applies to a running container what does not need a restart.
func (u *lxcUpdate) hotplug() {
	for o := range u.conf.PendingDelete() {
		if u.takes(o) && (fastplug[o] || hotLXC.MatchString(o) && o != "memory") && !isMP.MatchString(o) {
			u.drop(o)
		}
	}
	for _, o := range u.conf.Pending.Keys() {
		_, exists := u.conf.Current[o]
		if !u.takes(o) || !fastplug[o] && !hotLXC.MatchString(o) || isMP.MatchString(o) && exists {
			continue
		}
		if isNet.MatchString(o) && !u.plug(o) {
			continue
		}
		u.take(o, "unable to hotplug %s: %s\n")
		if isMP.MatchString(o) && u.errs[o] == "" {
			u.mount(o)
		}
	}
}

// mount lets the machine mount a new volume; one that it cannot is removed again.
func (u *lxcUpdate) mount(o string) {
	conf := map[string]string(u.conf.Current.Clone())
	var err error
	u.unlocked(func() { err = u.opt.Backend.Update(u.backendCtx(), u.g.VMID, conf) })
	if err != nil {
		u.free(u.g.Node, volumeOf(u.conf.Current[o]))
		u.errs[o] = fmt.Sprintf("unable to hotplug %s: %s\n", o, err)
	}
}

// plug checks a running container's new interface. As in Proxmox the old one is gone by
// the time that the new one fails.
func (u *lxcUpdate) plug(o string) bool {
	net, err := u.parseOption("lxc", o, u.conf.Pending[o])
	if err == nil && net["bridge"] != "" && !u.hasBridge(net["bridge"]) {
		delete(u.conf.Current, o)
		u.written = u.conf.Clone()
		u.errs[o] = fmt.Sprintf("unable to hotplug %s: bridge '%s' does not exist\n", o, net["bridge"])
		return false
	}
	return err == nil
}

// apply carries out everything that is selected; the container does not run. mount makes
// the disks that the changes ask for; nil for the usual way.
func (u *lxcUpdate) apply() {
	for o := range u.conf.PendingDelete() {
		if u.takes(o) {
			u.drop(o)
		}
	}
	u.conf.Cleanup()
	for _, o := range u.conf.Pending.Keys() {
		if u.takes(o) {
			u.take(o, "unable to apply pending change %s : %s\n")
		}
	}
}

// drop removes a setting; a volume becomes an unused one, an unused one is destroyed.
func (u *lxcUpdate) drop(o string) {
	old := u.conf.Current[o]
	delete(u.conf.Current, o)
	u.conf.Undelete(o)
	switch {
	case isMP.MatchString(o):
		u.addUnused(volumeOf(old))
	case isUnused.MatchString(o):
		u.free(u.g.Node, volumeOf(old))
	}
}

// take makes a pending value current.
func (u *lxcUpdate) take(o, failure string) {
	v := u.conf.Pending[o]
	var err error
	switch {
	case isNet.MatchString(o):
		v, err = u.normalNet(v)
	case isMP.MatchString(o):
		v, err = u.makeMount(o, v)
	}
	if err != nil {
		u.errs[o] = fmt.Sprintf(failure, o, err)
		return
	}
	old := u.conf.Current[o]
	u.conf.Current[o] = v
	if o == "description" && v == "" {
		delete(u.conf.Current, o)
	}
	delete(u.conf.Pending, o)
	if isMP.MatchString(o) && old != "" && volumeOf(old) != volumeOf(v) {
		u.addUnused(volumeOf(old))
	}
}

func (u *lxcUpdate) addUnused(volid string) {
	addUnused(u.conf.Current, volid)
}

func addUnused(sec guestconf.Section, volid string) {
	if volid == "" || strings.HasPrefix(volid, "/") {
		return
	}
	for i := 0; ; i++ {
		key := fmt.Sprintf("unused%d", i)
		if sec[key] == volid {
			return
		}
		if sec[key] == "" {
			sec[key] = volid
			return
		}
	}
}

// tellBackend lets the machine follow its configuration.
func (s *Server) tellBackend(g *guest) error {
	conf := map[string]string(g.Conf.Current.Clone())
	var err error
	s.unlocked(func() { err = s.opt.Backend.Update(s.backendCtx(), g.VMID, conf) })
	if err != nil {
		s.opt.Log.Error("guest did not take its configuration", "vmid", g.VMID, "err", err)
	}
	return nil
}
