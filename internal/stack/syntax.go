package stack

import (
	"regexp"
	"strings"
)

// syntax is the form that a text must have.
type syntax struct {
	name    string // with its article, after "is not"
	form    string // what is allowed
	pattern *regexp.Regexp
	most    int // characters, 0 for no limit
}

// matches reports whether s has the form.
func (x syntax) matches(s string) bool {
	return (x.most == 0 || len(s) <= x.most) && x.pattern.MatchString(s)
}

// allowed returns the note that tells the form.
func (x syntax) allowed() string {
	if strings.HasPrefix(x.form, "such as") {
		return x.form
	}
	return "allowed: " + x.form
}

func newSyntax(name, form, pattern string, most int) syntax {
	return syntax{name: name, form: form, pattern: regexp.MustCompile(`^(?:` + pattern + `)$`), most: most}
}

// The forms of Proxmox are those of its own API schema (pve-storage-id,
// pve-node, pve-poolid, pve-tag, mac-addr, pve-startup-order).
var (
	hostName = newSyntax("a host name",
		"letters, digits and - in parts of at most 63 characters, joined by dots",
		`[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*`, 253)
	keyName = newSyntax("a name that can be used",
		"letters, digits, - and _, beginning with a letter or digit, at most 40 characters",
		`[A-Za-z0-9][A-Za-z0-9_-]*`, 40)
	storageID = newSyntax("a Proxmox storage ID",
		"letters, digits and - _ . beginning with a letter",
		`[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]`, 0)
	nodeName = newSyntax("the name of a Proxmox node",
		"letters, digits and -, or `auto`",
		`[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?`, 63)
	poolID = newSyntax("a Proxmox pool",
		"letters, digits and - _ . in up to three parts joined by /",
		`[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+){0,2}`, 0)
	tagName = newSyntax("a Proxmox tag",
		"lower-case letters, digits and - _ + . beginning with a letter, a digit or _",
		`[a-z0-9_][a-z0-9_+.-]*`, 0)
	bridgeName = newSyntax("the name of a bridge",
		"letters, digits and - _ . at most 15 characters",
		`[A-Za-z0-9._-]+`, 15)
	macAddress = newSyntax("a MAC address",
		"six pairs of hexadecimal digits, such as BC:24:11:2A:00:01",
		`[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}`, 0)
	startupOrder = newSyntax("a startup order",
		"order=N, up=SECONDS and down=SECONDS, joined by commas",
		`(?:(?:order=)?[0-9]+|(?:up|down)=[0-9]+)(?:,(?:order|up|down)=[0-9]+)*`, 0)
	volumeID = newSyntax("a Proxmox volume",
		"storage:path, such as local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst",
		`[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]:[^\s:]+`, 0)
	templateName = newSyntax("a container template",
		"the beginning of a template's name, such as debian-12-standard, or a volume such as local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst",
		`[A-Za-z0-9][A-Za-z0-9._+-]*|[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]:vztmpl/[^\s:]+\.tar\.(?:gz|xz|zst)`, 255)
	cloneSource = newSyntax("a template VM",
		"its vmid or its name",
		`[1-9][0-9]{2,8}|[A-Za-z0-9][A-Za-z0-9.-]*`, 0)
	checksumForm = newSyntax("a checksum",
		"sha256: and 64 hexadecimal digits, or sha512: and 128",
		`sha256:[0-9a-fA-F]{64}|sha512:[0-9a-fA-F]{128}`, 0)
	cpuType = newSyntax("a CPU type", "such as host, kvm64 or x86-64-v2-AES", `[A-Za-z0-9][A-Za-z0-9._+-]*`, 0)

	userName = newSyntax("a user name",
		"lower-case letters, digits, - and _, beginning with a letter or _, at most 32 characters",
		`[a-z_][a-z0-9_-]*`, 32)
	packageName = newSyntax("the name of a Debian package",
		"lower-case letters, digits and + - . with an optional :architecture and =version",
		`[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:=[A-Za-z0-9.+:~-]+)?`, 0)
	sysctlName = newSyntax("a kernel setting",
		"parts joined by dots, such as net.core.somaxconn",
		`[a-z0-9_-]+(?:[./][A-Za-z0-9_*-]+)+`, 0)
	journalSize = newSyntax("a size of the journal", "a number with K, M or G, such as 200M", `[1-9][0-9]*[KMGT]?`, 0)
	timeZone    = newSyntax("a time zone", "a name such as Europe/Berlin or Etc/UTC", `[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*`, 0)
	localeName  = newSyntax("a locale", "such as en_US.UTF-8, de_DE.UTF-8 or C.UTF-8",
		`(?:C|POSIX|[a-z]{2,3}_[A-Z]{2})(?:\.[A-Za-z0-9-]+)?(?:@[a-z]+)?`, 0)
	variableName = newSyntax("the name of a variable",
		"letters, digits and _, not beginning with a digit",
		`[A-Za-z_][A-Za-z0-9_]*`, 0)

	unitName = newSyntax("a name that systemd can use",
		"lower-case letters, digits, - and _, beginning with a letter, at most 40 characters",
		`[a-z][a-z0-9_-]*`, 40)
	nodeVersion   = newSyntax("a version of Node.js", "a major version such as 22", `[1-9][0-9]?`, 0)
	pythonVersion = newSyntax("a version of Python", "a minor version such as \"3.11\", in quotes", `3\.[0-9]{1,2}`, 0)
	databaseName  = newSyntax("a name that PostgreSQL can use",
		"lower-case letters, digits, - and _, beginning with a letter or _, at most 63 characters",
		`[a-z_][a-z0-9_-]*`, 63)
	encodingName = newSyntax("an encoding of PostgreSQL", "such as UTF8 or LATIN1", `[A-Za-z][A-Za-z0-9_-]*`, 0)
	mailAddress  = newSyntax("a mail address", "such as ops@example.org", `[^\s@<>,;]+@[^\s@<>,;]+`, 254)
	gitBranch    = newSyntax("the name of a branch", "what `git check-ref-format --branch` allows",
		`[^\s~^:?*\[\\\x00-\x1f\x7f]+`, 250)

	fingerprintSSH = newSyntax("an SSH fingerprint", "SHA256: and 43 characters, as `ssh-keygen -lf` prints it", `SHA256:[A-Za-z0-9+/]{43}=?`, 0)
	fingerprintTLS = newSyntax("a SHA-256 fingerprint", "64 hexadecimal digits, colons between pairs allowed",
		`(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}`, 0)
	apiToken = newSyntax("a Proxmox API token",
		"user@realm!id=uuid, such as appstack@pve!deploy=12345678-1234-1234-1234-123456789abc",
		`[^\s@!=]+@[A-Za-z][A-Za-z0-9._-]+![A-Za-z][A-Za-z0-9._-]+=[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`, 0)
	jumpTarget = newSyntax("a jump host", "user@host or user@host:port", `[^\s@:]+@(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?`, 0)
)

// pending reports whether s is known only after [Env.Expand].
func pending(s string) bool { return strings.Contains(s, "${") }
