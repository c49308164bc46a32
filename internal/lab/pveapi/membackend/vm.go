package membackend

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

var _ pveapi.Machines = (*Backend)(nil)

// Insert implements [pveapi.Machines].
func (b *Backend) Insert(_ context.Context, vmid int, drive map[string]string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.get(vmid)
	if err == nil {
		m.Drive = maps.Clone(drive)
	}
	return err
}

// result is what cloud-init leaves until the next boot when it is through.
const result = "/run/cloud-init/result.json"

// cloudInit does what cloud-init does at a boot, with new keys for a machine that it takes
// for a new instance: those of an image are everybody's.
func (m *machine) cloudInit() {
	delete(m.Files, result)
	if m.Drive == nil {
		return
	}
	if id := m.Drive["meta-data"]; id != m.instance {
		if keys, err := hostKeys(); err == nil {
			m.instance, m.HostKeys = id, keys
		}
	}
	_, keys, _ := strings.Cut(m.Drive["user-data"], "ssh_authorized_keys:\n")
	m.AuthorizedKeys = ""
	for line := range strings.Lines(keys) {
		key, ok := strings.CutPrefix(line, "  - ")
		if !ok {
			break
		}
		m.AuthorizedKeys += key
	}
	m.Files[result] = "{}"
}

// Run implements [pveapi.Machines] for what the agent is asked: a file, nothing else. As
// in a real guest, the agent comes a moment after the start.
func (b *Backend) Run(_ context.Context, vmid int, script string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.guests[vmid]
	if m == nil || !m.Running || time.Since(m.since) < b.slow {
		return nil, pveapi.ErrNoAgent
	}
	name, isCat := strings.CutPrefix(script, "cat ")
	if !isCat {
		m.Scripts = append(m.Scripts, script)
		return nil, nil
	}
	name = strings.Trim(strings.TrimPrefix(name, "-- "), "'")
	if text, ok := m.Files[name]; ok {
		return []byte(text), nil
	}
	if name == "/etc/hostname" {
		return []byte(m.Config["hostname"] + "\n"), nil
	}
	for _, k := range m.HostKeys {
		if name == "/etc/ssh/ssh_host_"+keyName(k)+"_key.pub" {
			return ssh.MarshalAuthorizedKey(k.PublicKey()), nil
		}
	}
	return nil, fmt.Errorf("cat: %s: No such file or directory", name)
}
