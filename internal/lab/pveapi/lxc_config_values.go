package pveapi

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// normalLXC checks a new value as Proxmox does beyond the schema and returns what it stores.
func (c *call) normalLXC(g *guest, o, v string) (string, error) {
	switch {
	case isMount.MatchString(o):
		if g != nil {
			if err := g.checkProtection(fmt.Sprintf("can't update CT %d drive '%s'", g.VMID, o)); err != nil {
				return "", err
			}
		}
		return v, c.checkMountStorage(o, v)
	case o == "nameserver":
		return strings.Join(schema.SplitList(v), " "), nil
	case o == "searchdomain":
		return strings.Join(schema.SplitList(v), " "), nil
	case o == "unprivileged":
		return "", fail("unable to modify read-only option: '%s'", o)
	case o == "tags":
		return uniqueTags(v), nil
	case o == "description":
		return description("lxc", v), nil
	case o == "hookscript":
		return v, c.checkHook(v)
	case o == "cpuunits":
		return c.clampShares(v), nil
	}
	return v, nil
}

// checkHook wants a script among the node's snippets.
func (c *call) checkHook(volid string) error {
	if f := c.hostFile(c.node(), volid); f != "" {
		if _, err := os.Stat(f); err == nil {
			return nil
		}
	}
	return fail("script '%s' does not exist", volid)
}

func (c *call) checkMountStorage(o, v string) error {
	mp, err := c.parseOption("lxc", o, v)
	if err != nil || strings.HasPrefix(mp["volume"], "/") {
		return err
	}
	id, _, ok := parseVolume(mp["volume"])
	if !ok {
		return fail("unable to parse volume ID '%s'", mp["volume"])
	}
	st, err := c.storage(id)
	if err != nil {
		return err
	}
	if !st.has("rootdir") {
		return fail("storage '%s' does not allow content type 'rootdir' (Container)", id)
	}
	return nil
}

// clampShares keeps CPU shares within what the control groups take.
func (s *Server) clampShares(v string) string {
	if s.opt.CGroup == 1 {
		return itoa(min(max(atoi(v), 2), 500000))
	}
	return itoa(min(max(atoi(v), 1), 10000))
}

func (s *Server) hasBridge(name string) bool {
	for _, b := range s.opt.Bridges {
		if b.Name == name {
			return true
		}
	}
	return false
}

// normalNet fills in what Proxmox does: the type, and a random MAC where there is none.
func (s *Server) normalNet(v string) (string, error) {
	net, err := s.parseOption("lxc", "net0", v)
	if err != nil {
		return "", err
	}
	net["type"] = "veth"
	if net["hwaddr"] == "" {
		net["hwaddr"] = randomMAC()
	}
	return s.printOption("lxc", "net0", net), nil
}

// randomMAC is an address of Proxmox Server Solutions' block.
func randomMAC() string {
	b := make([]byte, 3)
	_, _ = rand.Read(b) // never fails, says its documentation
	return fmt.Sprintf("BC:24:11:%02X:%02X:%02X", b[0], b[1], b[2])
}

// makeMount allocates a mount point's volume where the value asks for a new one.
func (u *lxcUpdate) makeMount(o, v string) (string, error) {
	mp, err := u.parseOption("lxc", o, v)
	if err != nil {
		return "", err
	}
	m := newDiskRE.FindStringSubmatch(mp["volume"])
	if m == nil {
		if vol := u.volume(u.g.Node, mp["volume"]); vol != nil {
			mp["size"] = formatSize(vol.Size)
		}
		return u.printOption("lxc", o, mp), nil
	}
	st, err := u.storage(m[1])
	if err != nil {
		return "", err
	}
	size, _ := parseSize(m[2] + "G")
	vol, err := u.alloc(nil, u.g.Node, st, u.g.VMID, size, "rootdir", "raw")
	if err != nil {
		return "", err
	}
	mp["volume"], mp["size"] = vol.ID, formatSize(vol.Size)
	return u.printOption("lxc", o, mp), nil
}

// volumeOf is the volume of a disk's setting.
func volumeOf(v string) string {
	v, _, _ = strings.Cut(v, ",")
	return strings.TrimPrefix(strings.TrimPrefix(v, "volume="), "file=")
}
