package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
)

const opsKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGEfSrxPGG/H2rRTCdiWDrXoOJczk3dOXuuL6dXCdg+h ops"

// everything is a desired OS with each kind of resource.
var everything = &machine.OS{
	Packages: map[string]string{"git": "", "nodejs": "20"},
	Users:    map[string]machine.User{"app": {Shell: "/bin/bash", Groups: []string{"adm"}, Keys: []string{opsKey}, Exclusive: true}},
	Files: map[string]machine.File{
		"/srv/app":                       {Dir: true, Mode: 0o755, Owner: "app"},
		"/srv/app/.env":                  {Mode: 0o640, Owner: "root", Group: "app", Content: secret.New("PW=it's"), Sensitive: true},
		"/etc/motd":                      {Mode: 0o644},
		"/etc/ssh/sshd_config.d/10.conf": {Mode: 0o644, Check: "sshd -tf", Content: secret.New("x")},
	},
	Units: map[string]machine.Unit{
		"shop.service": {Enabled: true, Active: true}, "ssh.service": {Reload: true, Triggers: []string{"/etc/ssh/sshd_config.d/10.conf"}},
		"cron.service": {Triggers: []string{"/srv/app/.env"}},
	},
	Firewall:  &machine.Firewall{Enabled: true, Rules: []machine.Rule{{Port: "22", Protocol: "tcp", From: "10.0.0.0/8", Comment: "from home"}}},
	Databases: map[string]machine.Database{"pote": {Owner: "pote", Password: secret.New(`it's \ "x"`), Encoding: "UTF8", Extensions: []string{"pg_trgm"}}},
	Release:   &machine.Release{SHA: "abc", Units: []string{"web.service"}, Input: secret.New("deploy key")},
	Timezone:  "Europe/Berlin", Locale: "C.UTF-8",
}

func TestTasks(t *testing.T) {
	have := &machine.OS{
		Users:    map[string]machine.User{"app": {Home: "/home/app", Keys: []string{"nonsense line"}}},
		Files:    map[string]machine.File{"/etc/motd": {Mode: 0o600, Owner: "root", Group: "root", SHA256: emptyHash}, "/etc/systemd/system/old.service": {Ours: true}},
		Firewall: &machine.Firewall{Rules: []machine.Rule{{Port: "3000", Protocol: "tcp", Ours: true}}},
	}
	p := plan.Diff("shop/dev", machine.State{OS: have}, machine.State{OS: everything}, plan.Policy{})
	tasks, err := compiler{have, everything, time.Minute}.tasks(p.Steps)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, task := range tasks {
		got.WriteString(task.code)
		if task.data != "" {
			got.WriteString(" <<< " + strings.ReplaceAll(task.data, "\n", "⏎"))
		}
		if task.confirm {
			got.WriteString(" # confirm")
		}
		got.WriteString("\n")
	}
	want := `
stale <<< ssh.service⏎release⏎web.service⏎cron.service⏎
install_packages 'git' 'nodejs=20'
set_mode '/etc/motd' '0644' 'root' 'root'
make_directory '/srv/app' '0755' 'app' 'app'
write_file '/srv/app/.env' '0640' 'root' 'app' '' <<< PW=it's
guard_arm '60' '/etc/passwd' '/etc/group' '/etc/gshadow' '/home/app/.ssh/authorized_keys' '/etc/ssh/sshd_config.d/10.conf' '/etc/ufw/ufw.conf' '/etc/ufw/user.rules' '/etc/ufw/user6.rules' '/etc/default/ufw'
set_user 'app' '/bin/bash' '' 'adm'
add_key 'app' 'AAAAC3NzaC1lZDI1NTE5AAAAIGEfSrxPGG/H2rRTCdiWDrXoOJczk3dOXuuL6dXCdg+h' <<< ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGEfSrxPGG/H2rRTCdiWDrXoOJczk3dOXuuL6dXCdg+h ops⏎
write_file '/etc/ssh/sshd_config.d/10.conf' '0644' 'root' 'root' 'sshd -tf' <<< x
remove_key 'app' 'nonsense line'
reload_unit 'ssh.service'
add_rule '22' 'tcp' '10.0.0.0/8' 'appstack: from home'
enable_firewall
remove_rule '3000' 'tcp' 'any' 'appstack' # confirm
set_timezone 'Europe/Berlin'
set_locale 'C.UTF-8'
`
	head, rest, _ := strings.Cut(got.String(), "set_database")
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), head); diff != "" {
		t.Error(diff)
	}
	want = `remove_unit 'old.service'
deploy 'abc' 'web.service' <<< deploy key
unit 'restart' 'cron.service'
enable_unit 'shop.service'
unit 'start' 'shop.service'
settle_units
`
	_, rest, _ = strings.Cut(rest, "\n")
	if diff := cmp.Diff(want, rest); diff != "" {
		t.Error(diff)
	}
}

// No secret is in a step's code, which is on a command line.
func TestSecretsAreData(t *testing.T) {
	p := plan.Diff("shop/dev", machine.State{OS: &machine.OS{}}, machine.State{OS: everything}, plan.Policy{})
	tasks, err := compiler{&machine.OS{}, everything, time.Minute}.tasks(p.Steps)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		for _, hidden := range []string{"PW=", "it's", "deploy key"} {
			if strings.Contains(task.code, hidden) {
				t.Errorf("%q is in the code %s", hidden, task.code)
			}
		}
	}
}

func TestUnknownSteps(t *testing.T) {
	for _, s := range []plan.Step{
		{Verb: plan.Set, Resource: plan.Resource{Kind: "config", Name: "memory"}},
		{Verb: plan.Add, Resource: plan.Resource{Kind: "key", Name: "app SHA256:x"}},
		{Verb: plan.Add, Resource: plan.Resource{Kind: "rule", Name: "1/tcp"}},
		{Verb: plan.Grow, Resource: plan.Resource{Kind: "unit", Name: "a.service"}},
	} {
		if _, err := (compiler{&machine.OS{}, everything, time.Minute}).tasks([]plan.Step{s}); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
}

// The scripts are POSIX, and each function that a step may call is there.
func TestScripts(t *testing.T) {
	for name, script := range map[string]string{"observe.sh": observeScript, "upload.sh": uploadScript, "apply.sh": applyScript, "steps.sh": stepsScript} {
		if _, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(script), name); err != nil {
			t.Error(err)
		}
	}
	for _, f := range strings.Fields("stale install_packages create_user set_user write_file set_mode make_directory remove_file add_key remove_key " +
		"add_rule remove_rule enable_firewall set_timezone set_locale set_database deploy deploy_tree unit enable_unit reload_unit remove_unit guard_arm guard_confirm guard_undo settle_units") {
		if !strings.Contains(stepsScript, "\n"+f+"() {") {
			t.Errorf("steps.sh has no %s", f)
		}
	}
}

// Of apt's and dpkg's lines for each package few come through; what is wrong does.
func TestAptOutput(t *testing.T) {
	var log strings.Builder
	log.WriteString("Reading package lists...\nThe following NEW packages will be installed:\n  a b\n  c\n0 upgraded, 300 newly installed, 0 to remove and 3 not upgraded.\nGet:1 http://x\nFetched 1 MB\n")
	for _, what := range []string{"Selecting previously unselected package p%d.\nPreparing to unpack p%[1]d.deb ...\nUnpacking p%[1]d (1) ...\n", "Setting up p%d (1) ...\n"} {
		for i := range 300 {
			fmt.Fprintf(&log, what, i)
		}
	}
	log.WriteString("dpkg: error processing package p7 (--configure):\n  installed p7 package subprocess returned error exit status 1\nE: Sub-process /usr/bin/dpkg returned an error code (1)")
	cmd := exec.Command("sh", "-euc", ". "+stepsFile(t)+"\nlog=$(cat)\napt_get() { printf %s \"$log\"; return 100; }\nsifted x || echo $?", t.TempDir()+"/lib")
	cmd.Stdin = strings.NewReader(log.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := string(out)
	if !strings.HasSuffix(got, "dpkg: error processing package p7 (--configure):\n  installed p7 package subprocess returned error exit status 1\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n100\n") ||
		!strings.HasPrefix(got, "0 upgraded, 300 newly installed, 0 to remove and 3 not upgraded.\nFetched 1 MB\nUnpacking p59 (1) ... (10%)\n") ||
		!strings.Contains(got, "\nSetting up p299 (1) ... (100%)\n") || strings.Count(got, "\n") != 2+10+4 {
		t.Errorf("%s", got)
	}
}

// stepsFile is steps.sh for a shell to read.
func stepsFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "steps.sh")
	if err := os.WriteFile(file, []byte(stepsScript), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDatabaseSQL(t *testing.T) {
	sql := databaseSQL(everything.Databases["pote"])
	if !strings.Contains(sql, `\set password 'it''s \\ "x"'`+"\n") {
		t.Errorf("got:\n%s", sql)
	}
	if strings.Contains(databaseSQL(machine.Database{}), "PASSWORD") {
		t.Error("a role without a password gets one")
	}
}

// A release is named by its commit; one that serves already, whole.
func TestReleaseID(t *testing.T) {
	have := &machine.OS{Release: &machine.Release{SHA: "abc", Build: "11111111", Built: []string{"app=1", "web=1"}}}
	for _, c := range []struct{ sha, want, built, code string }{
		{"abc", "abc", "web=2", "deploy 'abc'"},
		{"abc", "abc", "web=1", "deploy 'abc-b11111111'"}, // its settings changed
		{"def", "def", "web=1", "deploy 'def'"},
		{"abc", "", "web=2", "deploy 'abc-b11111111'"}, // a run without a commit
	} {
		want := &machine.OS{Release: &machine.Release{SHA: c.want, Build: "22222222", Built: []string{c.built}}}
		step := plan.Step{Verb: plan.Deploy, Resource: plan.Resource{Kind: "release", Name: c.sha}}
		tasks, err := compiler{have, want, time.Minute}.tasks([]plan.Step{step})
		if err != nil {
			t.Fatal(err)
		}
		if tasks[1].code != c.code {
			t.Errorf("%q, wanted %q: %s, not %s", c.sha, c.want, tasks[1].code, c.code)
		}
	}
	for id, want := range map[string][2]string{
		"abc": {"abc", ""}, "abc-b12345678": {"abc", "12345678"}, "a-b-b12345678": {"a-b", "12345678"}, "abc-b1234567": {"abc-b1234567", ""},
	} {
		if sha, build := cutRelease(id); sha != want[0] || build != want[1] || releaseID(sha, build) != id {
			t.Errorf("%s: %q, %q", id, sha, build)
		}
	}
}

// A way back names the release, or leaves it to the deploy script which was before.
func TestRollbackTasks(t *testing.T) {
	for name, want := range map[string]string{
		"abc": "roll_back 'abc' 'web.service'", "previous": "roll_back 'previous' 'web.service'",
	} {
		steps := []plan.Step{{Verb: plan.Rollback, Resource: plan.Resource{Kind: "release", Name: name}}}
		tasks, err := compiler{&machine.OS{}, everything, time.Minute}.tasks(steps)
		if err != nil {
			t.Fatal(err)
		}
		if len(tasks) != 3 || tasks[0].data != "release\nweb.service\n" || tasks[1].code != want || tasks[1].data != "" {
			t.Errorf("%s: got %+v", name, tasks)
		}
	}
	if tree(&plan.Step{Verb: plan.Rollback, Resource: plan.Resource{Kind: "release", Name: "abc"}}, &machine.OS{}, &machine.OS{Release: &machine.Release{SHA: "abc", Tree: "x"}}) != "" {
		t.Error("a way back uploads the source")
	}
}
