package pve

import (
	"cmp"
	"context"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/machine"
)

// newestTemplate returns the volume that a template's name means: the volume ID
// itself, a file name, or a name without version of which the newest is taken; "" if
// there is none.
func newestTemplate(volumes []string, name string) string {
	if strings.Contains(name, ":") {
		if slices.Contains(volumes, name) {
			return name
		}
		return ""
	}
	best := ""
	for _, v := range volumes {
		file := path.Base(v)
		matches := file == name || strings.HasPrefix(file, name+"_")
		if matches && (best == "" || compareVersions(path.Base(best), file) < 0) {
			best = v
		}
	}
	return best
}

// compareVersions orders file names as people count: 12.9 comes before 12.12.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, y := chunk(a), chunk(b)
		a, b = a[len(x):], b[len(y):]
		if c := compareChunks(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// chunk is the leading run of digits or of other characters.
func chunk(s string) string {
	digit := func(b byte) bool { return b >= '0' && b <= '9' }
	n := 1
	for n < len(s) && digit(s[n]) == digit(s[0]) {
		n++
	}
	return s[:n]
}

func compareChunks(a, b string) int {
	isNumber := func(s string) bool { return s[0] >= '0' && s[0] <= '9' }
	if !isNumber(a) || !isNumber(b) {
		return cmp.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return cmp.Compare(a, b)
}

// placeDownload plans to fetch the template from the list that Proxmox maintains and
// signs; its checksum is checked by Proxmox.
func (c *Client) placeDownload(ctx context.Context, want *machine.Guest, node nodeFacts, reason string) error {
	var list []struct {
		Template string `json:"template"`
		Package  string `json:"package"`
	}
	name := want.Origin.Template
	if !strings.Contains(name, ":") {
		if err := c.get(ctx, "/nodes/"+node.name+"/aplinfo", &list); err != nil {
			return err
		}
	}
	var files []string
	for _, t := range list {
		if t.Package == name || t.Template == name {
			files = append(files, t.Template)
		}
	}
	file := newestTemplate(files, name)
	i := slices.IndexFunc(node.storages, func(s storageRow) bool { return s.Active == 1 && s.holds("vztmpl") })
	if file == "" || i < 0 {
		if i >= 0 && len(list) == 0 && !strings.Contains(name, ":") {
			return &FindingsError{[]Finding{c.noDownload(node, name, node.storages[i].Storage)}}
		}
		return &FindingsError{[]Finding{noTemplate(node, name, i >= 0)}}
	}
	c.placed(want, node.name, node.storages[i].Storage+":vztmpl/"+file, reason)
	want.Origin.Download = true
	want.Origin.Because("template %s is not on node %s yet: Proxmox downloads it to storage %s and checks its checksum",
		file, node.name, node.storages[i].Storage)
	return nil
}

// noDownload is for a token to which Proxmox shows no templates to download.
func (c *Client) noDownload(node nodeFacts, name, storage string) Finding {
	return blocks(GuardTemplate, "download it there by hand: `pveam download "+storage+" …`; or "+grantHint(c.tokenID, "/storage/"+storage, "Datastore.AllocateTemplate"),
		"template %q is not on node %s, and the token may not download it", name, node.name)
}

func noTemplate(node nodeFacts, name string, storage bool) Finding {
	if !storage {
		return blocks(GuardTemplate, "the token needs Datastore.AllocateSpace on the path /storage/NAME of a storage whose content includes vztmpl, such as /storage/local",
			"node %s has no storage for templates that the token may use", node.name)
	}
	var have []string
	for _, t := range node.templates {
		have = append(have, path.Base(t))
	}
	return blocks(GuardTemplate, "on the node are: "+strings.Join(have, ", ")+"; `pveam update && pveam available` there lists what can be downloaded",
		"template %q is neither on node %s nor in Proxmox's list", name, node.name)
}

// download fetches the template. Several environments of a run may want the same one.
func (c *Client) download(ctx context.Context, want *machine.Guest) error {
	c.downloads.Lock()
	defer c.downloads.Unlock()
	storage, volume, _ := strings.Cut(want.Origin.Template, ":")
	have, err := c.content(ctx, want.Node, storage, "vztmpl")
	if err != nil || slices.Contains(have, want.Origin.Template) {
		return err
	}
	// A second download finds the file and checks it: to repeat it does no harm.
	var upid string
	p := params{"storage": storage, "template": path.Base(volume)}
	for attempt := 1; ; attempt++ {
		err = c.call(ctx, http.MethodPost, "/nodes/"+want.Node+"/aplinfo", p, &upid)
		if e := asError(err); e == nil || !e.Uncertain || attempt == maxAttempts {
			break
		}
	}
	if err != nil {
		return err
	}
	_, err = c.wait(ctx, upid, "the download of "+path.Base(volume), c.times.create)
	return err
}
