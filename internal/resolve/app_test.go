package resolve

import (
	"maps"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/stack"
)

// TestPublishedHostKeys compares with the fingerprints that the git hosts publish
// beside their keys.
func TestPublishedHostKeys(t *testing.T) {
	for host, want := range map[string]string{
		"github.com":   "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
		"gitlab.com":   "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
		"codeberg.org": "SHA256:mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g",
	} {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(publishedHostKeys[host]))
		if err != nil {
			t.Fatal(err)
		}
		if got := ssh.FingerprintSHA256(key); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

func TestSSHHost(t *testing.T) {
	for address, want := range map[string]string{
		"git@github.com:org/shop.git":       "github.com:",
		"git.lan:org/shop.git":              "git.lan:",
		"ssh://git@git.lan:2222/org/x.git":  "git.lan:2222",
		"ssh://git@git.lan/org/x.git":       "git.lan:",
		"https://github.com/org/shop.git":   ":",
		"http://10.0.0.1:3000/org/shop.git": ":",
		"":                                  ":",
	} {
		if host, port := sshHost(address); host+":"+port != want {
			t.Errorf("%s: %s:%s, want %s", address, host, port, want)
		}
	}
}

// FuzzDatabaseURL reads the URL back as an app would.
func FuzzDatabaseURL(f *testing.F) {
	for _, password := range []string{"simple", "p@ss/w:rd?#% ü", "%41", "a b+c", "'\"\\$`", "]["} {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		g := &stack.Postgres{Database: "shop-db", User: "shop_u", Password: password}
		text := databaseVars(g)["DATABASE_URL"]
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := u.User.Password(); got != password || u.User.Username() != "shop_u" || u.Path != "/shop-db" {
			t.Fatalf("%q is read as %q, %q, %q", text, u.User.Username(), got, u.Path)
		}
	})
}

// TestDatabaseURLReadByLibpq lets libpq take the URL apart: it complains of the host,
// not of the URL.
func TestDatabaseURLReadByLibpq(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not here")
	}
	text := databaseVars(&stack.Postgres{Database: "d", User: "u", Password: "p@ss/w:rd?#% ü&x=y"})["DATABASE_URL"]
	text = strings.Replace(text, "127.0.0.1:5432", "127.0.0.1:1", 1)
	out, _ := exec.Command(psql, text, "-c", "select 1").CombinedOutput()
	if !strings.Contains(string(out), "port 1 failed") {
		t.Errorf("psql: %s", out)
	}
}

const oneService = `
projects:
  shop:
    app:
      runtime: node
      source: {git: "git@GIT", key: "${secret.shop_deploy_key}"}
      services: {web: {start: npm start, port: 8000}}
    envs: {dev: {vmid: 101, ip: 10.0.10.101/24, gateway: 10.0.10.1, branch: dev}}
`

func TestOSStateReports(t *testing.T) {
	tests := []struct{ name, from, to, want string }{
		{"unknown git host", "GIT", "git.lan:x/y.git", "the SSH host key of git.lan is not known"},
		{"secret in a command", "npm start", "npm start ${secret.queue}", "a secret in app.services.web.start"},
		{"secret in a health check", "port: 8000", "port: 8000, health: \"/up?key=${secret.queue}\"", "a secret in app.services.web.health.path"},
		{"PORT", "branch: dev", "branch: dev, env_vars: {PORT: 1}", "PORT is each service's own"},
		{"python version", "runtime: node", "runtime: python\n      version: \"3.12\"", "has no Python 3.12, it has 3.11"},
		{"node key", "runtime: node", "runtime: node\n      version: 22\n      node_source: {url: \"https://d\", signed_by: node.asc}", "node.asc is no ASCII-armoured OpenPGP key"},
		{"node key's file", "runtime: node", "runtime: node\n      version: 22\n      node_source: {url: \"https://d\", signed_by: gone.asc}", "cannot read the repository's key: no such file"},
		{"node version", "runtime: node", "runtime: node\n      version: 22", "needs an apt repository"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := strings.ReplaceAll(strings.Replace(oneService, tt.from, tt.to, 1), "git@GIT", "git@github.com:o/r.git")
			var problems diag.List
			osState(loadEnv(t, "secrets: [a.age]\nproxmox: {url: \"https://p\", token: \"${secret.proxmox_token}\"}\nssh: {key: \"${secret.ssh_key}\"}\n"+src, "shop/dev"), testInputs(&problems))
			if len(problems) != 1 || !strings.Contains(problems[0].Summary, tt.want) {
				t.Errorf("got %v, want %q", problems, tt.want)
			}
			if len(problems) > 0 && !problems[0].Pos.IsValid() {
				t.Error("the problem has no place in the stack file")
			}
		})
	}
}

// What releases are built with: commands, and the variables that they bake in.
func TestBuilt(t *testing.T) {
	built := func(edit func(e *stack.Env)) string {
		e := &stack.Env{Settings: stack.Settings{EnvVars: map[string]string{"LOG": "info", "VITE_API": "https://a", "VERSION": "1"}}}
		e.App.Services = map[string]stack.Service{
			"web": {Build: "make", Env: map[string]string{"NEXT_PUBLIC_X": "x", "TITLE": "t"}}, "worker": {Start: "true"},
		}
		edit(e)
		return strings.Join((&osBuilder{env: e}).built(), " ")
	}
	web := func(change func(s *stack.Service)) func(e *stack.Env) {
		return func(e *stack.Env) {
			s := e.App.Services["web"]
			change(&s)
			e.App.Services["web"] = s
		}
	}
	first := strings.Fields(built(func(*stack.Env) {}))
	if len(first) != 2 || !strings.HasPrefix(first[0], "app=") || !strings.HasPrefix(first[1], "web=") {
		t.Fatalf("got %q", first)
	}
	for name, c := range map[string]struct {
		edit func(e *stack.Env)
		want string // the parts that differ
	}{
		"another variable":         {func(e *stack.Env) { e.EnvVars["LOG"] = "debug" }, ""},
		"a frontend's":             {func(e *stack.Env) { e.EnvVars["VITE_API"] = "https://b" }, "app"},
		"one more of a frontend's": {func(e *stack.Env) { e.EnvVars["PUBLIC_Y"] = "y" }, "app"},
		"a service's":              {web(func(s *stack.Service) { s.Env = map[string]string{"NEXT_PUBLIC_X": "y"} }), "web"},
		"one that is named":        {func(e *stack.Env) { e.App.BuildEnv = []string{"VERSION"} }, "app"},
		"a name of none":           {func(e *stack.Env) { e.App.BuildEnv = []string{"VERSIO", "X_*"} }, ""},
		"a pattern":                {func(e *stack.Env) { e.App.BuildEnv = []string{"TIT*"} }, "web"},
		"the app's build":          {func(e *stack.Env) { e.App.Build = "make all" }, "app"},
		"a service's build":        {web(func(s *stack.Service) { s.Build = "make more" }), "web"},
		"a service's start":        {web(func(s *stack.Service) { s.Start = "more" }), ""},
		"a version of Node.js":     {func(e *stack.Env) { e.App.Runtime, e.App.Version = "node", "22" }, "app"},
		"a service less":           {func(e *stack.Env) { delete(e.App.Services, "web") }, ""},
		"a service with a build":   {func(e *stack.Env) { e.App.Services["api"] = stack.Service{Build: "make"} }, "api"},
		"a service without":        {func(e *stack.Env) { e.App.Services["api"] = stack.Service{} }, ""},
	} {
		var differ []string
		for part := range strings.FieldsSeq(built(c.edit)) {
			if !slices.Contains(first, part) {
				name, _, _ := strings.Cut(part, "=")
				differ = append(differ, name)
			}
		}
		if got := strings.Join(differ, " "); got != c.want {
			t.Errorf("%s: the build of %q differs, want %q", name, got, c.want)
		}
	}
}

// The app logs in as the user, also where another role owns the database.
func TestDatabaseOwner(t *testing.T) {
	src := strings.Replace(strings.ReplaceAll(oneService, "git@GIT", "git@github.com:o/r.git"), "runtime: node", "runtime: node\n      postgres: {owner: keepers, password: \"${secret.pote_db_password}\", extensions: uuid-ossp}", 1)
	var problems diag.List
	o := osState(loadEnv(t, "secrets: [a.age]\nproxmox: {url: \"https://p\", token: \"${secret.proxmox_token}\"}\nssh: {key: \"${secret.ssh_key}\"}\n"+src, "shop/dev"), testInputs(&problems))
	if db := o.Databases["shop"]; len(problems) > 0 || db.Owner != "keepers" || db.User != "shop" || !slices.Equal(db.Extensions, []string{"uuid-ossp"}) {
		t.Errorf("got %+v, %v", db, problems)
	}
	if env := o.Files["/srv/app/.env.dev"].Content.Reveal(); !strings.Contains(env, "PGUSER=\"shop\"\n") || !strings.Contains(env, "postgresql://shop:") {
		t.Errorf("the app is told\n%s", env)
	}
	if conf := o.Files["/etc/appstack/backup.conf"].Content.Reveal(); !strings.Contains(conf, "owner='keepers'\n") {
		t.Errorf("a restore is told\n%s", conf)
	}
}

func TestIndexVars(t *testing.T) {
	for index, want := range map[string]map[string]string{
		"":                                     nil,
		"https://ci:x@index.lan/simple":        {"PIP_INDEX_URL": "https://ci:x@index.lan/simple"},
		"http://ci:x@index.lan:3141/simple":    {"PIP_INDEX_URL": "http://ci:x@index.lan:3141/simple", "PIP_TRUSTED_HOST": "index.lan:3141"},
		"http://[2001:db8::1]:3141/root/pypi/": {"PIP_INDEX_URL": "http://[2001:db8::1]:3141/root/pypi/", "PIP_TRUSTED_HOST": "[2001:db8::1]:3141"},
	} {
		if got := indexVars(index); !maps.Equal(got, want) {
			t.Errorf("%s: %v", index, got)
		}
	}
}
