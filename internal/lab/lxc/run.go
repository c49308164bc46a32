package lxc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// haltSignal asks systemd for a clean poweroff: SIGRTMIN+3, systemd(1) § Signals.
const haltSignal = syscall.Signal(34 + 3)

// running is a container's init process and the watch over it.
type running struct {
	pid     int
	pidfd   int
	started time.Time
	wake    *os.File      // closed: stop watching
	done    chan struct{} // closed when the container is gone and cleaned up

	asked bool // the end was asked for: no event; guarded by guest.mu
}

func (r *running) forget() { r.wake.Close() }

func (r *running) signal(sig syscall.Signal) error {
	err := unix.PidfdSendSignal(r.pidfd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// Start implements the API's Backend.
func (b *Backend) Start(ctx context.Context, vmid int, config map[string]string, progress func(string)) error {
	g, unlock := b.lock(vmid)
	defer unlock()
	if g.running() != nil {
		return fmt.Errorf("CT %d already running", vmid)
	}
	return b.start(ctx, g, config)
}

func (b *Backend) start(ctx context.Context, g *guest, config map[string]string) error {
	meta, err := g.meta()
	if err != nil {
		return err
	}
	meta.Config = config
	if err := errors.Join(g.saveMeta(meta), b.store.mount(ctx, g)); err != nil {
		return err
	}
	if err = b.store.mountDisks(ctx, g, config); err == nil {
		err = b.boot(ctx, g, meta)
	}
	if err != nil {
		return errors.Join(err, b.store.unmount(context.WithoutCancel(ctx), g))
	}
	return nil
}

func (b *Backend) boot(ctx context.Context, g *guest, meta meta) error {
	trouble := b.troubleOf(g.vmid)
	if err := errors.Join(b.customize(g, meta), b.seccomp(g, meta.Config), plantLateSSH(g, trouble.LateSSH)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.dir, "config"), []byte(b.lxcConfig(g, meta)), 0o644); err != nil {
		return err
	}
	// A start that was killed would leave a container that nobody watches: from here on it
	// is too late to call it off.
	ctx = context.WithoutCancel(ctx)
	log := filepath.Join(g.dir, "log")
	os.Remove(log)
	cmd := exec.CommandContext(ctx, "/usr/bin/lxc-start", "-P", filepath.Dir(g.dir), "-n", strconv.Itoa(g.vmid),
		"-d", "-o", log, "-l", "ERROR", "-L", filepath.Join(g.dir, "console.log"))
	// LXC would insist on entries for root in /etc/subuid if it found newuidmap
	// there; without it, root writes the maps itself.
	cmd.Env = []string{"PATH=/nonexistent", "LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		detail, _ := os.ReadFile(log)
		return fmt.Errorf("startup for container '%d' failed: %w: %s", g.vmid, err, firstLines(string(detail)+string(out), 4))
	}
	pid, err := initPID(ctx, b.opt.Dir, g.vmid)
	if err != nil {
		return err
	}
	if pid == 0 {
		return fmt.Errorf("container '%d' ended while it started", g.vmid)
	}
	if err := b.adopt(g, pid); err != nil {
		return err
	}
	b.rebootLater(g.vmid, g.running(), trouble.RebootAfter)
	return nil
}

func firstLines(s string, n int) string {
	lines := strings.SplitN(strings.TrimSpace(s), "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "; ")
}

// initPID is the host PID of a container's init; 0 when it does not run.
func initPID(ctx context.Context, dir string, vmid int) (int, error) {
	out, err := exec.CommandContext(ctx, "lxc-info", "-P", filepath.Join(dir, "ct"), "-n", strconv.Itoa(vmid), "-p", "-H").Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return 0, nil
		}
		return 0, err
	}
	text := strings.TrimSpace(string(out))
	if text == "" || text == "-1" {
		return 0, nil
	}
	return strconv.Atoi(text)
}

// adopt begins to watch a running container.
func (b *Backend) adopt(g *guest, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("cannot watch init of container %d: %w", g.vmid, err)
	}
	quit, wake, err := os.Pipe()
	if err != nil {
		unix.Close(fd)
		return err
	}
	r := &running{pid: pid, pidfd: fd, started: startTime(pid), wake: wake, done: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		unix.Close(fd)
		return errors.Join(quit.Close(), wake.Close())
	}
	g.mu.Lock()
	g.run = r
	g.mu.Unlock()
	b.watch.Go(func() { b.watchOne(g, r, quit) })
	return nil
}

// watchOne waits until init is gone or the watch is called off.
func (b *Backend) watchOne(g *guest, r *running, quit *os.File) {
	defer quit.Close()
	defer unix.Close(r.pidfd)
	fds := []unix.PollFd{{Fd: int32(r.pidfd), Events: unix.POLLIN}, {Fd: int32(quit.Fd()), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if fds[0].Revents == 0 {
		close(r.done)
		return
	}
	b.ended(g, r)
}

// ended cleans up after init and, where nobody asked for its end, tells so.
func (b *Backend) ended(g *guest, r *running) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*calm)
	defer cancel()
	err := b.settle(ctx, g)
	g.mu.Lock()
	g.run = nil
	asked := r.asked
	g.mu.Unlock()
	r.wake.Close()
	close(r.done)
	if err != nil {
		b.opt.Log.Error("a stopped container left something behind", "vmid", g.vmid, "error", err)
	}
	if asked {
		return
	}
	if g.rebooted() {
		b.restart(ctx, g)
	}
	b.tell(g.vmid)
}

// settle waits until LXC's monitor has taken the container down, then unmounts.
func (b *Backend) settle(ctx context.Context, g *guest) error {
	wait := exec.CommandContext(ctx, "lxc-wait", "-P", filepath.Dir(g.dir), "-n", strconv.Itoa(g.vmid), "-s", "STOPPED", "-t", strconv.Itoa(int(calm.Seconds())))
	err := wait.Run()
	return errors.Join(err, b.store.unmount(ctx, g))
}

// restart boots a container again whose init asked for a reboot.
func (b *Backend) restart(ctx context.Context, g *guest) {
	g.op.Lock()
	defer g.op.Unlock()
	if g.running() != nil {
		return
	}
	meta, err := g.meta()
	if err == nil {
		err = b.start(ctx, g, meta.Config)
	}
	if err != nil {
		b.opt.Log.Error("a container did not come back from its reboot", "vmid", g.vmid, "error", err)
	}
}

func (b *Backend) tell(vmid int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	select {
	case b.events <- vmid:
	default:
		b.opt.Log.Error("nobody reads events", "vmid", vmid)
	}
}

// rebooted tells whether the container's last end was a reboot from inside: the
// post-stop hook leaves a mark, for LXC's own reboot would ignore changes of the
// configuration (Proxmox's hook refuses it for the same reason).
func (g *guest) rebooted() bool {
	mark := filepath.Join(g.dir, "rebooting")
	return os.Remove(mark) == nil
}

// Shutdown implements the API's Backend.
func (b *Backend) Shutdown(ctx context.Context, vmid int, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return b.end(ctx, vmid, haltSignal)
}

// Stop implements the API's Backend.
func (b *Backend) Stop(ctx context.Context, vmid int) error {
	return b.end(ctx, vmid, unix.SIGKILL)
}

// end signals init and waits until the container is down. It does not take part in
// the order of operations: a stop must get through while a shutdown waits.
func (b *Backend) end(ctx context.Context, vmid int, sig syscall.Signal) error {
	b.mu.Lock()
	g := b.guests[vmid]
	b.mu.Unlock()
	if g == nil {
		return nil
	}
	r := g.ask(true)
	if r == nil {
		return nil
	}
	// An init that has only begun to boot takes no notice of a signal: repeat it.
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		if err := r.signal(sig); err != nil {
			return fmt.Errorf("cannot signal container %d: %w", vmid, err)
		}
		select {
		case <-r.done:
			return nil
		case <-ctx.Done():
			g.ask(false)
			return fmt.Errorf("container %d did not stop: %w", vmid, context.Cause(ctx))
		case <-again.C:
		}
	}
}

// ask notes whether the end of a running container was asked for.
func (g *guest) ask(asked bool) *running {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.run != nil {
		g.run.asked = asked
	}
	return g.run
}
