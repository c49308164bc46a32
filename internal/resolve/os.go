package resolve

import (
	"cmp"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/templates"
)

// inputs is what the inside of a guest depends on beside the stack.
type inputs struct {
	SHA string // commit to deploy; empty: the app is configured, not deployed
	// Repository is the git URL of the workflow's repository, for apps whose source
	// the stack does not name. Token reads it over HTTPS.
	Repository string
	Token      secret.Value
	// DeployPublicKey is the public part of the identity that logs in to guests,
	// as in authorized_keys: later runs log in with it as the app's user.
	DeployPublicKey string
	SSHPort         int // where guests are reached; 0: 22
	// IsSecret tells whether a text holds a secret; nil: none does.
	IsSecret func(string) bool
	// ReadFile reads a file of the repository.
	ReadFile func(path string) ([]byte, error)
	// Problems takes what the environment cannot have, at its place in the stack.
	Problems *diag.List
}

// osState returns what an environment, whose references are expanded, wants inside
// its guest.
func osState(env *stack.Env, in inputs) *machine.OS {
	if in.IsSecret == nil {
		in.IsSecret = func(string) bool { return false }
	}
	b := &osBuilder{env: env, in: in, os: &machine.OS{
		Packages: make(map[string]string),
		Users:    make(map[string]machine.User),
		Files:    make(map[string]machine.File),
		Units:    make(map[string]machine.Unit),
		Timezone: env.Base.Timezone,
		Locale:   env.Base.Locale,
	}}
	b.base()
	if hasApp(env) {
		b.app()
	}
	if in.Problems != nil {
		in.Problems.AddAll(b.problems)
	}
	return b.os
}

// hasApp tells whether the stack has an `app:` for the environment; the directory
// has a default then.
func hasApp(env *stack.Env) bool { return env.App.Dir != "" }

// osBuilder writes a desired OS.
type osBuilder struct {
	env      *stack.Env
	in       inputs
	os       *machine.OS
	problems diag.List
}

// install asks for packages; "name=version" asks for one version.
func (b *osBuilder) install(packages ...string) {
	for _, p := range packages {
		name, version, _ := strings.Cut(p, "=")
		if b.os.Packages[name] == "" {
			b.os.Packages[name] = version
		}
	}
}

// file asks for a file that everybody may read, of root.
func (b *osBuilder) file(path, content string) {
	b.os.Files[path] = machine.File{Mode: 0o644, Owner: "root", Group: "root", Content: secret.New(content)}
}

// script asks for a program of root.
func (b *osBuilder) script(path, content string) {
	b.os.Files[path] = machine.File{Mode: 0o755, Owner: "root", Group: "root", Content: secret.New(content)}
}

// sensitive asks for a file of root's that the group may read and nobody is shown.
func (b *osBuilder) sensitive(path, group, content string) {
	mode := fs.FileMode(0o640)
	if group == "root" {
		mode = 0o600
	}
	b.os.Files[path] = machine.File{Mode: mode, Owner: "root", Group: group, Content: secret.New(content), Sensitive: true}
}

func (b *osBuilder) dir(path string, mode fs.FileMode, owner, group string) {
	b.os.Files[path] = machine.File{Dir: true, Mode: mode, Owner: owner, Group: group}
}

// header is the first line of the configuration files that people may look at.
const header = "# Written by appstack; a change here lasts until its next run.\n"

// base asks for the operating system's set-up.
func (b *osBuilder) base() {
	base := b.env.Base
	// curl asks for health, and git and SSH's client fetch the app's source.
	b.install("ca-certificates", "curl", "sudo")
	b.install(base.Packages...)
	if base.Timezone != "" {
		b.install("tzdata")
	}
	if l := base.Locale; l != "" && l != "C.UTF-8" && l != "C" && l != "POSIX" {
		b.install("locales")
	}
	b.user()
	b.firewall()
	b.sshd()
	b.upgrades()
	b.sysctl()
	b.journal()
}

// user asks for the app's user, who may log in with the stack's keys and with that
// of the runs, and become root, so that root's login can be closed.
func (b *osBuilder) user() {
	base := b.env.Base
	keys := slices.Clone(base.AuthorizedKeys)
	if key := strings.TrimSpace(b.in.DeployPublicKey); key != "" && !hasKey(keys, key) {
		keys = append(keys, key)
	}
	b.os.Users[base.User] = machine.User{Shell: "/bin/bash", Home: "/home/" + base.User, Keys: keys, Exclusive: base.Exclusive}
	b.os.Files["/etc/sudoers.d/90-appstack"] = machine.File{
		Mode: 0o440, Owner: "root", Group: "root", Check: "visudo -cf",
		Content: secret.New(header + base.User + " ALL=(ALL:ALL) NOPASSWD: ALL\n"),
	}
}

// hasKey tells whether a key is among those of a list, whatever its comment.
func hasKey(list []string, key string) bool {
	return slices.ContainsFunc(list, func(k string) bool { return keyBody(k) == keyBody(key) })
}

// keyBody returns the base64 part of an authorized_keys line without options.
func keyBody(line string) string {
	for f := range strings.FieldsSeq(line) {
		if strings.HasPrefix(f, "AAAA") {
			return f
		}
	}
	return line
}

// firewall asks for UFW: SSH, the public services and what the stack opens.
func (b *osBuilder) firewall() {
	base := b.env.Base
	if !base.UFW {
		return
	}
	b.install("ufw")
	fw := &machine.Firewall{Enabled: true}
	from := []string(base.SSHFrom)
	if len(from) == 0 {
		from = []string{""}
	}
	for _, network := range from {
		fw.Rules = append(fw.Rules, machine.Rule{Port: strconv.Itoa(cmp.Or(b.in.SSHPort, 22)), Protocol: "tcp", From: network, Ours: true})
	}
	for _, s := range sortedServices(b.env) {
		if s.Public && s.Port != 0 {
			fw.Rules = append(fw.Rules, machine.Rule{Port: strconv.Itoa(s.Port), Protocol: "tcp", Ours: true})
		}
	}
	for _, r := range base.Firewall {
		fw.Rules = append(fw.Rules, machine.Rule{Port: r.Port, Protocol: r.Protocol, From: r.From, Comment: r.Comment, Ours: true})
	}
	fw.Rules = distinctRules(fw.Rules)
	b.os.Firewall = fw
}

func distinctRules(rules []machine.Rule) []machine.Rule {
	seen := make(map[machine.Rule]bool)
	return slices.DeleteFunc(rules, func(r machine.Rule) bool {
		was := seen[r]
		seen[r] = true
		return was
	})
}

// sshd asks for the SSH server's settings. sshd takes the first value that it
// reads for a key, and its main file includes the drop-ins at its top.
func (b *osBuilder) sshd() {
	const path = "/etc/ssh/sshd_config.d/10-appstack.conf"
	b.os.Files[path] = machine.File{
		Mode: 0o644, Owner: "root", Group: "root", Check: "sshd -tf",
		Content: secret.New(header + templates.SSHD{
			PasswordAuthentication: b.env.Base.SSHD.PasswordAuthentication,
			PermitRootLogin:        b.env.Base.SSHD.PermitRootLogin,
			X11Forwarding:          b.env.Base.SSHD.X11Forwarding,
			AllowTCPForwarding:     b.env.Base.SSHD.AllowTCPForwarding,
			AllowAgentForwarding:   b.env.Base.SSHD.AllowAgentForwarding,
			MaxAuthTries:           b.env.Base.SSHD.MaxAuthTries,
		}.File()),
	}
	b.os.Units["ssh.service"] = machine.Unit{Enabled: true, Active: true, Reload: true, Triggers: []string{path}}
}

// upgrades asks for nightly security updates, by Debian's own timers.
func (b *osBuilder) upgrades() {
	const path = "/etc/apt/apt.conf.d/52appstack-upgrades"
	if !b.env.Base.UnattendedUpgrades {
		return
	}
	b.install("unattended-upgrades")
	b.file(path, templates.Upgrades)
	b.os.Units["apt-daily-upgrade.timer"] = machine.Unit{Enabled: true, Active: true}
}

// sysctl asks for kernel settings: the safe basics of a server, then the stack's.
// Those that an unprivileged container may not set are left to the host by the "-".
func (b *osBuilder) sysctl() {
	const path = "/etc/sysctl.d/90-appstack.conf"
	b.file(path, header+templates.Sysctl(b.env.Base.Sysctl))
	b.os.Units["systemd-sysctl.service"] = machine.Unit{Triggers: []string{path}}
}

// journal asks for a bound on the journal, on disk so that it survives a reboot.
func (b *osBuilder) journal() {
	const path = "/etc/systemd/journald.conf.d/50-appstack.conf"
	if b.env.Base.JournalSize == "" {
		return
	}
	b.file(path, header+"[Journal]\nStorage=persistent\nSystemMaxUse="+b.env.Base.JournalSize+"\n")
	b.os.Units["systemd-journald.service"] = machine.Unit{Triggers: []string{path}}
}
