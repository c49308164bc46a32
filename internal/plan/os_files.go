package plan

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// isAPT tells the files that decide where packages come from: they are written
// before packages are installed.
func isAPT(path string) bool { return strings.HasPrefix(path, "/etc/apt/") }

// isAccess tells the files that decide who gets into the machine.
func isAccess(path string) bool {
	return strings.HasPrefix(path, "/etc/ssh/") || strings.HasPrefix(path, "/etc/sudoers") ||
		strings.HasPrefix(path, "/etc/pam.d/") || strings.HasPrefix(path, "/etc/ufw/") ||
		strings.HasSuffix(path, "/.ssh/authorized_keys") || strings.HasSuffix(path, "/.ssh")
}

func isOrdinary(path string) bool { return !isAPT(path) && !isAccess(path) }

// files adds what those files need that match: first what is to be there, in order
// of their paths, so that directories come before what is in them; then what goes.
func (d *osDiff) files(match func(path string) bool) {
	for _, path := range sorted(d.want.Files) {
		if match(path) {
			d.file(path, d.want.Files[path])
		}
	}
	for _, path := range sorted(d.have.Files) {
		if match(path) && d.left(path) && unitFile(path) == "" {
			d.changed[path] = true
			d.add(Remove, "file", path, "not in the stack", Hot)
		}
	}
}

// left tells whether a file is ours and not in the stack any more.
func (d *osDiff) left(path string) bool {
	_, wanted := d.want.Files[path]
	return d.have.Files[path].Ours && !wanted
}

// file compares one file or directory.
func (d *osDiff) file(path string, want machine.File) {
	have, exists := d.have.Files[path]
	switch {
	case want.Absent:
		d.absent(path, exists)
	case want.Dir:
		d.directory(path, have, want, exists)
	case !exists:
		d.changed[path] = true
		d.add(Create, "file", path, "missing", Hot)
	case have.Dir:
		d.add(Write, "file", path, "a directory", Hot).Refused = "a directory is in its place: move it away"
	default:
		d.rewrite(path, have, want)
	}
}

func (d *osDiff) absent(path string, exists bool) {
	if exists && !d.want.Units[unitFile(path)].Absent { // else it goes with its unit
		d.changed[path] = true
		d.add(Remove, "file", path, "not wanted", Hot)
	}
}

// directory leaves a symlink alone: somebody gave the data another disk.
func (d *osDiff) directory(path string, have, want machine.File, exists bool) {
	causes := metadata(have, want)
	switch {
	case !exists:
		d.add(Create, "directory", path, "missing", Hot)
	case have.Mode&fs.ModeSymlink != 0:
		d.note("%s is a symlink; what it leads to is taken as it is", path)
	case !have.Dir:
		d.add(Set, "directory", path, "a file", Hot).Refused = "a file is in its place: move it away"
	case len(causes) > 0:
		d.add(Set, "directory", path, strings.Join(causes, ", "), Hot)
	}
}

// rewrite compares a file that is there.
func (d *osDiff) rewrite(path string, have, want machine.File) {
	causes := metadata(have, want)
	verb, diff := Set, ""
	switch {
	case have.Mode.Type() != 0:
		verb, causes = Write, []string{"not a regular file"}
	case have.SHA256 != Hash(want.Content):
		verb, diff = Write, fileDiff(path, have, want)
		causes = append([]string{"content differs"}, causes...)
	case len(causes) == 0:
		return
	}
	d.changed[path] = verb == Write
	d.add(verb, "file", path, strings.Join(causes, ", "), Hot).Diff = diff
}

// metadata compares mode and owner.
func metadata(have, want machine.File) []string {
	var causes []string
	if have.Mode.Perm() != want.Mode.Perm() || special(have.Mode) != special(want.Mode) {
		causes = append(causes, fmt.Sprintf("mode %s → %s", octal(have.Mode), octal(want.Mode)))
	}
	if h, w := have.Owner+":"+have.Group, owner(want); h != w {
		causes = append(causes, fmt.Sprintf("owner %s → %s", h, w))
	}
	return causes
}

// owner returns a wanted file's owner and group; root's if it does not say.
func owner(f machine.File) string {
	o, g := f.Owner, f.Group
	if o == "" {
		o = "root"
	}
	if g == "" {
		g = o
	}
	return o + ":" + g
}

// special returns the bits that are more than permissions: setuid, setgid, sticky.
func special(m fs.FileMode) fs.FileMode { return m & (fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky) }

// octal returns a mode as chmod takes it.
func octal(m fs.FileMode) string {
	bits := uint32(m.Perm())
	for _, b := range []struct {
		mode fs.FileMode
		bit  uint32
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if m&b.mode != 0 {
			bits |= b.bit
		}
	}
	return fmt.Sprintf("%04o", bits)
}
