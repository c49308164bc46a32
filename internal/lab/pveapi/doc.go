// Package pveapi is the lab's Proxmox VE: an HTTPS server that speaks the part of the
// Proxmox VE API that the product uses, as pveproxy and pvedaemon answer it, for guests that
// a [Backend] plays.
//
// # Where things are
//
//   - table_*.go: the methods that are served, each with its privileges and parameters. A
//     test proves that they equal Proxmox's own schema. Any other path answers 501.
//   - handlers.go: what carries out each method.
//   - http.go, router.go, answer.go, listen.go: the way of a request and of its answer.
//   - auth.go, perm.go, access_*.go: who asks, and what he may.
//   - task*.go, lock.go: what goes on after an answer.
//   - lxc_*.go, qemu_*.go, storage*.go, volume.go, nodes.go, cluster.go, pools.go,
//     firewall.go, download.go, console.go: the methods.
//   - state.go: what survives a restart.
//   - fault.go, control.go: failures on demand.
//
// # Order of checks
//
// As in Proxmox a request is checked for its identity (401), the privileges that the method
// declares (403), the node's existence (500 or 595), its parameters (400), and only then by
// the method itself: existence of the guest, privileges that depend on values, locks.
//
// Everything behind the [Server] is guarded by one mutex, which methods hold from beginning
// to end; they let go of it while a Backend works, and hold the guest's lock file then.
package pveapi
