// Package docker runs a Docker engine of the lab's own, and makes the base images
// that the lab builds from where no image registry can be reached.
//
// The engine is a dockerd without bridge and firewall rules, so that it leaves the
// lab's network and a person's own Docker alone: containers run with --network host.
// A machine's own engine is never used, for the lab's golang image would take the place
// of the real one in it.
package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Engine is a running dockerd and the client that speaks to it.
type Engine struct {
	Socket string // path of the engine's socket

	dir    string
	client string
	lock   *os.File
	ended  chan error
	stop   func() error
}

// Missing tells what a machine lacks to run an engine: root, dockerd, a client with
// BuildKit. nil: nothing.
func Missing() error {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		return errors.New("a Docker engine of the lab's own needs root on Linux")
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		return errors.New("dockerd is not installed (apt-get install docker.io)")
	}
	_, err := findClient()
	return err
}

// findClient returns a client that builds with BuildKit: that of 20.10 has it built in,
// newer ones need the plugin buildx, which an install without it lacks.
func findClient() (string, error) {
	candidates := []string{"/usr/bin/docker"}
	if path, err := exec.LookPath("docker"); err == nil {
		candidates = append([]string{path}, candidates...)
	}
	for _, path := range candidates {
		out, err := exec.Command(path, "--version").Output()
		if err != nil {
			continue
		}
		if strings.Contains(string(out), " 20.10.") || exec.Command(path, "buildx", "version").Run() == nil {
			return path, nil
		}
	}
	return "", errors.New("no docker client with BuildKit is installed (apt-get install docker.io)")
}

// Start starts an engine in the first place below dir that no other process has. Its
// images and build cache stay there for the next.
func Start(ctx context.Context, dir string) (*Engine, error) {
	if err := Missing(); err != nil {
		return nil, err
	}
	client, err := findClient()
	if err != nil {
		return nil, err
	}
	e := &Engine{client: client}
	if err := e.claim(dir); err != nil {
		return nil, fmt.Errorf("cannot find a place for the Docker engine: %w", err)
	}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start the Docker engine: %w", err), e.lock.Close())
	}
	return e, nil
}

// places bounds how many engines run beside each other.
const places = 16

func (e *Engine) claim(dir string) error {
	for n := 1; n <= places; n++ {
		place := filepath.Join(dir, strconv.Itoa(n))
		if err := os.MkdirAll(place, 0o711); err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(place, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			e.lock, e.dir = f, place
			return e.endOrphan()
		}
		f.Close()
	}
	return fmt.Errorf("%d of them run already", places)
}

func (e *Engine) path(name string) string { return filepath.Join(e.dir, name) }

// endOrphan ends the engine that a killed process left in this place.
func (e *Engine) endOrphan() error {
	text, err := os.ReadFile(e.path("pid"))
	if err != nil {
		return nil // none
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return os.Remove(e.path("pid"))
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil && bytes.Contains(line, []byte("dockerd")) && bytes.Contains(line, []byte(e.path("data"))) {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			return err
		}
		if err := gone(pid); err != nil {
			return err
		}
	}
	os.Remove(e.path("pid"))
	return nil
}

// gone waits for a process that is not a child of this one.
func gone(pid int) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

func (e *Engine) start(ctx context.Context) error {
	e.Socket = e.path("docker.sock")
	log, err := os.Create(e.path("log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("dockerd",
		"--data-root", e.path("data"), "--exec-root", e.path("exec"), "--pidfile", e.path("pid"), "--host", "unix://"+e.Socket,
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
	cmd.Stdout, cmd.Stderr = log, log
	// A process group of its own: the terminal's Ctrl-C is for us, who stop it in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	e.ended = make(chan error, 1)
	go func() { e.ended <- cmd.Wait() }()
	e.stop = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := e.ready(ctx); err != nil {
		return errors.Join(err, e.end())
	}
	return nil
}

// ready waits until the engine answers.
func (e *Engine) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if e.Command(ctx, "version").Run() == nil {
			return nil
		}
		select {
		case err := <-e.ended:
			e.ended <- err
			return fmt.Errorf("dockerd ended: %w\n%s", err, tail(e.path("log")))
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", context.Cause(ctx), tail(e.path("log")))
		case <-tick.C:
		}
	}
}

// tail is the end of a log.
func tail(file string) string {
	text, _ := os.ReadFile(file)
	return string(text[max(0, len(text)-2000):])
}

// Stop ends the engine; its images stay.
func (e *Engine) Stop() error {
	err := e.end()
	// dockerd leaves the mount of the host's network namespace, which is in the way of
	// whoever removes the cache.
	_ = syscall.Unmount(e.path("exec/netns/default"), syscall.MNT_DETACH)
	return errors.Join(err, e.lock.Close())
}

func (e *Engine) end() error {
	if err := e.stop(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-e.ended:
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("the Docker engine does not end")
	}
}

// Environ is the environment in which any client speaks to the engine.
func (e *Engine) Environ() []string {
	return append(os.Environ(), "DOCKER_HOST=unix://"+e.Socket, "DOCKER_BUILDKIT=1", "BUILDKIT_PROGRESS=plain", "DOCKER_CONFIG="+e.path("config"))
}

// Command is a command of the docker client, not started yet.
func (e *Engine) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.client, args...)
	cmd.Env = e.Environ()
	return cmd
}

// Run runs a command of the docker client and returns its standard output; the error
// has what it says besides.
func (e *Engine) Run(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := e.Command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(stderr.String())
		return stdout.String(), fmt.Errorf("docker %s: %w\n%s", args[0], err, text[max(0, len(text)-4000):])
	}
	return strings.TrimSpace(stdout.String()), nil
}
