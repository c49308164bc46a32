package stack

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// Duplicates reports what two of envs, which are of one stack, can't both
// have: vmid, name, address, MAC, and the branch within a project. [Load] has
// looked already; it is for what came in with [Env.Expand].
func Duplicates(envs []*Env) diag.List {
	inFile := slices.Clone(envs)
	slices.SortStableFunc(inFile, func(a, b *Env) int {
		return cmp.Or(cmp.Compare(a.key.line, b.key.line), cmp.Compare(a.key.col, b.key.col))
	})
	claims := claims{first: map[string]claim{}}
	for _, e := range inFile {
		claims.add(e)
	}
	for _, e := range inFile {
		claims.checkGateway(e)
	}
	claims.list.Sort()
	return claims.list
}

// claims are the values that environments have for themselves.
type claims struct {
	list  diag.List
	first map[string]claim
}

type claim struct {
	env *Env
	key string
}

func (c *claims) add(e *Env) {
	if e.VMID != 0 {
		c.claim(e, "vmid", "vmid", strconv.Itoa(e.VMID))
	}
	if e.Hostname != "" && !pending(e.Hostname) {
		c.claim(e, "name", "name", strings.ToLower(e.Hostname))
	}
	if prefix, ok := e.Prefix4(); ok {
		c.claim(e, "ip", "address", prefix.Addr().Unmap().String())
	}
	if prefix, ok := e.Prefix6(); ok {
		c.claim(e, "ip6", "address", prefix.Addr().String())
	}
	if e.Guest.MAC != "" && !pending(e.Guest.MAC) {
		c.claim(e, "guest.mac", "MAC address", strings.ToUpper(e.Guest.MAC))
	}
	if e.Branch != "" && !pending(e.Branch) {
		c.claimBranch(e)
	}
}

// claim records that e has value for itself, or reports who has it already.
func (c *claims) claim(e *Env, key, what, value string) {
	first, taken := c.first[what+" "+value]
	if !taken {
		c.first[what+" "+value] = claim{e, key}
		return
	}
	if n := e.node.get(splitPath(key)...); n != nil && n.secret != "" {
		value = "of a secret"
	}
	c.conflict(e, key, first, fmt.Sprintf("%s %s is used by %s and by %s", what, value, first.env, e), "")
}

func (c *claims) claimBranch(e *Env) {
	what := "branch " + e.Project + " " + e.Branch
	first, taken := c.first[what]
	if !taken {
		c.first[what] = claim{e, "branch"}
		return
	}
	c.conflict(e, "branch", first, fmt.Sprintf("branch %s deploys both %s and %s", e.Branch, first.env, e),
		"give each environment of a project a branch of its own")
}

func (c *claims) conflict(e *Env, key string, first claim, summary, hint string) {
	n, other := locate(e.node, splitPath(key)), locate(first.env.node, splitPath(first.key))
	if n == nil {
		n = e.key
	}
	if other == nil {
		other = first.env.key
	}
	detail := "first used at " + e.file.pos(other).String()
	if n == other {
		detail = "both inherit it from here"
	}
	c.list.Add(e.file.diagnostic(n, diag.Error, summary, detail, hint))
}

// checkGateway reports a gateway that is another environment's address.
func (c *claims) checkGateway(e *Env) {
	for key, value := range map[string]string{"gateway": e.Gateway, "gateway6": e.Gateway6} {
		address, err := netip.ParseAddr(value)
		if err != nil {
			continue
		}
		if owner, taken := c.first["address "+address.String()]; taken && owner.env != e {
			c.conflict(e, key, owner, fmt.Sprintf("the %s of %s is the address of %s", key, e, owner.env), "")
		}
	}
}
