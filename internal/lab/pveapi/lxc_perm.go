package pveapi

import (
	"regexp"
	"sort"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

var (
	isNet    = regexp.MustCompile(`^net\d+$`)
	isMount  = regexp.MustCompile(`^(?:rootfs|mp\d+)$`)
	isMP     = regexp.MustCompile(`^mp\d+$`)
	isUnused = regexp.MustCompile(`^unused\d+$`)
	isDev    = regexp.MustCompile(`^dev\d+$`)
)

// lxcChange is what a caller wants to change in a container's configuration.
type lxcChange struct {
	vmid         int
	pool         string
	old          guestconf.Section // nil at a creation
	unprivileged bool
}

// checkLXC checks the caller's privileges for each setting, set or removed.
func (c *call) checkLXC(ch lxcChange, set map[string]string, remove []string) error {
	if c.who.root() {
		return nil
	}
	for _, opt := range sortedByPriv(set) {
		if err := c.checkLXCOption(ch, opt, set[opt], false); err != nil {
			return err
		}
	}
	for _, opt := range remove {
		if err := c.checkLXCOption(ch, opt, "", true); err != nil {
			return err
		}
	}
	return nil
}

// sortedByPriv orders settings by name; Proxmox's order is random.
func sortedByPriv(set map[string]string) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (c *call) checkLXCOption(ch lxcChange, opt, value string, remove bool) error {
	switch {
	case opt == "cores" || opt == "cpuunits" || opt == "cpulimit":
		return c.needVM(ch.vmid, ch.pool, "VM.Config.CPU")
	case isMount.MatchString(opt):
		return c.checkLXCMount(ch, value, remove)
	case opt == "memory" || opt == "swap":
		return c.needVM(ch.vmid, ch.pool, "VM.Config.Memory")
	case isNet.MatchString(opt):
		return c.checkLXCNet(ch, opt, value)
	case isDev.MatchString(opt):
		return denied("configuring device passthrough is only allowed for root@pam")
	case opt == "nameserver" || opt == "searchdomain" || opt == "hostname":
		return c.needVM(ch.vmid, ch.pool, "VM.Config.Network")
	case opt == "features":
		return c.checkLXCFeatures(ch, value, remove)
	case opt == "hookscript":
		return denied("changing the hookscript is only allowed for root@pam")
	case opt == "tags":
		return c.need(vmPath(ch.vmid), "VM.Config.Options")
	}
	return c.needVM(ch.vmid, ch.pool, "VM.Config.Options")
}

func (c *call) checkLXCMount(ch lxcChange, value string, remove bool) error {
	if err := c.needVM(ch.vmid, ch.pool, "VM.Config.Disk"); err != nil || remove {
		return err
	}
	volid, _, _ := strings.Cut(value, ",")
	volid = strings.TrimPrefix(volid, "volume=")
	if strings.HasPrefix(volid, "/") {
		kind := "bind"
		if strings.HasPrefix(volid, "/dev/") {
			kind = "device"
		}
		return denied("mount point type %s is only allowed for root@pam", kind)
	}
	if m := newDiskRE.FindStringSubmatch(volid); m != nil {
		return c.need("/storage/"+m[1], "Datastore.AllocateSpace")
	}
	return c.useVolume(ch.vmid, volid, "rootdir")
}

func (c *call) checkLXCNet(ch lxcChange, opt, value string) error {
	if err := c.needVM(ch.vmid, ch.pool, "VM.Config.Network"); err != nil {
		return err
	}
	for _, v := range []string{ch.old[opt], value} {
		if v == "" {
			continue
		}
		net, err := c.parseOption("lxc", opt, v)
		if err != nil {
			return err
		}
		if err := c.needBridge(net["bridge"], net["tag"], net["trunks"]); err != nil {
			return err
		}
	}
	return nil
}

// needBridge is the right to plug into a bridge, or into the VLANs named.
func (c *call) needBridge(bridge, tag, trunks string) error {
	if bridge == "" {
		return nil
	}
	path := "/sdn/zones/localnetwork/" + bridge
	if tag == "" && trunks == "" {
		return c.need(path, "SDN.Use")
	}
	for _, t := range append([]string{tag}, strings.Split(trunks, ";")...) {
		if t == "" {
			continue
		}
		if err := c.need(path+"/"+t, "SDN.Use"); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) checkLXCFeatures(ch lxcChange, value string, remove bool) error {
	if !ch.unprivileged {
		return denied("changing feature flags for privileged container is only allowed for root@pam")
	}
	old, _ := c.parseOption("lxc", "features", ch.old["features"])
	want := map[string]string{}
	if !remove {
		want, _ = c.parseOption("lxc", "features", value)
	}
	nesting := old["nesting"] != want["nesting"]
	for _, m := range []map[string]string{old, want} {
		for k := range m {
			if k != "nesting" && old[k] != want[k] {
				return denied("changing feature flags (except nesting) is only allowed for root@pam")
			}
		}
	}
	if nesting {
		return c.needVM(ch.vmid, ch.pool, "VM.Allocate")
	}
	return nil
}

// parseOption reads a setting that is a property string.
func (s *Server) parseOption(kind, opt, value string) (map[string]string, error) {
	p, ok := s.optionsOf(kind).Lookup(opt)
	if !ok || p.Props == nil || value == "" {
		return map[string]string{}, nil
	}
	m, err := p.Props.ParseString("", value)
	if err != nil {
		return nil, fail("%s", err.Error())
	}
	return m, nil
}

// printOption writes a property string in Proxmox's order of keys.
func (s *Server) printOption(kind, opt string, vals map[string]string) string {
	p, ok := s.optionsOf(kind).Lookup(opt)
	if !ok || p.Props == nil {
		return ""
	}
	return p.Props.PrintString(vals)
}
