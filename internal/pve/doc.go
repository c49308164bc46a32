// Package pve speaks with Proxmox VE in the few verbs that appstack needs:
// observe a guest, check that a change harms nobody, apply the hypervisor's part
// of a plan, wait, destroy, and hold a lease on an environment.
//
// A run dials once ([Dial]) and shares the [Client] among all its environments, so
// that the list of the cluster's guests is fetched once:
//
//	client, err := pve.Dial(pve.Options{URL: …, Token: …, Fingerprint: …})
//	have, err := client.Observe(ctx, want)    // nil: there is no such guest
//	if have == nil {
//		err = client.Place(ctx, want)     // node and template of the new one
//	}
//	todo := plan.Diff(name, machine.State{Guest: have}, machine.State{Guest: want}, policy)
//	findings, err := client.Check(ctx, todo.Steps, have, want, allowed)
//	now, err := client.Apply(ctx, todo.Steps, have, want, progress)
//
// # Trust
//
// The API's certificate is pinned by its SHA-256 fingerprint, or verified with the
// given or the system's authorities; there is no third way. The SSH host keys of a
// new container come over that connection, from the log of the task that made them.
//
// # Crashes
//
// No verb keeps anything outside Proxmox. A guest carries a [machine.Block] in its
// description from the moment of its creation, so that a run which finds half of
// another run's work knows whose it is and goes on. A request that may have been
// carried out although its answer was lost is never just sent again: the verb looks
// at what Proxmox has first.
//
// # Leases
//
// [Client.Acquire] takes the lease on an environment, [Lease.Keep] renews it while the
// run works and ends the run's context when somebody else took it over, and
// [Lease.Release] gives it back. Between, the client refuses to write to a guest whose
// block no longer carries this lease.
//
// # Errors
//
// [Error] keeps Proxmox's own words and says which call they answer; its Hint names
// the privilege that is missing and the pveum line that grants it. [UnreachableError],
// [TaskError], [CertificateError], [LockedError] and [OwnerError] are the other kinds.
//
// The HTTP part is go-proxmox's; what its calls lose or get wrong (v0.8.1) is done
// here: see transport.go, retry.go and task.go.
package pve
