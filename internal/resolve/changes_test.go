package resolve

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
)

// asObserved is the machine that a desired OS makes, as it is seen.
func asObserved(want *machine.OS) *machine.OS {
	have := *want
	have.Packages, have.Files, have.Units = map[string]string{}, map[string]machine.File{}, map[string]machine.Unit{}
	for name := range want.Packages {
		have.Packages[name] = "1.0"
	}
	for path, f := range want.Files {
		f.SHA256, f.Check, f.Ours = plan.Hash(f.Content), "", true
		have.Files[path] = f
	}
	for name, u := range want.Units {
		have.Units[name] = machine.Unit{Enabled: u.Enabled, Active: u.Active}
	}
	if want.Release != nil {
		have.Release = &machine.Release{SHA: want.Release.SHA, Build: want.Release.Build, Built: want.Release.Built}
	}
	return &have
}

// TestEachChange makes single changes of a stack file, and compares the whole plan of
// each: its own steps and no others. Notes are left out.
func TestEachChange(t *testing.T) {
	src, err := os.ReadFile("testdata/os/stack.yaml")
	if err != nil {
		t.Fatal(err)
	}
	state := func(src, sha string) *machine.OS {
		var problems diag.List
		in := testInputs(&problems)
		in.SHA = sha
		o := osState(loadEnv(t, src, "shop/dev"), in)
		if problems != nil {
			t.Fatal(problems)
		}
		return o
	}
	const first, second = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	have := asObserved(state(string(src), first))
	var got strings.Builder
	for _, c := range []struct{ name, from, to string }{
		{"nothing", "", ""},
		{"a commit", first, second},
		{"a variable", "LOG_LEVEL: debug", "LOG_LEVEL: info"},
		{"a secret variable", "LOG_LEVEL: debug", `LOG_LEVEL: "${secret.queue}"`},
		{"a variable that builds bake in", "LOG_LEVEL: debug", "LOG_LEVEL: debug, VITE_API: https://api"},
		{"a service's own variable", `env: {QUEUE: "${secret.queue}"}`, `env: {QUEUE: "${secret.queue}", DEPTH: 3}`},
		{"a service's memory", "memory: 256", "memory: 300"},
		{"a service's build", `build: "true"`, `build: "make"`},
		{"a service's port", "port: 3000", "port: 3100"},
		{"a service made private", "frontend: {dir: frontend", "frontend: {public: false, dir: frontend"},
		{"a service more", "        worker:", "        mailer: {dir: backend, build: \"true\", start: node mailer.js}\n        worker:"},
		{"a service less", "        worker: {dir: backend, build: \"true\", start: \"node worker.js --tag '100% $HOME'\"}\n", ""},
		{"a job", "      hooks:", "      cron: [{name: tick, schedule: \"0 5 * * *\", run: node tick.js}]\n      hooks:"},
		{"a package", "[git, curl, ufw]", "[git, curl, ufw, tree]"},
		{"a key", "mXRtLxbBQNmgAYdXyX ops", "mXRtLxbBQNmgAYdXyY ops"},
		{"the time zone", "Europe/Berlin", "Etc/UTC"},
		{"who may use SSH", ", 192.168.1.0/24]", "]"},
		{"a firewall rule", "timezone:", "firewall: [{port: 443, comment: TLS}]\n    timezone:"},
		{"sshd", "timezone:", "sshd: {permit_root_login: \"no\"}\n    timezone:"},
		{"a kernel setting", "timezone:", "sysctl: {vm.swappiness: 10}\n    timezone:"},
		{"the journal's size", "timezone:", "journal_size: 1G\n    timezone:"},
		{"fewer releases", "      hooks:", "      keep_releases: 2\n      hooks:"},
	} {
		text, sha := strings.Replace(string(src), c.from, c.to, 1), first
		if c.to == second {
			text, sha = string(src), second
		} else if c.from != "" && text == string(src) {
			t.Errorf("%s: the stack has no %q", c.name, c.from)
		}
		todo := plan.Diff("shop/dev", machine.State{OS: have}, machine.State{OS: state(text, sha)}, plan.Policy{})
		todo.Notes = nil
		got.WriteString("== " + c.name + "\n" + todo.String() + "\n")
	}
	const golden = "testdata/os/changes.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
