package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// OnHypervisor tells whether the step is Proxmox's, and not one inside the guest.
func (s Step) OnHypervisor() bool {
	return slices.Contains([]string{"guest", "config", "cloudinit", "disk", "ha", "pool"}, s.Resource.Kind)
}

// diffGuest adds the steps on the hypervisor.
func diffGuest(p *Plan, have, want *machine.Guest, policy Policy) {
	d := &guestDiff{Plan: p, have: have, want: want, policy: policy, name: strconv.Itoa(want.VMID)}
	d.reasons()
	if have == nil {
		d.create()
		return
	}
	if !d.ownership() {
		return
	}
	if d.recreate() {
		return
	}
	d.block()
	d.config()
	d.disk()
	d.pool()
	d.ha()
	d.place()
	d.power()
}

// guestDiff compares one guest.
type guestDiff struct {
	*Plan
	have, want *machine.Guest
	policy     Policy
	name       string   // the vmid
	waiting    []string // keys that need a restart
}

// create plans a guest that is not there.
func (d *guestDiff) create() {
	d.add(Create, "guest", d.name, d.summary(), Hot)
	if d.want.HA {
		d.add(Add, "ha", haName(d.want), "wanted", Hot)
	}
	if d.want.Running {
		d.add(Start, "guest", d.name, "it is new", Hot)
	}
}

// reasons notes why the wanted guest is as it is, where the stack leaves that open.
func (d *guestDiff) reasons() {
	if d.want.Origin == nil {
		return
	}
	for _, reason := range d.want.Origin.Reasons {
		d.note("%s", reason)
	}
}

// summary says what a new guest is: "shop-dev on pve1 from …, 2 cores, …".
func (d *guestDiff) summary() string {
	w := d.want
	parts := []string{guestName(w) + " on " + w.Node}
	if o := w.Origin; o != nil {
		parts[0] += " from " + o.Template
		parts = append(parts, fmt.Sprintf("%d GiB on %s", o.DiskGiB, o.Storage))
	}
	parts = slices.Insert(parts, 1, w.Config["cores"]+" cores", w.Config["memory"]+" MiB")
	if ip := address(w); ip != "" {
		parts = append(parts, ip)
	}
	return strings.Join(parts, ", ")
}

// address is the wanted IPv4 address with its prefix length.
func address(g *machine.Guest) string {
	if ip := machine.ParseProperties(g.Config["net0"]).Get("ip"); ip != "" {
		return ip
	}
	return machine.ParseProperties(g.Config["ipconfig0"]).Get("ip")
}

// ownership refuses a guest that is not ours, or plans to take it over. It tells
// whether to go on.
func (d *guestDiff) ownership() bool {
	if d.have.Block.Owns(d.want.Block) {
		return true
	}
	owner := "it is not appstack's"
	if d.have.Block != nil {
		owner = "it belongs to " + d.have.Block.Owner()
	}
	s := d.add(Adopt, "guest", d.name, guestName(d.have)+" on "+d.have.Node+": "+owner, Hot)
	if !d.policy.Adopt {
		s.Refused = "it is somebody else's guest; choose another vmid, or take it over with `adopt: true`"
		return false
	}
	return true
}

// recreate plans to make the guest anew where a difference cannot be mended. It
// tells whether nothing else remains to be planned.
func (d *guestDiff) recreate() bool {
	causes := d.unmendable()
	if len(causes) == 0 {
		return false
	}
	s := d.add(Recreate, "guest", d.name, strings.Join(causes, "; "), Destroys)
	switch {
	case d.have.Next()["protection"] == "1" || d.want.Config["protection"] == "1":
		s.Refused = "the guest is protected; change the stack back, or make another guest"
	case !d.policy.AllowDestroy:
		s.Refused = "everything in the guest would be lost; " + d.wayOut(causes) + ", or allow it with `allow-destroy`"
	}
	if s.Refused != "" {
		return false
	}
	if d.want.Running {
		d.add(Start, "guest", d.name, "it is new", Hot)
	}
	return true
}

// block plans to mend appstack's part of the description.
func (d *guestDiff) block() {
	have, want := d.have.Block, d.want.Block
	if have == nil || want == nil || !have.Owns(want) {
		return // adopted: that writes the block
	}
	switch {
	case have.Creating:
		d.add(Set, "config", "description", "the guest's creation was cut short: complete it", Hot)
	case len(have.HostKeys) == 0 && len(want.HostKeys) == 0 && d.have.Running && d.have.HasAgent():
		d.add(Set, "config", "description", "SSH host keys: none → those that the guest agent tells", Hot)
	case d.have.NewHostKeys:
		d.add(Set, "config", "description", "SSH host keys: other ones since cloud-init ran again, as the guest agent tells", Hot)
	case want.Repository != "" && have.Repository == "":
		d.add(Set, "config", "description", "owner: "+have.Owner()+" → "+want.Owner(), Hot)
	case len(want.HostKeys) > 0 && !sameSet(have.HostKeys, want.HostKeys):
		d.add(Set, "config", "description", "SSH host keys: "+keyList(have.HostKeys)+" → "+keyList(want.HostKeys), Hot)
	}
}

// disk plans the root disk's growth.
func (d *guestDiff) disk() {
	o := d.want.Origin
	key := d.have.RootDisk()
	have := machine.SizeMiB(machine.ParseProperties(d.have.Config[key]).Get("size"))
	if o == nil || o.DiskGiB == 0 || have == 0 || have >= o.DiskGiB<<10 {
		return
	}
	d.add(Grow, "disk", key, fmt.Sprintf("%s → %dG", sizeText(have), o.DiskGiB), Hot)
}

// pool plans the guest's move to the stack's pool; a stack that names none leaves it.
func (d *guestDiff) pool() {
	if w := d.want.Pool; w != "" && w != d.have.Pool {
		d.add(Set, "pool", d.name, fromTo(d.have.Pool, w), Hot)
	}
}

// ha plans the watch of Proxmox's HA manager.
func (d *guestDiff) ha() {
	switch {
	case d.want.HA && !d.have.HA:
		d.add(Add, "ha", haName(d.want), "wanted", Hot)
	case !d.want.HA && d.have.HA:
		d.add(Remove, "ha", haName(d.want), "no longer in the stack", Hot)
	}
}

// place notes where the guest is, if that is elsewhere.
func (d *guestDiff) place() {
	if w := d.want.Node; w != "" && w != "auto" && w != d.have.Node {
		d.note("the guest is on node %s, the stack says %s: it is left where it is", d.have.Node, w)
	}
}

// power plans the start of a stopped guest, or the one restart that changes wait for.
func (d *guestDiff) power() {
	if !d.have.Running {
		if d.want.Running {
			d.add(Start, "guest", d.name, "it is stopped", Hot)
		}
		return
	}
	if len(d.waiting) == 0 {
		return
	}
	slices.Sort(d.waiting)
	keys := strings.Join(slices.Compact(d.waiting), ", ")
	if d.want.MayRestart {
		d.add(Restart, "guest", d.name, "for "+keys, d.restartEffect())
		return
	}
	if b := d.have.Block; b != nil && b.Stale {
		d.add(Set, "cloudinit", "drive", "it was not written when "+strings.Join(b.Waits, ", ")+" changed", Hot)
	}
	d.note("%s: in force when the guest restarts, which the stack does not allow now (`restart: allowed`)", keys)
}

func (d *guestDiff) restartEffect() Effect {
	if d.want.Kind == machine.KVM {
		return Reboots
	}
	return Restarts
}

// haName is the guest's name for the HA manager.
func haName(g *machine.Guest) string {
	if g.Kind == machine.KVM {
		return fmt.Sprintf("vm:%d", g.VMID)
	}
	return fmt.Sprintf("ct:%d", g.VMID)
}

func guestName(g *machine.Guest) string {
	if name := g.Config["hostname"] + g.Config["name"]; name != "" {
		return name
	}
	return "a guest without a name"
}
