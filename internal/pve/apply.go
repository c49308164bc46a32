package pve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// Apply takes the plan's steps on the hypervisor, in order, and leaves the others.
// It returns the guest as it is afterwards, also after an error as far as it is
// known. have is what the plan was made from, nil for a new guest.
//
// Steps that set or delete configuration keys and follow one another become one
// request. A key that Proxmox unexpectedly keeps for the next restart is told to
// progress.
func (c *Client) Apply(ctx context.Context, steps []plan.Step, have, want *machine.Guest, progress plan.Progress) (*machine.Guest, error) {
	if progress == nil {
		progress = unheard{}
	}
	a := &application{Client: c, have: have, want: want, now: have, progress: progress}
	ctx = withProgress(ctx, progress)
	for rest := onHypervisor(steps); len(rest) > 0; {
		n := 1
		for n < len(rest) && isConfig(rest[0]) && isConfig(rest[n]) {
			n++
		}
		if err := a.take(ctx, rest[:n]); err != nil {
			return a.now, err
		}
		rest = rest[n:]
	}
	return a.now, nil
}

func onHypervisor(steps []plan.Step) []plan.Step {
	var ours []plan.Step
	for _, s := range steps {
		if s.OnHypervisor() {
			ours = append(ours, s)
		}
	}
	return ours
}

func isConfig(s plan.Step) bool {
	return s.Resource.Kind == "config" && (s.Verb == plan.Set || s.Verb == plan.Delete)
}

// application is a plan being applied to one guest.
type application struct {
	*Client
	have, want *machine.Guest
	now        *machine.Guest // as it is now; nil: there is none
	progress   plan.Progress
}

// take takes one step, or several that become one request, and tells progress.
func (a *application) take(ctx context.Context, steps []plan.Step) error {
	for _, s := range steps {
		a.progress.Begin(s)
	}
	began := time.Now()
	err := a.do(ctx, steps)
	for _, s := range steps {
		a.progress.End(s, plan.Outcome{Took: time.Since(began), Err: err, Tail: tailOf(err)})
	}
	if err != nil {
		return fmt.Errorf("cannot %s %s: %w", steps[0].Verb, steps[0].Resource, err)
	}
	return nil
}

func tailOf(err error) string {
	if t, ok := errors.AsType[*TaskError](err); ok {
		return strings.Join(t.Log, "\n")
	}
	return ""
}

func (a *application) do(ctx context.Context, steps []plan.Step) (err error) {
	s := steps[0]
	if isConfig(s) {
		return a.configure(ctx, steps)
	}
	switch (plan.Resource{Kind: s.Resource.Kind, Name: string(s.Verb)}) {
	case plan.Resource{Kind: "guest", Name: string(plan.Create)}:
		a.now, err = a.create(ctx, a.want)
	case plan.Resource{Kind: "guest", Name: string(plan.Recreate)}:
		err = a.recreate(ctx)
	case plan.Resource{Kind: "guest", Name: string(plan.Adopt)}:
		if a.now, err = a.update(ctx, a.now, change{block: a.adopt}); err == nil {
			a.claimed(a.now.VMID)
		}
	case plan.Resource{Kind: "guest", Name: string(plan.Start)}:
		err = a.powered(ctx, a.start)
	case plan.Resource{Kind: "guest", Name: string(plan.Restart)}:
		err = a.powered(ctx, a.restart)
	case plan.Resource{Kind: "guest", Name: string(plan.Destroy)}:
		if err = a.Destroy(ctx, a.now, a.want.Block, a.progress); err == nil {
			a.now = nil
		}
	case plan.Resource{Kind: "disk", Name: string(plan.Grow)}:
		err = a.grow(ctx, s)
	case plan.Resource{Kind: "cloudinit", Name: string(plan.Set)}:
		err = a.regenerate(ctx)
	case plan.Resource{Kind: "pool", Name: string(plan.Set)}:
		err = a.setPool(ctx)
	case plan.Resource{Kind: "ha", Name: string(plan.Add)}, plan.Resource{Kind: "ha", Name: string(plan.Remove)}:
		err = a.setHA(ctx, s)
	default:
		err = fmt.Errorf("%s of %s is no step for Proxmox", s.Verb, s.Resource)
	}
	return err
}

// powered changes the guest's state and reads it again.
func (a *application) powered(ctx context.Context, verb func(context.Context, *machine.Guest) error) error {
	if err := verb(ctx, a.now); err != nil {
		return err
	}
	now, _, err := a.readOnce(ctx, a.now)
	if err != nil {
		return err
	}
	a.now = now
	if now.Block == nil {
		return nil
	}
	keys, err := a.bootKeys(ctx)
	if err != nil || len(now.Block.Waits) == 0 && slices.Equal(keys, now.Block.HostKeys) {
		return err
	}
	a.now, err = a.record(ctx, now, func(b *machine.Block) { b.HostKeys, b.Waits, b.Stale = keys, nil, false })
	return err
}

// bootKeys are the host keys of a guest that has just come up. A container's are known
// from its creation. A virtual machine's are what its guest agent tells: cloud-init makes
// new ones at the first boot, and again whenever its drive says something else, which
// makes it take the machine for a new instance (its ssh_deletekeys).
func (a *application) bootKeys(ctx context.Context) ([]string, error) {
	pinned := a.now.Block.HostKeys
	if !a.now.HasAgent() || len(a.want.Block.HostKeys) > 0 {
		return pinned, nil
	}
	keys, err := a.agentHostKeys(ctx, a.now)
	if _, silent := errors.AsType[*NoHostKeysError](err); silent && len(pinned) > 0 && ctx.Err() == nil {
		return pinned, nil // SSH will tell whether they are still the guest's
	}
	return keys, err
}

// configure sends configuration keys.
func (a *application) configure(ctx context.Context, steps []plan.Step) error {
	ch := change{set: make(machine.Config), planned: a.have.Next()}
	for _, s := range steps {
		switch {
		case s.Resource.Name == "description":
			if err := a.describe(ctx, &ch); err != nil {
				return err
			}
		case s.Verb == plan.Delete:
			ch.remove = append(ch.remove, s.Resource.Name)
		default:
			ch.set[s.Resource.Name] = a.want.Config[s.Resource.Name]
		}
	}
	a.noteWaits(&ch)
	after, err := a.update(ctx, a.now, ch)
	if err != nil {
		return err
	}
	a.now = after
	if after.Running && !a.want.MayRestart && after.Block != nil && after.Block.Stale {
		if err := a.regenerate(ctx); err != nil {
			return err
		}
	}
	for _, s := range steps {
		if _, waits := after.Pending[s.Resource.Name]; waits && s.Effect == plan.Hot {
			a.progress.Line(s, "Proxmox keeps the change for the next restart")
		}
	}
	return nil
}

// noteWaits makes the change note, in the same write, which cloud-init keys of a virtual
// machine wait for its next boot: Proxmox does not list them as pending, and this run may
// die before the boot, or before it has seen the host keys that cloud-init makes then. Of
// a running one, neither does Proxmox tell whether its drive has been written since.
func (a *application) noteWaits(ch *change) {
	if a.now.Kind != machine.KVM {
		return
	}
	var keys []string
	for _, key := range machine.CloudInit {
		_, set := ch.set[key]
		if set || slices.Contains(ch.remove, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return
	}
	former := ch.block
	ch.block = func(b *machine.Block) error {
		b.Waits = append(b.Waits, keys...)
		slices.Sort(b.Waits)
		b.Waits = slices.Compact(b.Waits)
		b.Stale = a.now.Running
		if former == nil {
			return nil
		}
		return former(b)
	}
}

// regenerate writes the cloud-init drive of a virtual machine that is not restarted now:
// Proxmox itself does so when QEMU starts, but not when the guest boots from inside
// (qemu-server, vm_start_nolock).
func (a *application) regenerate(ctx context.Context) error {
	err := a.call(ctx, http.MethodPut, guestPath(a.now)+"/cloudinit", nil, nil)
	if err != nil {
		return err
	}
	a.now, err = a.record(ctx, a.now, func(b *machine.Block) { b.Stale = false })
	return err
}

// describe makes the change write appstack's block; where a creation was cut short,
// with the host keys that its log still tells.
func (a *application) describe(ctx context.Context, ch *change) error {
	keys, err := a.missingHostKeys(ctx)
	if err != nil {
		return err
	}
	if b := a.have.Block; b != nil && b.Creating {
		maps.Copy(ch.set, onlyAtCreation(a.have, a.want))
	}
	ch.block = func(b *machine.Block) error {
		if len(keys) > 0 {
			b.HostKeys = keys
		}
		return a.ownBlock(b)
	}
	return nil
}

// missingHostKeys finds the host keys that a run which died did not pin any more.
func (a *application) missingHostKeys(ctx context.Context) ([]string, error) {
	b := a.have.Block
	switch {
	case a.have.NewHostKeys:
		return b.HostKeys, nil
	case b == nil || len(b.HostKeys) > 0 || len(a.want.Block.HostKeys) > 0:
		return nil, nil
	case a.have.Kind == machine.LXC && b.Creating:
		return a.recoverHostKeys(ctx, a.have)
	case a.have.HasAgent() && a.have.Running:
		return a.agentHostKeys(ctx, a.have)
	}
	return nil, nil
}

// ownBlock writes the wanted owner into a block, and leaves what else it holds.
func (a *application) ownBlock(b *machine.Block) error {
	want := a.want.Block
	b.Project, b.Env, b.Creating = want.Project, want.Env, false
	if want.Repository != "" {
		b.Repository = want.Repository
	}
	if len(want.HostKeys) > 0 {
		b.HostKeys = want.HostKeys
	}
	return nil
}

// adopt takes a block over, with the lease that waits for it.
func (a *application) adopt(b *machine.Block) error {
	if err := a.ownBlock(b); err != nil {
		return err
	}
	a.claim(a.now, b)
	return nil
}

// recreate makes the guest anew where it is. What the new one needs is found before
// the old one goes.
func (a *application) recreate(ctx context.Context) error {
	a.want.Node = a.now.Node
	if err := a.Place(ctx, a.want); err != nil {
		return err
	}
	if err := a.Destroy(ctx, a.now, a.want.Block, a.progress); err != nil {
		return err
	}
	a.now = nil
	now, err := a.create(ctx, a.want)
	a.now = now
	return err
}

// grow resizes a disk.
func (a *application) grow(ctx context.Context, s plan.Step) error {
	if err := a.fencedNow(ctx, a.now); err != nil {
		return err
	}
	log, err := a.resize(ctx, a.now, s.Resource.Name, a.want.Origin.DiskGiB)
	for _, line := range log {
		// Proxmox calls it a success when the volume grew and the file system did not.
		if strings.Contains(line, "Failed to update the container's filesystem") {
			a.progress.Line(s, line)
		}
	}
	return err
}

// resize gives a disk an absolute size, so that doing it twice does no harm. It
// returns the task's log.
func (c *Client) resize(ctx context.Context, g *machine.Guest, disk string, gib int) ([]string, error) {
	t, err := c.run(ctx, job{what: "the growth of " + disk + " of " + describe(g), guest: g,
		kinds: []string{"resize"}, method: http.MethodPut, path: guestPath(g) + "/resize",
		params: params{"disk": disk, "size": fmt.Sprintf("%dG", gib)}})
	if e := asError(err); e != nil && strings.Contains(e.Message, "already at specified size") {
		return nil, nil
	}
	if err != nil || t.upid == "" {
		return nil, err
	}
	return c.taskLog(ctx, t.upid)
}

// setHA has the guest watched by Proxmox's HA manager, or no longer.
func (a *application) setHA(ctx context.Context, s plan.Step) error {
	if s.Verb == plan.Add {
		err := a.call(ctx, http.MethodPost, "/cluster/ha/resources", params{"sid": s.Resource.Name, "state": "started"}, nil)
		if e := asError(err); e != nil && strings.Contains(e.Message, "already defined") {
			return nil
		}
		return err
	}
	err := a.call(ctx, http.MethodDelete, "/cluster/ha/resources/"+s.Resource.Name, nil, nil)
	if e := asError(err); e != nil && strings.Contains(e.Message, "no such resource") {
		return nil
	}
	return err
}
