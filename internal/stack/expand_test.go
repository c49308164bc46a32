package stack

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// loadText loads a stack that must have no errors.
func loadText(t *testing.T, src string) *Stack {
	t.Helper()
	s, list := Load("appstack.yaml", []byte(src))
	if list.HasErrors() {
		t.Fatalf("has errors:\n%s", render(t, list))
	}
	return s
}

// from returns a lookup in a map.
func from(values map[string]string) Lookup {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

const referencing = `
proxmox:
  url: ${secret.url}
  token: ${secret.token}
ssh: {key: "${secret.key}"}
defaults:
  branch: ${env}
  env_vars:
    ADDRESS: ${ip}
    RELEASE: ${project}@${branch}-${sha}
    PASSWORD: ${ secret.shop.password }
    LITERAL: $${HOME} $HOME $$ $
projects:
  shop:
    envs:
      dev: {vmid: 101, ip: 10.86.1.11/24}
      qa: {vmid: 102, ip: "${secret.qa_ip}/24", gateway: 10.86.1.1, url: "http://${ip}/"}
`

func TestOwnNamesAreKnownAtOnce(t *testing.T) {
	s := loadText(t, referencing)
	want := map[string]string{
		"ADDRESS":  "10.86.1.11",
		"RELEASE":  "shop@dev-${sha}",
		"PASSWORD": "${ secret.shop.password }",
		"LITERAL":  "$${HOME} $HOME $$ $",
	}
	if diff := cmp.Diff(want, s.Envs[0].EnvVars); diff != "" {
		t.Errorf("env_vars (-want +got):\n%s", diff)
	}
	if got := s.Envs[0].Branch; got != "dev" {
		t.Errorf("branch = %q, want dev", got)
	}
	if got := s.Envs[0].Hostname; got != "shop-dev" {
		t.Errorf("name = %q, want shop-dev", got)
	}
}

func TestExpandEnv(t *testing.T) {
	s := loadText(t, referencing)
	lookup := from(map[string]string{"sha": "c0ffee", "secret.shop.password": "${sha}$${x}", "secret.qa_ip": "10.86.1.12"})
	qa, list := s.Envs[1].Expand(lookup)
	if len(list) > 0 {
		t.Fatalf("problems:\n%s", render(t, list))
	}
	want := map[string]string{
		"ADDRESS": "10.86.1.12",
		"RELEASE": "shop@qa-c0ffee",
		// What a secret holds is never read as a reference or an escape.
		"PASSWORD": "${sha}$${x}",
		"LITERAL":  "${HOME} $HOME $$ $",
	}
	if diff := cmp.Diff(want, qa.EnvVars); diff != "" {
		t.Errorf("env_vars (-want +got):\n%s", diff)
	}
	if qa.URL != "http://10.86.1.12/" || qa.IP != "10.86.1.12/24" {
		t.Errorf("url = %q, ip = %q", qa.URL, qa.IP)
	}
	if s.Envs[1].IP != "${secret.qa_ip}/24" {
		t.Errorf("Expand changed the original: ip = %q", s.Envs[1].IP)
	}
}

func TestExpandStack(t *testing.T) {
	s := loadText(t, referencing)
	const key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n"
	got, list := s.Expand(from(map[string]string{
		"secret.url":   "https://10.86.0.2:8006",
		"secret.token": "appstack@pve!ci=12345678-1234-1234-1234-123456789abc",
		"secret.key":   key,
	}))
	if len(list) > 0 {
		t.Fatalf("problems:\n%s", render(t, list))
	}
	if got.Proxmox.URL != "https://10.86.0.2:8006" || got.SSH.Key != key {
		t.Errorf("proxmox.url = %q, ssh.key = %q", got.Proxmox.URL, got.SSH.Key)
	}
}

func TestExpandUnknownName(t *testing.T) {
	s := loadText(t, referencing)
	_, list := s.Envs[0].Expand(from(map[string]string{"sha": "c0ffee"}), "secret.shop.passwort", "secret.qa_ip")
	want := `appstack.yaml:11:15: error: none of the secrets files opened here has ` + "`${secret.shop.password}`" + `
   |
11 |     PASSWORD: ${ secret.shop.password }
   |               ^^^^^^^^^^^^^^^^^^^^^^^^^
   = help: did you mean ` + "`${secret.shop.passwort}`" + `?
`
	if diff := cmp.Diff(want, render(t, list)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestExpandNeverTellsSecrets puts secrets that don't fit into every place
// that is checked; none of the messages may repeat a part of them.
func TestExpandNeverTellsSecrets(t *testing.T) {
	const canary = "Canary!Value"
	s := loadText(t, `
proxmox: {url: "${secret.x}", token: "${secret.x}", fingerprint: "${secret.x}", node: "${secret.x}", pool: "${secret.x}"}
ssh: {key: "${secret.x}", user: "${secret.x}", jump: {to: "${secret.x}", host_key: "${secret.x}"}}
projects:
  shop:
    app:
      runtime: node
      version: ${secret.x}
      node_source: {url: "${secret.x}", signed_by: "${secret.x}"}
      source: {git: "${secret.x}", host_key: "${secret.x}"}
      dir: ${secret.x}
      packages: ["${secret.x}"]
      services:
        web: {dir: "../${secret.x}", user: "${secret.x}", health: {path: "${secret.x}"}, port: 80, after: ["${secret.x}"]}
      postgres: {database: "${secret.x}", password: "${secret.x}", backup: {schedule: "${secret.x}", dir: "${secret.x}"}}
      cron: [{name: "${secret.x}", schedule: "${secret.x}", run: x, notify: "${secret.x}"}]
      smtp: {host: "${secret.x}", from: "${secret.x}"}
    base:
      user: ${secret.x}
      authorized_keys: ["${secret.x}"]
      packages: ["${secret.x}", "${secret.x}"]
      firewall: [{port: "${secret.x}", from: "${secret.x}"}]
      ssh_from: ${secret.x}
      locale: ${secret.x}
    guest:
      type: ${secret.x}
      storage: ${secret.x}
      nameserver: ${secret.x}
      mac: ${secret.x}
      mounts: {mp0: {path: "${secret.x}", size: 1}}
      tags: ["${secret.x}"]
    envs:
      dev: {vmid: 101, ip: "${secret.x}", gateway: "${secret.x}", name: "${secret.x}", branch: "${secret.x} ", url: "${secret.x}", ssh_fingerprint: "${secret.x}"}
`)
	lookup := from(map[string]string{"secret.x": canary})
	_, envList := s.Envs[0].Expand(lookup)
	_, topList := s.Expand(lookup)
	if len(envList) < 25 || len(topList) < 8 {
		t.Errorf("%d and %d problems; the secrets should fit nowhere:\n%s", len(envList), len(topList), render(t, envList))
	}
	for _, d := range append(envList, topList...) {
		if strings.Contains(strings.ToLower(d.Message()), "canary") || strings.Contains(d.Source, canary) {
			t.Errorf("%s tells the secret: %s", d.Pos, d.Message())
		}
	}
}

func TestDuplicatesOfSecrets(t *testing.T) {
	s := loadText(t, `
projects:
  shop:
    envs:
      dev: {vmid: 101, ip: 10.86.1.11/24}
      qa: {vmid: 102, ip: "${secret.ip}"}
`)
	qa, list := s.Envs[1].Expand(from(map[string]string{"secret.ip": "10.86.1.11/16"}))
	if list.HasErrors() {
		t.Fatal(list)
	}
	want := "appstack.yaml:6:27: error: address of a secret is used by shop/dev and by shop/qa"
	if got := Duplicates([]*Env{s.Envs[0], qa}).Error(); got != want {
		t.Errorf("Duplicates = %q, want %q", got, want)
	}
	if list := Duplicates(s.Envs); len(list) > 0 {
		t.Errorf("before the secrets came in: %v", list)
	}
}

func TestReferences(t *testing.T) {
	s := loadText(t, referencing)
	var got []string
	for _, ref := range s.References() {
		got = append(got, ref.Pos.String()+" "+ref.Name)
	}
	want := []string{
		"appstack.yaml:3:8 url", "appstack.yaml:4:10 token", "appstack.yaml:5:12 key",
		"appstack.yaml:11:15 shop.password", "appstack.yaml:17:27 qa_ip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("references of the stack (-want +got):\n%s", diff)
	}
	got = nil
	for _, ref := range s.Envs[0].References() {
		got = append(got, ref.Name)
	}
	if diff := cmp.Diff([]string{"shop.password"}, got); diff != "" {
		t.Errorf("references of shop/dev (-want +got):\n%s", diff)
	}
}

func TestSplitText(t *testing.T) {
	tests := []struct {
		text  string
		names []string
	}{
		{"", nil},
		{"plain", nil},
		{"${a}", []string{"a"}},
		{"x${a}y${b.c}z", []string{"a", "b.c"}},
		{"${ a }", []string{"a"}},
		{"$${a}", nil},
		{"$$${a}", nil},
		{"$a ${", nil},
		{"${a", nil},
		{"$", nil},
		{"$${a}${b}", []string{"b"}},
	}
	for _, test := range tests {
		var names []string
		var joined strings.Builder
		for _, part := range splitText(test.text) {
			joined.WriteString(part.raw)
			if part.name != "" {
				names = append(names, part.name)
			}
		}
		if diff := cmp.Diff(test.names, names); diff != "" {
			t.Errorf("names of %q (-want +got):\n%s", test.text, diff)
		}
		if joined.String() != test.text {
			t.Errorf("the parts of %q make %q", test.text, joined.String())
		}
	}
}

// TestSecretsThatDoNotFit shows that each of these is told what is wrong with it and
// which secret to change, and nothing of its value.
func TestSecretsThatDoNotFit(t *testing.T) {
	const id = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
	s := loadText(t, `
proxmox: {url: "${secret.url}", token: "${secret.token}", fingerprint: "${secret.print}"}
projects: {shop: {envs: {dev: {vmid: 101, ip: 10.86.1.11/24}}}}
`)
	good := map[string]string{"secret.url": "https://pve1.lan:8006", "secret.token": "ci@pve!ci=" + id, "secret.print": strings.Repeat("ab", 32)}
	tests := []struct{ name, value, want string }{
		{"url", "http://pve1.lan", "put the right value in with `appstack secrets set url`"},
		{"url", "https://pve1.lan:8006 ", "it begins or ends with white space\nput the right"},
		{"token", "PVEAPIToken=ci@pve!ci=" + id, "leave `PVEAPIToken=` out\nput the right value in with `appstack secrets set token`"},
		{"token", id, "the token's ID is missing: user@realm!id=uuid\n"},
		{"token", "ci@pve!ci " + id, "the token's secret is missing: user@realm!id=uuid\n"},
		{"print", "sha256 Fingerprint=" + strings.Repeat("AB:", 31) + "CD", "leave out everything up to the =\n"},
		{"print", strings.Repeat("AB:", 19) + "CD", "this is a SHA-1 fingerprint"},
	}
	for _, test := range tests {
		values := maps.Clone(good)
		values["secret."+test.name] = test.value
		_, list := s.Expand(from(values))
		if len(list) != 1 || !strings.Contains(list[0].Hint, test.want) {
			t.Errorf("%s %q: want the hint %q:\n%s", test.name, test.value, test.want, render(t, list))
		}
		if text := render(t, list); strings.Contains(text, id) || strings.Contains(text, "http://pve1") {
			t.Errorf("%s: tells the value:\n%s", test.name, text)
		}
	}
}

func TestSecretWithoutValue(t *testing.T) {
	s := loadText(t, referencing)
	_, list := s.Envs[0].Expand(from(map[string]string{"sha": "c0ffee"}))
	if want := "`appstack secrets set shop.password` gives it a value"; len(list) != 1 || list[0].Hint != want {
		t.Errorf("want the hint %q:\n%s", want, render(t, list))
	}
}
