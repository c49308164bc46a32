package stack

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
	Template string `yaml:"template"`
	// kvm: template VM to clone, by vmid or name.
	Clone string `yaml:"clone" stack:"scalar"`
	// kvm: make a linked clone where the storage can. Default: a full one.
	Linked bool `yaml:"linked"`
	// kvm: cloud image to import, a URL or a volume such as
	// local:import/debian-12-genericcloud-amd64.qcow2.
	Image string `yaml:"image"`
	// kvm: checksum of a downloaded image, as sha256:<hex> or sha512:<hex>.
	Checksum string `yaml:"checksum"`

	// CPU cores (of each socket).
	Cores int `yaml:"cores" jsonschema:"minimum=1,maximum=8192"`
	// kvm: CPU sockets.
	Sockets int `yaml:"sockets" jsonschema:"minimum=1,maximum=4"`
	// kvm: CPU type, such as host or x86-64-v2-AES.
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
	// lxc: swap in MiB.
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

	// lxc: run as an unprivileged container.
	Unprivileged bool `yaml:"unprivileged"`
	// lxc: allow nested containers; systemd's sandboxing needs it.
	Nesting bool `yaml:"nesting"`
	// lxc: allow keyctl, which Docker in an unprivileged container needs.
	Keyctl bool `yaml:"keyctl"`
	// lxc: allow FUSE file systems.
	Fuse bool `yaml:"fuse"`
	// Password of root (kvm: of `ciuser`). Default: none, keys only.
	Password string `yaml:"password"`

	// kvm: machine type, such as q35.
	Machine string `yaml:"machine"`
	// kvm: firmware.
	BIOS string `yaml:"bios" jsonschema:"enum=seabios,enum=ovmf"`
	// kvm: the image runs qemu-guest-agent.
	Agent bool `yaml:"agent"`
	// kvm: user that cloud-init creates. Default: `ssh.user`.
	CIUser string `yaml:"ciuser"`
}

// Mount is a further mount point of a container.
type Mount struct {
	// Where it is mounted in the container.
	Path string `yaml:"path"`
	// Storage of a new volume.
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
