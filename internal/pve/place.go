package pve

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/org/appstack-action/internal/machine"
)

// storageRow is a storage as a node has it.
type storageRow struct {
	Storage string  `json:"storage"`
	Content string  `json:"content"`
	Active  int     `json:"active"`
	Enabled int     `json:"enabled"`
	Shared  int     `json:"shared"`
	Avail   float64 `json:"avail"` // bytes
}

func (s storageRow) holds(content string) bool {
	return slices.Contains(strings.Split(s.Content, ","), content)
}

// nodeFacts is what a node offers to a new guest.
type nodeFacts struct {
	name      string
	free      float64 // bytes of memory; 0: not visible
	storages  []storageRow
	bridges   []string
	templates []string // volume IDs
}

// Place completes a wanted guest that does not exist yet: the node, where the stack
// says auto, and the volume of the template. The reasons join its origin's. What is
// missing is a [FindingsError].
func (c *Client) Place(ctx context.Context, want *machine.Guest) error {
	if want.Kind == machine.KVM {
		return c.placeVM(ctx, want)
	}
	facts, err := c.survey(ctx, want)
	if err != nil {
		return err
	}
	var problems []Finding
	var fit []nodeFacts
	for _, f := range facts {
		if p := f.lacks(want); len(p) > 0 {
			problems = append(problems, p...)
		} else {
			fit = append(fit, f)
		}
	}
	if len(fit) == 0 {
		return &FindingsError{problems}
	}
	chosen, reason := choose(fit, want, len(facts))
	if template := newestTemplate(chosen.templates, want.Origin.Template); template != "" {
		c.placed(want, chosen.name, template, reason)
		return nil
	}
	return c.placeDownload(ctx, want, chosen, reason)
}

func (c *Client) placed(want *machine.Guest, node, template, reason string) {
	if reason != "" {
		want.Origin.Reasons = append(want.Origin.Reasons, reason)
	}
	want.Node, want.Origin.Template = node, template
}

// survey looks at the nodes that come into question, at the same time.
func (c *Client) survey(ctx context.Context, want *machine.Guest) ([]nodeFacts, error) {
	inv, err := c.resources(ctx)
	if err != nil {
		return nil, err
	}
	var nodes []resource
	for _, n := range inv.nodes() {
		if want.Node == "" || want.Node == "auto" || want.Node == n.Node {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) == 0 {
		return nil, &FindingsError{[]Finding{c.noNode(inv, want)}}
	}
	facts := make([]nodeFacts, len(nodes))
	group, gctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		group.Go(func() (err error) {
			facts[i], err = c.look(gctx, n)
			return err
		})
	}
	return facts, group.Wait()
}

func (c *Client) noNode(inv *inventory, want *machine.Guest) Finding {
	var names []string
	for _, n := range inv.nodes() {
		names = append(names, n.Node)
	}
	return blocks(GuardNode, "online are: "+strings.Join(names, ", "), "node %q is not online in this cluster", want.Node)
}

// look lists what one node has.
func (c *Client) look(ctx context.Context, n resource) (nodeFacts, error) {
	f := nodeFacts{name: n.Node, free: n.MaxMem - n.Mem}
	if err := c.get(ctx, "/nodes/"+n.Node+"/storage?enabled=1", &f.storages); err != nil {
		return f, err
	}
	var bridges []struct {
		Iface string `json:"iface"`
	}
	if err := c.get(ctx, "/nodes/"+n.Node+"/network?type=any_bridge", &bridges); err != nil {
		return f, err
	}
	for _, b := range bridges {
		f.bridges = append(f.bridges, b.Iface)
	}
	for _, s := range f.storages {
		if !s.holds("vztmpl") {
			continue
		}
		volumes, err := c.content(ctx, n.Node, s.Storage, "vztmpl")
		if err != nil {
			return f, err
		}
		f.templates = append(f.templates, volumes...)
	}
	return f, nil
}

// content lists the volumes of one kind on a storage.
func (c *Client) content(ctx context.Context, node, storage, kind string) ([]string, error) {
	var rows []struct {
		VolID string `json:"volid"`
	}
	err := c.get(ctx, fmt.Sprintf("/nodes/%s/storage/%s/content?content=%s", node, storage, kind), &rows)
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.VolID)
	}
	return ids, err
}

// lacks lists what the wanted guest needs and the node does not have, but for the
// template, which can be downloaded.
func (f nodeFacts) lacks(want *machine.Guest) []Finding {
	var problems []Finding
	content := "rootdir"
	if want.Kind == machine.KVM {
		content = "images"
	}
	i := slices.IndexFunc(f.storages, func(s storageRow) bool { return s.Storage == want.Origin.Storage })
	switch {
	case i < 0:
		problems = append(problems, blocks(GuardStorage, "the token sees there: "+storageNames(f.storages)+"; to see a storage it needs Datastore.AllocateSpace on it",
			"node %s has no storage %q that the token may use", f.name, want.Origin.Storage))
	case !f.storages[i].holds(content):
		problems = append(problems, blocks(GuardStorage, "set its content to include "+content,
			"storage %s on node %s is not for guests' disks: its content is %s", want.Origin.Storage, f.name, f.storages[i].Content))
	case f.storages[i].Active == 0:
		problems = append(problems, blocks(GuardStorage, "", "storage %s is not active on node %s", want.Origin.Storage, f.name))
	case f.storages[i].Avail > 0 && f.storages[i].Avail < float64(want.Origin.DiskGiB)*(1<<30):
		problems = append(problems, warns(GuardStorage, "", "storage %s on node %s has %.0f GiB left, the disk may grow to %d",
			want.Origin.Storage, f.name, f.storages[i].Avail/(1<<30), want.Origin.DiskGiB))
	}
	bridge := machine.ParseProperties(want.Config["net0"]).Get("bridge")
	if bridge != "" && !slices.Contains(f.bridges, bridge) {
		problems = append(problems, blocks(GuardBridge, "the token sees there: "+strings.Join(f.bridges, ", ")+"; to use a bridge it needs SDN.Use on /sdn/zones/localnetwork/"+bridge,
			"node %s has no bridge %q that the token may use", f.name, bridge))
	}
	return slices.DeleteFunc(problems, func(p Finding) bool { return !p.Blocks })
}

func storageNames(rows []storageRow) string {
	var names []string
	for _, s := range rows {
		names = append(names, s.Storage)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// choose takes the node with the most free memory among those that fit, and among
// equals the first by name; and one that has the template before one that has not.
func choose(fit []nodeFacts, want *machine.Guest, of int) (nodeFacts, string) {
	if want.Node != "" && want.Node != "auto" {
		return fit[0], ""
	}
	best := fit[0]
	for _, f := range fit[1:] {
		has := newestTemplate(f.templates, want.Origin.Template) != ""
		bestHas := newestTemplate(best.templates, want.Origin.Template) != ""
		if has != bestHas && has || has == bestHas && f.free > best.free {
			best = f
		}
	}
	if best.free <= 0 {
		return best, fmt.Sprintf("node %s: the first of %d that fit (their free memory is not visible: Sys.Audit on /nodes shows it)", best.name, len(fit))
	}
	return best, fmt.Sprintf("node %s: it has the most free memory (%.1f GiB) of %d that have the storage, the bridge and the template, of %d online",
		best.name, best.free/(1<<30), len(fit), of)
}
