package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// form is how the values of a key are compared.
type form int

const (
	formPlain   form = iota
	formTruth        // 0 or 1, absent is 0
	formNumber       // 1 and 1.0 are the same, absent is 0
	formSet          // a set of words, in any order
	formNetwork      // a network interface, by parts
	formParts        // a property string, by parts
)

// managed is a configuration key that the stack can express. Keys that are not in
// the tables are never touched.
type managed struct {
	key      string
	form     form
	restarts bool   // a running guest keeps the former value until it restarts
	standard string // the value that an absent key stands for
	open     bool   // a stack that does not say it leaves it as it is
}

// containerKeys are pct.conf(5)'s; what a running container takes at once is
// LXC_FASTPLUG_OPTIONS and the rest of update_pct_config (pve-container,
// PVE::LXC::Config), confirmed by records of PVE 9.1 and 9.2.
var containerKeys = []managed{
	{key: "hostname"},
	{key: "cores"},
	{key: "cpulimit", form: formNumber},
	{key: "cpuunits", standard: "100"},
	{key: "memory", standard: "512"},
	{key: "swap", standard: "512"},
	{key: "net0", form: formNetwork},
	{key: "nameserver", restarts: true},
	{key: "searchdomain", restarts: true},
	{key: "timezone", restarts: true},
	{key: "features", form: formParts, restarts: true},
	{key: "onboot", form: formTruth},
	{key: "startup", form: formParts},
	{key: "protection", form: formTruth},
	{key: "tags", form: formSet},
}

// machineKeys are qm.conf(5)'s; what a running VM takes at once is in
// vmconfig_hotplug_pending (qemu-server, PVE::QemuServer) for the default hotplug
// setting network,disk,usb.
var machineKeys = []managed{
	{key: "name"},
	{key: "cores", restarts: true, standard: "1"},
	{key: "sockets", restarts: true, standard: "1"},
	{key: "cpu", restarts: true},
	{key: "cpulimit", form: formNumber},
	{key: "cpuunits", standard: "100"},
	{key: "memory", restarts: true, standard: "512"},
	{key: "balloon"}, // see restarts: to switch it on or off takes a reboot
	{key: "net0", form: formNetwork},
	{key: "ipconfig0", form: formParts, restarts: true},
	{key: "nameserver", restarts: true},
	{key: "searchdomain", restarts: true},
	{key: "ciuser", restarts: true},
	{key: "sshkeys", restarts: true},
	{key: "agent", form: formParts, restarts: true},
	{key: "machine", restarts: true, open: true},
	{key: "bios", restarts: true, standard: "seabios", open: true},
	{key: "onboot", form: formTruth},
	{key: "startup", form: formParts},
	{key: "protection", form: formTruth},
	{key: "tags", form: formSet},
}

// config plans every managed key that differs, deletions too.
func (d *guestDiff) config() {
	next := d.have.Next()
	for _, m := range d.keys() {
		have, want := next[m.key], d.want.Config[m.key]
		if m.open && want == "" {
			continue
		}
		if m.equal(have, want) {
			if d.waits(m) {
				d.waiting = append(d.waiting, m.key)
			}
			continue
		}
		effect := d.effect(m, want)
		if effect != Hot {
			d.waiting = append(d.waiting, m.key)
		}
		verb := Set
		if want == "" {
			verb = Delete
		}
		d.add(verb, "config", m.key, m.cause(have, want), effect)
	}
}

// keys are the managed keys of the guest's kind, and the slots of further volumes.
func (d *guestDiff) keys() []managed {
	keys := containerKeys
	if d.want.Kind == machine.KVM {
		keys = machineKeys
	}
	var mounts []managed
	for key := range d.want.Config {
		if mountSlot.MatchString(key) {
			mounts = append(mounts, managed{key: key, form: formParts, restarts: d.have.Config[key] != ""})
		}
	}
	slices.SortFunc(mounts, func(a, b managed) int { return strings.Compare(a.key, b.key) })
	return slices.Concat(keys, mounts)
}

// mountSlot matches a container's further mount points.
var mountSlot = regexp.MustCompile(`^mp[0-9]+$`)

// effect is what writing the key does to the guest. Nothing runs in a stopped one,
// and taking a waiting change back needs no restart.
func (d *guestDiff) effect(m managed, want string) Effect {
	if !d.restarts(m, want) || !d.have.Running || m.equal(d.have.Config[m.key], want) {
		return Hot
	}
	return d.restartEffect()
}

// restarts tells whether the key waits for a restart, a VM's hotplug settings and the
// exceptions of the table considered.
func (d *guestDiff) restarts(m managed, want string) bool {
	if d.have.Kind != machine.KVM {
		return m.restarts
	}
	switch have := d.have.Config[m.key]; m.key {
	case "memory": // a module may refuse to be unplugged
		return !d.hotplugs("memory") || d.have.Config["numa"] != "1" || decimal(want) < decimal(have)
	case "balloon":
		return (have == "0") != (want == "0")
	case "net0":
		return !d.hotplugs("network") && replugs(have, want)
	}
	return m.restarts
}

// hotplugs tells whether the VM's setting allows to plug in and out what the feature
// stands for (qemu-server, parse_hotplug_features).
func (d *guestDiff) hotplugs(feature string) bool {
	features, set := d.have.Config["hotplug"]
	if !set || features == "1" {
		features = "network,disk,usb"
	}
	words := strings.FieldsFunc(features, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
	return slices.Contains(words, feature)
}

// replugs tells whether a network card has to be taken out and put in again; the rest of
// it can be changed while it is in (qemu-server, vmconfig_update_net).
func replugs(have, want string) bool {
	if have == "" || want == "" {
		return true
	}
	return slices.ContainsFunc(machine.DiffNet(have, want), func(n machine.NetDifference) bool {
		return slices.Contains([]string{"model", "hwaddr", "mtu"}, n.Part)
	})
}

// waits tells whether the key has been written and is not in force yet.
func (d *guestDiff) waits(m managed) bool {
	if b := d.have.Block; b != nil && slices.Contains(b.Waits, m.key) {
		return true
	}
	pending, there := d.have.Pending[m.key]
	return there && d.have.Running && !m.equal(d.have.Config[m.key], pending)
}

// equal tells whether two values mean the same to Proxmox.
func (m managed) equal(have, want string) bool {
	if have == "" {
		have = m.standard
	}
	if want == "" {
		want = m.standard
	}
	switch m.form {
	case formTruth:
		return (have == "1") == (want == "1")
	case formNumber:
		return decimal(have) == decimal(want)
	case formSet:
		return sameSet(tagWords(have), tagWords(want))
	case formNetwork:
		return have == want || have != "" && want != "" && len(machine.DiffNet(have, want)) == 0
	case formParts:
		return len(m.partDiff(have, want)) == 0
	}
	return have == want
}

// cause says how two values differ, by parts where they have them.
func (m managed) cause(have, want string) string {
	switch {
	case m.form == formNetwork && have != "" && want != "":
		var diffs []string
		for _, n := range machine.DiffNet(have, want) {
			diffs = append(diffs, n.Part+" "+fromTo(n.Have, n.Want))
		}
		return strings.Join(diffs, ", ")
	case m.form == formParts && have != "" && want != "":
		return strings.Join(m.partDiff(have, want), ", ")
	case m.form == formSet:
		return fromTo(strings.Join(tagWords(have), ";"), strings.Join(tagWords(want), ";"))
	case m.key == "sshkeys":
		return "other keys"
	}
	return fromTo(have, want)
}

// partDiff compares property strings in which a part that is 0 is as good as none,
// as nesting=0 is. Parts that the stack does not manage stay as they are.
func (m managed) partDiff(have, want string) []string {
	h, w := named(m.key, machine.ParseProperties(have)), named(m.key, machine.ParseProperties(want))
	var diffs []string
	for _, key := range partKeys(h, w) {
		if !machine.Managed(m.key, key) {
			continue
		}
		a, b := zeroless(h.Get(key)), zeroless(w.Get(key))
		if a != b {
			diffs = append(diffs, strings.TrimSpace(key+" "+fromTo(a, b)))
		}
	}
	return diffs
}

// named gives the agent's first part its name: "1" is "enabled=1".
func named(key string, ps machine.Properties) machine.Properties {
	ps = slices.Clone(ps)
	for i := range ps {
		if key == "agent" && ps[i].Key == "" {
			ps[i].Key = "enabled"
		}
	}
	return ps
}

func partKeys(h, w machine.Properties) []string {
	var keys []string
	for _, p := range slices.Concat(h, w) {
		keys = append(keys, p.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func zeroless(s string) string {
	if s == "0" {
		return ""
	}
	return s
}

func fromTo(have, want string) string {
	if have == "" {
		have = "none"
	}
	if want == "" {
		want = "none"
	}
	return have + " → " + want
}

func decimal(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return f
}

// tagWords splits a list of tags as Proxmox does: by semicolons, commas and spaces. It
// keeps them lower-cased and sorted.
func tagWords(s string) []string {
	ws := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ';' || r == ',' || r == ' ' })
	slices.Sort(ws)
	return slices.Compact(ws)
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

func keyList(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return strings.Join(items, " ")
}

// sizeText writes MiB as Proxmox does.
func sizeText(mib int) string {
	if mib%1024 == 0 {
		return fmt.Sprintf("%dG", mib/1024)
	}
	return fmt.Sprintf("%dM", mib)
}
