package lxc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyTypes are the host keys that Proxmox makes for a new container.
var keyTypes = []struct {
	file string
	make func() (crypto.Signer, error)
}{
	{"ssh_host_rsa_key", func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 3072) }},
	{"ssh_host_ecdsa_key", func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
	{"ssh_host_ed25519_key", func() (crypto.Signer, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}},
}

// newHostKeys gives the container SSH host keys and prints their fingerprints, as
// pve-container's post_create_hook does; a template without /etc/ssh gets none.
func newHostKeys(root *os.Root, host string, progress func(string)) error {
	if _, err := root.Stat("etc/ssh"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if host, _, _ = strings.Cut(host, "."); host == "" {
		host = "localhost"
	}
	comment := "root@" + host
	for _, t := range keyTypes {
		progress(fmt.Sprintf("Creating SSH host key '%s' - this may take some time ...", t.file))
		key, err := t.make()
		if err != nil {
			return err
		}
		fingerprint, err := writeKey(root, "etc/ssh/"+t.file, key, comment)
		if err != nil {
			return fmt.Errorf("cannot write %s: %w", t.file, err)
		}
		progress(fmt.Sprintf("done: %s %s", fingerprint, comment))
	}
	return nil
}

// writeKey stores a key pair as ssh-keygen(1) does and returns its fingerprint.
func writeKey(root *os.Root, file string, key crypto.Signer, comment string) (string, error) {
	private, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return "", err
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return "", err
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))) + " " + comment + "\n"
	return ssh.FingerprintSHA256(public), errors.Join(
		root.WriteFile(file, pem.EncodeToMemory(private), 0o600),
		root.WriteFile(file+".pub", []byte(line), 0o644),
	)
}
