package stack

import (
	"net/url"
	"strings"
)

// Proxmox says where the Proxmox VE API is and how to log in.
type Proxmox struct {
	// Address of the API, such as https://pve1.lan:8006. Required.
	URL string `yaml:"url"`
	// API token, as user@realm!id=uuid. Required.
	Token string `yaml:"token"`
	// SHA-256 fingerprint of the API's certificate, as shown under
	// System → Certificates of the node.
	Fingerprint string `yaml:"fingerprint"`
	// PEM file (path in the repository, or the certificates themselves) of
	// the authority that signed the API's certificate. Without `ca` and
	// `fingerprint` the system's authorities are trusted.
	CA string `yaml:"ca"`
	// Node that new guests are created on, or `auto`: the online node with
	// the most free memory that has the storage, the bridge and the template,
	// and the guest's memory free if any has.
	Node string `yaml:"node"`
	// Pool that new guests join. One in another pool is moved where the token
	// may do that.
	Pool string `yaml:"pool"`
	// `jump`: reach the API through the host of `ssh.jump` too.
	Via string `yaml:"via" jsonschema:"enum=jump"`
}

// SSH says how guests are reached.
type SSH struct {
	// User of the first run, before the app user exists.
	User string `yaml:"user"`
	// Private key (its text, from a secret) that logs in to the guests.
	Key string `yaml:"key"`
	// Port of the guests' SSH servers.
	Port int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// Host to go through to reach the guests.
	Jump *Jump `yaml:"jump"`
}

// Jump is an SSH host between us and the guests.
type Jump struct {
	// user@host or user@host:port. Required.
	To string `yaml:"to"`
	// Private key for this host. Default: `ssh.key`.
	Key string `yaml:"key"`
	// The host's public key, such as `ssh-ed25519 AAAA…`, as
	// `ssh-keyscan` prints it after the name. Required.
	HostKey string `yaml:"host_key"`
}

// SecretFile is a file encrypted with age. A plain string is its path.
type SecretFile struct {
	// Path in the repository. Required.
	File string `yaml:"file"`
	// Open the file only when one of these environments is the target.
	Envs OneOrMore `yaml:"envs"`
	// Open the file only when one of these projects is the target.
	Projects OneOrMore `yaml:"projects"`
}

func (SecretFile) shortForm() string { return "file" }

func (x *Proxmox) validate(p place, s SSH) {
	if !p.has() || p.bad() {
		return
	}
	p.child("url").required(x.URL, "such as url: https://pve1.lan:8006")
	p.child("token").required(x.Token, "such as token: ${secret.proxmox_token}")
	before := len(*p.list)
	if x.validateURL(p.child("url")); len(*p.list) > before {
		(*p.list)[before].Detail = "allowed: https://HOST:PORT, such as https://pve1.lan:8006"
	}
	p.child("token").muted().text(x.Token, apiToken, x.tokenHint())
	p.child("fingerprint").muted().text(x.Fingerprint, fingerprintTLS, x.fingerprintHint())
	if x.Fingerprint != "" && x.CA != "" {
		p.child("ca").fail("remove one of them", "can't stand beside `fingerprint`")
	}
	if x.Node != "auto" {
		p.child("node").text(x.Node, nodeName, nodeHint(x.Node))
	}
	p.child("pool").text(x.Pool, poolID, "")
	if x.Via == "jump" && s.Jump == nil {
		p.child("via").fail("write `ssh: {jump: {to: user@host, host_key: …}}`", "is jump, but there is no `ssh.jump`")
	}
}

// nodeHint returns what a node is called that is written as its host name.
func nodeHint(name string) string {
	if first, _, dotted := strings.Cut(name, "."); dotted && nodeName.matches(first) {
		return "write " + first + ", as `pvesh get /nodes` lists it"
	}
	return ""
}

func (x *Proxmox) validateURL(p place) {
	if !p.webURL(x.URL) || x.URL == "" || pending(x.URL) {
		return
	}
	u, err := url.Parse(x.URL)
	switch {
	case err != nil:
	case u.Scheme != "https":
		p.fail("write https://"+u.Host, "is not https; the token would travel in plain text")
	case u.User != nil:
		p.fail("log in with `token`", "can't contain a user")
	case !portFits(u.Port()):
		p.fail("the API's own is 8006", "has no port between 1 and 65535")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		p.fail("write https://"+u.Host, "must end after host and port")
	}
}

// fingerprintHint says what a fingerprint is instead, without repeating it.
func (x *Proxmox) fingerprintHint() string {
	_, after, named := strings.Cut(x.Fingerprint, "=")
	switch {
	case named && fingerprintTLS.matches(after):
		return "leave out everything up to the ="
	case len(strings.ReplaceAll(x.Fingerprint, ":", "")) == 40:
		return "this is a SHA-1 fingerprint; `pvenode cert info` prints the SHA-256 one"
	}
	return ""
}

// portFits reports whether s is a port, or nothing.
func portFits(s string) bool {
	_, ok := portNumber(s)
	return ok || s == ""
}

// tokenHint says what a token lacks, without repeating it.
func (x *Proxmox) tokenHint() string {
	switch {
	case strings.HasPrefix(x.Token, "PVEAPIToken="):
		return "leave `PVEAPIToken=` out"
	case !strings.Contains(x.Token, "!"):
		return "the token's ID is missing: user@realm!id=uuid"
	case !strings.Contains(x.Token, "="):
		return "the token's secret is missing: user@realm!id=uuid"
	}
	return ""
}

func (s *SSH) validate(p place) {
	p.child("user").text(s.User, userName, "")
	p.child("key").privateKey(s.Key)
	if s.Jump == nil {
		return
	}
	jump := p.child("jump")
	jump.child("to").required(s.Jump.To, "such as to: admin@bastion.lan")
	if jump.child("to").text(s.Jump.To, jumpTarget, "") {
		if i := strings.LastIndexByte(s.Jump.To, ':'); i > 0 && !strings.HasSuffix(s.Jump.To, "]") && !pending(s.Jump.To) {
			if _, ok := portNumber(s.Jump.To[i+1:]); !ok {
				jump.child("to").fail("", "has no port between 1 and 65535")
			}
		}
	}
	jump.child("key").privateKey(s.Jump.Key)
	if jump.child("host_key").required(s.Jump.HostKey, "`ssh-keyscan -t ed25519 <host>` prints it; compare it with the host's own") {
		jump.child("host_key").publicKey(s.Jump.HostKey)
	}
}

func (f *SecretFile) validate(p place, s *Stack) {
	if strings.ContainsAny(f.File, "*?[") {
		p.child("file").fail("name each file: there are no patterns", "is %s, not the path of a file", quote(f.File))
	} else if p.child("file").required(f.File, "") && !p.child("file").bad() {
		p.child("file").relative(f.File)
	}
	p.child("envs").oneOf(f.Envs, "environment", s.envKeys())
	p.child("projects").oneOf(f.Projects, "project", s.projectKeys())
}
