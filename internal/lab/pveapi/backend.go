package pveapi

import (
	"context"
	"io"
	"net/netip"
	"time"
)

// Spec is what a [Backend] needs to make a new guest's root file system.
type Spec struct {
	Node         string            // the lab's node that owns the guest
	Template     string            // absolute path of the template's archive
	Size         int64             // size of the root file system in bytes
	VM           bool              // it plays a virtual machine, see [Machines]; Template is a cloud image
	Unprivileged bool              // map the guest's root to an unprivileged host user
	Password     string            // root's password; empty: locked
	SSHKeys      string            // root's authorized_keys, one a line; empty: none
	Config       map[string]string // the guest's Proxmox configuration, key by key
}

// Usage is what a guest consumes at this moment.
type Usage struct {
	PID                   int           // host PID of the guest's init; 0: not running
	Uptime                time.Duration // since init started
	CPU                   float64       // share of the guest's cores in use, 0 to 1
	Mem, Swap             int64         // bytes
	Disk, MaxDisk         int64         // bytes used and available in the root file system
	NetIn, NetOut         int64         // bytes since start
	DiskRead, DiskWritten int64         // bytes since start
}

// Interface is a network interface as seen inside a running guest.
type Interface struct {
	Name  string
	MAC   string
	Addrs []netip.Prefix
}

// Backend makes the guests behind the API real. The API decides everything that
// Proxmox decides (privileges, locks, which change is hot or pending, task logs);
// a Backend only carries out. Guests are named by vmid, unique in the lab.
// Methods block until done and honour ctx; progress receives the lines that
// Proxmox would print into the task's log for that operation.
type Backend interface {
	// Create unpacks the template, writes hostname, network, resolver, keys and
	// password into it and generates fresh SSH host keys, reporting each as
	// Proxmox's vzcreate does ("Creating SSH host key 'ssh_host_ed25519_key' - this
	// may take some time ...", "done: SHA256:… root@HOST").
	Create(ctx context.Context, vmid int, spec Spec, progress func(string)) error
	// Start boots the guest with this configuration.
	Start(ctx context.Context, vmid int, config map[string]string, progress func(string)) error
	// Shutdown asks init to stop and waits up to timeout; an error if it did not.
	Shutdown(ctx context.Context, vmid int, timeout time.Duration) error
	// Stop kills the guest at once.
	Stop(ctx context.Context, vmid int) error
	// Update carries configuration changes into the guest: while it runs those that
	// Proxmox hot-plugs (memory, swap, cores, cpulimit, cpuunits, net*), while it is stopped
	// whatever lives in its file system (hostname, network, nameserver, …).
	Update(ctx context.Context, vmid int, config map[string]string) error
	// Resize grows the root file system or mount point ("rootfs", "mp0", …) to size bytes.
	Resize(ctx context.Context, vmid int, disk string, size int64, progress func(string)) error
	// Snapshot, Rollback and DeleteSnapshot keep and restore the file system. A
	// running guest is frozen while its snapshot is taken; Rollback needs it stopped.
	Snapshot(ctx context.Context, vmid int, name string) error
	Rollback(ctx context.Context, vmid int, name string) error
	DeleteSnapshot(ctx context.Context, vmid int, name string) error
	// Clone copies the guest's file system (of the named snapshot, or "" for now).
	Clone(ctx context.Context, vmid, newid int, snapshot string, progress func(string)) error
	// Destroy removes everything of a stopped guest; removing nothing is no error.
	Destroy(ctx context.Context, vmid int) error
	// Running tells whether the guest's init runs.
	Running(vmid int) bool
	// Usage and Interfaces observe the guest; a stopped one has zero Usage but Disk figures and no interfaces.
	Usage(ctx context.Context, vmid int) (Usage, error)
	Interfaces(ctx context.Context, vmid int) ([]Interface, error)
	// Console attaches a root shell (shell true) or the login console to the running guest.
	Console(ctx context.Context, vmid int, shell bool) (io.ReadWriteCloser, error)
	// Events delivers the vmid of every guest whose init ended by itself (poweroff
	// or reboot from inside). The channel is closed when the Backend is.
	Events() <-chan int
}
