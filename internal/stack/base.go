package stack

import (
	"fmt"
	"strconv"
	"strings"
)

// Base is the operating system's set-up.
type Base struct {
	// User that the app runs as and that later runs log in as.
	User string `yaml:"user"`
	// Public keys that may log in as `user`.
	AuthorizedKeys []string `yaml:"authorized_keys"`
	// Remove keys that are not in `authorized_keys`. Default: report them.
	Exclusive bool `yaml:"exclusive"`
	// Debian packages to install.
	Packages []string `yaml:"packages"`
	// Filter incoming traffic with UFW: deny by default, SSH and the public
	// services' ports open.
	UFW bool `yaml:"ufw"`
	// Further ports to open.
	Firewall []FirewallRule `yaml:"firewall"`
	// Networks that may reach SSH. Default: any.
	SSHFrom OneOrMore `yaml:"ssh_from"`
	// The SSH server's settings.
	SSHD SSHD `yaml:"sshd"`
	// Install security updates every night.
	UnattendedUpgrades bool `yaml:"unattended_upgrades"`
	// Kernel settings by name, such as net.core.somaxconn: 1024.
	Sysctl map[string]string `yaml:"sysctl" stack:"scalar"`
	// Limit of the journal on disk, such as 200M or 1G.
	JournalSize string `yaml:"journal_size"`
	// Time zone, such as Europe/Berlin.
	Timezone string `yaml:"timezone"`
	// Locale, such as en_US.UTF-8.
	Locale string `yaml:"locale"`
}

// FirewallRule opens a port. A plain number or text is its port.
type FirewallRule struct {
	// A port such as 443 or a range such as 8000:8010. Required.
	Port string `yaml:"port" stack:"scalar"`
	// tcp or udp.
	Protocol string `yaml:"protocol" jsonschema:"enum=tcp,enum=udp"`
	// Address or network that may connect, such as 10.0.0.0/8. Default: any.
	From string `yaml:"from"`
	// What the rule is for; shown by `ufw status`.
	Comment string `yaml:"comment"`
}

func (FirewallRule) shortForm() string { return "port" }

// SSHD hardens the guest's SSH server. The keys are those of sshd_config(5).
type SSHD struct {
	// Let people log in with passwords.
	PasswordAuthentication bool `yaml:"password_authentication"`
	// Whether root may log in: `prohibit-password` with a key, `no` not at
	// all (later runs log in as `user`).
	PermitRootLogin string `yaml:"permit_root_login" jsonschema:"enum=prohibit-password,enum=no"`
	// Forward X11.
	X11Forwarding bool `yaml:"x11_forwarding"`
	// Forward TCP ports.
	AllowTCPForwarding bool `yaml:"allow_tcp_forwarding"`
	// Forward the authentication agent.
	AllowAgentForwarding bool `yaml:"allow_agent_forwarding"`
	// Attempts to authenticate in one connection.
	MaxAuthTries int `yaml:"max_auth_tries" jsonschema:"minimum=1,maximum=100"`
}

func (b *Base) validate(p place) {
	if p.child("user").text(b.User, userName, "") && b.User == "root" {
		p.child("user").fail("take another name; the default is appuser", "can't be root: the app runs as this user")
	}
	for i, key := range b.AuthorizedKeys {
		at := p.child("authorized_keys").item(i)
		at.publicKey(key)
		if key != "" && contains(b.AuthorizedKeys[:i], key) {
			at.fail("", "is there a second time")
		}
	}
	if b.Exclusive && len(b.AuthorizedKeys) == 0 && !p.child("authorized_keys").bad() {
		p.child("exclusive").fail("write `authorized_keys`", "would remove every key: `authorized_keys` is empty")
	}
	p.child("packages").each(b.Packages, packageName, packageHint)
	for i := range b.Firewall {
		b.Firewall[i].validate(p.child("firewall").item(i))
	}
	for i, from := range b.SSHFrom {
		p.child("ssh_from").item(i).network(from)
	}
	for name := range b.Sysctl {
		if !sysctlName.matches(name) {
			p.child("sysctl", name).key().fail("", "is not %s", sysctlName.name).Detail = sysctlName.allowed()
		}
	}
	p.child("journal_size").text(b.JournalSize, journalSize, "")
	p.child("timezone").text(b.Timezone, timeZone, "")
	p.child("locale").text(b.Locale, localeName, "")
}

func packageHint(s string) string {
	switch {
	case strings.ContainsAny(strings.TrimSpace(s), " ,"):
		return "write each package as an item of its own: [git, curl]"
	case packageName.matches(strings.ToLower(s)):
		return "write " + strings.ToLower(s)
	}
	return ""
}

func (r *FirewallRule) validate(p place) {
	p.child("from").network(r.From)
	if strings.ContainsAny(r.Comment, "'\n") {
		p.child("comment").fail("", "can't have a line break or a `'`")
	}
	if !p.child("port").required(r.Port, "such as port: 443") || pending(r.Port) || p.child("port").bad() {
		return
	}
	if port, protocol, ok := strings.Cut(r.Port, "/"); ok {
		p.child("port").fail(fmt.Sprintf("write {port: %s, protocol: %s}", port, protocol), "is %s, not a port", quote(r.Port))
		return
	}
	first, last, isRange := strings.Cut(r.Port, ":")
	low, okLow := portNumber(first)
	high, okHigh := portNumber(last)
	hint := ""
	if a, b, ok := strings.Cut(r.Port, "-"); ok {
		hint = fmt.Sprintf("write the range as \"%s:%s\"", a, b)
	}
	if !okLow || isRange && (!okHigh || high <= low) {
		p.child("port").fail(hint, "is %s, not a port (1 to 65535) or a range of ports", quote(r.Port))
	}
}

func portNumber(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= 65535 && s[0] != '0' && s[0] != '+'
}
