package templates

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SSHD is a drop-in of the SSH server; the keys are those of sshd_config(5).
type SSHD struct {
	PasswordAuthentication bool
	PermitRootLogin        string
	X11Forwarding          bool
	AllowTCPForwarding     bool
	AllowAgentForwarding   bool
	MaxAuthTries           int
}

// File returns the drop-in.
func (s SSHD) File() string {
	var b strings.Builder
	set := func(key, value string) { fmt.Fprintf(&b, "%s %s\n", key, value) }
	set("PubkeyAuthentication", "yes")
	set("PasswordAuthentication", yesNo(s.PasswordAuthentication))
	// The other way to ask for a password, through PAM.
	set("KbdInteractiveAuthentication", yesNo(s.PasswordAuthentication))
	set("PermitEmptyPasswords", "no")
	if s.PermitRootLogin != "" {
		set("PermitRootLogin", s.PermitRootLogin)
	}
	set("X11Forwarding", yesNo(s.X11Forwarding))
	set("AllowTcpForwarding", yesNo(s.AllowTCPForwarding))
	set("AllowAgentForwarding", yesNo(s.AllowAgentForwarding))
	if s.MaxAuthTries > 0 {
		set("MaxAuthTries", fmt.Sprint(s.MaxAuthTries))
	}
	return b.String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Upgrades is apt's configuration for nightly security updates. The origins are
// the distribution's own default, which is its security archive.
const Upgrades = `// Written by appstack; a change here lasts until its next run.
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
Unattended-Upgrade::Remove-Unused-Dependencies "true";
`

// sysctlBasics are what a server on a network should have and an unprivileged
// container may set, being its own network namespace's.
var sysctlBasics = map[string]string{
	"net.core.somaxconn":                     "4096",
	"net.ipv4.conf.all.accept_redirects":     "0",
	"net.ipv4.conf.all.accept_source_route":  "0",
	"net.ipv4.conf.all.send_redirects":       "0",
	"net.ipv4.conf.default.accept_redirects": "0",
	"net.ipv4.icmp_echo_ignore_broadcasts":   "1",
	"net.ipv4.tcp_syncookies":                "1",
	"net.ipv6.conf.all.accept_redirects":     "0",
	"net.ipv6.conf.default.accept_redirects": "0",
}

// Sysctl returns a file for sysctl.d(5) with basics and, over them, settings. The
// "-" before a key lets systemd-sysctl go on when the kernel refuses it, as it does
// in a container for what belongs to the host.
func Sysctl(settings map[string]string) string {
	all := maps.Clone(sysctlBasics)
	maps.Copy(all, settings)
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "-%s = %s\n", key, all[key])
	}
	return b.String()
}

// AptSource is an apt repository.
type AptSource struct {
	URL, Suite string
	Components []string
	SignedBy   string // path of the key on the guest
}

// File returns the repository in deb822 style (sources.list(5)).
func (s AptSource) File() string {
	return fmt.Sprintf("# Written by appstack; a change here lasts until its next run.\nTypes: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n",
		s.URL, s.Suite, strings.Join(s.Components, " "), s.SignedBy)
}
