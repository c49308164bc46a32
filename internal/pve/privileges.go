package pve

import (
	"context"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// permissions are a token's privileges by path, as /access/permissions tells them: 1
// if they hold below the path, too.
type permissions map[string]map[string]int

// has tells whether the token has the privilege on a path: the nearest path that is
// listed decides.
func (p permissions) has(path, privilege string) bool {
	if privileges, listed := p[path]; listed {
		_, ok := privileges[privilege]
		return ok
	}
	for path != "/" {
		path = path[:max(1, strings.LastIndexByte(path, '/'))]
		if privileges, listed := p[path]; listed {
			return privileges[privilege] == 1
		}
	}
	return false
}

// own fetches the token's permissions once a run. It needs no privilege.
func (c *Client) own(ctx context.Context) (permissions, error) {
	c.permissionsOnce.Lock()
	defer c.permissionsOnce.Unlock()
	if c.permissions == nil {
		var p permissions
		if err := c.get(ctx, "/access/permissions", &p); err != nil {
			return nil, err
		}
		c.permissions = p
	}
	return c.permissions, nil
}

// need is a privilege that a creation takes, on any of the paths; "A|B" is any of both.
type need struct {
	paths     []string
	privilege string
}

// needs lists what creating and keeping the wanted guest takes. docs/proxmox.md has
// the same table, and a test takes each privilege away in turn.
func needs(want *machine.Guest) []need {
	guest := guestPaths(want)
	list := []need{{guest, "VM.Allocate"}, {guest, "VM.Audit"}, {guest, "VM.Config.Disk"},
		{guest, "VM.Config.CPU"}, {guest, "VM.Config.Memory"}, {guest, "VM.Config.Network"},
		{guest, "VM.Config.Options"}}
	if want.Running {
		list = append(list, need{guest, "VM.PowerMgmt"})
	}
	if want.Kind == machine.KVM {
		list = append(list, vmNeeds(want, guest)...)
	}
	list = append(list, need{[]string{"/storage/" + want.Origin.Storage}, "Datastore.AllocateSpace"})
	if storage, _, ok := strings.Cut(want.Origin.Template, ":"); ok && want.Origin.Download {
		list = append(list, need{[]string{"/storage/" + storage}, "Datastore.AllocateTemplate"})
	}
	net := machine.ParseProperties(want.Config["net0"])
	if net.Get("bridge") != "" {
		list = append(list, need{[]string{bridgePath(net)}, "SDN.Use"})
	}
	if want.Kind == machine.LXC && want.Config["unprivileged"] == "0" {
		list = append(list, need{[]string{"/"}, "Sys.Modify"})
	}
	return list
}

// startupNeed is what the start order of a virtual machine takes (PVE::API2::Qemu): it
// is about the other guests of the node, too.
var startupNeed = need{[]string{"/"}, "Sys.Modify"}

// vmNeeds is what a virtual machine takes beyond. The agent's privilege is VM.Monitor
// up to Proxmox VE 8 (pve-access-control 9.0.2 divided it).
func vmNeeds(want *machine.Guest, guest []string) []need {
	list := []need{{guest, "VM.Config.Cloudinit"}, {guest, "VM.Config.CDROM"}, {guest, "VM.Config.HWType"}}
	if want.Config["startup"] != "" {
		list = append(list, startupNeed)
	}
	if !want.Origin.Image {
		list = append(list, need{[]string{"/vms/" + want.Origin.Template}, "VM.Clone"})
	}
	if want.HasAgent() && len(want.Block.HostKeys) == 0 {
		list = append(list, need{guest, "VM.GuestAgent.FileRead|VM.GuestAgent.Unrestricted|VM.Monitor"})
	}
	return list
}

// guestPaths are where privileges on the wanted guest may come from.
func guestPaths(want *machine.Guest) []string {
	if want.Pool != "" {
		return []string{"/pool/" + want.Pool, "/vms/" + itoa(want.VMID)}
	}
	return []string{"/vms/" + itoa(want.VMID)}
}

// lacking compares what is needed for the wanted guest with what the token has.
func (c *Client) lacking(ctx context.Context, list []need, want *machine.Guest) ([]Finding, error) {
	if len(list) == 0 {
		return nil, nil
	}
	p, err := c.own(ctx)
	if err != nil {
		return nil, err
	}
	lacking := make(map[string][]string)
	var order []string
	for _, n := range list {
		if n.anywhere(p) {
			continue
		}
		path := n.paths[0]
		if path == "/vms/"+itoa(want.VMID) {
			path = "/vms" // an ACL on the guest would go with it
		}
		if lacking[path] == nil {
			order = append(order, path)
		}
		if privilege, _, _ := strings.Cut(n.privilege, "|"); !slices.Contains(lacking[path], privilege) {
			lacking[path] = append(lacking[path], privilege)
		}
	}
	var findings []Finding
	for _, path := range order {
		findings = append(findings, blocks(GuardPrivilege, grantHint(c.tokenID, path, lacking[path]...),
			"the token lacks %s on %s", strings.Join(lacking[path], ", "), path))
	}
	return findings, nil
}

// rootOnly finds what Proxmox allows to no token.
func rootOnly(want *machine.Guest) []Finding {
	var findings []Finding
	features := machine.ParseProperties(want.Config["features"])
	for _, flag := range []string{"keyctl", "fuse"} {
		if features.Get(flag) == "1" {
			findings = append(findings, blocks(GuardPrivilege, "take it out of the stack; as root on the node, after the creation: pct set "+itoa(want.VMID)+" --features nesting=1,"+flag+"=1",
				"Proxmox lets only root@pam with a password set the feature %s, no token", flag))
		}
	}
	for key, value := range want.Config {
		if strings.HasPrefix(key, "mp") && strings.HasPrefix(value, "/") {
			findings = append(findings, blocks(GuardPrivilege, "use a volume of a storage instead",
				"Proxmox lets only root@pam with a password mount a directory of the node (%s), no token", key))
		}
	}
	return findings
}

// anywhere tells whether the token has the privilege on one of the paths. A bridge
// may be in another zone than localnetwork, of which the path ends alike.
func (n need) anywhere(p permissions) bool {
	for _, path := range n.paths {
		for privilege := range strings.SplitSeq(n.privilege, "|") {
			if p.has(path, privilege) {
				return true
			}
		}
	}
	bridge, ok := strings.CutPrefix(n.paths[0], "/sdn/zones/localnetwork/")
	if !ok {
		return false
	}
	for path := range p {
		if strings.HasPrefix(path, "/sdn/zones/") && strings.HasSuffix(path, "/"+bridge) && p.has(path, n.privilege) {
			return true
		}
	}
	return false
}
