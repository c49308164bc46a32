package pveapi

import (
	"regexp"
	"sort"
	"strconv"
	"strings"
)

func vmPath(vmid int) string { return "/vms/" + strconv.Itoa(vmid) }

// capabilities is what a login answers for the web interface.
func (s *Server) capabilities(who string) map[string]any {
	res := map[string]map[string]int{}
	for area := range capAreas {
		res[area] = map[string]int{}
	}
	paths := []string{"/", "/nodes", "/access/groups", "/vms", "/storage", "/sdn", "/mapping"}
	for _, path := range append(paths, sorted(s.st.ACL)...) {
		area := "dc"
		if segs := segments(path); len(segs) > 0 {
			area = segs[0]
		}
		for priv := range s.permissions(who, path) {
			if re := capAreas[area]; re != nil && re.MatchString(priv) {
				res[area][priv] = 1
			}
		}
	}
	out := map[string]any{}
	for k, v := range res {
		out[k] = v
	}
	return out
}

var capAreas = map[string]*regexp.Regexp{
	"vms":     regexp.MustCompile(`^(?:VM\.|Permissions\.Modify)`),
	"access":  regexp.MustCompile(`^(?:(?:User|Group)\.|Permissions\.Modify)`),
	"storage": regexp.MustCompile(`^(?:Datastore\.|Permissions\.Modify)`),
	"nodes":   regexp.MustCompile(`^(?:Sys\.|Permissions\.Modify)`),
	"sdn":     regexp.MustCompile(`^(?:SDN\.|Permissions\.Modify)`),
	"dc":      regexp.MustCompile(`^(?:Sys\.Audit|Sys\.Modify|SDN\.)`),
	"mapping": regexp.MustCompile(`^(?:Mapping\.|Permissions\.Modify)`),
}

// getPermissions is GET /access/permissions.
func getPermissions(c *call) (any, error) {
	who := c.who.authuser
	if other := c.p.str("userid"); other != "" {
		if other != who && !strings.HasPrefix(who, other+"!") && !c.can("/access", "Sys.Audit") {
			return nil, denied("/access, Sys.Audit")
		}
		who = other
	}
	if !c.exists(who) {
		return map[string]any{}, nil
	}
	if path := c.p.str("path"); path != "" {
		return map[string]any{path: ints(c.permissions(who, path))}, nil
	}
	out := map[string]any{}
	for _, path := range c.permissionPaths() {
		if p := c.permissions(who, path); len(p) > 0 {
			out[path] = ints(p)
		}
	}
	return out, nil
}

func (s *Server) exists(who string) bool {
	name, tid, isToken := strings.Cut(who, "!")
	u := s.st.Users[name]
	return u != nil && (!isToken || u.Tokens[tid] != nil)
}

func (s *Server) permissionPaths() []string {
	set := map[string]bool{}
	for _, p := range []string{"/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"} {
		set[p] = true
	}
	for p := range s.st.ACL {
		set[p] = true
	}
	for _, p := range s.st.Pools {
		for vmid := range p.VMs {
			set[vmPath(vmid)] = true
		}
		for id := range p.Storage {
			set["/storage/"+id] = true
		}
	}
	return sorted(set)
}

// ints writes flags as 0 and 1.
func ints(m map[string]bool) map[string]int {
	out := map[string]int{}
	for k, v := range m {
		out[k] = btoi(v)
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// getACL is GET /access/acl: all of it to who may see it, else what the caller may change.
func getACL(c *call) (any, error) {
	audit := c.can("/access", "Sys.Audit")
	rows := []map[string]any{}
	for _, path := range sorted(c.st.ACL) {
		if !audit && c.needModify(path) != nil {
			continue
		}
		for _, who := range sorted(c.st.ACL[path]) {
			kind, ugid, _ := strings.Cut(who, ":")
			for _, role := range sorted(c.st.ACL[path][who]) {
				rows = append(rows, map[string]any{"path": path, "type": kind, "ugid": ugid, "roleid": role, "propagate": btoi(c.st.ACL[path][who][role])})
			}
		}
	}
	return rows, nil
}

// putACL is PUT /access/acl.
func putACL(c *call) (any, error) {
	path := normPath(c.p.str("path"))
	if path == "" || !aclPath.MatchString(path) {
		return nil, paramError("path", "invalid ACL path '%s'", c.p.str("path"))
	}
	if !c.p.has("users") && !c.p.has("groups") && !c.p.has("tokens") {
		return nil, paramError("users", "either 'users', 'groups' or 'tokens' is required.")
	}
	who, err := c.aclSubjects()
	if err != nil {
		return nil, err
	}
	for _, role := range c.p.list("roles") {
		if _, ok := c.role(role); !ok {
			return nil, fail("ACL update failed: role '%s' does not exist", role)
		}
		for _, w := range who {
			c.setACL(path, w, role, !c.p.has("propagate") || c.p.bool("propagate"), c.p.bool("delete"))
		}
	}
	return nil, nil
}

func (c *call) aclSubjects() ([]string, error) {
	var who []string
	for _, g := range c.p.list("groups") {
		if c.st.Groups[g] == nil {
			return nil, fail("ACL update failed: group '%s' does not exist", g)
		}
		who = append(who, "group:"+g)
	}
	for _, u := range c.p.list("users") {
		if c.st.Users[u] == nil {
			return nil, fail("ACL update failed: user '%s' does not exist", u)
		}
		who = append(who, "user:"+u)
	}
	for _, t := range c.p.list("tokens") {
		if !c.exists(t) {
			name, tid, _ := strings.Cut(t, "!")
			return nil, fail("ACL update failed: no such token '%s' for user '%s'", tid, name)
		}
		who = append(who, "token:"+t)
	}
	sort.Strings(who)
	return who, nil
}

func (s *Server) setACL(path, who, role string, propagate, remove bool) {
	acl := s.st.ACL
	if remove {
		delete(acl[path][who], role)
		if len(acl[path][who]) == 0 {
			delete(acl[path], who)
		}
		if len(acl[path]) == 0 {
			delete(acl, path)
		}
		return
	}
	if acl[path] == nil {
		acl[path] = map[string]map[string]bool{}
	}
	if acl[path][who] == nil {
		acl[path][who] = map[string]bool{}
	}
	acl[path][who][role] = propagate
}

// dropACL removes every entry of a user, group or token.
func (s *Server) dropACL(match func(who string) bool) {
	for path, entries := range s.st.ACL {
		for who := range entries {
			if match(who) {
				delete(entries, who)
			}
		}
		if len(entries) == 0 {
			delete(s.st.ACL, path)
		}
	}
}
