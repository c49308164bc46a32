package template

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Machine is a virtual machine's disk, with the kernel and the initial RAM disk that boot
// it: Debian's own, with cloud-init and qemu-guest-agent.
type Machine struct{ Kernel, Initrd, Disk string }

// machinePackages are what a machine needs beyond a container.
const machinePackages = "systemd,systemd-sysv,udev,dbus,openssh-server,iproute2,ifupdown,netbase,ca-certificates,sudo," +
	"cloud-init,qemu-guest-agent,linux-image-cloud-amd64,procps,kmod"

// machineConfig is cloud-init's: without a locale that is there, it generates one that
// Debian's locale-gen does not know, and calls that an error.
const machineConfig = "locale: C.UTF-8\napt: {preserve_sources_list: true}\n"

// machineSize is the disk's, in bytes; it takes only what is written.
const machineSize = 3 << 30

// BuildMachine returns a machine of that Debian release in cache, building it if it is not
// there, which takes about two minutes. It needs root and mmdebstrap.
func BuildMachine(ctx context.Context, cache, codename string, progress func(string)) (Machine, error) {
	recipe := sha256.Sum256(fmt.Append(nil, codename, machinePackages, machineConfig, machineSize, recipeVersion))
	dir := filepath.Join(cache, "machine", fmt.Sprintf("%x", recipe)[:12])
	m := Machine{filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "initrd.img"), filepath.Join(dir, "disk.img")}
	unlock, err := lock(ctx, m.Disk)
	if err != nil {
		return m, err
	}
	defer unlock()
	if _, err := os.Stat(m.Disk); err == nil {
		return m, nil
	}
	if err := m.build(ctx, codename, progress); err != nil {
		return m, fmt.Errorf("cannot build a machine of %s: %w", codename, err)
	}
	return m, nil
}

func (m Machine) build(ctx context.Context, codename string, progress func(string)) error {
	sources, err := Sources("/etc/apt", codename)
	if err != nil {
		return err
	}
	root, err := emptyRoot(filepath.Dir(m.Disk))
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := bootstrap(ctx, root, codename, machinePackages, sources, progress); err != nil {
		return err
	}
	config := filepath.Join(root, "etc/cloud/cloud.cfg.d/90_lab.cfg")
	if err := errors.Join(clear(root), os.WriteFile(config, []byte(machineConfig), 0o644)); err != nil {
		return err
	}
	for to, pattern := range map[string]string{m.Kernel: "boot/vmlinuz-*", m.Initrd: "boot/initrd.img-*"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		if len(found) != 1 {
			return fmt.Errorf("there are %d files %s", len(found), pattern)
		}
		if err := os.Rename(found[0], to); err != nil {
			return err
		}
	}
	part := m.Disk + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(machineSize), f.Close()); err != nil {
		return err
	}
	if err := stream(exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", "-d", root, part), progress); err != nil {
		return err
	}
	return os.Rename(part, m.Disk)
}
