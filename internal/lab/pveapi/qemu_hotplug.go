package pveapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/lab/pveapi/guestconf"
)

// What a running VM takes at once is qemu-server's vmconfig_hotplug_pending. Its table is
// one for values that are set and one for options that are deleted.

// hotplugs tells whether a VM's setting lets a kind of hardware be plugged in and out.
func hotplugs(conf guestconf.Section, feature string) bool {
	features, set := conf["hotplug"]
	if !set || features == "1" {
		features = "network,disk,usb"
	}
	words := strings.FieldsFunc(features, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
	return slices.Contains(words, feature)
}

// always tells whether a running VM takes an option at once in any case. That of cloud-init
// are taken into the configuration; the drive has them when it is written.
func always(o string) bool {
	return fastPlugVM[o] || cloudOptions[o] || isIPConfig.MatchString(o) || o == "cpuunits" || o == "cpulimit"
}

// plugFeature is the kind of hardware that an option is about; "" for those that wait.
func plugFeature(o string) string {
	switch {
	case o == "tablet" || strings.HasPrefix(o, "usb"):
		return "usb"
	case o == "vcpus":
		return "cpu"
	case o == "memory":
		return "memory"
	case isNet.MatchString(o):
		return "network"
	case isDrive.MatchString(o) && !slices.Contains([]string{"efidisk0", "tpmstate0"}, o) && !strings.HasPrefix(o, "ide") && !strings.HasPrefix(o, "sata"):
		return "disk"
	}
	return ""
}

// unplugs tells whether a running VM lets go of an option at once.
func (s *Server) unplugs(conf guestconf.Section, o string) bool {
	switch {
	case always(o) || isUnused.MatchString(o):
		return true
	case o == "hotplug":
		return !strings.Contains(conf[o], "cpu") && !strings.Contains(conf[o], "memory")
	case o == "balloon":
		return conf[o] != "0"
	}
	return hotplugs(conf, plugFeature(o))
}

// plugs tells whether a running VM takes an option's new value at once.
func (s *Server) plugs(conf guestconf.Section, o, v string) bool {
	old, there := conf[o]
	switch {
	case always(o) || isUnused.MatchString(o):
		return true
	case o == "hotplug":
		return !strings.Contains(old+v, "cpu") && !strings.Contains(old+v, "memory")
	case o == "balloon":
		return (old == "0") == (v == "0")
	case o == "agent":
		return there && s.same(o, old, v, "fstrim_cloned_disks")
	case isNet.MatchString(o) && there && s.same(o, old, v, "bridge", "tag", "trunks", "firewall", "rate", "link_down"):
		return true
	case isDrive.MatchString(o) && there && strings.Contains(old, "media=cdrom"):
		return true // another medium in the same drive
	case isDrive.MatchString(o) && there && volumeOf(old) == volumeOf(v):
		return s.same(o, old, v, throttles...)
	}
	return hotplugs(conf, plugFeature(o))
}

// throttles are what of a disk in use can be changed, and what says nothing of the disk.
var throttles = []string{
	"bps", "bps_rd", "bps_wr", "iops", "iops_max", "iops_max_length", "iops_rd", "iops_rd_max", "iops_rd_max_length", "iops_wr",
	"iops_wr_max", "iops_wr_max_length", "mbps", "mbps_max", "mbps_rd", "mbps_rd_max", "mbps_wr", "mbps_wr_max",
	"bps_max_length", "bps_rd_max_length", "bps_wr_max_length", "backup", "replicate", "size", "shared", "snapshot",
}

// same tells whether two values of an option differ in nothing but these parts.
func (s *Server) same(o, old, v string, but ...string) bool {
	a, errA := s.parseOption("qemu", o, old)
	b, errB := s.parseOption("qemu", o, v)
	for _, part := range but {
		delete(a, part)
		delete(b, part)
	}
	return errA == nil && errB == nil && maps.Equal(a, b)
}
