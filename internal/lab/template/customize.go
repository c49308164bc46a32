package template

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// machineCAs is where an administrator puts certificates that Debian does not ship;
// without them a guest behind an inspecting proxy trusts no registry.
const machineCAs = "/usr/local/share/ca-certificates"

// masked are units that cannot work in an unprivileged container or only cost
// time there; Proxmox's container set-up leaves them without effect, too.
var masked = []string{
	"sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
	"e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "systemd-pstore.service",
}

// disabled are timers that would keep dpkg locked while a test installs packages. A
// guest whose stack asks for upgrades enables them again.
var disabled = []string{"apt-daily.timer", "apt-daily-upgrade.timer"}

// customize turns a fresh root into a template.
func customize(ctx context.Context, root string, sources AptSources) error {
	if err := os.WriteFile(filepath.Join(root, "etc/apt/sources.list"), []byte(sources.List), 0o644); err != nil {
		return err
	}
	if err := trustMachineCAs(ctx, root); err != nil {
		return err
	}
	for _, unit := range masked {
		link := filepath.Join(root, "etc/systemd/system", unit)
		if err := os.Symlink("/dev/null", link); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	for _, unit := range disabled {
		link := filepath.Join(root, "etc/systemd/system/timers.target.wants", unit)
		if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return clear(root)
}

// warm installs packages, without starting anything on the machine that builds.
func warm(ctx context.Context, root string, packages []string, progress func(string)) error {
	if len(packages) == 0 {
		return nil
	}
	noStart := filepath.Join(root, "usr/sbin/policy-rc.d")
	if err := os.WriteFile(noStart, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return err
	}
	defer os.Remove(noStart)
	resolver, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "etc/resolv.conf"), resolver, 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"apt-get", "update", "-q"},
		append([]string{"apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Options::=--force-unsafe-io"}, packages...),
	} {
		// PostgreSQL looks into /proc when it makes its cluster.
		inside := append([]string{"-c", `mount -t proc proc "$0/proc" && exec chroot "$0" "$@"`, root}, args...)
		if err := stream(contained(ctx, "sh", inside...), progress); err != nil {
			return err
		}
	}
	return clear(root)
}

func trustMachineCAs(ctx context.Context, root string) error {
	certs, _ := filepath.Glob(filepath.Join(machineCAs, "*.crt"))
	for _, cert := range certs {
		pem, err := os.ReadFile(cert)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, machineCAs, filepath.Base(cert)), pem, 0o644); err != nil {
			return err
		}
	}
	return stream(exec.CommandContext(ctx, "chroot", root, "update-ca-certificates"), nil)
}

// clear removes what must be each guest's own and what the guest can fetch again.
func clear(root string) error {
	var errs []error
	for _, pattern := range []string{
		"etc/ssh/ssh_host_*", "var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "var/cache/apt/*.bin",
		"var/log/*.log", "etc/hostname", "etc/resolv.conf", "var/lib/dbus/machine-id", "etc/machine-id-*",
	} {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, f := range found {
			errs = append(errs, os.RemoveAll(f))
		}
	}
	return errors.Join(append(errs, os.WriteFile(filepath.Join(root, "etc/machine-id"), nil, 0o644))...)
}
