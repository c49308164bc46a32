package stack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const layered = `defaults:
  guest:
    cores: 2
    tags: [a, b]
  env_vars: {A: default, B: default, C: default}
projects:
  shop:
    guest: {memory: 1024}
    env_vars: {B: project, C: project}
    app:
      runtime: node
      services:
        web: {port: 3000, health: /ready}
    envs:
      dev:
        vmid: 101
        ip: 10.86.1.11/24
        guest: {tags: [c], cores: null}
        env_vars: {C: env, D: env}
        app: {services: {web: {health: {timeout: 5s}}}}
`

// TestOrigins is the whole of what `appstack resolve` shows: layers merged
// key by key, lists replaced, null giving the built-in default its place.
func TestOrigins(t *testing.T) {
	s := loadText(t, layered)
	var b strings.Builder
	for _, o := range s.Envs[0].Origins() {
		if !strings.HasPrefix(o.Path, "base.sshd") {
			fmt.Fprintf(&b, "%s = %s (%s)\n", o.Path, o.Value, o)
		}
	}
	want := `name = shop-dev (default)
vmid = 101 (appstack.yaml:16)
ip = 10.86.1.11/24 (appstack.yaml:17)
protected = false (default)
restart = auto (default)
env_vars.A = default (appstack.yaml:5)
env_vars.B = project (appstack.yaml:9)
env_vars.C = env (appstack.yaml:19)
env_vars.D = env (appstack.yaml:19)
guest.type = lxc (default)
guest.node = auto (default)
guest.template = debian-12-standard (default)
guest.cores = 1 (default)
guest.memory = 1024 (appstack.yaml:8)
guest.swap = 512 (default)
guest.storage = local-lvm (default)
guest.disk = 8 (default)
guest.bridge = vmbr0 (default)
guest.firewall = true (default)
guest.start = true (default)
guest.onboot = true (default)
guest.protection = false (default)
guest.tags[0] = c (appstack.yaml:18)
guest.unprivileged = true (default)
guest.nesting = true (default)
base.user = appuser (default)
base.ufw = true (default)
base.unattended_upgrades = true (default)
base.journal_size = 200M (default)
app.runtime = node (appstack.yaml:11)
app.dir = /srv/app (default)
app.env_file = /srv/app/.env.dev (default)
app.services.web.dir = . (default)
app.services.web.build = npm ci && npm run build --if-present (default)
app.services.web.start = npm start (default)
app.services.web.port = 3000 (appstack.yaml:13)
app.services.web.public = true (default)
app.services.web.health.path = /ready (appstack.yaml:13)
app.services.web.health.timeout = 5s (appstack.yaml:20)
app.services.web.user = appuser (default)
app.services.web.restart = always (default)
app.keep_releases = 5 (default)
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOriginsHideSecrets(t *testing.T) {
	s := loadText(t, `
projects:
  shop:
    envs:
      dev:
        vmid: 101
        ip: 10.86.1.11/24
        guest: {password: hunter22}
        env_vars: {API_TOKEN: hunter22, OTHER: "${secret.x}"}
`)
	expanded, list := s.Envs[0].Expand(from(map[string]string{"secret.x": "hunter22"}))
	if list.HasErrors() {
		t.Fatal(list)
	}
	got := map[string]string{}
	for _, o := range expanded.Origins() {
		got[o.Path] = o.Value
		if strings.Contains(o.Value, "hunter22") {
			t.Errorf("%s shows a secret", o.Path)
		}
	}
	if got["guest.password"] != "***" || got["env_vars.OTHER"] != "${secret.x}" {
		t.Errorf("password = %q, OTHER = %q", got["guest.password"], got["env_vars.OTHER"])
	}
}

func TestPos(t *testing.T) {
	s := loadText(t, layered)
	env := s.Envs[0]
	tests := []struct{ path, want string }{
		{"guest.memory", "appstack.yaml:8:21"},
		{"guest.tags[0]", "appstack.yaml:18:24"},
		{"app.services.web.health.path", "appstack.yaml:13:35"},
		{"app.services.web.health.timeout", "appstack.yaml:20:50"},
		{"app.services.web.start", "appstack.yaml:20:26"}, // a default: the service
		{"base.user", "appstack.yaml:15:7"},               // nothing of base is in the file: the environment
		{"no.such.thing", "appstack.yaml:15:7"},
	}
	for _, test := range tests {
		if got := env.Pos(test.path).String(); got != test.want {
			t.Errorf("Pos(%q) = %s, want %s", test.path, got, test.want)
		}
	}
}

func TestMerge(t *testing.T) {
	tests := []struct{ name, base, over, want string }{
		{"nothing", `{}`, `{}`, `{}`},
		{"new key", `{a: 1}`, `{b: 2}`, `{a: 1, b: 2}`},
		{"replaced", `{a: 1, b: 1}`, `{a: 2}`, `{a: 2, b: 1}`},
		{"deep", `{a: {b: 1, c: 1}}`, `{a: {c: 2, d: 2}}`, `{a: {b: 1, c: 2, d: 2}}`},
		{"list replaced", `{a: [1, 2]}`, `{a: [3]}`, `{a: [3]}`},
		{"list for mapping", `{a: {b: 1}}`, `{a: [3]}`, `{a: [3]}`},
		{"mapping for text", `{a: x}`, `{a: {b: 1}}`, `{a: {b: 1}}`},
		{"null removes", `{a: 1, b: {c: 1, d: 1}}`, `{a: null, b: {c: ~}}`, `{b: {d: 1}}`},
		{"null of nothing", `{}`, `{a: null, b: {c: null}}`, `{b: {}}`},
		{"null in a list stays", `{}`, `{a: [null]}`, `{a: [null]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base, over, want := tree(t, test.base), tree(t, test.over), tree(t, test.want)
			if diff := cmp.Diff(plain(want), plain(merge(base, over))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(plain(tree(t, test.base)), plain(base)); diff != "" {
				t.Errorf("merge changed its base (-want +got):\n%s", diff)
			}
		})
	}
}

func tree(t *testing.T, src string) *node {
	t.Helper()
	root, list := parse(newFile("test.yaml", []byte(src)), []byte(src))
	if list.HasErrors() {
		t.Fatal(list)
	}
	return root
}
