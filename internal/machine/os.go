package machine

import (
	"io/fs"
	"slices"
	"strings"

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
	// DatabasesDown is observed only: PostgreSQL is installed and does not run, so that
	// nothing is known of its databases.
	DatabasesDown bool   `json:"databases_down,omitempty"`
	Timezone      string `json:"timezone,omitempty"` // zoneinfo name
	Locale        string `json:"locale,omitempty"`   // LANG
	// Guarded is observed only: a run that was cut off has changed how this machine is
	// reached, and the machine will undo that unless a new connection confirms it.
	Guarded bool `json:"guarded,omitempty"`
}

// User is a login account. What is empty in a desired one is not asked for; groups
// and keys that are there beyond the desired ones stay, but for Exclusive.
type User struct {
	Shell     string   `json:"shell,omitempty"`
	Home      string   `json:"home,omitempty"`
	Groups    []string `json:"groups,omitempty"`    // supplementary groups
	Keys      []string `json:"keys,omitempty"`      // authorized_keys lines
	Exclusive bool     `json:"exclusive,omitempty"` // desired only: remove keys that are not in Keys
}

// File is a regular file, or with Dir a directory. An observed one that is something
// else has the type bit for it in Mode.
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
	// Ours is observed only: appstack created the file, by the machine's own record
	// (/var/lib/appstack/files) or by UnitMarker. It is removed when it is no longer
	// desired.
	Ours bool `json:"ours,omitempty"`
}

// Unit is a systemd unit. In a desired one, false for Enabled or Active means not
// asked for: the zero Unit is restarted by its triggers and else left alone.
//
// A unit file in /etc/systemd/system that is ours and no longer desired takes its
// unit with it: stopped, disabled, removed.
type Unit struct {
	Enabled bool `json:"enabled"`
	Active  bool `json:"active"`
	// Triggers are desired only: files whose change restarts the unit, or reloads
	// it with Reload. A unit's own file is always among them.
	Triggers []string `json:"-"`
	Reload   bool     `json:"-"`
	// Absent is desired only: stop, disable and remove it.
	Absent bool `json:"absent,omitempty"`
	// Stale is observed only: a trigger changed, and the run was cut off before the
	// unit was restarted.
	Stale bool `json:"stale,omitempty"`
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
	// Ours marks the rules that appstack added, by their comment: only those are ever
	// changed or removed.
	Ours bool `json:"ours,omitempty"`
	// Comment says what one of ours is for.
	Comment string `json:"comment,omitempty"`
	// Text is observed only: a rule of another form than the above ("deny in tcp 25"),
	// which is never ours; the other fields are empty then.
	Text string `json:"text,omitempty"`
}

// Database is a PostgreSQL database with its owning role.
type Database struct {
	Owner string `json:"owner"`
	// User is the role that the app logs in as, a member of Owner; empty: Owner itself.
	User       string       `json:"user,omitempty"`
	Password   secret.Value `json:"-"`
	Encoding   string       `json:"encoding,omitempty"`
	Extensions []string     `json:"extensions,omitempty"`
	// PasswordValid is observed only: logging in with the desired password works.
	PasswordValid bool `json:"password_valid,omitempty"`
	// Member is observed only: the desired User is the owner or a member of it.
	Member bool `json:"member,omitempty"`
}

// Release is the app's code on the machine: a directory Dir/releases/SHA, or where that
// is built with something else already, Dir/releases/SHA-bBuild; and Dir/current a symlink
// to the one that serves.
//
// It is deployed by running "/usr/local/bin/deploy_app.sh SHA" as root, with Input on
// its standard input. The script restarts the app's units, and leaves a file
// Dir/releases/SHA.failed when the release did not become healthy (and removes it
// when it did).
type Release struct {
	Dir string `json:"dir,omitempty"` // the app's directory; empty: /srv/app
	SHA string `json:"sha"`           // commit that is to serve, or serves
	// Built says what it is built with, NAME=HASH for the app as a whole and for each
	// service: commands, and the variables that they bake in.
	Built []string `json:"built,omitempty"`
	// Build identifies Built as a whole, in 8 hex digits; observed: empty where the
	// directory's name is the commit alone.
	Build  string `json:"build,omitempty"`
	Failed string `json:"failed,omitempty"` // observed only: the desired commit, if it is marked bad
	// Stale is observed only: a trigger changed, and the run was cut off before the
	// commit was deployed again.
	Stale bool `json:"stale,omitempty"`

	// The following are desired only.

	// Triggers are files whose change deploys the commit that serves once more.
	Triggers []string `json:"-"`
	// Units are restarted by the deployment: no start or restart of theirs is added to it.
	Units []string `json:"-"`
	// Input is what the deploy script reads: whatever must not be on its command line.
	Input secret.Value `json:"-"`
	// Tree is the path, on this side, of a tar archive with the source, for one that is
	// uploaded rather than fetched. SHA names its content then, and the script is run
	// as "deploy_app.sh --upload SHA" with the archive on its standard input.
	Tree string `json:"-"`
}

// Lacks names the parts of a wanted release that r, which serves, is not built with as
// they should be. What else r has does no harm.
func (r *Release) Lacks(want *Release) []string {
	var names []string
	for _, part := range want.Built {
		if !slices.Contains(r.Built, part) {
			name, _, _ := strings.Cut(part, "=")
			names = append(names, name)
		}
	}
	return names
}

// UnitMarker begins a line of each systemd unit file that appstack wrote into
// [UnitDir]. A unit that has it and is not desired any more has left the stack:
// it is stopped, disabled and removed with its file.
const UnitMarker = "X-Appstack="

// UnitDir is where appstack writes systemd units.
const UnitDir = "/etc/systemd/system"
