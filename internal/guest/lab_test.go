package guest_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	xssh "golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/guest"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/ssh"
	"github.com/org/appstack-action/templates"
)

var lab labtest.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// options connect to a guest as the app's user, or as root where that is not there.
func options(g *labtest.Guest) guest.Options {
	return guest.Options{Options: ssh.Options{
		Address: g.Addr.String(), Users: []string{"appuser", "root"},
		Key: secret.New(string(g.KeyPEM)), HostKeys: g.HostKeys,
	}}
}

func dial(t testing.TB, o guest.Options) *guest.Conn {
	t.Helper()
	c, err := guest.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// log tells of a plan's execution in the test's log.
type log struct {
	t     testing.TB
	lines []string
}

func (l *log) Begin(s plan.Step)               { l.t.Log(s) }
func (l *log) Line(_ plan.Step, line string)   { l.lines = append(l.lines, line) }
func (l *log) End(_ plan.Step, o plan.Outcome) { l.t.Log("  ", o.Took.Round(time.Millisecond), o.Err) }
func (l *log) Wait(s string, d time.Duration)  { l.t.Log("waiting for", s, d) }
func (l *log) has(text string) bool            { return strings.Contains(strings.Join(l.lines, "\n"), text) }

// todo returns the plan that leads to want.
func todo(t testing.TB, c *guest.Conn, want *machine.OS) (plan.Plan, *machine.OS) {
	t.Helper()
	have, err := c.Observe(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Diff("lab", machine.State{OS: have}, machine.State{OS: want}, plan.Policy{}), have
}

func apply(t testing.TB, c *guest.Conn, want *machine.OS) (plan.Plan, *log, error) {
	t.Helper()
	p, have := todo(t, c, want)
	heard := &log{t: t}
	return p, heard, c.Apply(t.Context(), p.Steps, have, want, heard)
}

func mustApply(t testing.TB, c *guest.Conn, want *machine.OS) plan.Plan {
	t.Helper()
	p, heard, err := apply(t, c, want)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(heard.lines[max(0, len(heard.lines)-20):], "\n"))
	}
	return p
}

// converged fails the test unless nothing is left to do.
func converged(t testing.TB, c *guest.Conn, want *machine.OS) {
	t.Helper()
	if p, _ := todo(t, c, want); !p.Empty() {
		t.Errorf("there is more to do:\n%s", p)
	}
}

func publicKey(g *labtest.Guest) string {
	return strings.TrimSpace(string(xssh.MarshalAuthorizedKey(g.Key.PublicKey()))) + " deploy"
}

const (
	sshdFile = "/etc/ssh/sshd_config.d/10-appstack.conf"
	envFile  = "/srv/app/.env.dev"
	webUnit  = "/etc/systemd/system/shop-web.service"
)

func file(mode uint32, owner, content string) machine.File {
	return machine.File{Mode: os.FileMode(mode), Owner: owner, Group: owner, Content: secret.New(content)}
}

// base is what most guests are to be: it covers each kind of resource that needs
// no package.
func base(g *labtest.Guest) *machine.OS {
	env := file(0o640, "appuser", "LOG=info\n"+templates.EnvMarker+"\nPW=\"canary-hunter2\"\n")
	env.Sensitive = true
	sudo := file(0o440, "root", "appuser ALL=(ALL:ALL) NOPASSWD: ALL\n")
	sudo.Check = "visudo -cf"
	sshd := file(0o644, "root", "PasswordAuthentication no\nPermitRootLogin prohibit-password\n")
	sshd.Check = "sshd -tf"
	return &machine.OS{
		Users: map[string]machine.User{"appuser": {Shell: "/bin/bash", Groups: []string{"adm"}, Keys: []string{publicKey(g)}}},
		Files: map[string]machine.File{
			"/srv/app":                {Dir: true, Mode: 0o755, Owner: "appuser", Group: "appuser"},
			envFile:                   env,
			"/etc/sudoers.d/appstack": sudo,
			sshdFile:                  sshd,
			webUnit:                   file(0o644, "root", "[Unit]\n"+machine.UnitMarker+"lab\n[Service]\nEnvironmentFile="+envFile+"\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"),
		},
		Units: map[string]machine.Unit{
			"shop-web.service": {Enabled: true, Active: true, Triggers: []string{envFile}},
			"ssh.service":      {Enabled: true, Active: true, Reload: true, Triggers: []string{sshdFile}},
		},
		Timezone: "Europe/Berlin", Locale: "C.UTF-8",
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	want := base(g)
	c := dial(t, options(g))
	if c.User() != "root" {
		t.Errorf("logged in as %s", c.User())
	}
	mustApply(t, c, want)
	converged(t, c, want)

	// Later runs are the app's user's, with sudo.
	c = dial(t, options(g))
	if c.User() != "appuser" {
		t.Errorf("logged in as %s", c.User())
	}
	converged(t, c, want)
	pid := g.Run(t, "systemctl show -p MainPID --value shop-web.service")
	for _, change := range []struct {
		name string
		make func(*machine.OS)
		plan string
	}{
		{"env var", func(o *machine.OS) {
			f := o.Files[envFile]
			f.Content = secret.New(strings.Replace(f.Content.Reveal(), "info", "debug", 1))
			o.Files[envFile] = f
		}, `
  ~ write file /srv/app/.env.dev: content differs
      --- /srv/app/.env.dev
      +++ /srv/app/.env.dev
      @@ -1,3 +1,3 @@
      -LOG=info
      +LOG=debug
       # --- secrets below: never shown ---
       PW=(sensitive HASH)
  > restart unit shop-web.service: /srv/app/.env.dev changes (restart)
`},
		{"mode", func(o *machine.OS) {
			f := o.Files[envFile]
			f.Mode = 0o600
			o.Files[envFile] = f
		}, "\n  ~ set file /srv/app/.env.dev: mode 0640 → 0600\n"},
		{"time zone", func(o *machine.OS) { o.Timezone = "Etc/UTC" }, "\n  ~ set timezone Etc/UTC: was Europe/Berlin\n"},
		{"shell", func(o *machine.OS) {
			u := o.Users["appuser"]
			u.Shell = "/bin/sh"
			o.Users["appuser"] = u
		}, "\n  ~ set user appuser: shell /bin/bash → /bin/sh\n"},
		{"sshd", func(o *machine.OS) { o.Files[sshdFile] = file(0o644, "root", "PasswordAuthentication no\n") }, `
  ~ write file /etc/ssh/sshd_config.d/10-appstack.conf: content differs
      --- /etc/ssh/sshd_config.d/10-appstack.conf
      +++ /etc/ssh/sshd_config.d/10-appstack.conf
      @@ -1,2 +1,1 @@
       PasswordAuthentication no
      -PermitRootLogin prohibit-password
  > reload unit ssh.service: /etc/ssh/sshd_config.d/10-appstack.conf changes
`},
		{"service leaves", func(o *machine.OS) {
			delete(o.Files, webUnit)
			delete(o.Units, "shop-web.service")
		}, "\n  - remove unit shop-web.service: not in the stack (restart)\n"},
		{"file leaves", func(o *machine.OS) { delete(o.Files, envFile) }, "\n  - remove file /srv/app/.env.dev: not in the stack\n"},
	} {
		change.make(want)
		p := mustApply(t, c, want)
		_, steps, _ := strings.Cut(p.String(), "\n")
		if diff := cmp.Diff(change.plan[1:], hideHash(steps)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", change.name, diff)
		}
		converged(t, c, want)
	}
	if out := g.Run(t, "systemctl show -p MainPID --value shop-web.service; ls "+webUnit+" 2>&1; ls -A /var/lib/appstack /run/appstack* 2>/dev/null; true"); strings.HasPrefix(out, pid) || !strings.Contains(out, "No such file") {
		t.Errorf("after all:\n%s", out)
	}
	if out := g.Run(t, "grep -rls canary-hunter2 /var/log /var/lib/appstack /run /tmp /root /home /etc 2>/dev/null; journalctl --no-pager | grep canary-hunter2; true"); out != "" {
		t.Errorf("a secret is in %s", out)
	}
}

// hideHash replaces the keyed hash, which differs from key to key.
func hideHash(s string) string {
	for {
		before, after, found := strings.Cut(s, "(sensitive ")
		if !found || strings.HasPrefix(after, "HASH") {
			return s
		}
		s = before + "(sensitive HASH" + after[4:]
	}
}

func TestPackagesAndFirewall(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	want := base(g)
	want.Packages = map[string]string{"ufw": "", "tree": "", "awk": ""}
	want.Firewall = &machine.Firewall{Enabled: true, Rules: []machine.Rule{
		{Port: "22", Protocol: "tcp", Comment: "grüße, 100% #1"}, {Port: "3000", Protocol: "tcp"}, {Port: "8000:8010", Protocol: "udp", From: "10.0.0.0/8"},
	}}
	c := dial(t, options(g))
	mustApply(t, c, want)
	converged(t, c, want)
	want.Firewall.Rules[0].Comment = "everybody"
	if p := mustApply(t, c, want); !strings.Contains(p.String(), `~ set rule 22/tcp: comment "grüße, 100% #1" → "everybody"`) {
		t.Errorf("another comment gives\n%s", p)
	}
	converged(t, c, want)
	g.Run(t, "ufw allow 5432/tcp; ufw deny 25/tcp; ufw limit 2222/tcp")
	want.Firewall.Rules = want.Firewall.Rules[:1]
	p := mustApply(t, c, want)
	const text = `lab: 0 to add, 0 to change, 2 to remove
  - remove rule 3000/tcp: not in the stack
  - remove rule 8000:8010/udp from 10.0.0.0/8: not in the stack
  note: the firewall has a rule that is not in the stack and stays: 5432/tcp
  note: the firewall has a rule that is not in the stack and stays: deny tcp 25 0.0.0.0/0 any 0.0.0.0/0 in
  note: the firewall has a rule that is not in the stack and stays: limit tcp 2222 0.0.0.0/0 any 0.0.0.0/0 in
`
	if got := withoutIPv6(p.String()); got != text {
		t.Errorf("(-want +got):\n%s", cmp.Diff(text, got))
	}
	converged(t, c, want)
	if status := g.Run(t, "ufw status verbose"); !strings.Contains(status, "deny (incoming)") || strings.Contains(status, "3000") || !strings.Contains(status, "5432") || !strings.Contains(status, "# appstack: everybody") {
		t.Errorf("ufw status:\n%s", status)
	}

	// A lock that another program holds is waited for, and that is told.
	hold := "#!/usr/bin/perl\nuse Fcntl; open(my $f, '+<', '/var/lib/dpkg/lock-frontend') or die; my $l = pack('s s x4 q q l x4', F_WRLCK, 0, 0, 0, 0);\n" +
		"fcntl($f, F_SETLK, $l) or die; system('systemd-notify --ready'); sleep 5;\n"
	want.Files["/root/hold"] = file(0o700, "root", hold)
	mustApply(t, c, want)
	g.Run(t, "systemd-run -q --collect --service-type=notify -p NotifyAccess=all /root/hold")
	want.Packages["psmisc"] = ""
	_, heard, err := apply(t, c, want)
	if err != nil || !heard.has("Waiting for cache lock") {
		t.Errorf("%v\n%s", err, strings.Join(heard.lines, "\n"))
	}

	// A broken dpkg is repaired, an unknown package explained.
	g.Run(t, `sed -i '/^Package: tree$/,/^$/s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status`)
	mustApply(t, c, want)
	converged(t, c, want)
	want.Packages["no-such-package"] = ""
	_, _, err = apply(t, c, want)
	var failed *guest.StepError
	if !errors.As(err, &failed) || !strings.Contains(failed.Tail, "Unable to locate package no-such-package") {
		t.Errorf("got %v", err)
	}
}

func withoutIPv6(s string) string {
	lines := strings.SplitAfter(s, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "::/0") }), "")
}

// Each of these stacks would lock everybody out. None does: the change is undone, and
// the machine is as it was.
func TestLockout(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	want := base(g)
	want.Packages = map[string]string{"ufw": ""}
	mustApply(t, dial(t, options(g)), want)
	for name, lockOut := range map[string]func(*machine.OS){
		"sshd": func(o *machine.OS) {
			o.Files[sshdFile] = file(0o644, "root", "PermitRootLogin no\nDenyUsers appuser\n")
		},
		"sshd's port": func(o *machine.OS) { o.Files[sshdFile] = file(0o644, "root", "AllowUsers nobody\n") },
		"firewall": func(o *machine.OS) {
			o.Firewall = &machine.Firewall{Enabled: true, Rules: []machine.Rule{{Port: "80", Protocol: "tcp"}}}
		},
		"keys": func(o *machine.OS) {
			o.Users["appuser"] = machine.User{Keys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGEfSrxPGG/H2rRTCdiWDrXoOJczk3dOXuuL6dXCdg+h x"}, Exclusive: true}
			o.Files[sshdFile] = file(0o644, "root", "PermitRootLogin no\n")
		},
		"sudo": func(o *machine.OS) {
			o.Files["/etc/sudoers.d/appstack"] = file(0o440, "root", "appuser ALL=(ALL:ALL) ALL\n")
			o.Files[sshdFile] = file(0o644, "root", "PermitRootLogin no\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := state(t, g)
			bad := clone(want)
			lockOut(bad)
			o := options(g)
			o.Timeout = 8 * time.Second
			c := dial(t, o)
			_, _, err := apply(t, c, bad)
			var out *guest.LockoutError
			if !errors.As(err, &out) || !out.Undone {
				t.Fatalf("got %v", err)
			}
			t.Log(err)
			if diff := cmp.Diff(before, state(t, g)); diff != "" {
				t.Errorf("the machine is another (-before +after):\n%s", diff)
			}
		})
	}
	// A firewall that knows none of the connections there are drops them while it is up.
	converged(t, dial(t, options(g)), want)
}

// state is what access to the machine depends on. That it can be asked at all shows
// that root still gets in.
func state(t testing.TB, g *labtest.Guest) string {
	return g.Run(t, "cat /etc/ssh/sshd_config.d/* /home/appuser/.ssh/authorized_keys /etc/sudoers.d/*; ufw status | head -1; iptables -S INPUT | head -1; ls /var/lib/appstack/guard 2>&1; systemctl is-active appstack-guard.timer; true")
}

func clone(o *machine.OS) *machine.OS {
	c := *o
	c.Users, c.Files = map[string]machine.User{}, map[string]machine.File{}
	for k, v := range o.Users {
		c.Users[k] = v
	}
	for k, v := range o.Files {
		c.Files[k] = v
	}
	return &c
}

// When our connection dies together with everybody's way in, the machine undoes
// the change by itself.
func TestLockoutWithoutUs(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	o := options(g)
	want := base(g)
	mustApply(t, dial(t, o), want)
	o.Confirm = 20 * time.Second
	want.Files[sshdFile] = file(0o644, "root", "PermitRootLogin no\nDenyUsers appuser\n")
	c := dial(t, o)
	p, have := todo(t, c, want)
	err := c.Apply(t.Context(), p.Steps, have, want, &cutter{log: &log{t: t}, after: "ssh.service", cut: func() { c.Close() }})
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
	if _, err := g.Try(t.Context(), "true"); err == nil {
		t.Fatal("the change did not lock us out, so that nothing is shown")
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		if _, err := g.Try(t.Context(), "true"); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the machine stays locked: %v", err)
		}
	}
	if out := g.Run(t, "cat "+sshdFile); !strings.Contains(out, "prohibit-password") {
		t.Errorf("got %s", out)
	}
}

// A reboot in the guard's time takes its timer away; the change is undone at boot.
func TestLockoutAndReboot(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	want := base(g)
	mustApply(t, dial(t, options(g)), want)
	root, err := g.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	want.Files[sshdFile] = file(0o644, "root", "PermitRootLogin no\nDenyUsers appuser\n")
	c := dial(t, options(g))
	p, have := todo(t, c, want)
	reboot := func() {
		c.Close()
		session, err := root.NewSession()
		if err != nil {
			t.Error(err)
			return
		}
		t.Log(session.Run("systemctl reboot")) // the connection ends before it answers
	}
	if err := c.Apply(t.Context(), p.Steps, have, want, &cutter{log: &log{t: t}, after: "ssh.service", cut: reboot}); err == nil {
		t.Fatal("no error")
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		if _, err := g.Try(t.Context(), "true"); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the machine stays locked: %v", err)
		}
	}
	if out := g.Run(t, "cat "+sshdFile+"; ls /var/lib/appstack /etc/systemd/system/"); !strings.Contains(out, "prohibit-password") || strings.Contains(out, "guard") {
		t.Errorf("got %s", out)
	}
}

// cutter ends the connection when a step has ended.
type cutter struct {
	*log
	after string
	cut   func()
}

func (c *cutter) End(s plan.Step, o plan.Outcome) {
	c.log.End(s, o)
	if s.Resource.Name == c.after {
		c.cut()
	}
}

// A run that is cut off while the guard is armed is taken up by the next: that it
// gets in confirms the change.
func TestGuardOfAnInterruptedRun(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	want := base(g)
	c := dial(t, options(g))
	p, have := todo(t, c, want)
	err := c.Apply(t.Context(), p.Steps, have, want, &cutter{log: &log{t: t}, after: sshdFile, cut: func() { c.Close() }})
	var lost *guest.LostError
	if !errors.As(err, &lost) {
		t.Fatalf("got %v", err)
	}
	c = dial(t, options(g))
	p = mustApply(t, c, want)
	if s := p.Steps[0].String(); !strings.HasPrefix(s, "~ set guard confirmed") {
		t.Errorf("the plan begins with %s", s)
	}
	converged(t, c, want)
}

// However often a run is cut off, and wherever, the next ones get to the end.
func TestCutOffAnywhere(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	want := base(g)
	for n := 0; ; n++ {
		c := dial(t, options(g))
		p, have := todo(t, c, want)
		if p.Empty() {
			t.Logf("converged after %d runs", n)
			break
		}
		last := p.Steps[len(p.Steps)-1].Resource.Name
		cut := p.Steps[0].Resource.Name
		err := c.Apply(t.Context(), p.Steps, have, want, &cutter{log: &log{t: t}, after: cut, cut: func() { c.Close() }})
		if err == nil && cut != last {
			t.Fatalf("cutting after %s went unnoticed", cut)
		}
		if n > 40 {
			t.Fatalf("no end:\n%s", p)
		}
	}
	if out := g.Run(t, "systemctl is-active shop-web.service; cat /var/lib/appstack/stale 2>/dev/null; ls /var/lib/appstack"); !strings.HasPrefix(out, "active\n") || strings.Contains(out, "guard") {
		t.Errorf("got:\n%s", out)
	}
}

func TestThroughJumpHost(t *testing.T) {
	t.Parallel()
	bastion, g := lab.Guest(t), lab.Guest(t)
	j, err := ssh.DialJump(t.Context(), ssh.Options{
		Address: bastion.Addr.String(), Users: []string{"root"}, Key: secret.New(string(bastion.KeyPEM)), HostKeys: bastion.HostKeys,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	o := options(g)
	o.Via = j
	want := base(g)
	c := dial(t, o)
	mustApply(t, c, want)
	converged(t, dial(t, o), want)
}

// A user whom the machine lets in but not become root is passed over.
func TestSudoRefused(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	g.Run(t, "useradd -m -s /bin/bash appuser && cp -r /root/.ssh /home/appuser/ && chown -R appuser: /home/appuser/.ssh")
	c := dial(t, options(g))
	if c.User() != "appuser" {
		t.Fatalf("logged in as %s", c.User())
	}
	if _, err := c.Observe(t.Context(), base(g)); err != nil {
		t.Fatal(err)
	}
	if c.User() != "root" {
		t.Errorf("observed as %s", c.User())
	}
	o := options(g)
	o.Users = []string{"appuser"}
	_, err := dial(t, o).Observe(t.Context(), base(g))
	var refused *guest.SudoError
	if !errors.As(err, &refused) || refused.User != "appuser" {
		t.Errorf("got %v", err)
	}
}

// BenchmarkNoOp is a whole run that finds nothing to do: connect, observe, compare.
func BenchmarkNoOp(b *testing.B) {
	g := lab.Guest(b)
	want := base(g)
	want.Packages = map[string]string{"sudo": "", "openssh-server": ""}
	for i := range 20 {
		want.Files[fmt.Sprintf("/etc/appstack/%d.conf", i)] = file(0o644, "root", strings.Repeat("x", 1000))
	}
	mustApply(b, dial(b, options(g)), want)
	for b.Loop() {
		c, err := guest.Dial(b.Context(), options(g))
		if err != nil {
			b.Fatal(err)
		}
		if p, _ := todo(b, c, want); !p.Empty() {
			b.Fatal(p)
		}
		c.Close()
	}
}
