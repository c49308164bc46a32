package pveapi

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

func newUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, says its documentation
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (u *user) row(name string) map[string]any {
	_, realm, _ := strings.Cut(name, "@")
	m := map[string]any{"userid": name, "enable": btoi(u.Enable), "expire": u.Expire, "realm-type": realm}
	for k, v := range map[string]string{"comment": u.Comment, "email": u.Email, "firstname": u.First, "lastname": u.Last} {
		if v != "" {
			m[k] = v
		}
	}
	return m
}

func (t *token) row() map[string]any {
	m := map[string]any{"expire": t.Expire, "privsep": btoi(t.PrivSep)}
	if t.Comment != "" {
		m["comment"] = t.Comment
	}
	return m
}

func listUsers(c *call) (any, error) {
	rows := []map[string]any{}
	all := c.needAny("/access/groups", "User.Modify", "Sys.Audit") == nil
	for _, name := range sorted(c.st.Users) {
		u := c.st.Users[name]
		if !all && name != c.who.authuser || c.p.has("enabled") && u.Enable != c.p.bool("enabled") {
			continue
		}
		row := u.row(name)
		if c.p.bool("full") {
			row["tokens"], row["groups"] = u.tokenRows(), strings.Join(c.groupsOf(name), ",")
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (u *user) tokenRows() []map[string]any {
	rows := []map[string]any{}
	for _, id := range sorted(u.Tokens) {
		row := u.Tokens[id].row()
		row["tokenid"] = id
		rows = append(rows, row)
	}
	return rows
}

func (s *Server) groupsOf(name string) []string {
	var out []string
	for _, g := range sorted(s.st.Groups) {
		if s.st.Groups[g].Users[name] {
			out = append(out, g)
		}
	}
	return out
}

func createUser(c *call) (any, error) {
	name := c.p.str("userid")
	if c.st.Users[name] != nil {
		return nil, fail("create user failed: user '%s' already exists", name)
	}
	u := &user{Enable: true, Tokens: map[string]*token{}}
	c.st.Users[name] = u
	return nil, c.updateUser(name, u)
}

func (c *call) updateUser(name string, u *user) error {
	for k, dst := range map[string]*string{"comment": &u.Comment, "email": &u.Email, "firstname": &u.First, "lastname": &u.Last} {
		if c.p.has(k) {
			*dst = c.p.str(k)
		}
	}
	if c.p.has("enable") {
		u.Enable = c.p.bool("enable")
	}
	if c.p.has("expire") {
		u.Expire = int64(c.p.int("expire", 0))
	}
	if c.p.has("password") {
		u.Password = hashPassword(c.p.str("password"))
	}
	if !c.p.has("groups") {
		return nil
	}
	for _, g := range c.st.Groups {
		if !c.p.bool("append") {
			delete(g.Users, name)
		}
	}
	for _, g := range c.p.list("groups") {
		if c.st.Groups[g] == nil {
			return fail("update user failed: group '%s' does not exist", g)
		}
		c.st.Groups[g].Users[name] = true
	}
	return nil
}

func (c *call) theUser() (string, *user, error) {
	name := c.p.str("userid")
	if u := c.st.Users[name]; u != nil {
		return name, u, nil
	}
	return name, nil, fail("no such user ('%s')", name)
}

func getUser(c *call) (any, error) {
	name, u, err := c.theUser()
	if err != nil {
		return nil, err
	}
	row := u.row(name)
	delete(row, "userid")
	delete(row, "realm-type")
	row["groups"] = append([]string{}, c.groupsOf(name)...)
	tokens := map[string]any{}
	for id, t := range u.Tokens {
		tokens[id] = t.row()
	}
	row["tokens"] = tokens
	return row, nil
}

func putUser(c *call) (any, error) {
	name, u, err := c.theUser()
	if err != nil {
		return nil, err
	}
	return nil, c.updateUser(name, u)
}

func deleteUser(c *call) (any, error) {
	name, _, err := c.theUser()
	if err != nil {
		return nil, err
	}
	delete(c.st.Users, name)
	for _, g := range c.st.Groups {
		delete(g.Users, name)
	}
	c.dropACL(func(who string) bool { return who == "user:"+name || strings.HasPrefix(who, "token:"+name+"!") })
	return nil, nil
}

func putPassword(c *call) (any, error) {
	_, u, err := c.theUser()
	if err != nil {
		return nil, err
	}
	u.Password = hashPassword(c.p.str("password"))
	return nil, nil
}

func listTokens(c *call) (any, error) {
	_, u, err := c.theUser()
	if err != nil {
		return nil, err
	}
	return u.tokenRows(), nil
}

func (c *call) theToken() (*user, *token, error) {
	name, u, err := c.theUser()
	if err != nil {
		return nil, nil, err
	}
	t := u.Tokens[c.p.str("tokenid")]
	if t == nil {
		return u, nil, fail("no such token '%s' for user '%s'", c.p.str("tokenid"), name)
	}
	return u, t, nil
}

func getToken(c *call) (any, error) {
	_, t, err := c.theToken()
	if err != nil {
		return nil, err
	}
	return t.row(), nil
}

func createToken(c *call) (any, error) {
	name, u, err := c.theUser()
	if err != nil {
		return nil, err
	}
	id := c.p.str("tokenid")
	if u.Tokens[id] != nil {
		return nil, paramError("tokenid", "Token already exists.")
	}
	t := &token{PrivSep: true, Secret: newUUID()}
	info := c.updateToken(t)
	u.Tokens[id] = t
	return map[string]any{"full-tokenid": name + "!" + id, "info": info, "value": t.Secret}, nil
}

// updateToken takes the parameters and returns them as Proxmox echoes them: what was sent
// comes back as text.
func (c *call) updateToken(t *token) map[string]any {
	info := map[string]any{"privsep": 1}
	if c.p.has("privsep") {
		t.PrivSep = c.p.bool("privsep")
		info["privsep"] = c.p.str("privsep")
	}
	if c.p.has("expire") {
		t.Expire, _ = strconv.ParseInt(c.p.str("expire"), 10, 64)
		info["expire"] = c.p.str("expire")
	}
	if c.p.has("comment") {
		t.Comment = c.p.str("comment")
		info["comment"] = t.Comment
	}
	return info
}

func putToken(c *call) (any, error) {
	_, t, err := c.theToken()
	if err != nil {
		return nil, err
	}
	c.updateToken(t)
	row := t.row()
	if c.p.bool("regenerate") {
		t.Secret = newUUID()
		row["value"] = t.Secret
	}
	return row, nil
}

func deleteToken(c *call) (any, error) {
	u, _, err := c.theToken()
	if err != nil {
		return nil, err
	}
	full := "token:" + c.p.str("userid") + "!" + c.p.str("tokenid")
	delete(u.Tokens, c.p.str("tokenid"))
	c.dropACL(func(who string) bool { return who == full })
	return nil, nil
}

func listRoles(c *call) (any, error) {
	rows := []map[string]any{}
	for _, m := range []map[string]map[string]bool{specialRoles, c.st.Roles} {
		for _, name := range sorted(m) {
			row := map[string]any{"roleid": name, "privs": strings.Join(sorted(m[name]), ",")}
			if _, special := specialRoles[name]; special {
				row["special"] = 1
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func getRole(c *call) (any, error) {
	r, ok := c.role(c.p.str("roleid"))
	if !ok {
		return nil, fail("role '%s' does not exist", c.p.str("roleid"))
	}
	return ints(r), nil
}

func createRole(c *call) (any, error) {
	name := c.p.str("roleid")
	if _, ok := c.role(name); ok {
		return nil, fail("create role failed: role '%s' already exists", name)
	}
	c.st.Roles[name] = map[string]bool{}
	return nil, c.addPrivs(name)
}

func (c *call) addPrivs(name string) error {
	for _, p := range c.p.list("privs") {
		if err := schema.CheckFormat("pve-priv", p); err != nil {
			return &apiError{status: http.StatusInternalServerError, msg: err.Error()}
		}
		c.st.Roles[name][p] = true
	}
	return nil
}

func (c *call) customRole(doing string) (string, error) {
	name := c.p.str("roleid")
	if _, special := specialRoles[name]; special {
		return name, fail("auto-generated role '%s' cannot be modified", name)
	}
	if c.st.Roles[name] == nil {
		return name, fail("%s role failed: role '%s' does not exist", doing, name)
	}
	return name, nil
}

func putRole(c *call) (any, error) {
	name, err := c.customRole("update")
	if err != nil {
		return nil, err
	}
	if !c.p.bool("append") {
		c.st.Roles[name] = map[string]bool{}
	}
	return nil, c.addPrivs(name)
}

func deleteRole(c *call) (any, error) {
	name, err := c.customRole("delete")
	if err != nil {
		return nil, err
	}
	delete(c.st.Roles, name)
	for path, entries := range c.st.ACL {
		for who := range entries {
			c.setACL(path, who, name, false, true)
		}
	}
	return nil, nil
}
