package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/bench/wire"
	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/lab/pveapi/membackend"
)

// sizes are how many environments are tried.
var sizes = []int{1, 10, 50, 100}

// scale measures appstack's own share by the number of environments: Proxmox is the
// lab's without containers, and the guests are an SSH server that gives the answers of
// a real one.
func scale(ctx context.Context, b *bench) error {
	r, err := b.newRig(ctx)
	if err != nil {
		return err
	}
	return errors.Join(r.scale(ctx), r.close())
}

// baseProject has nothing that differs from one environment to the next, so that one
// guest can answer for all.
func (r *rig) baseProject() string {
	return fmt.Sprintf(`    guest: {template: %s, cores: 1, memory: 512, swap: 0, disk: 6}
    base: {packages: [tzdata, locales, tree, git], timezone: Europe/Berlin, locale: en_US.UTF-8, authorized_keys: ["%s"]}
`, warmTemplate, r.pub)
}

func (r *rig) scale(ctx context.Context) error {
	r.guests["model"] = r.baseProject()
	model, err := r.newEnv("model", "one")
	if err != nil {
		return err
	}
	say("setting up the guest that the simulated ones are like")
	if _, err := r.appstack(ctx, "live", "apply", "--project", "model"); err != nil {
		return err
	}
	if err := r.trust(ctx, model); err != nil {
		return err
	}
	f := &fakes{rig: r, model: model, answers: make(map[string]string)}
	if err := f.up(ctx); err != nil {
		return errors.Join(err, f.down())
	}
	return errors.Join(f.measure(ctx), f.down())
}

// fakes are a Proxmox VE without containers and SSH servers in their place.
type fakes struct {
	*rig
	model   env
	proxmox *pveapi.Server
	backend *membackend.Backend
	stop    context.CancelFunc
	undo    []func() error

	mu      sync.Mutex
	answers map[string]string // of the model, by what was asked
}

// fakePort is where the fakes' Proxmox listens, on the lab's bridge.
const fakePort = 8106

func (f *fakes) up(ctx context.Context) (err error) {
	ctx, f.stop = context.WithCancel(ctx)
	f.backend = membackend.New()
	dir := filepath.Join(f.work, "fakes")
	f.proxmox, err = pveapi.New(pveapi.Options{Dir: dir, Backend: f.backend, Nodes: []string{"pve1"}})
	if err != nil {
		return err
	}
	token, err := f.proxmox.AddToken("root@pam", "ci", false, "")
	if err != nil {
		return err
	}
	templates, err := f.proxmox.TemplateDir("pve1", "local")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(templates, warmTemplate+"_12.12-1_amd64.tar.zst"), make([]byte, 4096), 0o600); err != nil {
		return err
	}
	url, err := f.proxmox.Listen(ctx, netip.AddrPortFrom(f.lab.Gateway(), fakePort).String())
	if err != nil {
		return err
	}
	fingerprint, err := f.proxmox.Fingerprint()
	if err != nil {
		return err
	}
	f.secrets["proxmox_url"], f.secrets["proxmox_token"], f.secrets["proxmox_fingerprint"] = url, "root@pam!ci="+token, fingerprint
	return nil
}

func (f *fakes) down() error {
	var errs []error
	for _, undo := range f.undo {
		errs = append(errs, undo())
	}
	f.stop()
	if f.proxmox != nil {
		errs = append(errs, f.proxmox.Close())
	}
	f.backend.Close()
	return errors.Join(errs...)
}

func (f *fakes) measure(ctx context.Context) error {
	f.guests = map[string]string{"fleet": f.baseProject()}
	f.envs = nil
	for i := range sizes[len(sizes)-1] {
		// An address of the lab that no container has: a packet for it ends at the bridge,
		// but what is for its port 22 comes here.
		e, err := f.newEnv("fleet", fmt.Sprintf("e%d", i+1))
		if err != nil {
			return err
		}
		if err := f.serve(ctx, e); err != nil {
			return err
		}
	}
	// Something answers at the addresses already: the fakes.
	if _, err := f.appstack(ctx, "live", "provision", "--project", "fleet", "--parallel", "8", "--allow-ip-conflicts"); err != nil {
		return err
	}
	return f.sizes(ctx)
}

func (f *fakes) sizes(ctx context.Context) error {
	for _, n := range sizes {
		key := fmt.Sprint(n)
		f.found.Clear("scale/" + key)
		f.found.Clear("scale-memory/" + key)
		err := f.withOnly(n, func() error {
			for i := range f.runs + 1 {
				s, err := f.appstack(ctx, "unchanged", "apply", "--project", "fleet")
				if err != nil {
					return err
				}
				if i == 0 {
					continue // it filled the answers
				}
				f.add("scale/"+key, "ms", s.ms())
				f.add("scale-memory/"+key, "MB", s.peak)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// serve is a guest's SSH server.
func (f *fakes) serve(ctx context.Context, e env) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	undo, err := wire.Redirect(ctx, netip.AddrPortFrom(e.addr.Addr(), 22), ln.Addr().(*net.TCPAddr).Port)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	f.undo = append(f.undo, undo, ln.Close)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go f.converse(ctx, conn, e)
		}
	}()
	return nil
}

// converse is one connection to a guest, with the host keys that Proxmox made for it.
func (f *fakes) converse(ctx context.Context, conn net.Conn, e env) {
	defer conn.Close()
	guest, ok := f.backend.Guest(e.vmid)
	if !ok || !guest.Running {
		return
	}
	config := &ssh.ServerConfig{NoClientAuth: true, PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	for _, key := range guest.HostKeys {
		config.AddHostKey(key)
	}
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go f.exec(ctx, channel, requests)
	}
}

// exec answers a command as the model does.
func (f *fakes) exec(ctx context.Context, channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for req := range requests {
		var command struct{ Text string }
		if req.Type != "exec" || ssh.Unmarshal(req.Payload, &command) != nil {
			_ = req.Reply(false, nil)
			continue
		}
		_ = req.Reply(true, nil)
		input, err := io.ReadAll(channel)
		if err != nil {
			return
		}
		answer, err := f.answer(ctx, command.Text, string(input))
		status := struct{ Status uint32 }{}
		if err != nil {
			fmt.Fprintln(channel.Stderr(), err)
			status.Status = 1
		}
		_, _ = io.WriteString(channel, answer)
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}

// answer asks the model once for each question.
func (f *fakes) answer(ctx context.Context, command, input string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	question := command + "\x00" + input
	if known, ok := f.answers[question]; ok {
		return known, nil
	}
	s, err := call{args: append(f.ssh(f.model), command), stdin: input}.do(ctx)
	if err == nil {
		f.answers[question] = s.stdout
	}
	return s.stdout, err
}
