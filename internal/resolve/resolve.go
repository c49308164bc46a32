// Package resolve turns the stack file, the event and the secrets into targets:
// for each environment the machine that is wanted there, and how to reach it.
//
// It is the only room that knows the stack file's conveniences: each is
// desugared here into the few primitives of package machine. It is pure.
package resolve

import (
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/stack"
)

// Target is one environment of one project: what is wanted there.
type Target struct {
	Name    string // "shop/dev"
	Project string
	Env     string
	Branch  string
	SHA     string // commit to deploy; empty: none (only the machine is reconciled)
	// Protected environments are never destroyed nor restarted without being asked.
	Protected bool

	Want   machine.State
	Policy plan.Policy

	Proxmox Proxmox
	SSH     SSH
	// Spec is the merged and expanded stack entry, for the guards and the reports.
	Spec *stack.Env
	// URL is where the app answers, empty without a public service.
	URL string
}

// Proxmox is how to reach the API.
type Proxmox struct {
	URL         string
	Token       secret.Value // user@realm!id=uuid
	Fingerprint string       // SHA-256 of the API's certificate, any notation; empty: CA or the system's roots
	CA          []byte       // PEM; empty: the system's roots
	Node        string       // node for a new guest, or "auto"
	Pool        string
	ViaJump     bool // the API is reached through SSH.Jump
}

// SSH is how to reach the guest.
type SSH struct {
	Address string // host of the guest, without its prefix length
	Port    int
	// Users are tried in this order: the app's user once it is there, then the bootstrap user.
	Users []string
	Key   secret.Value // private key, OpenSSH or PEM
	// HostKeys are SHA256:… fingerprints from the stack, for guests that were not made by us.
	HostKeys []string
	Jump     *Jump
}

// Jump is an SSH host between the runner and the Proxmox network.
type Jump struct {
	User    string
	Address string // host:port
	HostKey string // pinned public key, authorized_keys format
	Key     secret.Value
}
