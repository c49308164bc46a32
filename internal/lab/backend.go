package lab

import (
	"context"

	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/pveapi"
)

// machines presents the containers as the Proxmox API's Backend.
type machines struct{ *lxc.Backend }

var _ pveapi.Backend = machines{}

func (m machines) Create(ctx context.Context, vmid int, spec pveapi.Spec, progress func(string)) error {
	return m.Backend.Create(ctx, vmid, lxc.Spec(spec), progress)
}

func (m machines) Usage(ctx context.Context, vmid int) (pveapi.Usage, error) {
	u, err := m.Backend.Usage(ctx, vmid)
	return pveapi.Usage(u), err
}

func (m machines) Interfaces(ctx context.Context, vmid int) ([]pveapi.Interface, error) {
	list, err := m.Backend.Interfaces(ctx, vmid)
	var all []pveapi.Interface
	for _, i := range list {
		all = append(all, pveapi.Interface(i))
	}
	return all, err
}
