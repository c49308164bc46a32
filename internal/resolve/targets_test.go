package resolve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/ssh/sshtest"
	"github.com/org/appstack-action/internal/stack"
)

// newKeyText is a new private key.
func newKeyText(t *testing.T) string {
	key, _ := sshtest.Key(t, "ed25519")
	return key
}

// What two environments want both is found also where secrets say it, in whichever
// project, and whichever of them the run is about.
func TestDuplicatesAmongAll(t *testing.T) {
	const head = `
proxmox: {url: "https://pve1.lan:8006", token: "${secret.token}", node: pve1}
ssh: {user: root, key: "${secret.key}"}
projects:
  shop:
    app: {source: {upload: .}}
    envs:
      dev: {name: shop-dev, vmid: 101, ip: 10.0.10.101/24, gateway: 10.0.10.1, branch: dev}
  pote:
    app: {source: {upload: .}}
    envs:
      prod: `
	known := map[string]string{"token": "ci@pve!app=11111111-2222-3333-4444-555555555555", "key": newKeyText(t), "ip": "10.0.10.101/16", "name": "SHOP-dev", "mine": "10.0.10.110/24"}
	tests := []struct {
		name, prod, want string
	}{
		{"address", `{name: pote, vmid: 110, ip: "${secret.ip}", gateway: 10.0.0.1, branch: main}`, "address of a secret is used by shop/dev and by pote/prod"},
		{"name", `{name: "${secret.name}", vmid: 110, ip: 10.0.10.110/24, gateway: 10.0.10.1, branch: main}`, "name of a secret is used by shop/dev and by pote/prod"},
		{"an address of its own", `{name: pote, vmid: 110, ip: "${secret.mine}", gateway: 10.0.10.1, branch: main}`, ""},
		{"a secret that is not open", `{name: pote, vmid: 110, ip: "${secret.closed}", gateway: 10.0.10.1, branch: main}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st, list := stack.Load("appstack.yaml", []byte(head+tt.prod+"\n"))
			if list.HasErrors() {
				t.Fatal(list)
			}
			dev := slices.DeleteFunc(slices.Clone(st.Envs), func(e *stack.Env) bool { return e.Name != "dev" })
			_, list = Targets(st, dev, Context{
				Secret:   func(name string) (secret.Value, bool) { v, ok := known[name]; return secret.New(v), ok },
				IsSecret: func(string) bool { return false },
			})
			if got := list.Error(); tt.want == "" && list.HasErrors() || !strings.Contains(got, tt.want) {
				t.Errorf("problems: %s, want %q", got, tt.want)
			}
		})
	}
}

// The firewall opens the port that guests are reached at: without it the lock-out guard
// would take every change of it back.
func TestFirewallOpensSSHPort(t *testing.T) {
	const src = `
proxmox: {url: "https://pve1.lan:8006", token: "${secret.token}", node: pve1}
ssh: {user: root, key: "${secret.key}"%s}
defaults: {base: {ssh_from: 10.0.0.0/8}}
projects: {shop: {envs: {dev: {vmid: 101, ip: 10.0.10.101/24, gateway: 10.0.10.1, branch: dev}}}}
`
	known := map[string]string{"token": "ci@pve!app=11111111-2222-3333-4444-555555555555", "key": newKeyText(t)}
	for port, want := range map[string]string{"": "22", ", port: 2222": "2222"} {
		st, list := stack.Load("appstack.yaml", fmt.Appendf(nil, src, port))
		if list.HasErrors() {
			t.Fatal(list)
		}
		targets, list := Targets(st, st.Envs, Context{
			Secret: func(name string) (secret.Value, bool) { v, ok := known[name]; return secret.New(v), ok },
		})
		if list.HasErrors() {
			t.Fatal(list)
		}
		rules := []machine.Rule{{Port: want, Protocol: "tcp", From: "10.0.0.0/8", Ours: true}}
		if diff := cmp.Diff(rules, targets[0].Want.OS.Firewall.Rules); diff != "" {
			t.Errorf("ssh.port %q (-want +got):\n%s", port, diff)
		}
	}
}

// A schedule is about the default branch: its commit is not for the environments of other
// branches, which have the newest of their own.
func TestCommitOfTheOwnBranch(t *testing.T) {
	const src = `
proxmox: {url: "https://pve1.lan:8006", token: "${secret.token}", node: pve1}
ssh: {user: root, key: "${secret.key}"}
projects:
  shop:
    env_vars: {VERSION: "${sha}"}
    app: {services: {web: {start: ./web}}}
    envs:
      dev: {vmid: 101, ip: 10.0.10.101/24, gateway: 10.0.10.1, branch: dev}
      old: {vmid: 102, ip: 10.0.10.102/24, gateway: 10.0.10.1, branch: gone}
      prod: {vmid: 103, ip: 10.0.10.103/24, gateway: 10.0.10.1, branch: main}
`
	known := map[string]string{"token": "ci@pve!app=11111111-2222-3333-4444-555555555555", "key": newKeyText(t)}
	st, list := stack.Load("appstack.yaml", []byte(src))
	if list.HasErrors() {
		t.Fatal(list)
	}
	for _, name := range []string{"issue_comment", "workflow_run", "repository_dispatch"} {
		sel, err := Select(st, event.Event{Name: name, Branch: "main", SHA: "m"}, Request{Command: "apply", Env: "dev"})
		if err != nil || sel.Branch != "main" {
			t.Errorf("a %s of the default branch is for environments of %q: %v", name, sel.Branch, err)
		}
	}
	if sel, err := Select(st, event.Event{Name: "deployment", Branch: "main", SHA: "m"}, Request{Command: "apply", Env: "dev"}); err != nil || sel.Branch != "" {
		t.Errorf("a deployment's commit is for environments of %q: %v", sel.Branch, err)
	}
	sel, err := Select(st, event.Event{Name: "schedule", Branch: "main", SHA: "m"}, Request{})
	if err != nil {
		t.Fatal(err)
	}
	targets, list := Targets(st, sel.Envs, Context{
		SHA: sel.SHA, Branch: sel.Branch, CloneURL: "https://github.com/org/shop.git",
		Secret: func(name string) (secret.Value, bool) { v, ok := known[name]; return secret.New(v), ok },
		Commit: func(_ stack.Source, ref string) (string, error) {
			if ref == "dev" {
				return "d", nil
			}
			return "", errors.New("no branch " + ref)
		},
	})
	got := map[string]string{}
	for _, target := range targets {
		got[target.Env] = target.SHA + target.Spec.EnvVars["VERSION"] + target.Want.OS.Release.SHA
	}
	if diff := cmp.Diff(map[string]string{"dev": "ddd", "old": "", "prod": "mmm"}, got); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
	if list.HasErrors() || !strings.Contains(list.Error(), "no branch gone") {
		t.Errorf("problems: %v", list)
	}
}
