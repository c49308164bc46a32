package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/lab/template"
)

// The template VM of a lab that offers virtual machines: what an administrator makes of a
// distribution's cloud image, once.
const (
	TemplateVM     = 9000
	TemplateVMName = "debian-12-cloud"
)

// OfferVMs builds a cloud image, if it is not cached, puts it into every node's storage
// and makes the template VM from it. Doing it twice does no harm.
func (l *Lab) OfferVMs(ctx context.Context, image template.Template) error {
	l.vms.Lock()
	defer l.vms.Unlock()
	if l.Info.Image != "" && slices.Contains(l.PVE.GuestIDs(), TemplateVM) {
		return nil
	}
	archive, err := template.Build(ctx, l.opt.Cache, image, l.opt.Progress)
	if err != nil {
		return err
	}
	for _, node := range l.nodes() {
		dir, err := l.PVE.TemplateDir(node, "local")
		if err != nil {
			return err
		}
		dir = filepath.Join(dir, "../../import")
		if err := errors.Join(os.MkdirAll(dir, 0o755), link(archive, filepath.Join(dir, image.Name))); err != nil {
			return err
		}
	}
	l.Info.Image = "local:import/" + image.Name
	if err := l.Guests.Prepare(ctx, archive); err != nil {
		return err
	}
	if slices.Contains(l.PVE.GuestIDs(), TemplateVM) {
		return nil // from an earlier run
	}
	return l.makeTemplateVM(ctx)
}

func (l *Lab) makeTemplateVM(ctx context.Context) error {
	qemu := "/nodes/" + l.nodes()[0] + "/qemu"
	err := l.task(ctx, qemu, url.Values{
		"vmid": {fmt.Sprint(TemplateVM)}, "name": {TemplateVMName}, "ostype": {"l26"}, "scsihw": {"virtio-scsi-single"},
		"scsi0": {"local-lvm:0,import-from=" + l.Info.Image}, "ide2": {"local-lvm:cloudinit"}, "boot": {"order=scsi0"},
		"net0": {"virtio,bridge=vmbr0"}, "serial0": {"socket"}, "vga": {"serial0"}, "agent": {"1"},
	})
	if err == nil {
		err = l.task(ctx, fmt.Sprintf("%s/%d/template", qemu, TemplateVM), nil)
	}
	if err != nil {
		return fmt.Errorf("cannot make the template VM: %w", err)
	}
	return nil
}

// task posts what starts a task, and waits for its end.
func (l *Lab) task(ctx context.Context, path string, form url.Values) error {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, l.Info.URL+"/api2/json"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Authorization", "PVEAPIToken="+l.Info.Token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res := httptest.NewRecorder()
	l.PVE.ServeHTTP(res, r)
	var answer struct{ Data string }
	if err := json.Unmarshal(res.Body.Bytes(), &answer); res.Code != http.StatusOK || err != nil {
		return fmt.Errorf("%s: %d %s", path, res.Code, res.Body)
	}
	status, err := l.PVE.WaitTask(ctx, answer.Data)
	if err == nil && status != "OK" {
		err = errors.New(status)
	}
	return err
}
