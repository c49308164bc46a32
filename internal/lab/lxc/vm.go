package lxc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

var _ pveapi.Machines = (*Backend)(nil)

// seed is where cloud-init looks for a drive of the NoCloud kind that is no device: a
// container has none.
const seed = "var/lib/cloud/seed/nocloud"

// Insert implements the API's Machines.
func (b *Backend) Insert(ctx context.Context, vmid int, drive map[string]string) error {
	g, unlock := b.lock(vmid)
	defer unlock()
	return b.store.whileMounted(ctx, g, func(string) error {
		root, err := os.OpenRoot(g.rootfs())
		if err != nil {
			return err
		}
		defer root.Close()
		if err := root.MkdirAll(seed, 0o700); err != nil {
			return err
		}
		for name, text := range drive {
			err = errors.Join(err, root.WriteFile(seed+"/"+name, []byte(text), 0o600))
		}
		return err
	})
}

// noAgent is the exit status that says so; no program of the agent's has it.
const noAgent = 213

// Run implements the API's Machines. The image's unit qemu-guest-agent stands for the
// agent: it comes when the guest has booted so far, and whoever stops it silences it.
func (b *Backend) Run(ctx context.Context, vmid int, script string) ([]byte, error) {
	if !b.Running(vmid) {
		return nil, pveapi.ErrNoAgent
	}
	check := fmt.Sprintf("systemctl -q is-active qemu-guest-agent 2>/dev/null || exit %d\n", noAgent)
	cmd := exec.CommandContext(ctx, "lxc-attach", "-P", filepath.Join(b.opt.Dir, "ct"), "-n", strconv.Itoa(vmid),
		"--clear-env", "--set-var=PATH=/usr/sbin:/usr/bin:/sbin:/bin", "--", "/bin/sh", "-s")
	cmd.Stdin = strings.NewReader(check + script + "\n")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.ExitCode() == noAgent {
		return nil, pveapi.ErrNoAgent
	}
	if err != nil {
		return out.Bytes(), fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), nil
}
