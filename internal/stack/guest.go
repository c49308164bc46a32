package stack

import (
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Guest is the container (CT) or virtual machine (VM) as Proxmox keeps it.
// Units are Proxmox's: memory in MiB, disk in GiB.
type Guest struct {
	// `lxc`: a container, `kvm`: a virtual machine.
	Type string `yaml:"type" jsonschema:"enum=lxc,enum=kvm"`
	// Node to create the guest on, or `auto`. Default: `proxmox.node`.
	Node string `yaml:"node"`
	// Pool that the guest joins. Default: `proxmox.pool`.
	Pool string `yaml:"pool"`
	// Let Proxmox's HA manager watch the guest.
	HA bool `yaml:"ha"`

	// lxc: container template: its name (the newest matching one is taken)
	// or a volume such as local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst.
	// Default: `debian-12-standard`.
	Template string `yaml:"template"`
	// kvm: template VM to clone, by vmid or name.
	Clone string `yaml:"clone" stack:"scalar"`
	// kvm: make a linked clone where the storage can. Default: a full one.
	Linked bool `yaml:"linked"`
	// kvm: cloud image to import, a URL or a volume such as
	// local:import/debian-12-genericcloud-amd64.qcow2.
	Image string `yaml:"image"`
	// kvm: checksum of a downloaded image, as `sha256:<hex>` or `sha512:<hex>`.
	Checksum string `yaml:"checksum"`

	// CPU cores (of each socket).
	Cores int `yaml:"cores" jsonschema:"minimum=1,maximum=8192"`
	// kvm: CPU sockets. Default: `1`.
	Sockets int `yaml:"sockets" jsonschema:"minimum=1,maximum=4"`
	// kvm: CPU type, such as host. Default: `x86-64-v2-AES`.
	CPU string `yaml:"cpu"`
	// Limit of CPU time in cores, 0 for none.
	CPULimit float64 `yaml:"cpulimit" jsonschema:"minimum=0,maximum=8192"`
	// Weight of the guest when CPU time is scarce, 0 for Proxmox's default.
	CPUUnits int `yaml:"cpuunits" jsonschema:"minimum=0,maximum=500000"`
	// Memory in MiB.
	Memory int `yaml:"memory" jsonschema:"minimum=16"`
	// kvm: least memory in MiB that the balloon driver leaves, 0 for no
	// balloon. Default: `memory`.
	Balloon int `yaml:"balloon" jsonschema:"minimum=0"`
	// lxc: swap in MiB. Default: `512`.
	Swap int `yaml:"swap" jsonschema:"minimum=0"`

	// Storage of the root disk.
	Storage string `yaml:"storage"`
	// Size of the root disk in GiB. It grows when this grows; it never shrinks.
	Disk int `yaml:"disk" jsonschema:"minimum=1"`
	// lxc: further mount points by slot (mp0, mp1, …).
	Mounts map[string]Mount `yaml:"mounts"`

	// Bridge of the network card.
	Bridge string `yaml:"bridge"`
	// VLAN tag.
	VLAN int `yaml:"vlan" jsonschema:"minimum=1,maximum=4094"`
	// Largest packet in bytes. Default: the bridge's.
	MTU int `yaml:"mtu" jsonschema:"minimum=576,maximum=65535"`
	// Rate limit of the network card in MB/s, 0 for none.
	Rate float64 `yaml:"rate" jsonschema:"minimum=0"`
	// Let Proxmox's firewall filter the network card.
	Firewall bool `yaml:"firewall"`
	// MAC address. Default: the one that Proxmox chose at creation.
	MAC string `yaml:"mac"`
	// DNS servers. Default: the node's.
	Nameserver OneOrMore `yaml:"nameserver"`
	// DNS search domains. Default: the node's.
	Searchdomain OneOrMore `yaml:"searchdomain"`
	// lxc: time zone such as Europe/Berlin, or `host`.
	Timezone string `yaml:"timezone"`

	// Start the guest after its creation and whenever it is found stopped.
	Start bool `yaml:"start"`
	// Start the guest when its node boots.
	Onboot bool `yaml:"onboot"`
	// Order and delays of start and stop, such as order=2,up=30,down=60.
	Startup string `yaml:"startup" stack:"scalar"`
	// Proxmox refuses to remove a protected guest. Default: `protected` of
	// the environment.
	Protection bool `yaml:"protection"`
	// Tags shown in Proxmox.
	Tags OneOrMore `yaml:"tags"`

	// lxc: run as an unprivileged container. Default: `true`.
	Unprivileged bool `yaml:"unprivileged"`
	// lxc: allow nested containers; systemd's sandboxing needs it. Default: `true`.
	Nesting bool `yaml:"nesting"`
	// lxc: allow keyctl, which Docker in an unprivileged container needs.
	Keyctl bool `yaml:"keyctl"`
	// lxc: allow FUSE file systems.
	Fuse bool `yaml:"fuse"`
	// Password of root (kvm: of `ciuser`). Default: none, keys only.
	Password string `yaml:"password"`

	// kvm: machine type, such as q35. Default: as the cloned template has it; q35 from an image.
	Machine string `yaml:"machine"`
	// kvm: firmware. Default: as the cloned template has it; seabios from an image.
	BIOS string `yaml:"bios" jsonschema:"enum=seabios,enum=ovmf"`
	// kvm: the image runs qemu-guest-agent. Default: `true`.
	Agent bool `yaml:"agent"`
	// kvm: user that cloud-init creates. Default: `ssh.user`.
	CIUser string `yaml:"ciuser"`
}

// Mount is a further mount point of a container.
type Mount struct {
	// Where it is mounted in the container. Required.
	Path string `yaml:"path"`
	// Storage of a new volume. Default: `guest.storage`.
	Storage string `yaml:"storage"`
	// Size of a new volume in GiB.
	Size int `yaml:"size" jsonschema:"minimum=1"`
	// An existing volume (storage:name) or a directory of the node to mount
	// instead of a new volume.
	Volume string `yaml:"volume"`
	// Include the volume in backups.
	Backup bool `yaml:"backup"`
	// Mount read-only.
	ReadOnly bool `yaml:"read_only"`
}

// onlyLXC and onlyKVM are the keys that mean something for one type of guest.
var (
	onlyLXC = []string{"template", "swap", "mounts", "timezone", "unprivileged", "nesting", "keyctl", "fuse"}
	onlyKVM = []string{"clone", "linked", "image", "checksum", "sockets", "cpu", "balloon", "machine", "bios", "agent", "ciuser"}
)

func (g *Guest) validate(p place, e *Env) {
	g.validateSource(p)
	g.validateForeign(p, e)
	if g.Node != "auto" {
		p.child("node").text(g.Node, nodeName, nodeHint(g.Node))
	}
	p.child("pool").text(g.Pool, poolID, "")
	p.child("storage").text(g.Storage, storageID, "the name of a storage, as `pvesm status` lists it")
	p.child("bridge").text(g.Bridge, bridgeName, "")
	p.child("cpu").text(g.CPU, cpuType, "")
	p.child("machine").text(g.Machine, cpuType, "")
	p.child("ciuser").text(g.CIUser, userName, "")
	p.child("startup").text(g.Startup, startupOrder, "such as order=2,up=30")
	p.child("tags").each(g.Tags, tagName, tagNameHint)
	p.child("searchdomain").each(g.Searchdomain, hostName, nil)
	for i, s := range g.Nameserver {
		p.child("nameserver").item(i).nameserver(s)
	}
	if g.Timezone != "host" {
		p.child("timezone").text(g.Timezone, timeZone, "")
	}
	g.validateMAC(p.child("mac"))
	if g.Password != "" && !pending(g.Password) && len(g.Password) < 5 {
		p.child("password").fail("", "is shorter than the 5 characters that Proxmox wants")
	}
	if g.Balloon > g.Memory && g.Memory > 0 {
		p.child("balloon").fail("", "is more than the memory of %d MiB", g.Memory)
	}
	g.validateMounts(p.child("mounts"))
}

// validateSource checks what the guest is made from.
func (g *Guest) validateSource(p place) {
	switch {
	case g.Type == "lxc":
		p.child("template").text(g.Template, templateName, "")
	case g.Type != "kvm" || pending(g.Clone) || pending(g.Image):
	case g.Clone == "" && g.Image == "":
		p.child("type").fail("write `clone: 9000`, or `image: https://…` with its `checksum`",
			"kvm needs a template VM to clone or a cloud image")
	case g.Clone != "" && g.Image != "":
		p.child("image").fail("remove one of them; `image: null` takes an inherited one away", "can't stand beside `clone`")
	case g.Clone != "":
		p.child("clone").text(g.Clone, cloneSource, "")
	default:
		g.validateImage(p)
	}
	if g.Linked && g.Clone == "" && g.Type == "kvm" {
		p.child("linked").fail("", "needs `clone`")
	}
	p.child("checksum").text(g.Checksum, checksumForm, "")
}

func (g *Guest) validateImage(p place) {
	if !strings.Contains(g.Image, "://") {
		p.child("image").text(g.Image, volumeID, "a URL, or a volume such as local:import/debian-12.qcow2")
		return
	}
	p.child("image").webURL(g.Image)
	if g.Checksum == "" {
		p.child("image").warn("write `checksum: sha512:…` as its publisher lists it", "is downloaded without a checksum")
	}
}

// validateForeign warns of keys for the other type of guest, unless they
// come from `defaults`, which may serve both.
func (g *Guest) validateForeign(p place, e *Env) {
	foreign := map[string][]string{"lxc": onlyKVM, "kvm": onlyLXC}[g.Type]
	own := e.own.get("guest")
	for _, key := range foreign {
		if own.get(key) != nil {
			p.child(key).key().warn("", "has no effect on a guest of type %s", g.Type)
		}
	}
}

func tagNameHint(tag string) string {
	switch {
	case strings.ContainsAny(tag, ",; "):
		return "write each tag as an item of its own: [a, b]"
	case tagName.matches(strings.ToLower(tag)):
		return "Proxmox keeps tags in lower case: " + strings.ToLower(tag)
	}
	return ""
}

// macHint returns an address in the form that Proxmox takes.
func macHint(mac string) string {
	hw, err := net.ParseMAC(mac)
	if err != nil || len(hw) != 6 {
		return ""
	}
	return "write " + strings.ToUpper(hw.String())
}

func (g *Guest) validateMAC(p place) {
	if !p.text(g.MAC, macAddress, macHint(g.MAC)) || g.MAC == "" || pending(g.MAC) {
		return
	}
	if first, err := strconv.ParseUint(g.MAC[:2], 16, 8); err == nil && first&1 == 1 {
		p.fail("the second digit must be even, as in BC:24:11:…", "%s is a multicast address", g.MAC)
	}
}

func (p place) nameserver(s string) {
	if _, err := netip.ParseAddr(s); err != nil && s != "" && !pending(s) {
		p.fail("one address for each item", "is %s, not an IP address", quote(s))
	}
}

var mountSlot = regexp.MustCompile(`^mp([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])$`)

func (g *Guest) validateMounts(p place) {
	paths := map[string]string{}
	for _, slot := range slices.Sorted(maps.Keys(g.Mounts)) {
		at := p.child(slot)
		if !mountSlot.MatchString(slot) {
			at.key().fail("", "is not a mount point's slot").Detail = "allowed: mp0 to mp255"
		}
		m := g.Mounts[slot]
		m.validate(at)
		if first := paths[m.Path]; first != "" && m.Path != "" {
			at.child("path").fail("", "is %s, like that of %s", m.Path, first)
		}
		paths[m.Path] = slot
	}
}

func (m *Mount) validate(p place) {
	if p.child("path").required(m.Path, "such as path: /srv/data") && !pending(m.Path) && !p.child("path").bad() {
		p.child("path").absolute(m.Path)
	}
	p.child("storage").text(m.Storage, storageID, "")
	switch {
	case m.Volume == "" && m.Size == 0 && !p.child("size").has():
		p.child("size").fail("write `size:` in GiB for a new volume, or `volume:` for an existing one", "is missing")
	case m.Volume != "" && m.Size > 0:
		p.child("volume").fail("remove one of them", "exists and has its size; `size` is for a new one")
	case m.Volume != "" && !strings.HasPrefix(m.Volume, "/"):
		p.child("volume").text(m.Volume, volumeID, "")
	}
}
