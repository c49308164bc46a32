package pve

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/machine"
)

// placeVM completes a wanted virtual machine: the template to clone, or the volume of
// the cloud image, and the node.
func (c *Client) placeVM(ctx context.Context, want *machine.Guest) error {
	inv, err := c.resources(ctx)
	if err != nil {
		return err
	}
	if !want.Origin.Image {
		source, problem := templateVM(inv, want.Origin.Template)
		if problem != nil {
			return &FindingsError{[]Finding{*problem}}
		}
		want.Origin.Template = strconv.Itoa(source.VMID)
		if want.Node == "" || want.Node == "auto" {
			want.Node = source.Node
			want.Origin.Because("node %s: the template VM %d is there", source.Node, source.VMID)
		}
	}
	facts, err := c.survey(ctx, want)
	if err != nil {
		return err
	}
	var fit []nodeFacts
	var problems []Finding
	for _, f := range facts {
		if p := f.lacks(want); len(p) > 0 {
			problems = append(problems, p...)
			continue
		}
		fit = append(fit, f)
	}
	if len(fit) == 0 {
		return &FindingsError{problems}
	}
	chosen, reason := c.choose(fit, want, len(facts))
	if want.Origin.Image {
		return c.placeImage(ctx, want, chosen, reason)
	}
	c.placed(want, chosen.name, want.Origin.Template, reason)
	return nil
}

// templateVM finds the template that a vmid or a name means.
func templateVM(inv *inventory, name string) (*resource, *Finding) {
	var names []string
	for _, r := range inv.guests() {
		if r.Type != "qemu" || r.Template != 1 {
			continue
		}
		if strconv.Itoa(r.VMID) == name || r.Name == name {
			return &r, nil
		}
		names = append(names, fmt.Sprintf("%d (%s)", r.VMID, r.Name))
	}
	if len(names) == 0 {
		names = []string{"none"}
	}
	f := blocks(GuardTemplate, "the token sees: "+strings.Join(names, ", ")+"; to see and clone one it needs VM.Audit and VM.Clone on it", "there is no template VM %q", name)
	return nil, &f
}

// placeImage finds the cloud image on a storage, or plans its download to one.
func (c *Client) placeImage(ctx context.Context, want *machine.Guest, node nodeFacts, reason string) error {
	image := want.Origin.Template
	if !strings.Contains(image, "://") {
		storage, _, _ := strings.Cut(image, ":")
		have, err := c.content(ctx, node.name, storage, "import")
		if err != nil {
			return err
		}
		if !slices.Contains(have, image) {
			return &FindingsError{[]Finding{blocks(GuardTemplate, "there are: "+strings.Join(have, ", "), "image %q is not on node %s", image, node.name)}}
		}
		c.placed(want, node.name, image, reason)
		return nil
	}
	i := slices.IndexFunc(node.storages, func(s storageRow) bool { return s.Active == 1 && s.holds("import") })
	if i < 0 {
		return &FindingsError{[]Finding{blocks(GuardStorage, "add import to a storage's content, and Datastore.AllocateTemplate on it to the token",
			"node %s has no storage for images to import that the token may use", node.name)}}
	}
	volume := node.storages[i].Storage + ":import/" + imageFile(image)
	have, err := c.content(ctx, node.name, node.storages[i].Storage, "import")
	if err != nil {
		return err
	}
	if !slices.Contains(have, volume) {
		want.Origin.Download, want.Origin.URL = true, image
		want.Origin.Because("image %s is not on node %s yet: Proxmox downloads it to storage %s", imageFile(image), node.name, node.storages[i].Storage)
	}
	c.placed(want, node.name, volume, reason)
	return nil
}

// imageFile is the name of a downloaded image. Proxmox imports qcow2, raw and vmdk
// by their endings; Debian's and Ubuntu's .img are qcow2.
func imageFile(url string) string {
	name, _, _ := strings.Cut(path.Base(url), "?")
	if base, ok := strings.CutSuffix(name, ".img"); ok {
		return base + ".qcow2"
	}
	return name
}

// createVM makes a virtual machine by clone or from an image, configures it, and
// gives its disk its size.
func (c *Client) createVM(ctx context.Context, want *machine.Guest, text string) error {
	var err error
	if want.Origin.Image {
		err = c.importVM(ctx, want, text)
	} else {
		err = c.clone(ctx, want, text)
	}
	if err != nil {
		return err
	}
	now, d, err := c.readOnce(ctx, want)
	if err != nil {
		return err
	}
	if !d.block.Owns(want.Block) {
		return &OwnerError{VMID: want.VMID, Name: now.Config["name"], Owner: d.block.Owner()}
	}
	// If this run dies here, a later one finds the keys as differences, the size, too,
	// and completes what only a creation sets.
	set := maps.Clone(want.Config)
	for _, key := range later {
		delete(set, key)
	}
	for key, standard := range map[string]string{"bios": "seabios", "sockets": "1", "cpuunits": "100"} {
		if set[key] == standard && now.Config[key] == "" {
			delete(set, key)
		}
	}
	maps.Copy(set, onlyAtCreation(now, want))
	if now, err = c.update(ctx, want, change{set: set}); err != nil {
		return err
	}
	return c.growVM(ctx, now, want)
}

// onlyAtCreation are a virtual machine's keys that are set once and not compared
// later: the cloud-init drive, if the template has none, the password, and no upgrade by
// cloud-init.
func onlyAtCreation(now, want *machine.Guest) machine.Config {
	set := make(machine.Config)
	if now.Kind != machine.KVM {
		return set
	}
	if !hasCloudInit(now.Config) {
		set[cloudInitSlot(now.Config)] = want.Origin.Storage + ":cloudinit"
	}
	// Upgrades are the stack's to ask for. By default cloud-init makes one at each boot
	// that follows a change of its drive.
	set["ciupgrade"] = "0"
	if password := want.Origin.Password.Reveal(); password != "" {
		set["cipassword"] = password
	}
	return set
}

// cloudInitSlot is where a cloud-init drive goes: to the controller of a root disk on
// virtio, which the guest has a driver for. Debian's kernel for clouds has none for the
// controller that a q35 machine's IDE drives are at.
func cloudInitSlot(config machine.Config) string {
	if !strings.HasPrefix(config["scsihw"], "virtio") {
		return "ide2"
	}
	n := 1
	for config[fmt.Sprint("scsi", n)] != "" {
		n++
	}
	return fmt.Sprint("scsi", n)
}

func hasCloudInit(config machine.Config) bool {
	for _, value := range config {
		if strings.Contains(value, "cloudinit") && strings.Contains(value, "media=cdrom") {
			return true
		}
	}
	return false
}

// growVM gives the root disk its size; one that is bigger in the template stays so.
func (c *Client) growVM(ctx context.Context, now, want *machine.Guest) error {
	disk := now.RootDisk()
	if have := machine.SizeMiB(machine.ParseProperties(now.Config[disk]).Get("size")); have >= want.Origin.DiskGiB<<10 {
		return nil
	}
	_, err := c.resize(ctx, now, disk, want.Origin.DiskGiB)
	return err
}

// importVM makes a virtual machine from a cloud image.
func (c *Client) importVM(ctx context.Context, want *machine.Guest, text string) error {
	if want.Origin.Download {
		if err := c.downloadImage(ctx, want); err != nil {
			return err
		}
	}
	p := params{"vmid": strconv.Itoa(want.VMID), "name": want.Config["name"], "description": text,
		"scsihw": "virtio-scsi-single", "scsi0": fmt.Sprintf("%s:0,import-from=%s", want.Origin.Storage, want.Origin.Template),
		"boot": "order=scsi0", "scsi1": want.Origin.Storage + ":cloudinit", "serial0": "socket", "vga": "serial0", "ostype": "l26", "machine": "q35"}
	if want.Pool != "" {
		p["pool"] = want.Pool
	}
	if kind := want.Config["machine"]; kind != "" {
		p["machine"] = kind
	}
	if want.Config["bios"] == "ovmf" {
		p["efidisk0"] = want.Origin.Storage + ":0,efitype=4m"
	}
	_, err := c.run(ctx, job{what: "the creation of " + describe(want), guest: want, kinds: creating,
		method: http.MethodPost, path: "/nodes/" + want.Node + "/qemu", params: p, limit: c.times.create})
	return err
}

// downloadImage has Proxmox fetch a cloud image and check its checksum.
func (c *Client) downloadImage(ctx context.Context, want *machine.Guest) error {
	c.downloads.Lock()
	defer c.downloads.Unlock()
	storage, volume, _ := strings.Cut(want.Origin.Template, ":")
	have, err := c.content(ctx, want.Node, storage, "import")
	if err != nil || slices.Contains(have, want.Origin.Template) {
		return err
	}
	p := params{"content": "import", "filename": path.Base(volume), "url": want.Origin.URL}
	if algorithm, sum, ok := strings.Cut(want.Origin.Checksum, ":"); ok {
		p["checksum-algorithm"], p["checksum"] = algorithm, sum
	}
	var upid string
	err = c.call(ctx, http.MethodPost, fmt.Sprintf("/nodes/%s/storage/%s/download-url", want.Node, storage), p, &upid)
	if err != nil {
		return err
	}
	_, err = c.wait(ctx, upid, "the download of "+path.Base(volume), c.times.create)
	return err
}

// clone clones the template VM once. Its task is the template's, and several clones
// may be under way: where the answer is lost, the new guest itself tells.
func (c *Client) clone(ctx context.Context, want *machine.Guest, text string) error {
	source, err := c.cloneSource(ctx, want)
	if err != nil {
		return err
	}
	p, err := c.cloneParams(ctx, source, want, text)
	if err != nil {
		return err
	}
	_, err = c.whileLocked(ctx, func() (*task, error) { return c.cloneOnce(ctx, source, want, p) })
	return err
}

// cloneOnce sends the request until it has happened once. It returns no task where the
// guest itself told that it had.
func (c *Client) cloneOnce(ctx context.Context, source, want *machine.Guest, p params) (*task, error) {
	for attempt := 1; ; attempt++ {
		var upid string
		err := c.call(ctx, http.MethodPost, guestPath(source)+"/clone", p, &upid)
		if err == nil {
			return c.wait(ctx, upid, "the clone of "+describe(source)+" to "+describe(want), c.times.create)
		}
		e := asError(err)
		if e == nil || !e.Uncertain && attempt == 1 {
			return nil, err
		}
		there, lookErr := c.cloned(ctx, want)
		switch {
		case there || lookErr != nil:
			return nil, lookErr
		case attempt == maxAttempts || !e.Uncertain || ctx.Err() != nil:
			return nil, err
		}
	}
}

func (c *Client) cloneSource(ctx context.Context, want *machine.Guest) (*machine.Guest, error) {
	inv, err := c.resources(ctx)
	if err != nil {
		return nil, err
	}
	source, problem := templateVM(inv, want.Origin.Template)
	if problem != nil {
		return nil, &FindingsError{[]Finding{*problem}}
	}
	return source.ref(), nil
}

// cloneParams asks for a linked clone only where the storage can make one.
func (c *Client) cloneParams(ctx context.Context, source, want *machine.Guest, text string) (params, error) {
	p := params{"newid": strconv.Itoa(want.VMID), "name": want.Config["name"], "description": text, "full": "1", "storage": want.Origin.Storage}
	if want.Pool != "" {
		p["pool"] = want.Pool
	}
	if want.Node != source.Node {
		p["target"] = want.Node
	}
	if want.Origin.Full {
		return p, nil
	}
	var feature struct {
		Has int `json:"hasFeature"`
	}
	if err := c.get(ctx, guestPath(source)+"/feature?feature=clone", &feature); err != nil {
		return nil, err
	}
	if feature.Has == 1 {
		p["full"] = "0"
		delete(p, "storage") // Proxmox allows it to full clones alone
	}
	return p, nil
}

// cloned waits until a clone whose request may have been carried out is there, and
// tells whether it is.
func (c *Client) cloned(ctx context.Context, want *machine.Guest) (bool, error) {
	for range maxAttempts {
		if err := sleep(ctx, 2*c.times.backoff); err != nil {
			return false, err
		}
		free, err := c.free(ctx, want.VMID)
		if err != nil {
			return false, err
		}
		if free {
			continue
		}
		start := time.Now()
		for {
			_, err := c.read(ctx, want)
			e := asError(err)
			hidden := gone(err) || e != nil && e.Status == http.StatusForbidden
			if !hidden || time.Since(start) > c.times.create {
				return err == nil, err
			}
			if err := sleep(ctx, 5*c.times.backoff); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}
