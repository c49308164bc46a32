package pve

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/org/appstack-action/internal/machine"
)

// choose takes, among the nodes that fit, one with enough free memory for the guest
// before one without, one that has the template before one that has not, and then the
// one with the most free memory; among equals the first by name. What the run's other
// new guests are to use counts as used, though none of them runs yet.
func (c *Client) choose(fit []nodeFacts, want *machine.Guest, of int) (nodeFacts, string) {
	if want.Node != "" && want.Node != "auto" {
		return fit[0], ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	best := slices.MinFunc(c.withPromises(fit, want), func(a, b nodeFacts) int { return compareNodes(a, b, want) })
	c.promises[want.VMID] = promise{best.name, memoryOf(want)}
	return best, best.reason(fit, want, of)
}

// promise is memory that a new guest of this run is to use, in bytes.
type promise struct {
	node  string
	bytes float64
}

// withPromises takes what other guests were promised off the nodes' free memory.
func (c *Client) withPromises(fit []nodeFacts, want *machine.Guest) []nodeFacts {
	fit = slices.Clone(fit)
	for i, f := range fit {
		for vmid, p := range c.promises {
			if vmid != want.VMID && p.node == f.name {
				fit[i].free -= p.bytes
			}
		}
	}
	return fit
}

// compareNodes orders nodes, the better one first.
func compareNodes(a, b nodeFacts, want *machine.Guest) int {
	return cmp.Or(trueFirst(a.enough(want), b.enough(want)), trueFirst(a.has(want), b.has(want)), cmp.Compare(b.free, a.free), cmp.Compare(a.name, b.name))
}

func trueFirst(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

// enough tells whether the guest's memory is free, as far as that is visible.
func (f nodeFacts) enough(want *machine.Guest) bool {
	return !f.visible || f.free >= memoryOf(want)
}

// has tells whether the node has the container's template.
func (f nodeFacts) has(want *machine.Guest) bool {
	return want.Kind == machine.KVM || newestTemplate(f.templates, want.Origin.Template) != ""
}

// memoryOf is the guest's memory in bytes.
func memoryOf(want *machine.Guest) float64 {
	mib, _ := strconv.Atoi(want.Config["memory"]) // none: Proxmox's default, which fits anywhere
	return float64(mib) * (1 << 20)
}

// reason says why the node was chosen among those that fit, of so many online.
func (f nodeFacts) reason(fit []nodeFacts, want *machine.Guest, of int) string {
	const gib = 1 << 30
	switch {
	case !f.visible:
		return fmt.Sprintf("node %s: the first of %d that fit (their free memory is not visible: Sys.Audit on /nodes shows it)", f.name, len(fit))
	case !f.enough(want):
		return fmt.Sprintf("node %s: none of %d that have the storage and the bridge, of %d online, has the guest's %.1f GiB of memory free; this one has the most (%.1f GiB)",
			f.name, len(fit), of, memoryOf(want)/gib, max(f.free, 0)/gib)
	}
	alike := slices.DeleteFunc(slices.Clone(fit), func(o nodeFacts) bool { return !o.enough(want) || o.has(want) != f.has(want) })
	what := "the storage, the bridge and the template"
	if !f.has(want) {
		what = "the storage and the bridge"
	}
	return fmt.Sprintf("node %s: it has the most free memory (%.1f GiB) of %d that have %.1f GiB free, %s, of %d online",
		f.name, f.free/gib, len(alike), memoryOf(want)/gib, what, of)
}
