package pveapi

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

// unpack lets the Backend make the machine.
func (c *call) unpack(t *task, g *guest, cr *creation) error {
	archive := c.hostFile(g.Node, cr.template)
	st, err := os.Stat(archive)
	if err != nil {
		t.log("volume '%s' does not exist", cr.template)
		return fail("volume '%s' does not exist", cr.template)
	}
	id, name, _ := parseVolume(cr.template)
	t.log("extracting archive '%s'", c.st.Storages[id].apiPath(name))
	rootfs := volumeOf(g.Conf.Current["rootfs"])
	vol := c.volume(g.Node, rootfs)
	if vol == nil {
		return fail("volume '%s' does not exist", rootfs)
	}
	if vol.Size > 0 && vol.Size < templateNeeds {
		return outOfSpace(t, g.VMID)
	}
	conf := g.Conf.Current.Clone()
	delete(conf, "lock")
	g.Conf.Current["arch"], g.Conf.Current["ostype"] = archOf(archive, conf), osOf(archive, conf)
	spec := Spec{Node: g.Node, Template: archive, Size: vol.Size, Unprivileged: cr.unprivileged, Password: cr.password, SSHKeys: cr.keys, Config: conf}
	visible := g.Conf
	g.Conf = guestconf.New() // during a creation only the lock is seen
	g.Conf.Current["lock"] = "create"
	report := &unpackLogger{t: t, size: st.Size(), arch: conf["arch"] == ""}
	c.unlocked(func() { err = c.opt.Backend.Create(t.ctx, g.VMID, spec, report.line) })
	g.Conf = visible
	if err != nil {
		if t.ctx.Err() != nil {
			return fail("command '%s' failed: received interrupt", tarCommand(g.VMID))
		}
		return err
	}
	report.head()
	c.warnNesting(t, g.Conf.Current)
	return nil
}

// templateNeeds is the least that a Debian template fits into.
const templateNeeds = 256 * mib

func outOfSpace(t *task, vmid int) error {
	for _, f := range []string{"usr/lib/udev/hwdb.bin", "usr/lib/udev/dmi_memory_id", "usr/lib/udev/ata_id"} {
		t.log("tar: ./%s: Cannot write: No space left on device", f)
	}
	t.log("tar: Exiting with failure status due to previous errors")
	return fail("command '%s' failed: exit code 2", tarCommand(vmid))
}

func tarCommand(vmid int) string {
	return fmt.Sprintf("lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- tar xpf - --zstd --totals --one-file-system -p --sparse --numeric-owner --acls --xattrs '--xattrs-include=user.*' '--xattrs-include=security.capability' '--warning=no-file-ignored' '--warning=no-xattr-write' -C /var/lib/lxc/%d/rootfs --skip-old-files --anchored --exclude './dev/*'", vmid)
}

// unpackLogger puts what tar and the detection print before the Backend's first line.
type unpackLogger struct {
	t     *task
	size  int64
	arch  bool // it has to be detected
	begun bool
}

func (l *unpackLogger) head() {
	if !l.begun {
		l.begun = true
		total := max(l.size*9, 4096)
		l.t.log("Total bytes read: %d (%s, %s/s)", total, humanSize(total), humanSize(max(total/4, 1024)))
		if l.arch {
			l.t.log("Detected container architecture: amd64")
		}
	}
}

func (l *unpackLogger) line(s string) {
	l.head()
	l.t.progress(s)
}

func archOf(_ string, conf guestconf.Section) string {
	if a := conf["arch"]; a != "" {
		return a
	}
	return "amd64"
}

// osOf takes the distribution from the template's name, as its os-release would say.
func osOf(archive string, conf guestconf.Section) string {
	if o := conf["ostype"]; o != "" {
		return o
	}
	base := filepath.Base(archive)
	for _, o := range []string{"debian", "devuan", "ubuntu", "centos", "fedora", "opensuse", "archlinux", "alpine", "gentoo", "nixos"} {
		if strings.HasPrefix(base, o) {
			return o
		}
	}
	return "unmanaged"
}

// warnNesting is Proxmox's warning about systemd without nesting.
func (s *Server) warnNesting(t *task, conf guestconf.Section) {
	f, err := s.parseOption("lxc", "features", conf["features"])
	if err == nil && f["nesting"] != "1" && conf["ostype"] != "alpine" && conf["ostype"] != "unmanaged" {
		t.warn("Systemd 252 detected. You may need to enable nesting.")
	}
}
