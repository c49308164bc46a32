// Package stage is a repository on a lab that is deployed the way a team's is: a stack
// file and encrypted secrets beside an app, a branch that is pushed to, a pull request,
// and the runner that a push sets to work. pvelab demo and the tests of the action play
// on it.
package stage

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"go.yaml.in/yaml/v4"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/githubapi"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/runner"
)

// Options say what is on the stage.
type Options struct {
	Lab        *lab.Lab
	Runner     *runner.Runner
	Repository string        // owner/name; default org/shop
	Dir        string        // an empty directory: the developer's clone
	App        gitrepo.Files // the repository's files beside the stack file
	Project    string        // YAML of the project but its environments, indented by four
	Secrets    map[string]string
	// Payload gives a real payload of an event to build on; nil: only what identifies
	// the event is in it.
	Payload func(event string) []byte
	// Environment is the `environment:` of the workflow's job.
	Environment string
}

// Stage is a repository, its pull request and its runner.
type Stage struct {
	Options
	Identity string // the age identity, which GitHub keeps as the secret APPSTACK_AGE_KEY
	VMID     int
	Addr     netip.Prefix
	Name     string // of the guest
	Pull     int    // number of the pull request from dev to main
	Hidden   []string
}

// Actor is who pushes.
const Actor = "octocat"

// New sets the stage: main has the app, dev has the stack file too, and a pull
// request is open from dev to main.
func New(ctx context.Context, o Options) (*Stage, error) {
	if o.Repository == "" {
		o.Repository = "org/shop"
	}
	s := &Stage{Options: o}
	if err := s.Lab.AddRepository(s.Repository); err != nil {
		return nil, err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	s.Identity = identity.String()
	if s.VMID, s.Addr, err = s.Lab.Allocate(); err != nil {
		return nil, err
	}
	s.Name = fmt.Sprintf("shop-dev-%d", s.VMID)
	files, err := s.files(identity.Recipient())
	if err != nil {
		return nil, err
	}
	return s, s.open(ctx, files)
}

// open makes both branches and the pull request.
func (s *Stage) open(ctx context.Context, stack gitrepo.Files) error {
	clone := "http://lab:" + s.Lab.Info.GitHubToken + "@" + strings.TrimPrefix(s.Lab.Info.GitHub, "http://") + "/" + s.Repository + ".git"
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"config", "user.name", Actor}, {"config", "user.email", Actor + "@lab.invalid"},
		{"config", "commit.gpgsign", "false"}, {"remote", "add", "origin", clone},
	} {
		if _, err := s.git(ctx, args...); err != nil {
			return err
		}
	}
	readme := gitrepo.Files{"README.md": []byte("# shop\n")}
	if _, err := s.Commit(ctx, readme, "a shop"); err != nil {
		return err
	}
	if _, err := s.git(ctx, "push", "--quiet", "origin", "main"); err != nil {
		return err
	}
	if _, err := s.git(ctx, "switch", "--quiet", "--create", "dev"); err != nil {
		return err
	}
	if _, err := s.Commit(ctx, s.App, "sell things"); err != nil {
		return err
	}
	if _, err := s.Push(ctx, stack, "deploy with appstack"); err != nil {
		return err
	}
	var err error
	s.Pull, err = s.Lab.GitHub.OpenPull(s.Repository, githubapi.Pull{
		Title: "Sell things", Body: "The shop's first version.", Author: Actor, Head: "dev", Base: "main",
	})
	return err
}

// files are the stack file and what belongs to it.
func (s *Stage) files(recipient age.Recipient) (gitrepo.Files, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	values := map[string]string{
		"proxmox_url": s.Lab.Info.URL, "proxmox_token": s.Lab.Info.Token, "proxmox_fingerprint": s.Lab.Info.Fingerprint, "ssh_key": key,
	}
	for name, value := range s.Secrets {
		values[name] = value
		s.Hidden = append(s.Hidden, value)
	}
	_, token, _ := strings.Cut(s.Lab.Info.Token, "=")
	s.Hidden = append(s.Hidden, token, strings.Split(key, "\n")[2], s.Identity)
	secrets, err := Seal(recipient, values)
	if err != nil {
		return nil, err
	}
	return gitrepo.Files{"appstack.yaml": []byte(s.Stack(s.Project)), "secrets.yaml.age": secrets}, nil
}

// Stack is the stack file with this text for its project.
func (s *Stage) Stack(project string) string {
	return fmt.Sprintf(`proxmox:
  url: ${secret.proxmox_url}
  token: ${secret.proxmox_token}
  fingerprint: ${secret.proxmox_fingerprint}
  node: pve1

secrets: [secrets.yaml.age]

ssh: {user: root, key: "${secret.ssh_key}"}

projects:
  shop:
%s
    envs:
      dev: {name: %s, vmid: %d, ip: %s, gateway: %s, branch: dev}
`, strings.TrimRight(project, "\n"), s.Name, s.VMID, s.Addr, s.Lab.Gateway())
}

// Seal makes an armored age file of secrets by their names, for a reader.
func Seal(to age.Recipient, values map[string]string) ([]byte, error) {
	text, err := yaml.Marshal(values)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, to)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	err = errors.Join(err, w.Close(), armored.Close()) // before what they wrote is taken
	return out.Bytes(), err
}

// newKey is a private key in OpenSSH's format.
func newKey() (string, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(key, "stage")
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(block)), nil
}

func (s *Stage) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = s.Dir, gitrepo.Env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", args[0], err, bytes.TrimSpace(out))
	}
	return strings.TrimSpace(string(out)), nil
}

// Commit writes files into the clone and commits them to its branch.
func (s *Stage) Commit(ctx context.Context, files gitrepo.Files, message string) (string, error) {
	for name, content := range files {
		path := filepath.Join(s.Dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return "", err
		}
	}
	if _, err := s.git(ctx, "add", "--all"); err != nil {
		return "", err
	}
	if _, err := s.git(ctx, "commit", "--quiet", "--allow-empty", "--message", message); err != nil {
		return "", err
	}
	return s.git(ctx, "rev-parse", "HEAD")
}

// Change replaces text in a file of the clone, which must have it.
func (s *Stage) Change(name, old, new string) (gitrepo.Files, error) {
	text, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(text, []byte(old)) {
		return nil, fmt.Errorf("%s does not contain %q", name, old)
	}
	return gitrepo.Files{name: bytes.Replace(text, []byte(old), []byte(new), 1)}, nil
}
