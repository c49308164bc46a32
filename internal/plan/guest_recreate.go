package plan

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// unmendable lists the differences that only a new guest could mend.
func (d *guestDiff) unmendable() []string {
	have, want := d.have, d.want
	if have.Kind != want.Kind {
		return []string{fmt.Sprintf("type %s → %s", have.Kind, want.Kind)}
	}
	var causes []string
	if o := want.Origin; o != nil {
		causes = append(causes, diskCauses(have, o)...)
		if w := family(o.Template); w != "" && have.Config["ostype"] != "" && want.Kind == machine.LXC && w != have.Config["ostype"] {
			causes = append(causes, "operating system "+fromTo(have.Config["ostype"], w))
		}
	}
	if want.Kind == machine.LXC && have.Config["unprivileged"] != want.Config["unprivileged"] {
		if h, w := zeroless(have.Config["unprivileged"]), zeroless(want.Config["unprivileged"]); h != w {
			causes = append(causes, "unprivileged "+yesNo(h)+" → "+yesNo(w))
		}
	}
	return causes
}

// wayOut is how to end without a new guest: a disk on another storage can be moved,
// which Proxmox does for a container only while it is stopped.
func (d *guestDiff) wayOut(causes []string) string {
	if len(causes) != 1 || !strings.HasPrefix(causes[0], "storage ") {
		return "change the stack back"
	}
	if d.want.Kind == machine.KVM {
		return fmt.Sprintf("move the disk, which keeps it (as root on the node: qm disk move %s %s %s --delete 1), change the stack back",
			d.name, d.have.RootDisk(), d.want.Origin.Storage)
	}
	return fmt.Sprintf("move the disk, which keeps it (as root on the node, the container stopped: pct move-volume %s rootfs %s --delete 1), change the stack back",
		d.name, d.want.Origin.Storage)
}

// diskCauses are the root disk's: another storage, a smaller size.
func diskCauses(have *machine.Guest, o *machine.Origin) []string {
	root := have.Config[have.RootDisk()]
	if root == "" {
		return nil
	}
	var causes []string
	volume, _, _ := strings.Cut(root, ",")
	if storage, _, ok := strings.Cut(volume, ":"); ok && o.Storage != "" && storage != o.Storage {
		causes = append(causes, "storage "+fromTo(storage, o.Storage))
	}
	if now := machine.SizeMiB(machine.ParseProperties(root).Get("size")); o.DiskGiB != 0 && now > o.DiskGiB<<10 {
		causes = append(causes, fmt.Sprintf("disk %s → %dG, and a disk cannot shrink", sizeText(now), o.DiskGiB))
	}
	return causes
}

// distribution matches the name of a template of Proxmox's: debian-12-standard_….
var distribution = regexp.MustCompile(`^(debian|ubuntu|devuan|alpine|archlinux|centos|fedora|gentoo|nixos|opensuse|rockylinux|almalinux|openeuler)-`)

// family is the ostype that Proxmox gives to a container from this template, or ""
// where the template's name does not tell.
func family(template string) string {
	m := distribution.FindStringSubmatch(path.Base(template))
	if m == nil {
		return ""
	}
	switch m[1] {
	case "rockylinux", "almalinux":
		return "centos"
	}
	return m[1]
}

func yesNo(s string) string {
	if s == "1" {
		return "yes"
	}
	return "no"
}
