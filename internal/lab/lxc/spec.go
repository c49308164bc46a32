package lxc

import (
	"net/netip"
	"time"
)

// Spec is what a new container is made of.
type Spec struct {
	Node         string            // the lab's node that owns the guest
	Template     string            // absolute path of the template's archive
	Size         int64             // size of the root file system in bytes
	Unprivileged bool              // map the guest's root to an unprivileged host user
	Password     string            // root's password; empty: locked
	SSHKeys      string            // root's authorized_keys, one a line; empty: none
	Config       map[string]string // the guest's Proxmox configuration, key by key
}

// Usage is what a container consumes at this moment.
type Usage struct {
	PID                   int           // host PID of the guest's init; 0: not running
	Uptime                time.Duration // since init started
	CPU                   float64       // share of the guest's cores in use, 0 to 1
	Mem, Swap             int64         // bytes
	Disk, MaxDisk         int64         // bytes used and available in the root file system
	NetIn, NetOut         int64         // bytes since start
	DiskRead, DiskWritten int64         // bytes since start
}

// Interface is a network interface as seen inside a running container.
type Interface struct {
	Name  string
	MAC   string
	Addrs []netip.Prefix
}
