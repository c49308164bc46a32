package resolve

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/templates"
)

// Where appstack keeps things on a guest, beside the app's directory.
const (
	deployScript   = "/usr/local/bin/deploy_app.sh"
	restoreScript  = "/usr/local/bin/restore_db.sh"
	libDir         = "/usr/local/lib/appstack"
	configDir      = "/etc/appstack"
	appConfig      = configDir + "/app.conf"
	knownHostsFile = configDir + "/known_hosts"
	mirror         = "/var/cache/appstack/repo.git"
)

// app asks for the app: its runtime, its database, its variables, the units of its
// services and jobs, and the release itself.
func (b *osBuilder) app() {
	a := b.env.App
	b.install(a.Packages...)
	b.runtime()
	b.postgres()
	b.layout()
	b.envFiles()
	for _, s := range sortedServices(b.env) {
		b.service(s)
	}
	b.cron()
	b.mail()
	b.file(appConfig, b.appConfig())
	b.refuseVisibleSecrets()
	b.release()
}

// layout asks for the app's directory and the script that deploys into it.
func (b *osBuilder) layout() {
	user := b.env.Base.User
	b.dir(b.env.App.Dir, 0o755, user, user)
	b.dir(configDir, 0o755, "root", "root")
	b.dir(libDir, 0o755, "root", "root")
	b.script(deployScript, templates.DeployScript())
	// iptables redirects connections while a service restarts; ss, of iproute2,
	// tells who listens.
	b.install("git", "curl", "iproute2", "iptables", "openssh-client")
	b.file(knownHostsFile, b.knownHosts())
}

// namedService is a service with its name.
type namedService struct {
	Name string
	stack.Service
}

// sortedServices returns the services in the order in which they are started: by
// `after`, else by name.
func sortedServices(env *stack.Env) []namedService {
	var sorted []namedService
	done := make(map[string]bool)
	var visit func(name string)
	visit = func(name string) {
		s, ok := env.App.Services[name]
		if !ok || done[name] {
			return
		}
		done[name] = true
		for _, before := range slices.Sorted(slices.Values(s.After)) {
			visit(before)
		}
		sorted = append(sorted, namedService{name, s})
	}
	for _, name := range slices.Sorted(maps.Keys(env.App.Services)) {
		visit(name)
	}
	return sorted
}

// unitName is the systemd unit of a service: `systemctl status shop-backend`.
func unitName(env *stack.Env, service string) string { return env.Project + "-" + service + ".service" }

// mark says on the guest whose a unit is.
func (b *osBuilder) mark() string { return b.env.Project + "/" + b.env.Name }

// unit asks for a unit file of ours.
func (b *osBuilder) unit(name, content string, u machine.Unit) {
	file := path.Join(machine.UnitDir, name)
	if _, taken := b.os.Files[file]; taken {
		b.problems.Errorf(b.env.Pos("app"), "two parts of the app want the unit %s", name)
	}
	b.file(file, content)
	b.os.Units[name] = u
}

// service asks for the unit of a service.
func (b *osBuilder) service(s namedService) {
	env, a := b.env, b.env.App
	u := templates.Service{
		Mark:        b.mark(),
		Description: env.Project + " " + s.Name + " (" + env.Name + ")",
		User:        cmp.Or(s.User, env.Base.User),
		Dir:         path.Join(a.Dir, "current", s.Dir),
		App:         a.Dir,
		EnvFiles:    b.envFilesOf(s.Env, s.Name),
		Port:        s.Port,
		Start:       s.Start,
		Restart:     cmp.Or(s.Restart, "always"),
		BackOff:     hasRestartSteps(env.Guest),
		MemoryMiB:   s.Memory,
		After:       b.after(s),
		Sandbox:     b.sandbox(),
	}
	b.runAs(u.User)
	u.Sandbox.LowPort = s.Port > 0 && s.Port < 1024
	name := unitName(env, s.Name)
	b.unit(name, u.Unit(), machine.Unit{Enabled: true, Active: true, Triggers: u.EnvFiles})
}

// runAs asks for a user that a service or job runs as.
func (b *osBuilder) runAs(user string) {
	if _, known := b.os.Users[user]; !known && user != "root" {
		b.os.Users[user] = machine.User{}
	}
}

func (b *osBuilder) after(s namedService) []string {
	var after []string
	if b.env.App.Postgres != nil {
		after = append(after, "postgresql.service")
	}
	for _, other := range slices.Sorted(slices.Values(s.After)) {
		after = append(after, unitName(b.env, other))
	}
	return after
}

func (b *osBuilder) sandbox() templates.Sandbox {
	g := b.env.Guest
	return templates.Sandbox{Mounts: g.Type == "kvm" || g.Nesting}
}

// hasRestartSteps tells whether the guest's systemd knows RestartSteps=, which came
// with version 254: Debian 12 has 252, Ubuntu 22.04 has 249.
func hasRestartSteps(g stack.Guest) bool {
	image := g.Template + g.Clone + g.Image
	return !slices.ContainsFunc([]string{"debian-11", "debian-12", "bookworm", "bullseye", "ubuntu-20", "ubuntu-22", "jammy"},
		func(old string) bool { return strings.Contains(image, old) })
}

// release asks for the commit, and gives the script what it must not be told on
// its command line. Without a commit the one that serves is to go on.
func (b *osBuilder) release() {
	// A unit's own change restarts that service alone; the variables of all of them
	// change by a deploy of the same commit, which closes no port.
	r := &machine.Release{Dir: b.env.App.Dir, SHA: b.in.SHA, Built: b.built(), Build: shortHash(b.built()...), Input: b.credential(), Triggers: []string{b.env.App.EnvFile}}
	for _, s := range sortedServices(b.env) {
		r.Units = append(r.Units, unitName(b.env, s.Name))
	}
	b.os.Release = r
}

// appConfig is what the deploy script knows.
func (b *osBuilder) appConfig() string {
	env, a := b.env, b.env.App
	c := templates.Config{
		Project: env.Project, App: a.Dir, User: env.Base.User, Repo: mirror,
		Source: b.gitURL(), Branch: env.Branch, KnownHosts: knownHostsFile,
		EnvFiles: []string{a.EnvFile}, Keep: a.KeepReleases, Built: b.built(), BuildID: shortHash(b.built()...),
		Build: b.build(), Migrate: a.Migrate, Check: b.check(),
		Before: a.Hooks.BeforeDeploy, After: a.Hooks.AfterDeploy,
	}
	if a.Postgres != nil {
		c.Database = a.Postgres.Database
		if a.Postgres.Backup != nil {
			c.BackupUnit = backupUnit(env) + ".service"
		}
	}
	for _, s := range sortedServices(env) {
		c.Services = append(c.Services, b.serviceConfig(s))
	}
	for _, job := range a.Cron {
		c.Jobs = append(c.Jobs, cronUnit(env, job.Name)+".service")
	}
	return c.File()
}

func (b *osBuilder) serviceConfig(s namedService) templates.ConfigService {
	c := templates.ConfigService{
		Name: s.Name, Unit: unitName(b.env, s.Name), Dir: cmp.Or(path.Clean(s.Dir), "."), Port: s.Port,
		Build: s.Build, Migrate: s.Migrate, EnvFiles: b.envFilesOf(s.Env, s.Name)[1:],
	}
	if h := s.Health; h != nil {
		c.HealthPath, c.HealthTimeout = h.Path, h.Timeout
		if h.Port != s.Port {
			c.HealthPort = h.Port
		}
	}
	return c
}

// refuseVisibleSecrets reports secrets in commands and health checks: every process of
// the guest can read them in the process list, and units and the deploy script's settings
// are files that everybody may read.
func (b *osBuilder) refuseVisibleSecrets() {
	a := b.env.App
	b.refuseSecret("app.build", a.Build)
	b.refuseSecret("app.migrate", a.Migrate)
	b.refuseSecret("app.source.git", a.Source.Git)
	for name, s := range a.Services {
		for key, command := range map[string]string{"build": s.Build, "migrate": s.Migrate, "start": s.Start} {
			b.refuseSecret("app.services."+name+"."+key, command)
		}
		if s.Health != nil {
			b.refuseSecret("app.services."+name+".health.path", s.Health.Path)
		}
	}
	for i, job := range a.Cron {
		b.refuseSecret("app.cron["+strconv.Itoa(i)+"].run", job.Run)
	}
	for _, command := range slices.Concat(a.Hooks.BeforeDeploy, a.Hooks.AfterDeploy) {
		b.refuseSecret("app.hooks", command)
	}
}

func (b *osBuilder) refuseSecret(at, text string) {
	if text == "" || !b.in.IsSecret(text) {
		return
	}
	b.problems.Add(diag.Diagnostic{
		Severity: diag.Error, Pos: b.env.Pos(at), Summary: "a secret in " + at + " could be read by every process of the guest",
		Hint: "put it into `env_vars`, which the app and its commands can read and others cannot",
	})
}
