package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Create implements the API's Backend.
func (b *Backend) Create(ctx context.Context, vmid int, spec Spec, progress func(string)) (err error) {
	g, unlock := b.lock(vmid)
	defer unlock()
	if _, err := os.Stat(b.store.guest(vmid)); err == nil {
		return fmt.Errorf("CT %d already exists", vmid)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.remove(context.WithoutCancel(ctx), g))
		}
	}()
	if err := g.saveMeta(meta{VM: spec.VM, Unprivileged: spec.Unprivileged, Config: spec.Config}); err != nil {
		return err
	}
	if err := b.store.create(ctx, vmid, spec.Template, spec.Size); err != nil {
		return err
	}
	if spec.VM {
		return nil // an image is not touched from outside
	}
	return b.store.whileMounted(ctx, g, func(root string) error {
		return b.furnish(ctx, g, spec, progress)
	})
}

// Prepare unpacks a template ahead of the first container that is made from it.
func (b *Backend) Prepare(ctx context.Context, archive string) error {
	_, err := b.store.base(ctx, archive)
	return err
}

// furnish makes an unpacked template into this container.
func (b *Backend) furnish(ctx context.Context, g *guest, spec Spec, progress func(string)) error {
	if err := b.customize(g, meta{Config: spec.Config}); err != nil {
		return err
	}
	root, err := os.OpenRoot(g.rootfs())
	if err != nil {
		return err
	}
	defer root.Close()
	if err := setPassword(ctx, root, spec.Password); err != nil {
		return err
	}
	if err := setKeys(root, spec.SSHKeys); err != nil {
		return err
	}
	return newHostKeys(root, spec.Config["hostname"], progress)
}

func setKeys(root *os.Root, keys string) error {
	if strings.TrimSpace(keys) == "" {
		return nil
	}
	if err := root.MkdirAll("root/.ssh", 0o700); err != nil {
		return err
	}
	return root.WriteFile("root/.ssh/authorized_keys", []byte(strings.TrimSpace(keys)+"\n"), 0o600)
}

// setPassword replaces root's entry in the shadow file; the password travels on
// stdin. Without one root stays locked for password logins.
func setPassword(ctx context.Context, root *os.Root, password string) error {
	hash := "*"
	if password != "" {
		cmd := exec.CommandContext(ctx, "openssl", "passwd", "-6", "-stdin")
		cmd.Stdin = strings.NewReader(password + "\n")
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("cannot hash root's password: %w", err)
		}
		hash = strings.TrimSpace(string(out))
	}
	shadow, err := root.ReadFile("etc/shadow")
	if err != nil {
		return err
	}
	var s strings.Builder
	for line := range strings.Lines(string(shadow)) {
		f := strings.Split(line, ":")
		if f[0] == "root" && len(f) > 2 {
			f[1] = hash
		}
		s.WriteString(strings.Join(f, ":"))
	}
	return root.WriteFile("etc/shadow", []byte(s.String()), 0o640)
}

// Destroy implements the API's Backend.
func (b *Backend) Destroy(ctx context.Context, vmid int) error {
	g, unlock := b.lock(vmid)
	defer unlock()
	if g.running() != nil {
		return ErrRunning
	}
	return b.remove(ctx, g)
}

func (b *Backend) remove(ctx context.Context, g *guest) error {
	if err := b.store.unmount(ctx, g); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(b.store.guest(g.vmid)), os.RemoveAll(g.dir))
}

// Clone implements the API's Backend. The copy keeps the source's host keys, as a
// clone on Proxmox does; its machine id is cleared, so that systemd makes a new one.
func (b *Backend) Clone(ctx context.Context, vmid, newid int, snapshot string, progress func(string)) error {
	from, unlock := b.lock(vmid)
	defer unlock()
	to, unlockNew := b.lock(newid)
	defer unlockNew()
	m, err := from.meta()
	if err != nil {
		return err
	}
	if _, err := os.Stat(b.store.guest(newid)); err == nil {
		return fmt.Errorf("CT %d already exists", newid)
	}
	err = b.clone(ctx, from, to, snapshot)
	if err == nil {
		err = to.saveMeta(m)
	}
	if err != nil {
		return errors.Join(err, b.remove(context.WithoutCancel(ctx), to))
	}
	return nil
}

func (b *Backend) clone(ctx context.Context, from, to *guest, snapshot string) error {
	dir := b.store.guest(from.vmid)
	if snapshot != "" {
		dir = b.store.snapshot(from.vmid, snapshot)
	}
	if err := os.MkdirAll(b.store.guest(to.vmid), 0o755); err != nil {
		return err
	}
	copyAll := func() error { return copyImages(ctx, dir, b.store.guest(to.vmid)) }
	if snapshot != "" {
		if err := copyAll(); err != nil {
			return err
		}
	} else if err := frozen(from.rootfs(), copyAll); err != nil {
		return err
	}
	if _, err := command(ctx, "tune2fs", "-f", "-U", "random", b.store.image(to.vmid, "rootfs")); err != nil {
		return err
	}
	return b.store.whileMounted(ctx, to, func(root string) error {
		return os.WriteFile(filepath.Join(root, "etc/machine-id"), nil, 0o644)
	})
}
