package guest

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

//go:embed observe.sh
var observeScript string

// Names that the scripts handle are restricted to what cannot be mistaken for
// anything else: the machine's answer is split at tabs and ends of lines.
var (
	packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*(:[a-z0-9-]+)?$`) // Debian policy 5.6.7
	userName    = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)             // useradd(8)
	unitName    = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+\.[a-z]+$`)        // systemd.unit(5)
	shaName     = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,127}$`)
	releaseName = regexp.MustCompile(`^(.+)-b([0-9a-f]{8})$`)
	databaseRE  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,62}$`)
)

// checkPath refuses paths that the protocol could not carry.
func checkPath(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsAny(p, "\\|=") || strings.ContainsFunc(p, isControl) {
		return fmt.Errorf("cannot handle the path %q: it must be absolute and clean, without \\, |, = and control characters", p)
	}
	return nil
}

// releaseID names a release's directory.
func releaseID(sha, build string) string {
	if sha == "" || build == "" {
		return sha
	}
	return sha + "-b" + build
}

// cutRelease takes the name of a release's directory apart.
func cutRelease(id string) (sha, build string) {
	if m := releaseName.FindStringSubmatch(id); m != nil {
		return m[1], m[2]
	}
	return id, ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// checkNames refuses a desired OS whose names the protocol could not carry.
func checkNames(want *machine.OS) error {
	for _, c := range []struct {
		kind  string
		re    *regexp.Regexp
		names []string
	}{
		{"package", packageName, sortedKeys(want.Packages)},
		{"user", userName, sortedKeys(want.Users)},
		{"unit", unitName, sortedKeys(want.Units)},
		{"database", databaseRE, sortedKeys(want.Databases)},
	} {
		for _, name := range c.names {
			if !c.re.MatchString(name) {
				return fmt.Errorf("%q is no name for a %s", name, c.kind)
			}
		}
	}
	if r := want.Release; r != nil && r.SHA != "" && !shaName.MatchString(releaseID(r.SHA, r.Build)) {
		return fmt.Errorf("%q is no name for a release", releaseID(r.SHA, r.Build))
	}
	paths := sortedKeys(want.Files)
	if r := want.Release; r != nil && r.Dir != "" {
		paths = append(paths, r.Dir)
	}
	for _, p := range paths {
		if err := checkPath(p); err != nil {
			return err
		}
	}
	return nil
}

// observation returns the script that reports what plan needs to compare a machine
// with want. Passwords to try are in it: it goes over standard input only.
func observation(want *machine.OS) string {
	var b strings.Builder
	b.WriteString(observeScript)
	line := func(function string, args ...string) { b.WriteString(words(function, args...) + "\n") }
	line("guard")
	line("distribution")
	if len(want.Packages) > 0 {
		line("packages", sortedKeys(want.Packages)...)
	}
	if len(want.Users) > 0 {
		line("users", sortedKeys(want.Users)...)
	}
	b.WriteString("wanted=" + quote(expected(want.Files)) + "\n")
	line("files", sortedKeys(want.Files)...)
	line("units", sortedKeys(want.Units)...)
	if want.Firewall != nil {
		line("firewall")
	}
	if want.Release != nil {
		line("release", cmp.Or(want.Release.Dir, "/srv/app"), want.Release.SHA, releaseID(want.Release.SHA, want.Release.Build))
	}
	if want.Timezone != "" {
		line("timezone")
	}
	if want.Locale != "" {
		line("locale")
	}
	for _, name := range sortedKeys(want.Databases) {
		db := want.Databases[name]
		b.WriteString("PGPASSWORD=" + quote(db.Password.Reveal()) + "; export PGPASSWORD\n")
		line("database", name, cmp.Or(db.User, db.Owner))
	}
	line("kept", sortedKeys(want.Databases)...)
	b.WriteString("unset PGPASSWORD\necho end\n")
	return b.String()
}

// expected lists what files should hold, "|PATH=SHA256|".
func expected(files map[string]machine.File) string {
	var b strings.Builder
	for _, p := range sortedKeys(files) {
		if f := files[p]; !f.Dir && !f.Absent {
			b.WriteString("|" + p + "=" + plan.Hash(f.Content) + "|")
		}
	}
	return b.String()
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
