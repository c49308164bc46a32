// Package machine is the vocabulary that the other rooms share: what appstack
// wants of one machine, or has found there, as plain data.
//
// The same [State] serves for both. Package resolve writes the desired one from
// the stack file, packages pve and guest observe the present one, package plan
// compares them. Nothing here talks to anything.
package machine

// State is one machine: the guest on its hypervisor and what is inside it.
type State struct {
	// Guest is the container or VM as Proxmox sees it; nil: there is none.
	Guest *Guest `json:"guest,omitempty"`
	// OS is what is inside; nil: not known, because the guest does not run.
	OS *OS `json:"os,omitempty"`
}
