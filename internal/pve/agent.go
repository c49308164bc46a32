package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

// bootFinished is the file that cloud-init writes when it is through with this boot,
// after it has replaced the host keys that the image may have had. It is in memory:
// what an earlier boot left does not count, as /var/lib/cloud/instance/boot-finished would.
const bootFinished = "/run/cloud-init/result.json"

// withoutCloudInit are files of which one's presence, or the program's absence, says
// that nobody replaces the host keys: the generator writes the first where it finds no
// drive, an administrator the second.
var (
	cloudInit        = "/usr/bin/cloud-init"
	withoutCloudInit = []string{"/run/cloud-init/disabled", "/etc/cloud/cloud-init.disabled"}
)

// HostKeys asks a running virtual machine's guest agent for the fingerprints of the SSH
// host keys, sorted. It waits for the agent and for cloud-init. The error is a
// *[NoHostKeysError] where there is no agent.
func (c *Client) HostKeys(ctx context.Context, g *machine.Guest) ([]string, error) {
	if !g.HasAgent() {
		return nil, &NoHostKeysError{g.VMID, errors.New("it is configured to have none")}
	}
	return c.agentHostKeys(ctx, g)
}

// agentHostKeys waits for the guest agent and for cloud-init, and returns the
// fingerprints of the SSH host keys, sorted.
func (c *Client) agentHostKeys(ctx context.Context, g *machine.Guest) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.times.agent, fmt.Errorf("it did not answer for %s", c.times.agent))
	defer cancel()
	start, told := time.Now(), time.Now()
	for {
		err := c.cloudInitDone(ctx, g)
		if err == nil {
			var keys []string
			if keys, err = c.readKeyFiles(ctx, g); err == nil {
				return keys, nil
			}
		}
		if e := asError(err); e != nil && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden) {
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
	for _, file := range withoutCloudInit {
		if _, off := c.agentFile(ctx, g, file); off == nil {
			return nil
		}
	}
	return err
}

// noFile tells whether the agent answered that there is no such file.
func noFile(err error) bool {
	e := asError(err)
	return e != nil && strings.Contains(e.Message, "No such file or directory")
}

// readKeyFiles reads the host keys that there are. One that cannot be read is not the
// same as one that is not there.
func (c *Client) readKeyFiles(ctx context.Context, g *machine.Guest) ([]string, error) {
	var keys []string
	for _, file := range keyFiles {
		text, err := c.agentFile(ctx, g, file)
		if noFile(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", file, err)
		}
		keys = append(keys, ssh.FingerprintSHA256(key))
	}
	if len(keys) == 0 {
		return nil, errors.New("the guest has no SSH host keys")
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
