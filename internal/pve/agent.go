package pve

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/machine"
)

// NoHostKeysError says that the guest agent did not tell a virtual machine's SSH host
// keys.
type NoHostKeysError struct {
	VMID  int
	cause error
}

func (e *NoHostKeysError) Error() string {
	return fmt.Sprintf("cannot read the SSH host keys of VM %d through its guest agent: %v", e.VMID, e.cause)
}

func (e *NoHostKeysError) Unwrap() error { return e.cause }

// Hint names the other way.
func (e *NoHostKeysError) Hint() string {
	return "does the image run qemu-guest-agent, and has the token VM.GuestAgent.FileRead (Proxmox VE 8: VM.Monitor)? " +
		"Otherwise say `ssh_fingerprint:` in the stack file"
}

// keyFiles are where OpenSSH keeps its public host keys.
var keyFiles = []string{"/etc/ssh/ssh_host_ed25519_key.pub", "/etc/ssh/ssh_host_ecdsa_key.pub", "/etc/ssh/ssh_host_rsa_key.pub"}

// bootFinished is the file that cloud-init writes when it is through, after it has
// replaced the host keys that the image may have had.
const bootFinished = "/var/lib/cloud/instance/boot-finished"

// cloudInit is the program whose absence says that nobody replaces the host keys.
const cloudInit = "/usr/bin/cloud-init"

// agentHostKeys waits for the guest agent and for cloud-init, and returns the
// fingerprints of the SSH host keys, sorted.
func (c *Client) agentHostKeys(ctx context.Context, g *machine.Guest) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.times.agent, fmt.Errorf("it did not answer for %s", c.times.agent))
	defer cancel()
	start, told := time.Now(), time.Now()
	for {
		err := c.cloudInitDone(ctx, g)
		if err == nil {
			break
		}
		if asError(err) != nil && asError(err).Status == 403 {
			return nil, &NoHostKeysError{g.VMID, err}
		}
		if sleep(ctx, 5*c.times.backoff) != nil {
			return nil, &NoHostKeysError{g.VMID, errors.Join(context.Cause(ctx), err)}
		}
		if time.Since(told) >= c.times.tell {
			told = time.Now()
			progressOf(ctx).Wait("cloud-init in "+describe(g), time.Since(start))
		}
	}
	return c.readKeyFiles(ctx, g)
}

// cloudInitDone is an error until the guest agent answers and cloud-init is through.
func (c *Client) cloudInitDone(ctx context.Context, g *machine.Guest) error {
	_, err := c.agentFile(ctx, g, bootFinished)
	if !noFile(err) {
		return err
	}
	if _, other := c.agentFile(ctx, g, cloudInit); noFile(other) {
		return nil
	}
	return err
}

// noFile tells whether the agent answered that there is no such file.
func noFile(err error) bool {
	e := asError(err)
	return e != nil && strings.Contains(e.Message, "No such file or directory")
}

func (c *Client) readKeyFiles(ctx context.Context, g *machine.Guest) ([]string, error) {
	var keys []string
	var last error
	for _, file := range keyFiles {
		text, err := c.agentFile(ctx, g, file)
		if err != nil {
			last = err
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil {
			last = err
			continue
		}
		keys = append(keys, ssh.FingerprintSHA256(key))
	}
	if len(keys) == 0 {
		return nil, &NoHostKeysError{g.VMID, last}
	}
	slices.Sort(keys)
	return keys, nil
}

// agentFile reads a small file of the guest.
func (c *Client) agentFile(ctx context.Context, g *machine.Guest, file string) (string, error) {
	var answer struct {
		Content string `json:"content"`
	}
	err := c.get(ctx, guestPath(g)+"/agent/file-read?file="+url.QueryEscape(file), &answer)
	return answer.Content, err
}

// hasAgent tells whether the virtual machine is configured to have a guest agent.
func hasAgent(g *machine.Guest) bool {
	agent := machine.ParseProperties(g.Config["agent"])
	return g.Kind == machine.KVM && (agent.Get("") == "1" || agent.Get("enabled") == "1")
}
