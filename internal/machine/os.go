package machine

import (
	"io/fs"

	"github.com/org/appstack-action/internal/secret"
)

// OS is what is inside a machine. In a desired OS a resource that is absent from
// its map is not asked for; what that means for one that exists is plan's to say.
type OS struct {
	Distribution string              `json:"distribution,omitempty"` // ID and VERSION_ID of os-release: "debian 12"; observed only
	Packages     map[string]string   `json:"packages,omitempty"`     // Debian package → version; desired: "" is any
	Users        map[string]User     `json:"users,omitempty"`        // by name
	Files        map[string]File     `json:"files,omitempty"`        // by absolute path; those in /etc/apt are written before packages are installed
	Units        map[string]Unit     `json:"units,omitempty"`        // systemd units by full name
	Firewall     *Firewall           `json:"firewall,omitempty"`     // nil: not managed
	Databases    map[string]Database `json:"databases,omitempty"`    // PostgreSQL databases by name
	Release      *Release            `json:"release,omitempty"`      // the app's code; nil: no app
	Timezone     string              `json:"timezone,omitempty"`     // zoneinfo name
	Locale       string              `json:"locale,omitempty"`       // LANG
}

// User is a login account.
type User struct {
	Shell     string   `json:"shell,omitempty"`
	Home      string   `json:"home,omitempty"`
	Groups    []string `json:"groups,omitempty"`    // supplementary groups
	Keys      []string `json:"keys,omitempty"`      // authorized_keys lines
	Exclusive bool     `json:"exclusive,omitempty"` // desired only: remove keys that are not in Keys
}

// File is a regular file, or with Dir a directory.
type File struct {
	Dir   bool        `json:"dir,omitempty"`
	Mode  fs.FileMode `json:"mode"`
	Owner string      `json:"owner"`
	Group string      `json:"group"`
	// Content is the whole text; observed only where it differs from what was expected.
	Content secret.Value `json:"-"`
	// SHA256 is the content's hash in hex; desired: computed by plan from Content.
	SHA256 string `json:"sha256,omitempty"`
	// Sensitive content is never shown; see plan for what its diffs tell.
	Sensitive bool `json:"sensitive,omitempty"`
	// Check is desired only: a command that must accept the file before it takes its
	// place ("visudo -cf", "sshd -tf"), given its temporary path as last argument.
	Check string `json:"-"`
	// Absent is desired only: the file must not exist.
	Absent bool `json:"absent,omitempty"`
}

// Unit is a systemd unit.
type Unit struct {
	Enabled bool `json:"enabled"`
	Active  bool `json:"active"`
	// Triggers are desired only: files whose change restarts the unit, or reloads
	// it with Reload. A unit's own file is always among them.
	Triggers []string `json:"-"`
	Reload   bool     `json:"-"`
	// Absent is desired only: stop, disable and remove it.
	Absent bool `json:"absent,omitempty"`
}

// Firewall is the guest's UFW: incoming traffic is denied but for the rules.
type Firewall struct {
	Enabled bool   `json:"enabled"`
	Rules   []Rule `json:"rules"`
}

// Rule lets incoming traffic to a port in.
type Rule struct {
	Port     string `json:"port"`           // "22", "8000:8010"
	Protocol string `json:"protocol"`       // tcp or udp
	From     string `json:"from,omitempty"` // CIDR; empty: anywhere
	// Ours marks the rules that appstack added, by their comment: only those are ever removed.
	Ours bool `json:"ours,omitempty"`
}

// Database is a PostgreSQL database with its owning role.
type Database struct {
	Owner      string       `json:"owner"`
	Password   secret.Value `json:"-"`
	Encoding   string       `json:"encoding,omitempty"`
	Extensions []string     `json:"extensions,omitempty"`
	// PasswordValid is observed only: logging in with the desired password works.
	PasswordValid bool `json:"password_valid,omitempty"`
}

// Release is the app's code on the machine.
type Release struct {
	SHA     string `json:"sha"`               // commit that is to serve, or serves (target of current)
	Failed  string `json:"failed,omitempty"`  // observed only: commit marked bad
	Healthy bool   `json:"healthy,omitempty"` // observed only
}

// UnitMarker begins a line of each systemd unit file that appstack wrote into
// [UnitDir]. A unit that has it and is not desired any more has left the stack:
// stop, disable and remove it with its file.
const UnitMarker = "X-Appstack="

// UnitDir is where appstack writes systemd units.
const UnitDir = "/etc/systemd/system"
