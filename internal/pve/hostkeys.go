package pve

import (
	"context"
	"regexp"
	"slices"

	"github.com/org/appstack-action/internal/machine"
)

// Proxmox makes a new container's SSH host keys itself and prints each one's
// fingerprint after this line (pve-container, PVE::LXC::Setup::post_create_hook).
var (
	keyLine         = regexp.MustCompile(`^Creating SSH host key 'ssh_host_[a-z0-9]+_key' - `)
	fingerprintLine = regexp.MustCompile(`^done: (SHA256:[A-Za-z0-9+/]{43}) `)
)

// hostKeys returns the fingerprints of the SSH host keys in a creation's log, sorted.
// A fingerprint counts only right after the line that announces its key, since other
// lines of the log may come from the template.
func hostKeys(log []string) []string {
	var keys []string
	announced := false
	for _, line := range log {
		if m := fingerprintLine.FindStringSubmatch(line); m != nil && announced {
			keys = append(keys, m[1])
		}
		announced = keyLine.MatchString(line)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// recoverHostKeys reads the host keys of a container whose creation was cut short
// from the log of the newest creation of this vmid. No log: no keys.
func (c *Client) recoverHostKeys(ctx context.Context, g *machine.Guest) ([]string, error) {
	rows, err := c.tasks(ctx, g, creating)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	newest := slices.MaxFunc(rows, func(a, b taskRow) int { return int(a.Start - b.Start) })
	log, err := c.taskLog(ctx, newest.UPID)
	return hostKeys(log), err
}
