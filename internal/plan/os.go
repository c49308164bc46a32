package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// osDiff is the comparison of the inside of one machine.
type osDiff struct {
	*Plan
	have, want *machine.OS
	changed    map[string]bool // files whose content will be another
	deploys    bool
}

// diffOS adds the steps inside the guest. Their order is that of need: what a later
// step uses is there before it. What changes how the machine is reached comes in one
// piece, for the lock-out guard; what left the stack goes before the app starts, for
// it may hold a port.
func diffOS(p *Plan, have, want *machine.OS) {
	if have == nil {
		p.Partial = true
		have = &machine.OS{}
	}
	d := &osDiff{Plan: p, have: have, want: want, changed: map[string]bool{}}
	d.guard()
	d.files(isAPT)
	d.packages()
	d.users()
	d.files(isOrdinary)
	d.access()
	d.settings()
	d.databases()
	d.gone()
	d.release()
	d.units(func(name string) bool { return !d.isAccessUnit(name) })
}

// guard confirms what an interrupted run changed: that this run could see the machine
// proves that the change locks nobody out.
func (d *osDiff) guard() {
	if d.have.Guarded {
		d.add(Set, "guard", "confirmed", "an interrupted run changed how the machine is reached, and it is reached", Hot)
	}
}

// packages adds one step for all packages: they are one transaction of apt's.
func (d *osDiff) packages() {
	var names, causes []string
	for _, name := range sorted(d.want.Packages) {
		want := d.want.Packages[name]
		have, ok := d.have.Packages[name]
		if ok && (want == "" || want == have) {
			continue
		}
		if want != "" {
			names = append(names, name+"="+want)
		} else {
			names = append(names, name)
		}
		if ok {
			causes = append(causes, fmt.Sprintf("%s %s → %s", name, have, want))
		}
	}
	if len(causes) < len(names) {
		causes = append(causes, "not installed")
	}
	if len(names) > 0 {
		d.add(Install, "packages", strings.Join(names, " "), strings.Join(causes, ", "), Hot)
	}
}

// settings adds what belongs to the whole system.
func (d *osDiff) settings() {
	if zone := d.want.Timezone; zone != "" && zone != d.have.Timezone {
		d.add(Set, "timezone", zone, was(d.have.Timezone), Hot)
	}
	if lang := d.want.Locale; lang != "" && lang != d.have.Locale {
		d.add(Set, "locale", lang, was(d.have.Locale), Hot)
	}
}

func was(old string) string {
	if old == "" {
		return "not set"
	}
	return "was " + old
}

// databases never removes one: what is in it is not ours.
func (d *osDiff) databases() {
	for _, name := range sorted(d.want.Databases) {
		want := d.want.Databases[name]
		have, ok := d.have.Databases[name]
		switch {
		case d.have.DatabasesDown:
			d.add(Set, "database", name, "PostgreSQL does not run", Hot)
			continue
		case !ok:
			d.add(Create, "database", name, "missing", Hot)
			continue
		}
		if causes := databaseCauses(have, want); len(causes) > 0 {
			d.add(Set, "database", name, strings.Join(causes, ", "), Hot)
		}
		if want.Encoding != "" && !strings.EqualFold(want.Encoding, have.Encoding) {
			d.note("database %s has the encoding %s, not %s: only a new database can have another", name, have.Encoding, want.Encoding)
		}
	}
	for _, name := range sorted(d.have.Databases) {
		if _, ok := d.want.Databases[name]; !ok {
			d.note("database %s left the stack and is kept; drop it by hand when its data is worth nothing", name)
		}
	}
}

func databaseCauses(have, want machine.Database) []string {
	var causes []string
	if want.Owner != have.Owner {
		causes = append(causes, fmt.Sprintf("owner %s → %s", have.Owner, want.Owner))
	}
	if want.User != "" && want.User != want.Owner && !have.Member && want.Owner == have.Owner {
		causes = append(causes, fmt.Sprintf("%s is no member of %s", want.User, want.Owner))
	}
	if !want.Password.IsZero() && !have.PasswordValid {
		causes = append(causes, "password differs")
	}
	for _, e := range want.Extensions {
		if !slices.Contains(have.Extensions, e) {
			causes = append(causes, "extension "+e+" missing")
		}
	}
	return causes
}

// release deploys the wanted commit, or the one that serves once more.
func (d *osDiff) release() {
	want := d.want.Release
	if want == nil {
		return
	}
	have := cmp.Or(d.have.Release, &machine.Release{})
	sha, cause := want.SHA, ""
	switch path := d.trigger(want.Triggers); {
	case sha != "" && have.SHA == "":
		cause = "first release"
	case sha != "" && sha != have.SHA:
		cause = short(have.SHA) + " serves"
	case sha != "" && len(have.Lacks(want)) > 0:
		cause = "built with something else: " + strings.Join(have.Lacks(want), ", ")
	case have.SHA == "":
		return
	case path != "":
		sha, cause = have.SHA, path+" changes"
	case have.Stale:
		sha, cause = have.SHA, "an interrupted run did not come to it"
	default:
		return
	}
	if sha == have.Failed {
		d.note("release %s was unhealthy when it was last deployed", short(sha))
	}
	d.deploys = true
	effect := Hot
	if have.SHA != "" {
		effect = Restarts
	}
	d.add(Deploy, "release", sha, cause, effect)
}

// short returns a commit as people write it.
func short(sha string) string { return sha[:min(len(sha), 12)] }

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
