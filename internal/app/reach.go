package app

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/guest"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/pve"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/ssh"
)

// cloudInitWait bounds how long a VM's cloud-init may take once one can log in.
const cloudInitWait = 10 * time.Minute

// directWait bounds a connection to the jump host, or to a guest that ran when it was
// observed: that this machine cannot reach it at all is to be said within 10 s.
const directWait = 8 * time.Second

// sshWait bounds how long a guest that was just started may take to answer.
const sshWait = 2 * time.Minute

// reach is how the run gets to Proxmox and to the guests. One serves all
// environments: they share the API's client and the connection to the jump host.
type reach struct {
	proxmox *pve.Client
	trust   bool // on first use, where nothing is pinned

	jump   func() (*ssh.JumpHost, error) // dialled when it is needed first
	jumped *ssh.JumpHost                 // nil: it was not
}

// reach prepares the ways; only a jump host in front of the API is dialled now.
func (r *Run) reach(ctx context.Context, targets []resolve.Target) (*reach, error) {
	t := targets[0] // the ways are the stack's: all targets have the same
	way := &reach{trust: r.TrustOnFirstUse}
	way.jump = sync.OnceValues(func() (j *ssh.JumpHost, err error) {
		way.jumped, err = dialJump(ctx, t.SSH.Jump)
		return way.jumped, err
	})
	options := pve.Options{
		URL: t.Proxmox.URL, Token: t.Proxmox.Token, Fingerprint: t.Proxmox.Fingerprint, CA: t.Proxmox.CA, Pool: t.Proxmox.Pool,
		Trace: func(c pve.Call) { r.trace("proxmox "+c.Method+" "+c.Path+" "+strconv.Itoa(c.Status), c.Took) },
	}
	if r.Dialer != nil {
		options.Dialer = r.Dialer.DialContext
	}
	if t.Proxmox.ViaJump {
		jump, err := way.jump()
		if err != nil {
			return nil, err
		}
		options.Dialer = jump.DialContext
	}
	var err error
	if way.proxmox, err = pve.Dial(options); err != nil && way.jumped != nil {
		_ = way.jumped.Close() // nothing is under way on it
	}
	return way, err
}

func (r *Run) trace(what string, took time.Duration) {
	if r.Trace != nil {
		r.Trace(what, took)
	}
}

// timed tells how long what follows takes: defer s.timed("connect")().
func (s *session) timed(what string) func() {
	began := time.Now()
	return func() { s.run.trace(s.target.Name+": "+what, time.Since(began)) }
}

func dialJump(ctx context.Context, j *resolve.Jump) (*ssh.JumpHost, error) {
	return ssh.DialJump(ctx, ssh.Options{Address: j.Address, Users: []string{j.User}, Key: j.Key, HostKeys: []string{j.HostKey},
		Via: &net.Dialer{Timeout: directWait}})
}

// close ends what is open.
func (w *reach) close() {
	w.proxmox.Close()
	if w.jumped != nil {
		_ = w.jumped.Close() // nothing is under way on it
	}
}

// guest waits for the guest's SSH server and logs in with its pinned host key.
func (w *reach) guest(ctx context.Context, t resolve.Target, g *machine.Guest, s *session) (*guest.Conn, error) {
	o := ssh.Options{
		Address: net.JoinHostPort(t.SSH.Address, strconv.Itoa(t.SSH.Port)), Users: t.SSH.Users, Key: t.SSH.Key,
		HostKeys: pins(t, g), TrustOnFirstUse: w.trust, Via: s.run.Dialer,
	}
	if t.SSH.Jump != nil {
		jump, err := w.jump()
		if err != nil {
			return nil, err
		}
		o.Via = jump
	}
	direct := o.Via == nil
	if direct {
		o.Via = &net.Dialer{Timeout: directWait}
	}
	conn, err := s.dial(ctx, o)
	if dead, ok := errors.AsType[*ssh.UnreachableError](err); ok && direct {
		err = cmp.Or(pve.ExplainSSH(o.Address, dead.Err), err)
	}
	return conn, err
}

// dial logs in to the guest. One that ran when it was observed is dialled at once.
func (s *session) dial(ctx context.Context, options ssh.Options) (*guest.Conn, error) {
	o := guest.Options{Options: options, Wait: s.run.LockWait}
	if !s.fresh {
		conn, err := guest.Dial(ctx, o)
		if !s.young || !refused(err) {
			return conn, err
		}
	}
	if err := s.waitSSH(ctx); err != nil {
		return nil, err
	}
	return guest.Dial(ctx, o)
}

// refused tells whether there is an answer from where the guest is, and no SSH server yet.
// Where nothing answers there is no way to it, and that is to be said soon.
func refused(err error) bool {
	if !is[*ssh.UnreachableError](err) {
		return false
	}
	silence, ok := errors.AsType[net.Error](err)
	return !ok || !silence.Timeout()
}

// waitSSH waits for the server of a guest that was just started.
func (s *session) waitSSH(ctx context.Context) error {
	var dial pve.Dialer
	if s.run.Dialer != nil {
		dial = s.run.Dialer.DialContext
	}
	if s.target.SSH.Jump != nil {
		jump, err := s.reach.jump()
		if err != nil {
			return err
		}
		dial = jump.DialContext
	}
	address := net.JoinHostPort(s.target.SSH.Address, strconv.Itoa(s.target.SSH.Port))
	return pve.WaitSSH(ctx, dial, address, sshWait, s)
}

// pins are the host keys that the guest may show: those from its creation's log,
// kept in its description, and those that the stack names.
func pins(t resolve.Target, g *machine.Guest) []string {
	keys := t.SSH.HostKeys
	if g != nil && g.Block != nil {
		keys = append(g.Block.HostKeys[:len(g.Block.HostKeys):len(g.Block.HostKeys)], keys...)
	}
	return keys
}

// connect returns the session's connection to the guest, made at its first use.
func (s *session) connect(ctx context.Context, g *machine.Guest) (*guest.Conn, error) {
	if g != nil && !g.Running && !s.target.Want.Guest.Running {
		return nil, &UsageError{s.target.Name + " is stopped, and `start: false` leaves it so: start it, or use `provision`, which does not look inside"}
	}
	if s.conn == nil {
		defer s.timed("connect")()
		conn, err := s.reach.guest(ctx, s.target, g, s)
		if is[*ssh.HostKeyError](err) && s.rekeyed(ctx, g) {
			conn, err = s.reach.guest(ctx, s.target, g, s)
		}
		if err != nil {
			return nil, err
		}
		s.conn = conn
		if g != nil && g.Kind == machine.KVM {
			return conn, conn.Settled(ctx, cloudInitWait)
		}
	}
	return s.conn, nil
}

// rekeyed tells whether a VM has other host keys than the pinned ones for a good reason,
// and notes them in g: cloud-init makes new ones at the first boot after a change of what
// its drive says. That is asked of the guest agent, over Proxmox's pinned connection.
func (s *session) rekeyed(ctx context.Context, g *machine.Guest) bool {
	if g == nil || g.Block == nil || len(s.target.SSH.HostKeys) > 0 {
		return false
	}
	keys, err := s.reach.proxmox.HostKeys(ctx, g)
	if err != nil || slices.Equal(keys, g.Block.HostKeys) {
		return false
	}
	block := *g.Block
	block.HostKeys = keys
	g.Block, g.NewHostKeys = &block, true
	return true
}

// disconnect ends the session's connection to the guest.
func (s *session) disconnect() {
	if s.conn != nil {
		_ = s.conn.Close() // nothing is under way on it
		s.conn = nil
	}
}
