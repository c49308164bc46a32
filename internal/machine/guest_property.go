package machine

import (
	"slices"
	"strconv"
	"strings"
)

// Property is one part of a property string: "bridge=vmbr0" has a key and a
// value, "local:101/vm-101-disk-0.raw" has no key.
type Property struct{ Key, Value string }

// Properties is a value of Proxmox's that has parts: "name=eth0,bridge=vmbr0".
type Properties []Property

// ParseProperties splits a property string. It never fails: a part without "="
// is a value without a key, as the volume of a disk is.
func ParseProperties(s string) Properties {
	var ps Properties
	for part := range strings.SplitSeq(s, ",") {
		if part == "" {
			continue
		}
		key, value, found := strings.Cut(part, "=")
		if !found || key == "" {
			key, value = "", part
		}
		ps = append(ps, Property{key, value})
	}
	return ps
}

// String joins the parts.
func (ps Properties) String() string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		if p.Key != "" {
			b.WriteString(p.Key + "=")
		}
		b.WriteString(p.Value)
	}
	return b.String()
}

// Get returns the value of the first part with this key, or "".
func (ps Properties) Get(key string) string {
	for _, p := range ps {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

// With returns the parts with this key set to this value, in its place if it is
// there and at the end if it is not; an empty value removes it.
func (ps Properties) With(key, value string) Properties {
	out := slices.Clone(ps)
	i := slices.IndexFunc(out, func(p Property) bool { return p.Key == key })
	switch {
	case i >= 0 && value == "":
		return slices.Delete(out, i, i+1)
	case i >= 0:
		out[i].Value = value
	case value != "":
		out = append(out, Property{key, value})
	}
	return out
}

// netParts are the parts of a network interface that the stack file manages, in
// the order in which they are written. The others (the MAC address, link_down,
// trunks, …) stay as they are found.
var netParts = []string{"name", "bridge", "firewall", "gw", "gw6", "ip", "ip6", "mtu", "rate", "tag"}

// vmNICModels are the keys under which a VM's network interface has its MAC
// address (qemu-server, PVE::QemuServer::Network).
var vmNICModels = []string{"virtio", "e1000", "e1000e", "rtl8139", "vmxnet3"}

// MAC returns the hardware address of a network interface's value: hwaddr of a
// container, the value of the model of a VM; "" if Proxmox is yet to choose it.
func (ps Properties) MAC() string {
	if mac := ps.Get("hwaddr"); mac != "" {
		return mac
	}
	for _, model := range vmNICModels {
		if mac := ps.Get(model); mac != "" {
			return mac
		}
	}
	return ps.Get("macaddr")
}

// NetDifference is one managed part of a network interface that differs; "" is absent.
type NetDifference struct{ Part, Have, Want string }

// DiffNet lists the managed parts in which two values of a network interface
// differ. The MAC address counts only if the wanted value names one.
func DiffNet(have, want string) []NetDifference {
	h, w := ParseProperties(have), ParseProperties(want)
	var diffs []NetDifference
	for _, part := range netParts {
		a, b := h.netPart(part), w.netPart(part)
		if a != b {
			diffs = append(diffs, NetDifference{part, a, b})
		}
	}
	if mac := w.MAC(); mac != "" && !strings.EqualFold(mac, h.MAC()) {
		diffs = append(diffs, NetDifference{"hwaddr", h.MAC(), mac})
	}
	if hm, wm := h.model(), w.model(); wm != "" && hm != wm {
		diffs = append(diffs, NetDifference{"model", hm, wm})
	}
	return diffs
}

// netPart returns a part, with firewall=0 the same as none.
func (ps Properties) netPart(key string) string {
	value := ps.Get(key)
	if key == "firewall" && value == "0" {
		return ""
	}
	return value
}

// model returns a VM interface's model, or "" for a container's.
func (ps Properties) model() string {
	for _, p := range ps {
		if slices.Contains(vmNICModels, p.Key) {
			return p.Key
		}
		if p.Key == "" && slices.Contains(vmNICModels, p.Value) {
			return p.Value
		}
	}
	return ps.Get("model")
}

// MergeNet returns the value to write so that the managed parts of a network
// interface are as wanted: the MAC address and whatever else was found stays.
// Proxmox gives an interface whose value has no hwaddr a new one each time.
func MergeNet(have, want string) string {
	h, w := ParseProperties(have), ParseProperties(want)
	if have == "" {
		return w.String()
	}
	if model := w.model(); model != "" {
		return mergeVMNet(h, w, model)
	}
	out := h
	for _, part := range netParts {
		if h.netPart(part) != w.netPart(part) {
			out = out.With(part, w.Get(part))
		}
	}
	if mac := w.MAC(); mac != "" {
		out = out.With("hwaddr", mac)
	}
	return out.String()
}

// mergeVMNet is MergeNet where the model and the MAC address are one part:
// "virtio=BC:24:11:00:00:01,bridge=vmbr0".
func mergeVMNet(h, w Properties, model string) string {
	mac := w.MAC()
	if mac == "" {
		mac = h.MAC()
	}
	out := Properties{{model, mac}}
	if mac == "" {
		out = Properties{{"", model}}
	}
	for _, p := range h {
		foreign := p.Key != "" && !slices.Contains(netParts, p.Key) &&
			!slices.Contains(vmNICModels, p.Key) && p.Key != "model" && p.Key != "macaddr"
		if foreign {
			out = append(out, p)
		}
	}
	for _, part := range netParts {
		out = out.With(part, w.netPart(part))
	}
	return out.String()
}

// featureParts are the container features that the stack file manages.
var featureParts = []string{"nesting", "keyctl", "fuse"}

// Merge returns the value to write for a key so that what the stack file manages of
// it is as wanted and the rest stays as found: the MAC address of a network
// interface, a container's other features, the volume of a mount point.
func Merge(key, have, want string) string {
	switch {
	case have == "" || want == "":
		return want
	case strings.HasPrefix(key, "net"):
		return MergeNet(have, want)
	case key == "features":
		return mergeFeatures(ParseProperties(have), ParseProperties(want))
	case strings.HasPrefix(key, "mp"):
		return mergeMount(ParseProperties(have), ParseProperties(want))
	case key == "agent":
		return mergeAgent(ParseProperties(have), ParseProperties(want))
	}
	return want
}

// mergeAgent switches the guest agent on or off and keeps its other options.
func mergeAgent(have, want Properties) string {
	out := want
	for _, p := range have {
		if p.Key != "" && p.Key != "enabled" {
			out = append(out, p)
		}
	}
	return out.String()
}

func mergeFeatures(have, want Properties) string {
	out := have
	for _, part := range featureParts {
		out = out.With(part, want.Get(part))
	}
	return out.String()
}

// mergeMount keeps the volume that a mount point has, and its size: the wanted value
// says "local-lvm:8", of which Proxmox made "local-lvm:vm-101-disk-1,size=8G".
func mergeMount(have, want Properties) string {
	out := Properties{{"", have.Get("")}}
	for _, p := range want {
		if p.Key != "" {
			out = append(out, p)
		}
	}
	return out.With("size", have.Get("size")).String()
}

// Managed tells whether the stack file manages this part of a key's value.
func Managed(key, part string) bool {
	switch {
	case key == "features":
		return slices.Contains(featureParts, part)
	case strings.HasPrefix(key, "mp"):
		return part != "" && part != "size"
	case key == "agent":
		return part == "" || part == "enabled"
	}
	return true
}

// RootDisk returns the key of the disk that the guest boots from.
func (g *Guest) RootDisk() string {
	if g.Kind == LXC {
		return "rootfs"
	}
	order, _, _ := strings.Cut(ParseProperties(g.Config["boot"]).Get("order"), ";")
	for _, key := range []string{order, "scsi0", "virtio0", "sata0", "ide0"} {
		if key != "" && g.Config[key] != "" {
			return key
		}
	}
	return "scsi0"
}

// SizeMiB reads a volume's size as Proxmox writes it (PVE::JSONSchema::parse_size):
// 512M, 16G, 1.5T, or bytes. What is no size is 0.
func SizeMiB(s string) int {
	unit := 1.0 / (1 << 20)
	if s != "" {
		switch s[len(s)-1] {
		case 'K':
			unit = 1.0 / (1 << 10)
		case 'M':
			unit = 1
		case 'G':
			unit = 1 << 10
		case 'T':
			unit = 1 << 20
		}
	}
	n, err := strconv.ParseFloat(strings.TrimRight(s, "KMGT"), 64)
	if err != nil || n < 0 {
		return 0
	}
	return int(n * unit)
}

// HasAgent tells whether the guest is a virtual machine that is configured to have a
// guest agent.
func (g *Guest) HasAgent() bool {
	agent := ParseProperties(g.Config["agent"])
	return g.Kind == KVM && (agent.Get("") == "1" || agent.Get("enabled") == "1")
}
