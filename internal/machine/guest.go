package machine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/secret"
)

// Kind is the kind of a guest, by Proxmox's name for it.
type Kind string

// The kinds of guests.
const (
	LXC Kind = "lxc"
	KVM Kind = "qemu"
)

// Config is a guest's Proxmox configuration, key by key ("cores", "net0", …),
// each value as Proxmox writes it.
type Config map[string]string

// Guest is a container or VM as its hypervisor sees it.
type Guest struct {
	Kind    Kind   `json:"kind"`
	VMID    int    `json:"vmid"`
	Node    string `json:"node"`
	Running bool   `json:"running"`
	Pool    string `json:"pool,omitempty"`
	HA      bool   `json:"ha,omitempty"`
	Config  Config `json:"config"`
	// Notes is the part of the description that people wrote.
	Notes string `json:"notes,omitempty"`
	// Block is appstack's part of the description; nil: the guest is not ours.
	Block *Block `json:"block,omitempty"`

	// The following are desired only.

	// Origin is what a missing guest is made from.
	Origin *Origin `json:"-"`
	// MayRestart allows one restart where a change needs it.
	MayRestart bool `json:"-"`

	// The following are observed only.

	// Uptime is how long it has been running; zero where it is not, or that is not known.
	Uptime time.Duration `json:"-"`
	// Pending are the values that wait for a restart, "" for a pending deletion;
	// Config has those that the guest runs with.
	Pending Config `json:"pending,omitempty"`
	// NewHostKeys: the host keys in Block are not those of the description, but what the
	// guest agent of a VM tells now.
	NewHostKeys bool `json:"-"`
	// Digest identifies the configuration that was read, for compare-and-swap.
	Digest string `json:"-"`
	// Lock is Proxmox's reason for refusing changes now ("backup", "snapshot", …).
	Lock string `json:"lock,omitempty"`
}

// Origin is what a guest is made from, and what is said only at its creation.
type Origin struct {
	Template string       // container template, or VM template (vmid or name); with Image a cloud image
	Storage  string       // storage of the root disk
	DiskGiB  int          // size of the root disk
	Password secret.Value // root's password; empty: none
	SSHKeys  []string     // root's authorized keys
	// Download: Template, a volume ID, is in Proxmox's list of templates and not on
	// the storage yet.
	Download bool
	// Image: Template is a cloud image for a VM, a URL or a volume.
	Image    bool
	URL      string // where the image is downloaded from, with Download
	Checksum string // of the image: "sha256:…" or "sha512:…"; may be empty
	// Full makes a full clone of a VM template where a linked one is possible, too.
	Full bool
	// Reasons tell why this node and this template were chosen, and what of the wish
	// cannot be had, for the plan's notes.
	Reasons []string
}

// Because notes a reason, once however often it is found. A nil Origin keeps none.
func (o *Origin) Because(format string, args ...any) {
	if reason := fmt.Sprintf(format, args...); o != nil && !slices.Contains(o.Reasons, reason) {
		o.Reasons = append(o.Reasons, reason)
	}
}

// Block is what appstack keeps in the guest's description, between two marker
// lines: whose it is, and how to trust it. Proxmox and the guest are the only state.
type Block struct {
	Project    string   `json:"project"`
	Env        string   `json:"env"`
	Repository string   `json:"repository,omitempty"` // owner/name; empty when a person ran it elsewhere
	Creating   bool     `json:"creating,omitempty"`   // the guest is new and its creation is not completed yet
	Waits      []string `json:"waits,omitempty"`      // a VM's cloud-init keys that apply at its next boot: Proxmox shows them as applied
	Stale      bool     `json:"stale,omitempty"`      // the VM's cloud-init drive does not have what Waits tells of yet
	HostKeys   []string `json:"host_keys,omitempty"`  // SHA256:… fingerprints of the guest's SSH host keys
	Lease      *Lease   `json:"lease,omitempty"`      // who works on the guest now
	Fence      int64    `json:"fence,omitempty"`      // number of the newest lease ever given
}

// Lease is one run's claim on a guest.
type Lease struct {
	Holder  string    `json:"holder"`        // repository/run/attempt, or user@host
	URL     string    `json:"url,omitempty"` // the run's page
	Nonce   string    `json:"nonce"`         // new at each write: the same text would have the same digest again
	Expires time.Time `json:"expires"`
}

// Next returns the configuration that the guest has after its next restart: what it
// runs with, overlaid by what waits.
func (g *Guest) Next() Config {
	next := maps.Clone(g.Config)
	if next == nil {
		next = make(Config)
	}
	for key, value := range g.Pending {
		if value == "" {
			delete(next, key)
		} else {
			next[key] = value
		}
	}
	return next
}

// Owner returns whose the guest is, "project/env" and the repository in
// parentheses; "" if it is not ours.
func (b *Block) Owner() string {
	switch {
	case b == nil:
		return ""
	case b.Repository == "":
		return b.Project + "/" + b.Env
	}
	return b.Project + "/" + b.Env + " (" + b.Repository + ")"
}

// Owns tells whether a guest with this block is the same environment's as the
// guest with the other one. Where one of them names no repository, because a person
// ran appstack without a checkout, the project and the environment decide.
func (b *Block) Owns(other *Block) bool {
	if b == nil || other == nil {
		return false
	}
	sameRepository := b.Repository == "" || other.Repository == "" || strings.EqualFold(b.Repository, other.Repository)
	return b.Project == other.Project && b.Env == other.Env && sameRepository
}

// CloudInit are the keys of a VM's configuration that its cloud-init drive carries:
// Proxmox takes them at once, and writes the drive at the next boot (qemu-server,
// $confdesc_cloudinit).
var CloudInit = []string{"cicustom", "cipassword", "citype", "ciupgrade", "ciuser", "ipconfig0", "nameserver", "searchdomain", "sshkeys"}
