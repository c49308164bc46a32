package plan

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/machine"
)

// Access tells whether a step changes how the machine is reached: one that would
// lock us out if it were wrong.
func Access(s Step) bool {
	switch s.Resource.Kind {
	case "key", "rule", "firewall":
		return true
	case "user":
		return s.Verb == Set
	case "file", "directory":
		return isAccess(s.Resource.Name)
	case "unit":
		return isSSH(s.Resource.Name)
	}
	return false
}

// sshUnit matches sshd's own units, and no app's whose name begins alike: ssh.service,
// ssh.socket and ssh@.service (Debian), sshd.service.
var sshUnit = regexp.MustCompile(`^sshd?[.@]`)

func isSSH(unit string) bool { return sshUnit.MatchString(unit) }

// isAccessUnit tells the units that are restarted together with the files that
// decide who gets in.
func (d *osDiff) isAccessUnit(name string) bool {
	return isSSH(name) || slices.ContainsFunc(d.want.Units[name].Triggers, isAccess)
}

// users creates those that are missing. What is there is changed with [osDiff.access].
func (d *osDiff) users() {
	for _, name := range sorted(d.want.Users) {
		if _, ok := d.have.Users[name]; !ok {
			d.add(Create, "user", name, "missing", Hot)
		}
	}
}

// access adds all that decides how the machine is reached. What lets in comes before
// what shuts out.
func (d *osDiff) access() {
	for _, name := range sorted(d.want.Users) {
		d.account(name, d.want.Users[name])
		d.addKeys(name)
	}
	d.files(isAccess)
	for _, name := range sorted(d.want.Users) {
		d.removeKeys(name)
	}
	d.units(d.isAccessUnit)
	if d.want.Firewall != nil {
		d.firewall()
	}
}

// account compares a user that is there.
func (d *osDiff) account(name string, want machine.User) {
	have, ok := d.have.Users[name]
	if !ok {
		return
	}
	var causes []string
	if want.Shell != "" && want.Shell != have.Shell {
		causes = append(causes, fmt.Sprintf("shell %s → %s", have.Shell, want.Shell))
	}
	if want.Home != "" && want.Home != have.Home {
		causes = append(causes, fmt.Sprintf("home %s → %s", have.Home, want.Home))
	}
	for _, g := range want.Groups {
		if !slices.Contains(have.Groups, g) {
			causes = append(causes, "not in the group "+g)
		}
	}
	if len(causes) > 0 {
		d.add(Set, "user", name, strings.Join(causes, ", "), Hot)
	}
}

// addKeys adds the keys that are missing, or there with other options.
func (d *osDiff) addKeys(user string) {
	have := map[string]Key{}
	for _, line := range d.have.Users[user].Keys {
		k := ParseKey(line)
		have[k.Fingerprint] = k
	}
	for _, line := range d.want.Users[user].Keys {
		want := ParseKey(line)
		old, ok := have[want.Fingerprint]
		switch {
		case !ok:
			d.add(Add, "key", KeyName(user, want), "missing", Hot)
		case old.Options != want.Options:
			d.add(Set, "key", KeyName(user, want), "its options differ", Hot)
		}
	}
}

// removeKeys removes, or reports, the keys that are not the stack's.
func (d *osDiff) removeKeys(user string) {
	want := d.want.Users[user]
	wanted := map[string]bool{}
	for _, line := range want.Keys {
		wanted[ParseKey(line).Fingerprint] = true
	}
	for _, line := range d.have.Users[user].Keys {
		k := ParseKey(line)
		switch {
		case wanted[k.Fingerprint]:
		case want.Exclusive:
			d.add(Remove, "key", KeyName(user, k), "not in the stack", Hot)
		default:
			d.note("%s also lets in the key %s %s, which is not in the stack", user, k.Fingerprint, k.Comment)
		}
	}
}

// Key is a line of an authorized_keys file.
type Key struct {
	Fingerprint string // SHA256:…; of a line that is no key: the line's own hash
	Options     string // as the line has them, joined by commas
	Comment     string
}

// ParseKey reads a line of an authorized_keys file. One that is no key is not told
// in the result, since a file is easily led to show what it should not.
func ParseKey(line string) Key {
	key, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return Key{Fingerprint: "line:" + hashText(line)[:4], Comment: "(not a key)"}
	}
	return Key{ssh.FingerprintSHA256(key), strings.Join(options, ","), comment}
}

// KeyName names a user's key in a step: "appuser SHA256:… (alice@laptop)".
func KeyName(user string, k Key) string {
	name := user + " " + k.Fingerprint
	if k.Comment != "" {
		name += " " + k.Comment
	}
	return name
}

// firewall opens what is missing, turns it on, and closes what we opened and nobody
// wants any more.
func (d *osDiff) firewall() {
	have := machine.Firewall{}
	if d.have.Firewall != nil {
		have = *d.have.Firewall
	}
	wanted, open := map[string]bool{}, map[string]machine.Rule{}
	for _, r := range have.Rules {
		open[RuleName(r)] = r
	}
	for _, r := range d.want.Firewall.Rules {
		if name := RuleName(r); !wanted[name] {
			wanted[name] = true
			d.rule(name, r, open)
		}
	}
	if d.want.Firewall.Enabled && !have.Enabled {
		d.add(Enable, "firewall", "ufw", "incoming traffic is not denied", Hot)
	}
	for _, r := range have.Rules {
		switch name := RuleName(r); {
		case wanted[name]:
		case r.Ours:
			d.add(Remove, "rule", name, "not in the stack", Hot)
		default:
			d.note("the firewall has a rule that is not in the stack and stays: %s", name)
		}
	}
}

// rule opens what is not open. A rule of somebody else's that opens it is left alone.
func (d *osDiff) rule(name string, want machine.Rule, open map[string]machine.Rule) {
	have, ok := open[name]
	switch {
	case !ok:
		d.add(Add, "rule", name, "not open", Hot)
	case have.Ours && have.Comment != want.Comment:
		d.add(Set, "rule", name, fmt.Sprintf("comment %q → %q", have.Comment, want.Comment), Hot)
	}
}

// RuleName names a rule in a step: "22/tcp from 10.0.0.0/8".
func RuleName(r machine.Rule) string {
	if r.Text != "" {
		return r.Text
	}
	name := r.Port + "/" + r.Protocol
	if from := source(r.From); from != "" {
		name += " from " + from
	}
	return name
}

// source returns an address or network in its one way to write it.
func source(from string) string {
	if a, err := netip.ParseAddr(from); err == nil {
		return netip.PrefixFrom(a, a.BitLen()).String()
	}
	if p, err := netip.ParsePrefix(from); err == nil {
		if p.Bits() == 0 {
			return ""
		}
		return p.Masked().String()
	}
	return from
}
