package stack

import (
	"testing"
)

func TestNearest(t *testing.T) {
	keys := []string{"name", "vmid", "ip", "gateway", "ip6", "gateway6", "branch", "env_vars", "memory", "cpulimit", "start", "startup"}
	tests := []struct{ typed, want string }{
		{"memroy", "memory"},     // neighbours swapped
		{"memry", "memory"},      // one missing
		{"memmory", "memory"},    // one too many
		{"mamory", "memory"},     // one wrong
		{"gatway", "gateway"},    // not gateway6
		{"envVars", "env_vars"},  // another style
		{"ENV-VARS", "env_vars"}, // and another
		{"cpu_limit", "cpulimit"},
		{"starts", "start"},
		{"strtup", "startup"},
		{"colour", ""},
		{"x", ""},
		{"", ""},
		{"projekt-übersicht", ""},
	}
	for _, test := range tests {
		if got := nearest(test.typed, keys); got != test.want {
			t.Errorf("nearest(%q) = %q, want %q", test.typed, got, test.want)
		}
	}
}

func TestSecretName(t *testing.T) {
	for _, name := range []string{
		"password", "SMTP_PASSWORD", "DB_PASS", "apiToken", "API_TOKEN", "key", "API_KEY", "STRIPE_SECRET_KEY",
		"client-secret", "passphrase", "GITHUB_PAT", "AWS_CREDENTIALS", "app.secret",
	} {
		if !secretName(name) {
			t.Errorf("%s is no secret", name)
		}
	}
	for _, name := range []string{
		"", "LOG_LEVEL", "host_key", "PUBLIC_KEY", "STRIPE_PUBLISHABLE_KEY", "KEY_ID", "TOKEN_TTL", "PASSWORD_FILE",
		"monkey", "bypass", "COMPASS", "keep", "tokens_per_minute", "authorized_keys",
	} {
		if secretName(name) {
			t.Errorf("%s is a secret", name)
		}
	}
}

func TestTokenWidth(t *testing.T) {
	tests := []struct {
		rest, value string
		want        int
	}{
		{"2GB, swap: 1", "2GB", 3},
		{`"a b" # c`, "a b", 5},
		{`"a\"b": 1`, `a"b`, 6},
		{"'it''s' x", "it's", 7},
		{"'open", "open", 5},
		{"*alias, x", "", 6},
		{"&a 5", "5", 4},
		{"!!str 5", "5", 7},
		{"- x", "", 1},
		{"-5m", "-5m", 3},
		{"{a: 1}", "", 1},
		{"|", "text\n", 1},
		{"guest:", "", 5},
		{"several words # comment", "several words over lines", 13},
		{"Größe", "Größe", 5},
		{"", "", 1},
	}
	for _, test := range tests {
		if got := tokenWidth(test.rest, test.value); got != test.want {
			t.Errorf("tokenWidth(%q, %q) = %d, want %d", test.rest, test.value, got, test.want)
		}
	}
}

// TestPresetsFit holds that each built-in default is at a key that exists
// and satisfies its checks: an environment of defaults alone has no problem.
func TestPresetsFit(t *testing.T) {
	s, list := Load("appstack.yaml", []byte(`
proxmox: {url: https://10.86.0.2:8006, token: "${secret.token}"}
ssh: {jump: {to: admin@10.86.0.9, host_key: "${secret.host_key}"}}
projects:
  shop:
    envs:
      lxc:
        vmid: 101
        ip: 10.86.1.11/24
        guest: {mounts: {mp0: {path: /srv/data, size: 1}}}
        base: {firewall: [443]}
        app:
          runtime: node
          node_source: {url: https://deb.example.org/node_22.x, signed_by: deploy/node.asc}
          services: {backend: {}, frontend: {health: /}}
          postgres: {password: "${secret.db}", backup: {}}
          cron: [{name: x, schedule: "@daily", run: x}]
          smtp: {host: mail.example.org, from: shop@example.org}
      kvm: {vmid: 102, ip: 10.86.1.12/24, guest: {type: kvm, clone: 9000}}
`))
	if len(list) > 0 {
		t.Fatalf("problems:\n%s", render(t, list))
	}
	app := s.Envs[1].App
	if app.Services["backend"].Port != 3001 || app.Services["frontend"].Port != 3000 {
		t.Errorf("ports of backend and frontend are %d and %d, want 3001 and 3000",
			app.Services["backend"].Port, app.Services["frontend"].Port)
	}
	if app.Dir != "/srv/app" || app.EnvFile != "/srv/app/.env.lxc" || s.Envs[1].Base.User != "appuser" {
		t.Errorf("dir, env file and user are %q, %q and %q", app.Dir, app.EnvFile, s.Envs[1].Base.User)
	}
	if g := app.Postgres; g.Database != "shop" || g.User != "shop" || g.Owner != "shop" {
		t.Errorf("database, user and owner are %q, %q and %q, want shop", g.Database, g.User, g.Owner)
	}
	if g := s.Envs[0].Guest; g.CIUser != "root" || g.Template != "" || g.Balloon != g.Memory {
		t.Errorf("the kvm guest has ciuser %q, template %q, balloon %d", g.CIUser, g.Template, g.Balloon)
	}
}
