package plan

import (
	"path"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// units adds what those units need that match.
func (d *osDiff) units(match func(name string) bool) {
	for _, name := range sorted(d.want.Units) {
		if match(name) && !d.want.Units[name].Absent {
			d.unit(name, d.want.Units[name])
		}
	}
}

// unit enables, starts, restarts or reloads one unit.
func (d *osDiff) unit(name string, want machine.Unit) {
	have := d.have.Units[name]
	if want.Enabled && !have.Enabled {
		d.add(Enable, "unit", name, "not enabled", Hot)
	}
	deployed := d.deploys && slices.Contains(d.want.Release.Units, name)
	switch {
	case deployed, d.timed(name):
	case want.Active && !have.Active:
		d.add(Start, "unit", name, "not running", Hot)
	case want.Enabled && !want.Active && !have.Active: // it has nothing to run yet
	default:
		d.refresh(name, want, have)
	}
}

// timed tells whether a unit is run by a timer of the stack, and not by us: a job that
// changes is not to run now, but when it is its time.
func (d *osDiff) timed(name string) bool {
	job, ok := strings.CutSuffix(name, ".service")
	_, timer := d.want.Units[job+".timer"]
	return ok && timer && !d.want.Units[name].Active
}

// refresh restarts or reloads a unit whose triggers change.
func (d *osDiff) refresh(name string, want, have machine.Unit) {
	cause := ""
	if path := d.trigger(want.Triggers); path != "" {
		cause = path + " changes"
	} else if path := d.trigger(d.ownFiles(name)); path != "" {
		cause = path + " changes"
	} else if have.Stale {
		cause = "an interrupted run did not come to it"
	}
	switch {
	case cause == "":
	case want.Reload:
		d.add(Reload, "unit", name, cause, Hot)
	case strings.HasSuffix(name, ".service"):
		d.add(Restart, "unit", name, cause, Restarts)
	default:
		d.add(Restart, "unit", name, cause, Hot)
	}
}

// trigger returns the first of the files that changes, or "". The removal of a file
// counts for the others in its directory, which is read as a whole then.
func (d *osDiff) trigger(files []string) string {
	for _, f := range files {
		if d.changed[f] {
			return f
		}
	}
	for _, f := range files {
		for _, gone := range sorted(d.have.Files) {
			if d.changed[gone] && d.left(gone) && path.Dir(gone) == path.Dir(f) {
				return gone
			}
		}
	}
	return ""
}

// ownFiles returns the unit's own file and its drop-ins.
func (d *osDiff) ownFiles(name string) []string {
	own := path.Join(machine.UnitDir, name)
	files := []string{own}
	for _, f := range sorted(d.want.Files) {
		if path.Dir(f) == own+".d" {
			files = append(files, f)
		}
	}
	return files
}

// gone removes units: those that must not be, and ours that left the stack.
func (d *osDiff) gone() {
	for _, name := range sorted(d.have.Units) {
		if d.want.Units[name].Absent {
			d.add(Remove, "unit", name, "not wanted", stops(d.have.Units[name]))
		}
	}
	for _, file := range sorted(d.have.Files) {
		name := unitFile(file)
		if name != "" && d.left(file) && !d.want.Units[name].Absent {
			d.add(Remove, "unit", name, "not in the stack", stops(d.have.Units[name]))
		}
	}
}

// stops returns the effect of removing a unit.
func stops(u machine.Unit) Effect {
	if u.Active {
		return Restarts
	}
	return Hot
}

// unitFile returns the unit's name if the file is a unit's own, else "".
func unitFile(file string) string {
	dir, name := path.Split(file)
	switch path.Ext(name) {
	case ".service", ".timer", ".socket", ".path", ".target", ".mount", ".slice":
		if path.Clean(dir) == machine.UnitDir {
			return name
		}
	}
	return ""
}
