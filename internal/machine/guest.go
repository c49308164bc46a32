package machine

import (
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

	// Origin is desired only: what a missing guest is made from.
	Origin *Origin `json:"-"`

	// The following are observed only.

	// Pending are the values that wait for a restart, "" for a pending deletion.
	Pending Config `json:"pending,omitempty"`
	// Digest identifies the configuration that was read, for compare-and-swap.
	Digest string `json:"-"`
	// Lock is Proxmox's reason for refusing changes now ("backup", "snapshot", …).
	Lock string `json:"lock,omitempty"`
}

// Origin is what a guest is made from, and what is said only at its creation.
type Origin struct {
	Template string       // volume ID of the template, or the VM template's vmid
	Storage  string       // storage of the root disk
	DiskGiB  int          // size of the root disk
	Password secret.Value // root's password; empty: none
	SSHKeys  []string     // root's authorized keys
}

// Block is what appstack keeps in the guest's description, between two marker
// lines: whose it is, and how to trust it. Proxmox and the guest are the only state.
type Block struct {
	Project    string   `json:"project"`
	Env        string   `json:"env"`
	Repository string   `json:"repository,omitempty"` // owner/name; empty when a person ran it elsewhere
	Release    string   `json:"release,omitempty"`    // commit that serves
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
