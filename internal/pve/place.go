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
	Storage string `json:"storage"`
	Content string `json:"content"`
	Active  int    `json:"active"`
	Enabled int    `json:"enabled"`
}

func (s storageRow) holds(content string) bool {
	return slices.Contains(strings.Split(s.Content, ","), content)
}

// nodeFacts is what a node offers to a new guest.
type nodeFacts struct {
	name      string
	visible   bool    // whether the token may see its memory
	free      float64 // bytes of memory that nobody uses, nor is to use by this run
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
	chosen, reason := c.choose(fit, want, len(facts))
	if template := newestTemplate(chosen.templates, want.Origin.Template); template != "" {
		c.placed(want, chosen.name, template, reason)
		return nil
	}
	return c.placeDownload(ctx, want, chosen, reason)
}

func (c *Client) placed(want *machine.Guest, node, template, reason string) {
	if reason != "" {
		want.Origin.Because("%s", reason)
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
	f, err := c.bridges(ctx, n.Node)
	if err != nil {
		return f, err
	}
	f.visible, f.free = n.MaxMem > 0, n.MaxMem-n.Mem
	if err := c.get(ctx, "/nodes/"+n.Node+"/storage?enabled=1", &f.storages); err != nil {
		return f, err
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

// bridges lists a node's bridges that the token may use, vnets included.
func (c *Client) bridges(ctx context.Context, node string) (nodeFacts, error) {
	f := nodeFacts{name: node}
	var rows []struct {
		Iface string `json:"iface"`
	}
	err := c.get(ctx, "/nodes/"+node+"/network?type=any_bridge", &rows)
	for _, r := range rows {
		f.bridges = append(f.bridges, r.Iface)
	}
	return f, err
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
	content := "rootdir"
	if want.Kind == machine.KVM {
		content = "images"
	}
	problems := f.lacksStorage(want.Origin.Storage, content)
	for _, s := range newStorages(nil, want.Config) {
		if s != want.Origin.Storage {
			problems = append(problems, f.lacksStorage(s, content)...)
		}
	}
	if bridge := bridgeOf(want.Config); bridge != "" {
		problems = append(problems, f.lacksBridge(bridge)...)
	}
	return problems
}

func (f nodeFacts) lacksStorage(name, content string) []Finding {
	i := slices.IndexFunc(f.storages, func(s storageRow) bool { return s.Storage == name })
	switch {
	case i < 0:
		return []Finding{blocks(GuardStorage, "the token sees there: "+storageNames(f.storages)+"; to see a storage it needs Datastore.AllocateSpace on /storage/"+name,
			"node %s has no storage %q that the token may use", f.name, name)}
	case !f.storages[i].holds(content):
		return []Finding{blocks(GuardStorage, "set its content to include "+content,
			"storage %s on node %s is not for guests' disks: its content is %s", name, f.name, f.storages[i].Content)}
	case f.storages[i].Active == 0:
		return []Finding{blocks(GuardStorage, "pvesm status on the node says more", "storage %s is not active on node %s", name, f.name)}
	}
	return nil
}

func (f nodeFacts) lacksBridge(name string) []Finding {
	if slices.Contains(f.bridges, name) {
		return nil
	}
	return []Finding{blocks(GuardBridge, "the token sees there: "+strings.Join(f.bridges, ", ")+"; to use a bridge it needs SDN.Use on /sdn/zones/localnetwork/"+name,
		"node %s has no bridge %q that the token may use", f.name, name)}
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

// newPlaces finds what an existing guest is to use and its node does not have: another
// bridge, the storage of a further volume.
func (c *Client) newPlaces(ctx context.Context, have, want *machine.Guest) ([]Finding, error) {
	if have == nil {
		return nil, nil // Place has looked
	}
	var findings []Finding
	next := have.Next()
	if bridge := bridgeOf(want.Config); bridge != "" && bridge != bridgeOf(next) {
		f, err := c.bridges(ctx, have.Node)
		if err != nil {
			return nil, err
		}
		findings = append(findings, f.lacksBridge(bridge)...)
	}
	storages := newStorages(next, want.Config)
	if len(storages) == 0 {
		return findings, nil
	}
	f := nodeFacts{name: have.Node}
	if err := c.get(ctx, "/nodes/"+have.Node+"/storage?enabled=1", &f.storages); err != nil {
		return nil, err
	}
	for _, s := range storages {
		findings = append(findings, f.lacksStorage(s, "rootdir")...)
	}
	return findings, nil
}

func bridgeOf(c machine.Config) string { return machine.ParseProperties(c["net0"]).Get("bridge") }

// newStorages are the storages of volumes that are yet to be made.
func newStorages(have, want machine.Config) []string {
	var names []string
	for key, value := range want {
		volume := machine.ParseProperties(value).Get("")
		if storage, _, ok := strings.Cut(volume, ":"); ok && strings.HasPrefix(key, "mp") && have[key] == "" {
			names = append(names, storage)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
