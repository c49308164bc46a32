// Package template builds the container templates that a lab's storage offers,
// with mmdebstrap and from the machine's own package sources, under the names that
// Proxmox gives them (debian-12-standard_12.12-1_amd64.tar.zst).
//
// A template is built once for a machine and kept in a cache directory outside the
// work tree. It holds what Proxmox's standard template holds and a server needs;
// it has no host keys, no machine id and, like Proxmox's, no package lists.
package template

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Template is one that this package can build.
type Template struct {
	Name     string // the archive's file name
	Codename string // of the Debian release
	// Warm are further packages that are installed already: no template of Proxmox's
	// has them, but tests that are not about installing need not wait for it.
	Warm []string
	// From is the name of a [Known] template to begin with; empty: with nothing.
	From string
	// Cloud makes it the root of a VM's cloud image: cloud-init is in it, and configures
	// all that a container's node would.
	Cloud bool
}

// Known are the templates on offer. Ubuntu's are not: its archive is no source of
// a Debian machine.
var Known = []Template{
	{Name: "debian-12-standard_12.12-1_amd64.tar.zst", Codename: "bookworm"},
	{Name: "debian-13-standard_13.1-2_amd64.tar.zst", Codename: "trixie"},
	{Name: "debian-12-warm_12.12-1_amd64.tar.zst", Codename: "bookworm", Warm: []string{
		"curl", "git", "iptables", "nodejs", "npm", "postgresql", "python3-venv", "tree", "ufw", "unattended-upgrades",
	}},
}

// Warm is the default template with what the sample apps need installed.
func Warm() Template { return Known[2] }

// Trixie is Debian 13's.
func Trixie() Template { return Known[1] }

// CloudImage is what the lab's VMs are made from: a template with cloud-init, under the
// name that Debian gives such an image.
func CloudImage(from Template) Template {
	return Template{Name: "debian-12-genericcloud-amd64.qcow2", Codename: from.Codename, Warm: cloudPackages, From: from.Name, Cloud: true}
}

// Default is the template of a lab that was not told otherwise.
func Default() Template { return Known[0] }

// packages are those of Proxmox's standard template that matter to a server;
// minbase brings the rest.
const packages = "systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,iproute2,ifupdown,netbase," +
	"ca-certificates,sudo,cron,iputils-ping,locales,less,vim-tiny,logrotate,procps,kmod,gpgv,tzdata,whiptail"

// Build returns the path of t's archive in cache, building it if it is not there.
// It needs root and mmdebstrap and takes about half a minute; several processes may
// call it at once. progress gets mmdebstrap's lines.
func Build(ctx context.Context, cache string, t Template, progress func(string)) (string, error) {
	archive := filepath.Join(cache, "template", t.recipe(), t.Name)
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	unlock, err := lock(ctx, archive)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	if err := build(ctx, archive, t, progress); err != nil {
		return "", fmt.Errorf("cannot build template %s: %w", t.Name, err)
	}
	return archive, nil
}

// recipe identifies what the template is made from, so that a changed recipe is not
// served from the cache.
func (t Template) recipe() string {
	made := struct {
		name, codename string
		warm           []string
	}{t.Name, t.Codename, t.Warm}
	text := fmt.Sprint(made, packages, masked, disabled, recipeVersion)
	if from, ok := t.from(); ok {
		text += from.recipe() + fmt.Sprint(cloudFiles, cloudVersion)
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:12]
}

// from is the template that t begins with.
func (t Template) from() (Template, bool) {
	i := slices.IndexFunc(Known, func(k Template) bool { return k.Name == t.From })
	if i < 0 {
		return Template{}, false
	}
	return Known[i], true
}

// recipeVersion is counted up when the building itself changes.
const recipeVersion = 3

// cloudVersion is the same for cloud images.
const cloudVersion = 1

func build(ctx context.Context, archive string, t Template, progress func(string)) error {
	root, err := emptyRoot(filepath.Dir(archive))
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := t.begin(ctx, root, filepath.Dir(filepath.Dir(filepath.Dir(archive))), progress); err != nil {
		return err
	}
	if err := warm(ctx, root, t.Warm, progress); err != nil {
		return err
	}
	if t.Cloud {
		if err := cloud(root); err != nil {
			return err
		}
	}
	part := archive + ".part"
	defer os.Remove(part)
	tar := exec.CommandContext(ctx, "tar", "--create", "--numeric-owner", "--xattrs", "--acls",
		"--use-compress-program=zstd -q -1 -T0", "--file="+part, "--directory="+root, ".")
	if err := stream(tar, progress); err != nil {
		return err
	}
	return os.Rename(part, archive)
}

// emptyRoot makes a directory to build in, and removes what builds that were killed left:
// the lock is ours.
func emptyRoot(dir string) (string, error) {
	stale, err := filepath.Glob(filepath.Join(dir, ".build-*"))
	for _, left := range stale {
		err = errors.Join(err, os.RemoveAll(left))
	}
	if err != nil {
		return "", err
	}
	root, err := os.MkdirTemp(dir, ".build-*")
	if err != nil {
		return "", err
	}
	return root, os.Chmod(root, 0o755)
}

// begin fills root: from another template, or with a minimal Debian.
func (t Template) begin(ctx context.Context, root, cache string, progress func(string)) error {
	if from, ok := t.from(); ok {
		archive, err := Build(ctx, cache, from, progress)
		if err != nil {
			return err
		}
		return stream(exec.CommandContext(ctx, "tar", "--extract", "--numeric-owner", "--xattrs", "--acls", "--file="+archive, "--directory="+root), progress)
	}
	sources, err := Sources("/etc/apt", t.Codename)
	if err != nil {
		return err
	}
	if err := bootstrap(ctx, root, t.Codename, packages, sources, progress); err != nil {
		return err
	}
	return customize(ctx, root, sources)
}

// lock takes the archive's lock file, waiting for another process that builds it.
func lock(ctx context.Context, archive string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(archive+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() { locked <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-locked:
		return func() { f.Close() }, err
	case <-ctx.Done():
		f.Close()
		return nil, context.Cause(ctx)
	}
}

// contained is a command in mount and process namespaces of its own: what it mounts and
// what it starts ends with it, also when it is killed in the middle.
func contained(ctx context.Context, name string, args ...string) *exec.Cmd {
	own := []string{"--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-euc", letGo, name}
	return exec.CommandContext(ctx, "unshare", append(own, args...)...)
}

// letGo runs the command $0 without the disks of labs at work: a mount namespace begins as
// a copy, and a guest's disk that is mounted in any copy cannot be taken away.
const letGo = `for m in $(sed -n 's#^\(/dev/loop[0-9]*\|lxcfs\) \([^ ]*\) .*#\2#p' /proc/mounts); do
	case " $*" in *" $m/"*) ;; *) umount --lazy "$m" ;; esac
done
exec "$0" "$@"`

// stream runs cmd, hands its output on line by line and puts its last lines into
// the error.
func stream(cmd *exec.Cmd, progress func(string)) error {
	w := &lines{to: progress}
	cmd.Stdout, cmd.Stderr = w, w
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, strings.Join(w.last, "\n"))
	}
	return nil
}

// lines cuts what is written into lines and remembers the last ten.
type lines struct {
	to   func(string)
	rest string
	last []string
}

func (l *lines) Write(p []byte) (int, error) {
	parts := strings.Split(l.rest+string(p), "\n")
	l.rest = parts[len(parts)-1]
	for _, line := range parts[:len(parts)-1] {
		if l.to != nil {
			l.to(line)
		}
		l.last = append(l.last, line)
	}
	l.last = l.last[max(0, len(l.last)-10):]
	return len(p), nil
}

// errNoSource is returned where the machine has no Debian source to build from.
var errNoSource = errors.New("no Debian source in /etc/apt/sources.list or sources.list.d that the template could use")
