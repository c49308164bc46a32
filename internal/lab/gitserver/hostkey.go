package gitserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// loadHostKey reads the host key, or makes it on the first start: clients pin it, so
// that a new key on every start would break them.
func loadHostKey(path string) (ssh.Signer, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = newHostKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the git server's host key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot read the git server's host key %s: %w", path, err)
	}
	return signer, nil
}

func newHostKey(path string) ([]byte, error) {
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(priv, "pvelab git server")
	if err != nil {
		return nil, err
	}
	raw := pem.EncodeToMemory(block)
	return raw, os.WriteFile(path, raw, 0o600)
}

// HostKey is the server's public ed25519 key, for clients to pin.
func (s *Server) HostKey() ssh.PublicKey { return s.host.PublicKey() }

// KnownHosts is the line of a known_hosts file for the server at addr.
func (s *Server) KnownHosts(addr net.Addr) string {
	return knownhosts.Line([]string{knownhosts.Normalize(addr.String())}, s.HostKey())
}
