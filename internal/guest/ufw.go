package guest

import (
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// ruleComment marks our rules in UFW; a comment of the stack's comes after it.
const ruleComment = "appstack"

// ufwComment returns what UFW keeps with a rule of ours.
func ufwComment(r machine.Rule) string {
	if r.Comment == "" {
		return ruleComment
	}
	return ruleComment + ": " + r.Comment
}

// ours tells from what UFW keeps with a rule whether it is ours, and the stack's comment.
func ours(text string) (comment string, ok bool) {
	rest, ok := strings.CutPrefix(text, ruleComment)
	comment, more := strings.CutPrefix(rest, ": ")
	return comment, ok && (more || rest == "")
}

// rule reads a tuple of UFW's user.rules, which is how UFW itself reads its rules
// back (ufw(8), common.py): "action protocol dport dst sport src direction". What is
// not a plain "let incoming traffic to this port in" is kept as text.
func rule(tuple, comment string) machine.Rule {
	f := strings.Fields(tuple)
	plain := len(f) == 7 && f[0] == "allow" && (f[1] == "tcp" || f[1] == "udp") && f[2] != "any" &&
		isAny(f[3]) && f[4] == "any" && f[6] == "in"
	if !plain {
		return machine.Rule{Text: tuple}
	}
	r := machine.Rule{Port: f[2], Protocol: f[1]}
	if text, ok := ours(decoded(comment)); ok {
		r.Ours, r.Comment = true, text
	}
	if !isAny(f[5]) {
		r.From = f[5]
	}
	return r
}

func isAny(address string) bool { return address == "0.0.0.0/0" || address == "::/0" }

// appendRule adds a rule, but for the IPv6 half of one from anywhere, which UFW
// keeps twice.
func appendRule(rules []machine.Rule, r machine.Rule) []machine.Rule {
	if slices.Contains(rules, r) {
		return rules
	}
	return append(rules, r)
}
