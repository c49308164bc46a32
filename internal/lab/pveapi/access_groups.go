package pveapi

import (
	"errors"
	"strings"
)

func (g *group) row(name string) map[string]any {
	row := map[string]any{"groupid": name, "users": strings.Join(sorted(g.Users), ",")}
	if g.Comment != "" {
		row["comment"] = g.Comment
	}
	return row
}

func listGroups(c *call) (any, error) {
	rows := []map[string]any{}
	for _, name := range sorted(c.st.Groups) {
		if c.needAny("/access/groups/"+name, "User.Modify", "Sys.Audit", "Group.Allocate") == nil {
			rows = append(rows, c.st.Groups[name].row(name))
		}
	}
	return rows, nil
}

func createGroup(c *call) (any, error) {
	name := c.p.str("groupid")
	if c.st.Groups[name] != nil {
		return nil, fail("create group failed: group '%s' already exists", name)
	}
	c.st.Groups[name] = &group{Comment: c.p.str("comment"), Users: map[string]bool{}}
	return nil, nil
}

func (c *call) theGroup() (string, *group, error) {
	name := c.p.str("groupid")
	if g := c.st.Groups[name]; g != nil {
		return name, g, nil
	}
	return name, nil, fail("group '%s' does not exist", name)
}

func getGroup(c *call) (any, error) {
	_, g, err := c.theGroup()
	if err != nil {
		return nil, err
	}
	row := map[string]any{"members": sorted(g.Users)}
	if g.Comment != "" {
		row["comment"] = g.Comment
	}
	return row, nil
}

func putGroup(c *call) (any, error) {
	_, g, err := c.theGroup()
	if err == nil && c.p.has("comment") {
		g.Comment = c.p.str("comment")
	}
	return nil, err
}

func deleteGroup(c *call) (any, error) {
	name, _, err := c.theGroup()
	if err != nil {
		return nil, err
	}
	delete(c.st.Groups, name)
	c.dropACL(func(who string) bool { return who == "group:"+name })
	return nil, nil
}

func listDomains(*call) (any, error) {
	return []map[string]any{
		{"realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication"},
		{"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server"},
	}, nil
}

// AddUser makes an enabled user ("ci@pve"); an existing one gets the password.
func (s *Server) AddUser(userid, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.st.Users[userid]
	if u == nil {
		u = &user{Enable: true, Tokens: map[string]*token{}}
		s.st.Users[userid] = u
	}
	if password != "" {
		u.Password = hashPassword(password)
	}
	s.saveOrLog()
}

// AddToken makes an API token of an existing user and returns its secret, a UUID; secret
// may be given instead. It replaces a token of the same id.
func (s *Server) AddToken(userid, tokenid string, privsep bool, secret string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.st.Users[userid]
	if u == nil {
		return "", errors.New("cannot add a token: no user " + userid)
	}
	if secret == "" {
		secret = newUUID()
	}
	u.Tokens[tokenid] = &token{PrivSep: privsep, Secret: secret}
	return secret, s.save()
}

// AddRole makes or replaces a role with these privileges.
func (s *Server) AddRole(name string, privs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Roles[name] = map[string]bool{}
	for _, p := range privs {
		s.st.Roles[name][p] = true
	}
	s.saveOrLog()
}

// Grant gives a role on a path, propagating, to a user ("ci@pve") or token ("ci@pve!x").
func (s *Server) Grant(path, who, role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "user:"
	if strings.Contains(who, "!") {
		kind = "token:"
	}
	s.setACL(path, kind+who, role, true, false)
	s.saveOrLog()
}

func (s *Server) saveOrLog() {
	if err := s.save(); err != nil {
		s.opt.Log.Error("state not saved", "err", err)
	}
}
