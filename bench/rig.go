package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/bench/results"
	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/runner/stage"
	apps "github.com/org/appstack-action/internal/lab/sample"
	"github.com/org/appstack-action/internal/lab/template"
)

// rig is a lab with the sample apps on its git server, and a repository with a stack
// file for it.
type rig struct {
	*bench
	lab   *lab.Lab
	place byte   // of the lab on this machine
	dir   string // of the stack file
	envs  []env
	key   string // file with the private key that logs in to guests
	pub   string // its public half

	deployKey, knownHost string
	secrets              map[string]string
	identity             *age.X25519Identity
	guests               map[string]string // YAML of guest, base and app by project
	greeting             string            // that Ansible wrote last
	spent                [][]results.Stage // by appstack, in the runs of one series
}

// env is an environment, and its guest.
type env struct {
	project, name string
	vmid          int
	addr          netip.Prefix
	vars          string // YAML of env_vars
}

func (e env) ip() string { return e.addr.Addr().String() }

// newRig brings a lab up; close takes it away.
func (b *bench) newRig(ctx context.Context) (*rig, error) {
	r := b.emptyRig()
	if err := r.up(ctx); err != nil {
		return nil, err
	}
	if err := r.fill(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (b *bench) emptyRig() *rig {
	return &rig{bench: b, greeting: "Welcome", secrets: make(map[string]string), guests: make(map[string]string)}
}

// up takes the first place for a lab that no other process has.
func (r *rig) up(ctx context.Context) (err error) {
	for n := byte(1); n < 64; n++ {
		o := labOptions(n)
		o.Fresh = true
		if r.lab, err = lab.Up(ctx, o); !errors.Is(err, lab.ErrBusy) {
			r.place = n
			return err
		}
	}
	return err
}

// labOptions are those of the lab in a place of this machine, 1 to 63.
func labOptions(place byte) lab.Options {
	bridge := fmt.Sprintf("pvelab%d", place)
	return lab.Options{
		Bridge: bridge, Subnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 86, place, 0}), 24),
		Dir: filepath.Join("/var/lib/pvelab", bridge), GuardHost: true, Progress: func(line string) { say("lab: %s", line) },
		Templates: []template.Template{template.Default(), template.Warm()},
	}
}

func (r *rig) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return r.lab.Down(ctx)
}

// fill makes keys, secrets and the repositories.
func (r *rig) fill(ctx context.Context) (err error) {
	if r.dir, err = os.MkdirTemp(r.work, "stack-*"); err != nil {
		return err
	}
	if r.identity, err = age.GenerateX25519Identity(); err != nil {
		return err
	}
	private, public, err := newKey()
	if err != nil {
		return err
	}
	r.key, r.pub = filepath.Join(r.dir, "id"), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	if err := os.WriteFile(r.key, []byte(private), 0o600); err != nil {
		return err
	}
	info := r.lab.Info
	maps.Copy(r.secrets, map[string]string{
		"proxmox_url": info.URL, "proxmox_token": info.Token, "proxmox_fingerprint": info.Fingerprint, "ssh_key": private,
	})
	host, port, _ := strings.Cut(info.GitSSH, ":")
	r.knownHost = "[" + host + "]:" + port + " " + info.GitHostKey
	if r.deployKey, public, err = newKey(); err != nil {
		return err
	}
	r.secrets["deploy_key"] = r.deployKey
	return r.repository(ctx, public)
}

// shopRepo is the sample app's repository.
const shopRepo = "org/shop"

func (r *rig) repository(ctx context.Context, key ssh.PublicKey) error {
	if err := r.lab.AddRepository(shopRepo); err != nil {
		return err
	}
	if err := r.lab.Git.AddDeployKey(shopRepo, key, false); err != nil {
		return err
	}
	files, err := apps.Shop()
	if err != nil {
		return err
	}
	_, err = r.lab.Git.Commit(shopRepo, "main", files, "first")
	return err
}

func (r *rig) source(repo string) string {
	return "ssh://git@" + r.lab.Info.GitSSH + "/" + repo + ".git"
}

// commitShop makes another commit of the shop, and returns it.
func (r *rig) commitShop(text string) (string, error) {
	return r.lab.Git.Commit(shopRepo, "main", gitrepo.Files{"NOTES": []byte(text + "\n")}, text)
}

// newKey returns a private key in OpenSSH's format, and its public half.
func newKey() (string, ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "bench")
	if err != nil {
		return "", nil, err
	}
	half, err := ssh.NewPublicKey(public)
	return string(pem.EncodeToMemory(block)), half, err
}

// newEnv makes an environment of a project, with an address of its own.
func (r *rig) newEnv(project, name string) (env, error) {
	vmid, addr, err := r.lab.Allocate()
	if err != nil {
		return env{}, err
	}
	e := env{project: project, name: name, vmid: vmid, addr: addr}
	r.envs = append(r.envs, e)
	return e, r.write()
}

// set changes the variables of an environment.
func (r *rig) set(e env, vars string) error {
	for i := range r.envs {
		if r.envs[i].vmid == e.vmid {
			r.envs[i].vars = vars
		}
	}
	return r.write()
}

// write writes the stack file and its secrets.
func (r *rig) write() error {
	var b strings.Builder
	b.WriteString(`proxmox: {url: "${secret.proxmox_url}", token: "${secret.proxmox_token}", fingerprint: "${secret.proxmox_fingerprint}", node: pve1}
secrets: [secrets.yaml.age]
ssh: {user: root, key: "${secret.ssh_key}"}
projects:
`)
	for project, body := range r.guests {
		if !slices.ContainsFunc(r.envs, func(e env) bool { return e.project == project }) {
			continue // a project without environments is a mistake
		}
		fmt.Fprintf(&b, "  %s:\n%s\n    envs:\n", project, strings.TrimRight(body, "\n"))
		for _, e := range r.envs {
			if e.project != project {
				continue
			}
			fmt.Fprintf(&b, "      %s: {name: %s-%s, vmid: %d, ip: %s, gateway: %s, branch: %s", e.name, project, e.name, e.vmid, e.addr, r.lab.Gateway(), e.name)
			if e.vars != "" {
				fmt.Fprintf(&b, ", env_vars: {%s}", e.vars)
			}
			b.WriteString("}\n")
		}
	}
	sealed, err := stage.Seal(r.identity.Recipient(), r.secrets)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(r.dir, "appstack.yaml"), []byte(b.String()), 0o644),
		os.WriteFile(filepath.Join(r.dir, "secrets.yaml.age"), sealed, 0o644))
}

// trust notes the host key of a guest for OpenSSH's client.
func (r *rig) trust(ctx context.Context, e env) error {
	out, err := exec.CommandContext(ctx, "ssh-keyscan", "-T", "10", "-t", "ed25519", e.ip()).Output()
	if err != nil || len(out) == 0 {
		return fmt.Errorf("cannot get the host key of %s: %w", e.ip(), err)
	}
	f, err := os.OpenFile(r.knownHosts(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(out)
	return errors.Join(err, f.Close())
}

func (r *rig) knownHosts() string { return filepath.Join(r.dir, "known_hosts") }
