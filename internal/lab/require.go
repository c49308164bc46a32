package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// needs are the programs that a lab calls and the Debian packages that have them.
var needs = []struct{ program, pkg string }{
	{"lxc-start", "lxc"},
	{"mmdebstrap", "mmdebstrap"},
	{"iptables", "iptables"},
	{"ip", "iproute2"},
	{"git", "git"},
	{"zstd", "zstd"},
	{"mkfs.ext4", "e2fsprogs"},
	{"openssl", "openssl"},
	{"losetup", "mount"},
}

// Missing says what this machine lacks for a lab and the one command that gets it;
// nil: nothing.
func Missing() error {
	if os.Geteuid() != 0 {
		return errors.New("the lab needs root, for it makes containers, mounts and a bridge: run it with sudo")
	}
	var programs, packages []string
	for _, n := range needs {
		if _, err := exec.LookPath(n.program); err != nil {
			programs = append(programs, n.program)
			packages = append(packages, n.pkg)
		}
	}
	if len(programs) == 0 {
		return nil
	}
	return fmt.Errorf("the lab needs %s: apt-get install -y --no-install-recommends %s",
		strings.Join(programs, ", "), strings.Join(packages, " "))
}
