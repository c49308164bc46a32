package stack_test

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/stack"
)

// load reads a file of testdata/stacks that must have no errors.
func load(t *testing.T, name string) *stack.Stack {
	t.Helper()
	src, err := os.ReadFile("../../testdata/stacks/" + name)
	if err != nil {
		t.Fatal(err)
	}
	s, problems := stack.Load(name, src)
	if problems.HasErrors() {
		t.Fatalf("%s has errors:\n%v", name, problems)
	}
	return s
}

// find returns the environment that people call name.
func find(t *testing.T, s *stack.Stack, name string) *stack.Env {
	t.Helper()
	for _, e := range s.Envs {
		if e.String() == name {
			return e
		}
	}
	t.Fatalf("there is no environment %s", name)
	return nil
}

func TestLoadDesignExample(t *testing.T) {
	s := load(t, "ok/design.yaml")

	var names []string
	for _, e := range s.Envs {
		names = append(names, e.String())
	}
	if diff := cmp.Diff([]string{"pote/prod", "shop/dev", "shop/prod", "shop/qa"}, names); diff != "" {
		t.Errorf("environments (-want +got):\n%s", diff)
	}

	wantProxmox := stack.Proxmox{
		URL:         "${secret.proxmox_url}",
		Token:       "${secret.proxmox_token}",
		Fingerprint: "${secret.proxmox_fingerprint}",
		Node:        "pve1",
		Pool:        "appstack",
	}
	if diff := cmp.Diff(wantProxmox, s.Proxmox); diff != "" {
		t.Errorf("proxmox (-want +got):\n%s", diff)
	}
	wantSecrets := []stack.SecretFile{
		{File: "secrets/common.yaml.age"},
		{File: "secrets/prod.yaml.age", Envs: stack.OneOrMore{"prod"}},
	}
	if diff := cmp.Diff(wantSecrets, s.Secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	wantSSH := stack.SSH{
		User: "root",
		Key:  "${secret.ssh_key}",
		Port: 22,
		Jump: &stack.Jump{To: "admin@bastion.lan", Key: "${secret.ssh_key}", HostKey: "ssh-ed25519 AAAA…"},
	}
	if diff := cmp.Diff(wantSSH, s.SSH); diff != "" {
		t.Errorf("ssh (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(designPote(), find(t, s, "pote/prod").Settings); diff != "" {
		t.Errorf("pote/prod (-want +got):\n%s", diff)
	}
	shop := find(t, s, "shop/dev")
	if got := shop.App.EnvFile; got != "/srv/app/.env.dev" {
		t.Errorf("env file of shop/dev = %q", got)
	}
	wantBackend := stack.Service{
		Dir: "backend", Build: "npm ci", Migrate: "npm run migrate", Start: "npm start",
		Port: 3001, Public: true, Health: &stack.Health{Path: "/healthz", Timeout: time.Minute},
		User: "appuser", Restart: "always",
	}
	if diff := cmp.Diff(wantBackend, shop.App.Services["backend"]); diff != "" {
		t.Errorf("backend of shop/dev (-want +got):\n%s", diff)
	}
	if prod := find(t, s, "shop/prod"); !prod.Protected || !prod.Guest.Protection {
		t.Error("shop/prod is not protected")
	}
}

// designPote is what design.yaml and the built-in defaults say of pote/prod.
func designPote() stack.Settings {
	return stack.Settings{
		Hostname: "pote", VMID: 110, IP: "10.0.10.110/24", Gateway: "10.0.10.1",
		Branch: "main", Restart: "auto",
		EnvVars: map[string]string{"SMTP_HOST": "mail.lan", "SMTP_PASSWORD": "${secret.pote_smtp_password}"},
		Guest: stack.Guest{
			Type: "lxc", Node: "pve1", Pool: "appstack", Template: "debian-12-standard",
			Cores: 2, Memory: 2048, Swap: 512, Storage: "local-lvm", Disk: 16, Bridge: "vmbr0",
			Firewall: true, Start: true, Onboot: true, Unprivileged: true, Nesting: true,
		},
		Base: stack.Base{
			User:           "appuser",
			AuthorizedKeys: []string{"ssh-ed25519 AAAA… ops"},
			Packages:       []string{"git", "curl", "ufw"},
			UFW:            true,
			SSHD: stack.SSHD{
				PermitRootLogin:    "prohibit-password",
				AllowTCPForwarding: true,
				MaxAuthTries:       6,
			},
			UnattendedUpgrades: true,
			JournalSize:        "200M",
		},
		App: stack.App{
			Runtime: "python",
			Source:  stack.Source{Git: "git@git.lan:org/pote.git", Key: "${secret.pote_git_key}"},
			Dir:     "/srv/app", EnvFile: "/srv/app/.env.prod", KeepReleases: 5,
			Services: map[string]stack.Service{"web": {
				Dir: ".", Start: ".venv/bin/python -m pote.web", Port: 8000, Public: true,
				Health: &stack.Health{Path: "/", Timeout: time.Minute}, User: "appuser", Restart: "always",
			}},
			Postgres: &stack.Postgres{
				Database: "pote", User: "pote", Password: "${secret.pote_db_password}",
				Owner: "pote", Encoding: "UTF8",
			},
			Cron: []stack.Cron{{
				Name: "fetch", Schedule: "*/15 * * * *", Run: ".venv/bin/python -m pote.fetch",
				User: "appuser", Timeout: time.Hour,
			}},
		},
	}
}
