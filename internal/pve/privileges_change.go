package pve

import (
	"strings"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// changeNeeds lists what the plan's steps on an existing guest take, so that a missing
// privilege is found before the first of them and not between two.
func changeNeeds(steps []plan.Step, have, want *machine.Guest) []need {
	guest := append(guestPaths(have), guestPaths(want)[0])
	var list []need
	add := func(paths []string, privilege string) { list = append(list, need{paths, privilege}) }
	for _, s := range onHypervisor(steps) {
		switch kind, name := s.Resource.Kind, s.Resource.Name; {
		case s.Verb == plan.Recreate:
			return needs(want)
		case kind == "cloudinit":
			add(guest, "VM.Config.Cloudinit")
		case kind == "disk":
			add(guest, "VM.Config.Disk")
		case s.Verb == plan.Start || s.Verb == plan.Restart:
			add(guest, "VM.PowerMgmt")
		case kind == "config" && strings.HasPrefix(name, "mp"):
			add(guest, "VM.Config.Disk")
			for _, storage := range newStorages(have.Next(), machine.Config{name: want.Config[name]}) {
				add([]string{"/storage/" + storage}, "Datastore.AllocateSpace")
			}
		case kind == "config" && name == "startup" && want.Kind == machine.KVM:
			list = append(list, startupNeed)
		case kind == "config":
			add(guest, keyPrivilege(want.Kind, name))
		}
	}
	if len(list) > 0 {
		add(guest, "VM.Config.Options") // the lease is in the description
	}
	return append(list, plugNeeds(have, want)...)
}

// plugNeeds is what another bridge or VLAN takes.
func plugNeeds(have, want *machine.Guest) []need {
	h, w := machine.ParseProperties(have.Next()["net0"]), machine.ParseProperties(want.Config["net0"])
	if w.Get("bridge") == "" || w.Get("bridge") == h.Get("bridge") && w.Get("tag") == h.Get("tag") {
		return nil
	}
	return []need{{[]string{bridgePath(w)}, "SDN.Use"}}
}

// bridgePath is where SDN.Use is asked for: on the bridge, or on the VLAN of it.
func bridgePath(net machine.Properties) string {
	path := "/sdn/zones/localnetwork/" + net.Get("bridge")
	if tag := net.Get("tag"); tag != "" {
		path += "/" + tag
	}
	return path
}

// keyPrivilege is what setting or deleting a configuration key takes, by the groups of
// PVE::LXC::check_ct_modify_config_perm and of PVE::API2::Qemu.
func keyPrivilege(kind machine.Kind, key string) string {
	switch key {
	case "cores", "cpulimit", "cpuunits", "cpu", "sockets":
		return "VM.Config.CPU"
	case "memory", "swap", "balloon":
		return "VM.Config.Memory"
	case "hostname", "net0":
		return "VM.Config.Network"
	case "features":
		return "VM.Allocate"
	case "machine":
		return "VM.Config.HWType"
	case "nameserver", "searchdomain", "ipconfig0", "ciuser", "cipassword", "sshkeys":
		if kind == machine.LXC {
			return "VM.Config.Network"
		}
		return "VM.Config.Network|VM.Config.Cloudinit"
	}
	return "VM.Config.Options"
}
