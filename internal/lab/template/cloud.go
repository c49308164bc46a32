package template

import (
	"errors"
	"os"
	"path/filepath"
)

// cloudPackages are what makes a template a cloud image: cloud-init, and what carries the
// name servers that it configures into /etc/resolv.conf.
var cloudPackages = []string{"cloud-init", "resolvconf"}

// cloudFiles are the files of a cloud image that its packages do not bring. The guest
// agent talks over a serial port, which the container that plays the VM does not have:
// a unit of the same name stands for it, and the lab's API answers while that runs. The
// package sources stay those of the machine: cloud-init would write Debian's own.
var cloudFiles = [][2]string{
	{"etc/cloud/cloud.cfg.d/90_lab.cfg", "apt: {preserve_sources_list: true}\n"},
	{"etc/network/interfaces", "auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n"},
	{"etc/systemd/system/qemu-guest-agent.service", `[Unit]
Description=Stands for the QEMU guest agent

[Service]
ExecStart=/bin/sleep infinity

[Install]
WantedBy=multi-user.target
`},
}

// cloud turns a template's root, with the packages installed, into a cloud image's.
func cloud(root string) error {
	var errs []error
	for _, f := range cloudFiles {
		path := filepath.Join(root, f[0])
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(f[1]), 0o644))
	}
	for link, to := range map[string]string{
		"etc/systemd/system/multi-user.target.wants/qemu-guest-agent.service": "/etc/systemd/system/qemu-guest-agent.service",
		"etc/resolv.conf": "../run/resolvconf/resolv.conf",
	} {
		errs = append(errs, os.Symlink(to, filepath.Join(root, link)))
	}
	return errors.Join(errs...)
}
