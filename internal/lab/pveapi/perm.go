package pveapi

import (
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// specialRoles are the roles that every Proxmox VE has.
var specialRoles = makeRoles()

// privGroups sorts the privileges by who usually has them; the roles follow from it.
var privGroups = map[string]struct{ admin, user, audit string }{
	"VM": {
		admin: "VM.Config.Disk VM.Config.CPU VM.Config.Memory VM.Config.Network VM.Config.HWType VM.Config.Options VM.Allocate VM.Clone VM.GuestAgent.Unrestricted VM.Migrate VM.Replicate VM.Snapshot VM.Snapshot.Rollback",
		user:  "VM.Config.CDROM VM.Config.Cloudinit VM.Console VM.Backup VM.GuestAgent.FileRead VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite VM.PowerMgmt",
		audit: "VM.Audit VM.GuestAgent.Audit",
	},
	"Sys":       {admin: "Sys.Console Sys.Syslog", audit: "Sys.Audit"},
	"Datastore": {admin: "Datastore.Allocate Datastore.AllocateTemplate", user: "Datastore.AllocateSpace", audit: "Datastore.Audit"},
	"SDN":       {admin: "SDN.Allocate SDN.Audit", user: "SDN.Use", audit: "SDN.Audit"},
	"User":      {admin: "User.Modify Group.Allocate Realm.AllocateUser"},
	"Pool":      {admin: "Pool.Allocate", user: "Pool.Audit", audit: "Pool.Audit"},
	"Mapping":   {admin: "Mapping.Modify", user: "Mapping.Use", audit: "Mapping.Audit"},
}

func makeRoles() map[string]map[string]bool {
	roles := map[string]map[string]bool{
		"NoAccess": {}, "Administrator": {}, "PVEAdmin": {}, "PVEAuditor": {},
		"PVETemplateUser": {"VM.Clone": true, "VM.Audit": true},
	}
	for _, p := range schema.Privileges {
		roles["Administrator"][p] = true
	}
	grant := func(role string, lists ...string) {
		if roles[role] == nil {
			roles[role] = map[string]bool{}
		}
		for _, p := range strings.Fields(strings.Join(lists, " ")) {
			roles[role][p] = true
		}
	}
	for cat, g := range privGroups {
		grant("PVE"+cat+"Admin", g.admin, g.user, g.audit)
		grant("PVEAdmin", g.admin, g.user, g.audit)
		grant("PVEAuditor", g.audit)
		if g.user != "" {
			grant("PVE"+cat+"User", g.user, g.audit)
		}
	}
	delete(roles["PVEAdmin"], "Mapping.Modify")
	return roles
}

func (s *Server) role(name string) (map[string]bool, bool) {
	if r, ok := specialRoles[name]; ok {
		return r, true
	}
	r, ok := s.st.Roles[name]
	return r, ok
}

// rolesOn walks the ACL from the root to path. A deeper entry replaces what is above it,
// an entry for the user one for its groups. The value tells whether the role propagates.
func (s *Server) rolesOn(who, path string) map[string]bool {
	roles := map[string]bool{}
	segs := segments(path)
	for i := 0; i <= len(segs); i++ {
		at := "/" + strings.Join(segs[:i], "/")
		if found := s.aclEntry(who, at, i == len(segs)); found != nil {
			roles = found
		}
	}
	if p, no := roles["NoAccess"]; no {
		return map[string]bool{"NoAccess": p}
	}
	return roles
}

// aclEntry is what the ACL says at one path, nil if nothing that counts further down.
func (s *Server) aclEntry(who, at string, final bool) map[string]bool {
	acl := s.st.ACL[at]
	if acl == nil {
		return nil
	}
	take := func(entry map[string]bool, into map[string]bool) map[string]bool {
		for role, propagate := range entry {
			if final || propagate {
				if into == nil {
					into = map[string]bool{}
				}
				into[role] = propagate
			}
		}
		return into
	}
	if strings.Contains(who, "!") {
		return take(acl["token:"+who], nil)
	}
	if found := take(acl["user:"+who], nil); found != nil {
		return found
	}
	var found map[string]bool
	for name, g := range s.st.Groups {
		if g.Users[who] {
			found = take(acl["group:"+name], found)
		}
	}
	return found
}

// permissions returns the privileges that who has on path, with true where they propagate.
func (s *Server) permissions(who, path string) map[string]bool {
	if who == "root@pam" {
		return allPrivileges()
	}
	if path == "" {
		return map[string]bool{}
	}
	name, tid, isToken := strings.Cut(who, "!")
	var ofUser map[string]bool
	if isToken {
		u := s.st.Users[name]
		if u == nil || u.Tokens[tid] == nil {
			return map[string]bool{}
		}
		ofUser = s.permissions(name, path)
		if !u.Tokens[tid].PrivSep {
			return ofUser
		}
	}
	privs := s.privsOf(s.withPools(who, path))
	if !isToken {
		return privs
	}
	both := map[string]bool{}
	for p, propagate := range privs {
		if up, ok := ofUser[p]; ok {
			both[p] = propagate && up
		}
	}
	return both
}

func allPrivileges() map[string]bool {
	all := map[string]bool{}
	for p := range specialRoles["Administrator"] {
		all[p] = true
	}
	return all
}

// withPools adds the roles that who has on the pools of a guest or storage.
func (s *Server) withPools(who, path string) map[string]bool {
	roles := s.rolesOn(who, path)
	if _, no := roles["NoAccess"]; no {
		return roles
	}
	for name, p := range s.st.Pools {
		if !p.holds(path) {
			continue
		}
		for role := range s.rolesOn(who, "/pool/"+name) {
			if role == "NoAccess" {
				return map[string]bool{"NoAccess": false}
			}
			if _, set := roles[role]; !set {
				roles[role] = false
			}
		}
	}
	return roles
}

func (p *pool) holds(path string) bool {
	for vmid := range p.VMs {
		if path == vmPath(vmid) {
			return true
		}
	}
	id, ok := strings.CutPrefix(path, "/storage/")
	return ok && p.Storage[id]
}

func (s *Server) privsOf(roles map[string]bool) map[string]bool {
	privs := map[string]bool{}
	for role, propagate := range roles {
		set, _ := s.role(role)
		for p := range set {
			privs[p] = privs[p] || propagate
		}
	}
	return privs
}

// can tells whether the caller has all these privileges.
func (c *call) can(path string, privs ...string) bool { return c.need(path, privs...) == nil }

// need fails with Proxmox's 403 for the first privilege that is missing.
func (c *call) need(path string, privs ...string) error {
	have := c.permissions(c.who.authuser, path)
	for _, p := range privs {
		if _, ok := have[p]; !ok {
			return denied("%s, %s", path, p)
		}
	}
	return nil
}

func (c *call) needAny(path string, privs ...string) error {
	have := c.permissions(c.who.authuser, path)
	for _, p := range privs {
		if _, ok := have[p]; ok {
			return nil
		}
	}
	return denied("%s, %s", path, strings.Join(privs, "|"))
}

// checkPerm checks what a method declares.
func (c *call) checkPerm(p *schema.Perm) error {
	switch {
	case p.Op == "world" || c.who.root() || p.Op == "all" && c.who.authuser != "":
		return nil
	case c.who.authuser == "":
		return denied("user != null")
	}
	return c.evalPerm(p)
}

func (c *call) evalPerm(p *schema.Perm) error {
	switch p.Op {
	case "and":
		for _, sub := range p.Subs {
			if err := c.evalPerm(sub); err != nil {
				return err
			}
		}
		return nil
	case "or":
		for _, sub := range p.Subs {
			if c.evalPerm(sub) == nil {
				return nil
			}
		}
		return denied("")
	case "perm", "any":
		return c.evalPath(p)
	case "perm-modify":
		if path := normPath(c.expand(p.Args[0])); path != "" {
			return c.needModify(path)
		}
		return nil
	case "userid-param":
		return c.evalUser(p.Args[0])
	case "userid-group":
		return c.evalGroup(p.Args)
	}
	return denied("")
}

func (c *call) evalPath(p *schema.Perm) error {
	privs := p.Args[1:]
	if name, ok := strings.CutPrefix(privs[len(privs)-1], "param="); ok {
		if privs = privs[:len(privs)-1]; !c.p.has(name) {
			return denied("")
		}
	}
	path := normPath(c.expand(p.Args[0]))
	if p.Op == "any" {
		return c.needAny(path, privs...)
	}
	return c.need(path, privs...)
}

func (c *call) evalUser(test string) error {
	userid := c.p.str("userid")
	if test == "self" {
		if c.st.Users[userid] != nil && c.who.authuser == userid {
			return nil
		}
		return denied("")
	}
	_, realm, _ := strings.Cut(userid, "@")
	return c.need("/access/realm/"+realm, test)
}

func (c *call) evalGroup(args []string) error {
	var privs []string
	create := false
	for _, a := range args {
		if strings.Contains(a, ".") {
			privs = append(privs, a)
		}
		create = create || a == "create"
	}
	if !create && c.st.Users[c.p.str("userid")] == nil {
		return fail("no such user ('%s')", c.p.str("userid"))
	}
	return c.needAny("/access/groups", privs...)
}

var placeholder = regexp.MustCompile(`\{([^}]+)\}`)

func (c *call) expand(tmpl string) string {
	return placeholder.ReplaceAllStringFunc(tmpl, func(m string) string { return c.p.str(m[1 : len(m)-1]) })
}

var aclPath = regexp.MustCompile(`^(?:/|/access(?:/groups(?:/[\w.\-]+)?|/realm(?:/[\w.\-]+)?)?|/nodes(?:/[\w.\-]+)?|/pool(?:/[\w.\-]+){0,3}` +
	`|/sdn(?:/(?:controllers|dns|fabrics|ipams|prefix-lists|route-maps)(?:/[\w\-]+)?|/zones(?:/[\w.\-]+){0,2}(?:/[1-9]\d{0,3})?)?` +
	`|/storage(?:/[\w.\-]+)?|/vms(?:/[1-9]\d{2,})?|/mapping(?:/[\w.\-]+){0,2})$`)

// normPath cleans an ACL path; what cannot be one becomes "", on which nobody has anything.
func normPath(p string) string {
	if p == "" {
		return ""
	}
	p = cleanPath(p)
	for _, s := range segments(p) {
		if !regexp.MustCompile(`^[[:alnum:].\-_]+$`).MatchString(s) {
			return ""
		}
	}
	return p
}

// needModify is the right to change ACLs on a path: Permissions.Modify, or for guests,
// storages and pools the privilege that allocates them.
func (c *call) needModify(path string) error {
	if c.can(path, "Permissions.Modify") {
		return nil
	}
	for prefix, priv := range map[string]string{"/storage/": "Datastore.Allocate", "/vms/": "VM.Allocate", "/pool/": "Pool.Allocate"} {
		if strings.HasPrefix(path, prefix) && c.can(path, priv) {
			return nil
		}
	}
	return denied("%s, Permissions.Modify", path)
}
