package guest

import (
	"cmp"
	_ "embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

//go:embed steps.sh
var stepsScript string

// task is one line of shell for the machine, with its data.
type task struct {
	step *plan.Step // nil: a task of ours, which nobody hears of
	code string
	data string // may be secret
	// confirm says that a new connection must succeed before the next task is sent.
	confirm bool
}

// compiler turns steps into tasks.
type compiler struct {
	have, want *machine.OS
	confirm    time.Duration
}

// tasks returns the whole work: the steps, what guards them and what they leave to do.
func (c compiler) tasks(steps []plan.Step) ([]task, error) {
	var all []task
	if stale := c.stale(steps); stale != "" {
		all = append(all, task{code: "stale", data: stale})
	}
	for i := range steps {
		t, err := c.task(&steps[i])
		if err != nil {
			return nil, err
		}
		first := plan.Access(steps[i]) && (i == 0 || !plan.Access(steps[i-1]))
		if first {
			all = append(all, c.guard(steps[i:]))
		}
		t.confirm = plan.Access(steps[i]) && (i+1 == len(steps) || !plan.Access(steps[i+1]))
		all = append(all, t)
	}
	return append(all, task{code: "settle_units"}), nil
}

// stale lists the units that run with older files as soon as the first step is
// taken, and until their own is: an interrupted run leaves that to be seen.
func (c compiler) stale(steps []plan.Step) string {
	var b strings.Builder
	for _, s := range steps {
		switch {
		case s.Resource.Kind == "unit" && (s.Verb == plan.Restart || s.Verb == plan.Reload):
			b.WriteString(s.Resource.Name + "\n")
		case s.Resource.Kind == "release":
			b.WriteString(strings.Join(append([]string{"release"}, c.appUnits()...), "\n") + "\n")
		}
	}
	return b.String()
}

// appUnits are the units that a deployment restarts.
func (c compiler) appUnits() []string {
	if c.want.Release == nil {
		return nil
	}
	return c.want.Release.Units
}

// guard arms the lock-out guard for the steps up to the first that is none of its.
func (c compiler) guard(steps []plan.Step) task {
	args := []string{strconv.Itoa(int(c.confirm.Seconds()))}
	for _, s := range steps {
		if !plan.Access(s) {
			break
		}
		for _, file := range c.touched(s) {
			if !slices.Contains(args, file) {
				args = append(args, file)
			}
		}
	}
	return task{code: words("guard_arm", args...)}
}

// touched returns the files that a step changes.
func (c compiler) touched(s plan.Step) []string {
	switch s.Resource.Kind {
	case "file":
		return []string{s.Resource.Name}
	case "user":
		return []string{"/etc/passwd", "/etc/group", "/etc/gshadow"}
	case "rule", "firewall":
		return []string{"/etc/ufw/ufw.conf", "/etc/ufw/user.rules", "/etc/ufw/user6.rules", "/etc/default/ufw"}
	case "key":
		user, _, _ := strings.Cut(s.Resource.Name, " ")
		if u, ok := c.have.Users[user]; ok {
			return []string{path.Join(u.Home, ".ssh/authorized_keys")}
		}
	}
	return nil
}

// task turns one step into shell.
func (c compiler) task(s *plan.Step) (task, error) {
	t := task{step: s}
	name := s.Resource.Name
	switch s.Resource.Kind {
	case "packages":
		t.code = words("install_packages", strings.Fields(name)...)
	case "user":
		u := c.want.Users[name]
		t.code = words(verb(s, "create_user", "set_user"), append([]string{name, u.Shell, u.Home}, u.Groups...)...)
	case "file", "directory":
		c.file(&t)
	case "key":
		return c.key(t)
	case "rule":
		return c.rule(t)
	case "firewall":
		t.code = "enable_firewall"
	case "timezone":
		t.code = words("set_timezone", name)
	case "locale":
		t.code = words("set_locale", name)
	case "database":
		db := c.want.Databases[name]
		t.code = words("set_database", name, db.Owner, cmp.Or(db.User, db.Owner), db.Encoding)
		t.data = databaseSQL(db)
	case "release":
		c.release(&t)
	case "dump":
		t.code = words("restore_dump", name)
	case "unit":
		t.code = unitCode(s)
	case "guard":
		t.code = "guard_confirm"
	}
	if t.code == "" {
		return t, fmt.Errorf("cannot %s %s: it is no step inside a guest", s.Verb, s.Resource)
	}
	return t, nil
}

// release fills in the task for a deployment, or for the way back from one. A tree
// was uploaded before; one that serves already is not needed again.
func (c compiler) release(t *task) {
	want := c.want.Release
	args := append([]string{c.releaseID(t.step)}, c.appUnits()...)
	if t.step.Verb == plan.Rollback {
		t.code = words("roll_back", args...)
		return
	}
	if tree(t.step, c.have, c.want) != "" {
		t.code = words("deploy_tree", args...)
		return
	}
	t.code = words("deploy", args...)
	t.data = want.Input.Reveal()
}

// releaseID names what a step deploys: the wanted release, or once more the one that
// serves. A way back may go to any build of a commit, which the script knows.
func (c compiler) releaseID(s *plan.Step) string {
	name, want := s.Resource.Name, c.want.Release
	switch {
	case s.Verb == plan.Rollback:
		return name
	case serves(c.have, name) && (name != want.SHA || len(c.have.Release.Lacks(want)) == 0):
		return releaseID(name, c.have.Release.Build)
	default:
		return name // the script knows whether it is there, built with something else
	}
}

func serves(have *machine.OS, sha string) bool {
	return have.Release != nil && have.Release.SHA == sha
}

// verb chooses between what makes a resource and what changes it.
func verb(s *plan.Step, create, set string) string {
	if s.Verb == plan.Create {
		return create
	}
	return set
}

// file fills in the task for a file or directory.
func (c compiler) file(t *task) {
	name := t.step.Resource.Name
	f := c.want.Files[name]
	owner, group := f.Owner, f.Group
	if owner == "" {
		owner = "root"
	}
	if group == "" {
		group = owner
	}
	attributes := []string{name, fmt.Sprintf("%04o", octal(f.Mode)), owner, group}
	switch {
	case t.step.Verb == plan.Remove:
		t.code = words("remove_file", name)
	case f.Dir:
		t.code = words("make_directory", attributes...)
	case t.step.Verb == plan.Set:
		t.code = words("set_mode", attributes...)
	default:
		t.code = words("write_file", append(attributes, f.Check)...)
		t.data = f.Content.Reveal()
	}
}

// octal returns a mode's bits as chmod takes them.
func octal(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for _, b := range []struct {
		mode fs.FileMode
		bit  uint32
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if m&b.mode != 0 {
			bits |= b.bit
		}
	}
	return bits
}

// key fills in the task for an authorized key, found again by its step's name.
func (c compiler) key(t task) (task, error) {
	user, _, _ := strings.Cut(t.step.Resource.Name, " ")
	keys := c.want.Users[user].Keys
	if t.step.Verb == plan.Remove {
		keys = c.have.Users[user].Keys
	}
	for _, line := range keys {
		if plan.KeyName(user, plan.ParseKey(line)) != t.step.Resource.Name {
			continue
		}
		if t.step.Verb == plan.Remove {
			t.code = words("remove_key", user, keyText(line))
		} else {
			t.code = words("add_key", user, keyText(line))
			t.data = strings.TrimSpace(line) + "\n"
		}
		return t, nil
	}
	return t, fmt.Errorf("cannot %s %s: it is not among the user's keys", t.step.Verb, t.step.Resource)
}

// keyText returns the part of an authorized_keys line that no other line has: the
// key itself, or of a line that is no key all of it.
func keyText(line string) string {
	for _, f := range strings.Fields(line) {
		if strings.HasPrefix(f, "AAAA") {
			return f
		}
	}
	return strings.TrimSpace(line)
}

// rule fills in the task for a firewall rule, found again by its step's name.
func (c compiler) rule(t task) (task, error) {
	var from *machine.Firewall
	function := "add_rule"
	if from = c.want.Firewall; t.step.Verb == plan.Remove {
		from, function = c.have.Firewall, "remove_rule"
	}
	if from != nil {
		for _, r := range from.Rules {
			if plan.RuleName(r) == t.step.Resource.Name {
				source := r.From
				if source == "" {
					source = "any"
				}
				t.code = words(function, r.Port, r.Protocol, source, ufwComment(r))
				return t, nil
			}
		}
	}
	return t, fmt.Errorf("cannot %s %s: there is no such rule", t.step.Verb, t.step.Resource)
}

// unitCode returns the shell for a unit's step.
func unitCode(s *plan.Step) string {
	switch s.Verb {
	case plan.Enable:
		return words("enable_unit", s.Resource.Name)
	case plan.Start, plan.Restart:
		return words("unit", string(s.Verb), s.Resource.Name)
	case plan.Reload:
		return words("reload_unit", s.Resource.Name)
	case plan.Remove:
		return words("remove_unit", s.Resource.Name)
	}
	return ""
}
