package stack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/diag"
)

// checkDuplicates reports what two environments can't both have.
func (s *Stack) checkDuplicates(list *diag.List) {
	inFile := slices.Clone(s.Envs)
	slices.SortStableFunc(inFile, func(a, b *Env) int {
		return s.file.pos(a.key).Compare(s.file.pos(b.key))
	})
	claims := claims{file: s.file, list: list, first: map[string]claim{}}
	for _, e := range inFile {
		claims.add(e)
	}
	for _, e := range inFile {
		claims.checkGateway(e)
	}
}

// claims are the values that environments have for themselves.
type claims struct {
	file  *file
	list  *diag.List
	first map[string]claim
}

type claim struct {
	env *Env
	key string
}

func (c *claims) add(e *Env) {
	if e.VMID != 0 {
		c.claim(e, "vmid", fmt.Sprintf("vmid %d", e.VMID))
	}
	if e.Hostname != "" && !pending(e.Hostname) {
		c.claim(e, "name", "name "+strings.ToLower(e.Hostname))
	}
	if prefix, ok := e.Prefix4(); ok {
		c.claim(e, "ip", "address "+prefix.Addr().Unmap().String())
	}
	if prefix, ok := e.Prefix6(); ok {
		c.claim(e, "ip6", "address "+prefix.Addr().String())
	}
	if e.Guest.MAC != "" && !pending(e.Guest.MAC) {
		c.claim(e, "guest.mac", "MAC address "+strings.ToUpper(e.Guest.MAC))
	}
	if e.Branch != "" && !pending(e.Branch) {
		c.claimBranch(e)
	}
}

// claim records that e has what for itself, or reports who has it already.
func (c *claims) claim(e *Env, key, what string) {
	first, taken := c.first[what]
	if !taken {
		c.first[what] = claim{e, key}
		return
	}
	c.conflict(e, key, first, fmt.Sprintf("%s is used by %s and by %s", what, first.env, e), "")
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
	detail := "first used at " + c.file.pos(other).String()
	if n == other {
		detail = "both inherit it from here"
	}
	c.list.Add(c.file.diagnostic(n, diag.Error, summary, detail, hint))
}

// checkGateway reports a gateway that is another environment's address.
func (c *claims) checkGateway(e *Env) {
	for key, value := range map[string]string{"gateway": e.Gateway, "gateway6": e.Gateway6} {
		if owner, taken := c.first["address "+value]; taken && owner.env != e {
			c.conflict(e, key, owner, fmt.Sprintf("the %s %s of %s is the address of %s", key, value, e, owner.env), "")
		}
	}
}
