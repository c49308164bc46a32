package guest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
)

// Bounds of what a machine may answer.
const (
	maxAnswer  = 32 << 20 // bytes in all
	maxLine    = 1 << 20  // bytes of one fact
	maxContent = 64 << 10 // bytes of a file whose content is told
)

var errIncomplete = errors.New("it ends before its last line")

// parser reads what observe.sh prints.
type parser struct {
	os    machine.OS
	files map[string]*machine.File
	ours  map[string]bool
	users map[string]*machine.User
	units []string // being described, in this order
	stale map[string]bool
	login map[string]bool
	ended bool
	// Of the firewall.
	denies, enabled bool
}

// parse reads a machine's answer to [observation] strictly: a line that it does
// not know, or a missing end, is an error.
func parse(r io.Reader) (*machine.OS, error) {
	p := parser{
		files: map[string]*machine.File{}, ours: map[string]bool{}, users: map[string]*machine.User{},
		stale: map[string]bool{}, login: map[string]bool{},
	}
	lines := bufio.NewScanner(io.LimitReader(r, maxAnswer))
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if err := p.line(lines.Text(), lines); err != nil {
			return nil, fmt.Errorf("line %d of the machine's answer: %w", n, err)
		}
	}
	switch {
	case lines.Err() != nil:
		return nil, lines.Err()
	case !p.ended:
		return nil, errIncomplete
	}
	return p.result(), nil
}

// fields counts what follows each kind of line.
var fields = map[string]int{
	"distribution": 1, "package": 2, "provided": 2, "user": 3, "group": 2, "key": 2,
	"ours": 1, "file": 4, "hash": 2, "content": 2, "units": 1, "shown": 0, "stale": 1,
	"firewall": 0, "release": 1, "built": 1, "failed": 1, "timezone": 1, "locale": 1,
	"database": 3, "member": 1, "extension": 2, "login": 1, "down": 0, "guarded": 0, "end": 0,
}

func (p *parser) line(text string, lines *bufio.Scanner) error {
	if p.ended {
		return fmt.Errorf("%.40q follows its end", text)
	}
	if p.os.Firewall != nil && p.firewall(text) {
		return nil
	}
	kind, rest, _ := strings.Cut(text, "\t")
	n, ok := fields[kind]
	if !ok {
		return fmt.Errorf("%.40q is not known", text)
	}
	f := strings.SplitN(rest, "\t", n)
	if n > 0 && len(f) != n {
		return fmt.Errorf("%s has %d fields, not %d", kind, len(f), n)
	}
	if kind == "units" {
		p.units = strings.Fields(f[0])
		return p.shown(lines)
	}
	return p.fact(kind, append(f, "", "", ""))
}

// fact takes one line.
func (p *parser) fact(kind string, f []string) error {
	switch kind {
	case "distribution":
		p.os.Distribution = strings.TrimSpace(f[0])
	case "package":
		put(&p.os.Packages, f[0], f[1])
	case "provided":
		if _, ok := p.os.Packages[f[0]]; !ok {
			put(&p.os.Packages, f[0], f[1])
		}
	case "ours":
		p.ours[f[0]] = true
	case "stale":
		p.stale[f[0]] = true
	case "firewall":
		p.os.Firewall = &machine.Firewall{}
	case "release":
		r := p.serves()
		r.SHA, r.Build = cutRelease(path.Base(f[0]))
	case "built":
		p.serves().Built = strings.Fields(f[0])
	case "failed":
		p.serves().Failed = f[0]
	case "timezone":
		p.os.Timezone = zone(f[0])
	case "locale":
		p.os.Locale = strings.Trim(f[0], `"'`)
	case "database":
		put(&p.os.Databases, f[0], machine.Database{Owner: f[1], Encoding: f[2]})
	case "down":
		p.os.DatabasesDown = true
	case "extension", "member":
		return p.database(kind, f[0], f[1])
	case "login":
		p.login[f[0]] = true
	case "guarded":
		p.os.Guarded = true
	case "end":
		p.ended = true
	case "user", "group", "key":
		return p.account(kind, f)
	case "file", "hash", "content":
		return p.file(kind, f)
	}
	return nil
}

func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

func (p *parser) serves() *machine.Release {
	if p.os.Release == nil {
		p.os.Release = &machine.Release{}
	}
	return p.os.Release
}

// zone returns the zone's name from the target of /etc/localtime.
func zone(target string) string {
	if _, name, ok := strings.Cut(target, "zoneinfo/"); ok {
		return name
	}
	return "Etc/UTC" // localtime(5): without the file
}

// database takes a line about a database that was told of before.
func (p *parser) database(kind, name, extension string) error {
	db, ok := p.os.Databases[name]
	if !ok {
		return fmt.Errorf("%s of the unknown database %q", kind, name)
	}
	if kind == "member" {
		db.Member = true
	} else {
		db.Extensions = append(db.Extensions, extension)
	}
	p.os.Databases[name] = db
	return nil
}

// account takes a line about a user.
func (p *parser) account(kind string, f []string) error {
	if kind == "user" {
		p.users[f[0]] = &machine.User{Home: f[1], Shell: f[2]}
		return nil
	}
	user, ok := p.users[f[0]]
	switch {
	case !ok:
		return fmt.Errorf("%s of the unknown user %q", kind, f[0])
	case kind == "group":
		user.Groups = append(user.Groups, f[1])
	default:
		user.Keys = append(user.Keys, strings.TrimSpace(f[1]))
	}
	return nil
}

// file takes a line about a file.
func (p *parser) file(kind string, f []string) error {
	if kind == "file" {
		mode, err := strconv.ParseUint(f[1], 16, 32)
		if err != nil {
			return err
		}
		m := fileMode(uint32(mode))
		p.files[f[0]] = &machine.File{Dir: m.IsDir(), Mode: m &^ fs.ModeDir, Owner: f[2], Group: f[3]}
		return nil
	}
	file, ok := p.files[f[0]]
	switch {
	case !ok:
		return fmt.Errorf("%s of the unknown file %q", kind, f[0])
	case kind == "hash":
		if len(f[1]) != 64 {
			return fmt.Errorf("%q is no SHA-256", f[1])
		}
		file.SHA256 = f[1]
		return nil
	}
	content, err := base64.StdEncoding.DecodeString(f[1])
	if err == nil && len(content) <= maxContent {
		file.Content = secret.New(string(content))
	}
	return err
}

// fileMode turns st_mode (inode(7)) into Go's.
func fileMode(st uint32) fs.FileMode {
	mode := fs.FileMode(st & 0o777)
	for _, bit := range []struct {
		st   uint32
		mode fs.FileMode
	}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
		if st&bit.st != 0 {
			mode |= bit.mode
		}
	}
	switch st & 0o170000 {
	case 0o100000:
	case 0o040000:
		mode |= fs.ModeDir
	case 0o120000:
		mode |= fs.ModeSymlink
	default:
		mode |= fs.ModeIrregular
	}
	return mode
}

// shown reads what systemctl show prints: a block of properties for each unit,
// in the order asked for.
func (p *parser) shown(lines *bufio.Scanner) error {
	var block map[string]string
	n := 0
	end := func() error {
		if block == nil {
			return nil
		}
		if n == len(p.units) {
			return errors.New("more units are shown than asked for")
		}
		if block["LoadState"] != "not-found" {
			put(&p.os.Units, p.units[n], unitOf(block))
		}
		block, n = nil, n+1
		return nil
	}
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		switch {
		case ok:
			put(&block, key, value)
		case key == "":
			if err := end(); err != nil {
				return err
			}
		case key == "shown" && n == len(p.units) && block == nil:
			return nil
		default:
			return fmt.Errorf("%.40q is no property of a unit (%d of %d shown)", lines.Text(), n, len(p.units))
		}
	}
	return errIncomplete
}

// unitOf reads a unit's properties. A unit that cannot be enabled, since others
// start it (static) or it is generated, counts as enabled.
func unitOf(block map[string]string) machine.Unit {
	var u machine.Unit
	switch block["UnitFileState"] {
	case "enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "transient":
		u.Enabled = true
	}
	switch block["ActiveState"] {
	case "active", "activating", "reloading", "refreshing":
		u.Active = true
	}
	return u
}

var tuple = regexp.MustCompile(`^### tuple ### (.*?)(?: comment=([0-9a-f]+))?$`)

// firewall takes a line of UFW's files, if it is one.
func (p *parser) firewall(text string) bool {
	if value, ok := strings.CutPrefix(text, "ENABLED="); ok {
		p.enabled = strings.Trim(value, `"'`) == "yes"
		return true
	}
	if value, ok := strings.CutPrefix(text, "DEFAULT_INPUT_POLICY="); ok {
		value = strings.Trim(value, `"'`)
		p.denies = value == "DROP" || value == "REJECT"
		return true
	}
	m := tuple.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	p.os.Firewall.Rules = appendRule(p.os.Firewall.Rules, rule(m[1], m[2]))
	return true
}

// result puts the facts together.
func (p *parser) result() *machine.OS {
	for name, f := range p.files {
		f.Ours = p.ours[name]
		put(&p.os.Files, name, *f)
	}
	for name, u := range p.users {
		put(&p.os.Users, name, *u)
	}
	for name := range p.stale {
		if u, ok := p.os.Units[name]; ok {
			u.Stale = true
			p.os.Units[name] = u
		}
	}
	for name := range p.login {
		if db, ok := p.os.Databases[name]; ok {
			db.PasswordValid = true
			p.os.Databases[name] = db
		}
	}
	if p.os.Release != nil {
		p.os.Release.Stale = p.stale["release"]
	}
	if p.os.Firewall != nil {
		p.os.Firewall.Enabled = p.enabled && p.denies
	}
	return &p.os
}

// decoded returns a comment of UFW's, which it keeps in hex.
func decoded(hex string) string {
	var b bytes.Buffer
	for i := 0; i+1 < len(hex); i += 2 {
		c, err := strconv.ParseUint(hex[i:i+2], 16, 8)
		if err != nil {
			return ""
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}
