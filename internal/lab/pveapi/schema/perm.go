package schema

import (
	"fmt"
	"strings"
)

// Perm is what a method asks of its caller, a tree of Proxmox's permission checks:
//
//	world                            nothing, not even a login
//	all                              a login
//	(perm /vms/{vmid} VM.Audit …)    every privilege listed on that path
//	(any /vms/{vmid} A B)            one of them
//	(and … …), (or … …)
//
// userid-param, userid-group and perm-modify are Proxmox's own checks for users and ACLs.
type Perm struct {
	Op   string
	Args []string
	Subs []*Perm
}

// ParsePerm reads the notation that [Perm] shows.
func ParsePerm(s string) (*Perm, error) {
	toks := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s))
	p, rest, err := parsePerm(toks)
	if err != nil {
		return nil, fmt.Errorf("cannot parse permission %q: %w", s, err)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("cannot parse permission %q: unexpected %q", s, rest[0])
	}
	return p, nil
}

func parsePerm(toks []string) (*Perm, []string, error) {
	if len(toks) == 0 {
		return nil, nil, fmt.Errorf("unexpected end")
	}
	if toks[0] == ")" {
		return nil, nil, fmt.Errorf("unexpected )")
	}
	if toks[0] != "(" {
		return &Perm{Op: toks[0]}, toks[1:], nil
	}
	if len(toks) < 3 {
		return nil, nil, fmt.Errorf("unexpected end")
	}
	if toks[1] == "(" || toks[1] == ")" {
		return nil, nil, fmt.Errorf("unexpected %q", toks[1])
	}
	p := &Perm{Op: toks[1]}
	toks = toks[2:]
	for len(toks) > 0 && toks[0] != ")" {
		if toks[0] != "(" {
			p.Args = append(p.Args, toks[0])
			toks = toks[1:]
			continue
		}
		sub, rest, err := parsePerm(toks)
		if err != nil {
			return nil, nil, err
		}
		p.Subs, toks = append(p.Subs, sub), rest
	}
	if len(toks) == 0 {
		return nil, nil, fmt.Errorf("missing )")
	}
	return p, toks[1:], nil
}

// String is the notation again.
func (p *Perm) String() string {
	if len(p.Args)+len(p.Subs) == 0 {
		return p.Op
	}
	parts := append([]string{p.Op}, p.Args...)
	for _, s := range p.Subs {
		text := s.String()
		if !strings.HasPrefix(text, "(") {
			text = "(" + text + ")"
		}
		parts = append(parts, text)
	}
	return "(" + strings.Join(parts, " ") + ")"
}
