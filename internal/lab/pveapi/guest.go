package pveapi

import (
	"net/http"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// configFile is how Proxmox names a guest's file in errors.
func configFile(node, kind string, vmid int) string {
	dir := map[string]string{"lxc": "lxc", "qemu": "qemu-server"}[kind]
	return "nodes/" + node + "/" + dir + "/" + itoa(vmid) + ".conf"
}

// kind is the type of guest that the request's path is about.
func (c *call) kind() string {
	if strings.Contains(c.route.Path, "/qemu") {
		return "qemu"
	}
	return "lxc"
}

// guest finds the guest of a request on the request's node.
func (c *call) guest() (*guest, error) { return c.Server.guest(c.node(), c.kind(), c.vmid()) }

func (s *Server) guest(node, kind string, vmid int) (*guest, error) {
	if g := s.st.Guests[vmid]; g != nil && g.Type == kind && g.Node == node {
		return g, nil
	}
	return nil, fail("Configuration file '%s' does not exist", configFile(node, kind, vmid))
}

// word is what Proxmox calls the guest in its texts.
func (g *guest) word() string {
	if g.Type == "qemu" {
		return "VM"
	}
	return "CT"
}

// checkLock fails where the setting "lock" is set.
func (g *guest) checkLock() error {
	if l := g.Conf.Current["lock"]; l != "" {
		return fail("%s is locked (%s)", g.word(), l)
	}
	return nil
}

func (g *guest) checkProtection(what string) error {
	if g.Conf.Current["protection"] == "1" {
		return fail("%s - protection mode enabled", what)
	}
	return nil
}

// unused fails where a vmid is taken, on whatever node.
func (s *Server) unused(vmid int) error {
	if g := s.st.Guests[vmid]; g != nil {
		return fail("%s %d already exists on node '%s'", g.word(), vmid, g.Node)
	}
	return nil
}

func (s *Server) isRunning(vmid int) bool { return s.opt.Backend.Running(vmid) }

// optionsOf are the parameters that a guest's configuration can have.
func (s *Server) optionsOf(kind string) schema.Object {
	return s.router.routes["PUT /nodes/{node}/"+kind+"/{vmid}/config"].Params
}

// notOptions are parameters of a change that are no settings.
var notOptions = map[string]bool{
	"node": true, "vmid": true, "digest": true, "delete": true, "revert": true, "skiplock": true, "force": true,
	"background_delay": true, "import-working-storage": true,
}

func (s *Server) isOption(kind, name string) bool {
	_, ok := s.optionsOf(kind).Lookup(name)
	return ok && !notOptions[name] || name == "parent" || name == "snaptime"
}

var plainInt = regexp.MustCompile(`^\d+$`)

// typed gives a setting's text the JSON type that Proxmox gives it: whole numbers and
// booleans are numbers, everything else is text.
func (s *Server) typed(kind, name, text string) any {
	p, ok := s.optionsOf(kind).Lookup(name)
	isNum := ok && (p.Type == "integer" || p.Type == "boolean") || name == "snaptime"
	if !isNum || !plainInt.MatchString(text) {
		return text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return text
	}
	return n
}

// shown is a section as the API answers it.
func (s *Server) shown(kind string, sec guestconf.Section) map[string]any {
	m := map[string]any{}
	for k, v := range sec {
		m[k] = s.typed(kind, k, v)
	}
	return m
}

// getConfig is GET …/config.
func getConfig(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	sec := g.Conf.Effective()
	switch snap := c.p.str("snapshot"); {
	case snap != "":
		if c.p.bool("current") {
			return nil, paramError("snapshot", "cannot use 'snapshot' parameter with 'current'")
		}
		if sec = g.Conf.Snapshots[snap]; sec == nil {
			return nil, fail("snapshot '%s' does not exist", snap)
		}
	case c.p.bool("current"):
		sec = g.Conf.Current
	}
	m := c.shown(g.Type, c.restrict(g, sec))
	m["digest"] = g.Conf.Digest()
	return m, nil
}

// restrict hides what not everybody may read.
func (c *call) restrict(g *guest, sec guestconf.Section) guestconf.Section {
	sec = sec.Clone()
	if sec["env"] != "" && !c.can(vmPath(g.VMID), "VM.Config.Options") {
		delete(sec, "env")
	}
	if sec["cipassword"] != "" {
		sec["cipassword"] = "**********"
	}
	return sec
}

// getPending is GET …/pending: current values, and what waits beside them.
func getPending(c *call) (any, error) {
	g, err := c.guest()
	if err != nil {
		return nil, err
	}
	cur := c.shown(g.Type, c.restrict(g, g.Conf.Current))
	cur["digest"] = g.Conf.Digest()
	wait := c.shown(g.Type, c.restrict(g, g.Conf.Pending))
	delete(wait, "delete")
	gone := g.Conf.PendingDelete()
	keys := map[string]bool{}
	for k := range cur {
		keys[k] = true
	}
	for k := range wait {
		keys[k] = true
	}
	rows := []map[string]any{}
	for _, k := range sorted(keys) {
		row := map[string]any{"key": k}
		if v, ok := cur[k]; ok {
			row["value"] = v
		}
		if v, ok := wait[k]; ok {
			row["pending"] = v
		}
		if force, ok := gone[k]; ok {
			row["delete"] = 1 + btoi(force)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// subdirs answers an index.
func subdirs(key string, names ...string) handler {
	return func(*call) (any, error) { return index(key, names...), nil }
}

func index(key string, names ...string) []map[string]any {
	rows := make([]map[string]any, len(names))
	for i, n := range names {
		rows[i] = map[string]any{key: n}
	}
	return rows
}

// needVM checks privileges on a guest that may still be on its way into a pool.
func (c *call) needVM(vmid int, pool string, privs ...string) error {
	if pool != "" && c.can("/pool/"+pool, privs...) {
		return nil
	}
	return c.need(vmPath(vmid), privs...)
}

// checkDigest is the compare of a compare-and-swap; an empty digest is no check.
func (g *guest) checkDigest(digest string) error {
	if digest == "" || digest == g.Conf.Digest() {
		return nil
	}
	if g.Type == "qemu" {
		return fail("checksum mismatch (file change by other user?)")
	}
	return fail("detected modified configuration - file changed by other user? Try again.")
}

// forget removes a guest from pools, ACLs, firewall and HA, as its destruction does.
func (s *Server) forget(vmid int) {
	for _, p := range s.st.Pools {
		delete(p.VMs, vmid)
	}
	delete(s.st.ACL, vmPath(vmid))
	delete(s.st.Firewall, vmid)
	delete(s.st.Guests, vmid)
}

// guestEnded notes that a guest's init ended by itself.
func (s *Server) guestEnded(vmid int) {
	g := s.st.Guests[vmid]
	if g == nil {
		return
	}
	g.Running = s.opt.Backend.Running(vmid)
	s.opt.Log.Info("guest ended by itself", "vmid", vmid, "running", g.Running)
}

// uniqueTags lower-cases, sorts and joins; no tag at all is stored as one space.
func uniqueTags(text string) string {
	set := map[string]bool{}
	for _, t := range schema.SplitList(text) {
		set[strings.ToLower(t)] = true
	}
	tags := sorted(set)
	sort.Strings(tags)
	if len(tags) == 0 {
		return " "
	}
	return strings.Join(tags, ";")
}

// description is stored with one newline at its end; a VM's without.
func description(kind, text string) string {
	text = strings.TrimRight(text, "\n")
	if text != "" && kind == "lxc" {
		text += "\n"
	}
	return text
}

// settings are the parameters of a request that belong into the configuration.
func (c *call) settings() map[string]string {
	out := map[string]string{}
	for k := range c.p.Values {
		if c.isOption(c.kind(), k) {
			out[k] = c.p.str(k)
		}
	}
	return out
}

// perlErrors makes the error of a change that was refused setting by setting.
func perlErrors(errs map[string]string) error {
	if len(errs) == 0 {
		return nil
	}
	return &apiError{status: http.StatusBadRequest, msg: "Parameter verification failed.", errs: schema.Errors(errs)}
}

// GuestIDs returns the vmids that exist, in order.
func (s *Server) GuestIDs() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sorted(s.st.Guests)
}
