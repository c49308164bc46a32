package ssh

import (
	"fmt"
	"slices"
	"strings"
)

// UnreachableError says that there was no SSH server to talk to: nothing answers at
// the address, or what answers does not speak SSH.
type UnreachableError struct {
	Address string
	Err     error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("cannot reach %s over SSH: %v", e.Address, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Hint tells what to do about it.
func (e *UnreachableError) Hint() string {
	return "is the machine up, is its SSH port open to this one, and is its address routed from here? " +
		"A private address needs a runner in that network, a jump host or a VPN"
}

// HostKeyError says that the machine is not the one that was expected: none of its
// host keys is pinned. Nothing was sent to it.
type HostKeyError struct {
	Address string
	Want    []string // pinned fingerprints, SHA256:…
	Got     []string // what the machine offered, "ssh-ed25519 SHA256:…"
}

func (e *HostKeyError) Error() string {
	if len(e.Want) == 0 {
		return fmt.Sprintf("no host key is pinned for %s, which offers %s", e.Address, strings.Join(e.Got, ", "))
	}
	return fmt.Sprintf("the host key of %s is not the pinned one: expected %s, it offers %s",
		e.Address, strings.Join(e.Want, " or "), strings.Join(e.Got, ", "))
}

// Hint tells what to do about it.
func (e *HostKeyError) Hint() string {
	if len(e.Want) == 0 {
		return "compare the fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine's console, then set ssh_fingerprint"
	}
	return "if the machine was rebuilt on purpose, compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its console " +
		"and set ssh_fingerprint to that; if not, another machine answers at this address: do not go on"
}

// AuthError says that the machine accepted none of the users with this key.
type AuthError struct {
	Address string
	Users   []string
	Key     string // fingerprint of the key that was offered
}

func (e *AuthError) Error() string {
	return fmt.Sprintf("%s accepts the key %s for none of the users %s", e.Address, e.Key, strings.Join(e.Users, ", "))
}

// Hint tells what to do about it.
func (e *AuthError) Hint() string {
	user := "root"
	if len(e.Users) > 0 && !slices.Contains(e.Users, "root") {
		user = e.Users[0]
	}
	return fmt.Sprintf("put the public half of ssh.key into ~%s/.ssh/authorized_keys on the machine", user)
}

// KeyError says that the private key cannot be used.
type KeyError struct{ Err error }

func (e *KeyError) Error() string { return fmt.Sprintf("cannot use the SSH key: %v", e.Err) }

func (e *KeyError) Unwrap() error { return e.Err }

// Hint tells what to do about it.
func (e *KeyError) Hint() string {
	return "ssh.key must be the whole text of a private key without a passphrase, as `ssh-keygen -t ed25519 -N ''` writes it"
}

// DeadError says that the connection broke off while it was in use.
type DeadError struct {
	Address string
	Err     error
}

func (e *DeadError) Error() string {
	return fmt.Sprintf("the connection to %s is lost: %v", e.Address, e.Err)
}

func (e *DeadError) Unwrap() error { return e.Err }

// Hint tells what to do about it.
func (e *DeadError) Hint() string {
	return "run again: it goes on from what the machine's state is then"
}
