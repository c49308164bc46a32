package stack

import (
	"strings"
	"time"
)

// Stack is a loaded stack file: what concerns all environments, and each
// environment with its defaults filled in.
type Stack struct {
	Proxmox  Proxmox
	Secrets  []SecretFile
	SSH      SSH
	LockWait time.Duration
	// Envs are sorted by project and name.
	Envs []*Env

	file     *file
	document *node // the whole file as it was written
	root     *node // its top level without `defaults` and `projects`, presets filled in
}

// Env is one environment of one project: built-in defaults, `defaults:`, the
// project and the environment merged key by key, the last one winning.
//
// `${project} ${env} ${branch} ${ip}` are replaced already; `${secret.…}`
// and `${sha}` stand as they were written until [Env.Expand].
type Env struct {
	// Project and Name are the keys under `projects:` and `envs:`.
	Project string
	Name    string
	Settings

	file  *file
	key   *node // the environment's key in the file
	own   *node // what the project and the environment say, without `defaults`
	node  *node // its settings merged, presets filled in, maybe expanded
	shown *node // the same before secrets came in
}

// String returns "project/env", the form in which people name an environment.
func (e *Env) String() string { return e.Project + "/" + e.Name }

// Document is the top level of a stack file.
type Document struct {
	// Where the Proxmox VE API is and how to log in.
	Proxmox Proxmox `yaml:"proxmox"`
	// Files encrypted with age that hold the values of `${secret.…}`, in
	// order; where two have the same name, the later one wins.
	Secrets []SecretFile `yaml:"secrets"`
	// How guests are reached.
	SSH SSH `yaml:"ssh"`
	// How long a run waits for another one that works on the same
	// environment, such as 10m.
	LockWait time.Duration `yaml:"lock_wait"`
	// Settings that hold for every environment of every project unless the
	// project or the environment says otherwise.
	Defaults Settings `yaml:"defaults"`
	// The projects by name.
	Projects map[string]Project `yaml:"projects" jsonschema:"required"`
}

// Project is one application with its environments. What it sets beside
// `envs` holds for each of them unless the environment says otherwise.
type Project struct {
	Settings `yaml:",inline"`
	// The environments by name, such as dev, qa, prod.
	Envs map[string]Settings `yaml:"envs" jsonschema:"required"`
}

// Settings are the keys of an environment. They may stand in `defaults`, in
// a project or in the environment itself: mappings are merged key by key,
// lists and values replaced, and `null` takes an inherited one away.
type Settings struct {
	// Host name of the guest, also its name in Proxmox.
	Hostname string `yaml:"name"`
	// Number of the guest in Proxmox. Required.
	VMID int `yaml:"vmid" jsonschema:"minimum=100,maximum=999999999"`
	// IPv4 address with prefix length, such as 10.0.10.101/24. Required.
	IP string `yaml:"ip"`
	// IPv4 gateway, an address without prefix length.
	Gateway string `yaml:"gateway"`
	// IPv6 address with prefix length, or `auto` (SLAAC).
	IP6 string `yaml:"ip6"`
	// IPv6 gateway, an address without prefix length.
	Gateway6 string `yaml:"gateway6"`
	// Pushes to this branch deploy this environment.
	Branch string `yaml:"branch"`
	// Address under which people reach the app, shown with deployments.
	// Default: the guest's address and the port of its first public service.
	URL string `yaml:"url"`
	// A protected environment is never destroyed, and its guest is never
	// restarted unless `restart: allowed` says so.
	Protected bool `yaml:"protected"`
	// Whether a change that needs a restart of the guest may restart it.
	// `auto`: allowed unless the environment is protected.
	Restart string `yaml:"restart" jsonschema:"enum=auto,enum=allowed,enum=forbidden"`
	// Take over a guest that exists under this vmid and is not ours yet.
	Adopt bool `yaml:"adopt"`
	// SSH host-key fingerprints of an adopted guest, such as
	// SHA256:…, as printed by `ssh-keygen -lf`.
	SSHFingerprint OneOrMore `yaml:"ssh_fingerprint"`
	// Variables of the app's env file, seen by services, builds, migrations
	// and cron jobs.
	EnvVars map[string]string `yaml:"env_vars" stack:"scalar"`
	// The container or virtual machine.
	Guest Guest `yaml:"guest"`
	// The operating system.
	Base Base `yaml:"base"`
	// The application.
	App App `yaml:"app"`
}

// OneOrMore is a list of strings that may be written as a single string
// when it has one item.
type OneOrMore []string

func (s *Settings) validate(p place, e *Env) {
	if s.VMID == 0 && !p.child("vmid").has() {
		p.child("vmid").fail("choose a free number from 100 on", "is missing")
	}
	hint := ""
	if strings.Contains(s.Hostname, "_") {
		hint = "write `name: " + strings.ReplaceAll(s.Hostname, "_", "-") + "`"
	}
	if keyName.matches(e.Project) && keyName.matches(e.Name) {
		p.child("name").text(s.Hostname, hostName, hint)
	}
	s.validateAddresses(p)
	s.validateBranch(p.child("branch"))
	p.child("url").webURL(s.URL)
	p.child("ssh_fingerprint").each(s.SSHFingerprint, fingerprintSSH, nil)
	p.child("env_vars").variables(s.EnvVars)
}

func (s *Settings) validateBranch(p place) {
	hint := ""
	if strings.ContainsAny(s.Branch, "*?[^$|") {
		hint = "name one branch: there are no patterns; further branches are environments of their own"
	}
	if !p.text(s.Branch, gitBranch, hint) || s.Branch == "" {
		return
	}
	switch name, isRef := strings.CutPrefix(s.Branch, "refs/heads/"); {
	case isRef:
		p.fail("write "+name, "is a ref, not the name of a branch")
	case strings.HasPrefix(s.Branch, "-"), strings.HasPrefix(s.Branch, "/"), strings.HasSuffix(s.Branch, "/"),
		strings.HasSuffix(s.Branch, ".lock"), strings.HasSuffix(s.Branch, "."), strings.Contains(s.Branch, ".."),
		strings.Contains(s.Branch, "//"), strings.Contains(s.Branch, "@{"):
		p.fail("", "is %s, not %s", quote(s.Branch), gitBranch.name).Detail = gitBranch.allowed()
	}
}
