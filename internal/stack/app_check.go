package stack

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

func (a *App) validate(p place) {
	a.validateRuntime(p)
	a.Source.validate(p.child("source"))
	p.child("dir").absolute(a.Dir)
	p.child("env_file").absolute(a.EnvFile)
	p.child("packages").each(a.Packages, packageName, packageHint)
	a.validateServices(p.child("services"), p.child("runtime").bad())
	if a.Postgres != nil {
		a.Postgres.validate(p.child("postgres"))
	}
	a.validateCron(p.child("cron"))
	a.validateMail(p)
}

var (
	nodeRelease   = regexp.MustCompile(`^[vV]?([1-9][0-9]?)(?:\.[0-9xX*]+)*$`)
	pythonRelease = regexp.MustCompile(`^(3\.[0-9]{1,2})(?:\.[0-9xX*]+)+$`)
)

// versionHint returns the part of a version that can be asked for.
func versionHint(runtime, version string) string {
	release := map[string]*regexp.Regexp{"node": nodeRelease, "python": pythonRelease}[runtime]
	if m := release.FindStringSubmatch(version); m != nil {
		return fmt.Sprintf("write %q", m[1])
	}
	return ""
}

// validateRuntime checks the version and where it comes from.
func (a *App) validateRuntime(p place) {
	forms := map[string]syntax{"node": nodeVersion, "python": pythonVersion}
	if form, ok := forms[a.Runtime]; ok {
		p.child("version").text(a.Version, form, versionHint(a.Runtime, a.Version))
	} else if a.Version != "" && !p.child("runtime").bad() {
		p.child("version").fail("write `runtime: node` or `runtime: python`", "needs `runtime`")
	}
	if a.NodeSource != nil && a.Runtime != "node" {
		p.child("node_source").key().fail("", "needs `runtime: node`")
	}
	for key, value := range map[string]string{"index_url": a.IndexURL, "wheels": a.Wheels} {
		if value != "" && a.Runtime != "python" {
			p.child(key).key().fail("", "needs `runtime: python`")
		}
	}
	p.child("index_url").webURL(a.IndexURL)
	p.child("wheels").relative(a.Wheels)
	if a.NodeSource == nil {
		return
	}
	source := p.child("node_source")
	source.child("url").required(a.NodeSource.URL, "such as https://deb.nodesource.com/node_22.x")
	source.child("url").webURL(a.NodeSource.URL)
	a.NodeSource.validate(source)
}

// validate refuses the key's address: what it serves can be another key tomorrow.
func (s *AptSource) validate(p place) {
	at := p.child("signed_by")
	switch key := s.SignedBy; {
	case !at.required(key, "the repository's key, or its file in this repository") || pending(key) || strings.Contains(key, "-----BEGIN PGP"):
	case strings.Contains(key, "://"):
		at.fail("commit what `curl -fsSL "+key+"` prints, and name its file", "can't be fetched at each run: whoever answers decides what is trusted")
	default:
		at.relative(key)
	}
}

func (s *Source) validate(p place) {
	if s.Git != "" && s.Upload != "" {
		p.child("upload").fail("remove one of them; `git: null` takes an inherited one away", "can't stand beside `git`")
	}
	p.child("upload").relative(s.Upload)
	if s.HostKey != "" {
		p.child("host_key").publicKey(s.HostKey)
	}
	p.child("key").privateKey(s.Key)
	if s.Git == "" {
		return
	}
	kind := gitURLKind(s.Git)
	switch {
	case pending(s.Git):
	case kind == "":
		p.child("git").fail("such as git@github.com:org/shop.git or https://github.com/org/shop.git",
			"is %s, not the address of a git repository", quote(s.Git))
	case kind == "ssh" && s.Token != "":
		p.child("token").fail("write `key: ${secret.…}`, or the repository's https:// address", "does not work over SSH")
	case kind == "https" && s.Key != "":
		p.child("key").fail("write `token: ${secret.…}`, or the repository's git@host:path address", "does not work over HTTPS")
	case kind == "http" && s.Token != "":
		p.child("git").fail("write https://", "would send the token in plain text")
	}
}

// gitURLKind returns how git would reach s: ssh, https, http, or "" if s is
// no address of a repository.
func gitURLKind(s string) string {
	if strings.ContainsAny(s, " \t\n'\"\\") || strings.HasPrefix(s, "-") {
		return ""
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if ok {
		host, path, _ := strings.Cut(rest, "/")
		if host != "" && path != "" && contains([]string{"ssh", "https", "http"}, scheme) {
			return scheme
		}
		return ""
	}
	host, path, ok := strings.Cut(s, ":")
	if ok && path != "" && !strings.Contains(host, "/") && strings.Trim(host, "@") != "" {
		return "ssh"
	}
	return ""
}

func (a *App) validateServices(p place, badRuntime bool) {
	ports := map[int]string{}
	for _, name := range slices.Sorted(maps.Keys(a.Services)) {
		at := p.child(name)
		if !unitName.matches(name) {
			at.key().fail("", "is not %s", unitName.name).Detail = unitName.allowed()
		}
		s := a.Services[name]
		if at.bad() {
			continue
		}
		s.validate(at, a, badRuntime)
		if first := ports[s.Port]; first != "" && s.Port != 0 {
			at.child("port").fail("", "is %d, like that of %s", s.Port, first)
		}
		ports[s.Port] = name
	}
	for _, name := range slices.Sorted(maps.Keys(a.Services)) {
		if cycle := a.cycle(name, nil); cycle != nil {
			p.child(name, "after").fail("", "makes services wait for each other: %s", strings.Join(cycle, " → "))
			return
		}
	}
}

// cycle returns the path along `after` that leads from name back to it.
func (a *App) cycle(name string, path []string) []string {
	if len(path) > 0 && path[0] == name {
		return append(path, name)
	}
	if contains(path, name) {
		return nil
	}
	path = append(slices.Clip(path), name)
	for _, next := range a.Services[name].After {
		if cycle := a.cycle(next, path); cycle != nil {
			return cycle
		}
	}
	return nil
}

func (s *Service) validate(p place, a *App, badRuntime bool) {
	if !badRuntime {
		p.child("start").required(s.Start, "the command that runs it, such as start: npm start")
	}
	p.child("dir").relative(s.Dir)
	p.child("user").text(s.User, userName, "")
	p.child("env").variables(s.Env)
	if strings.Contains(strings.TrimSpace(s.Start), "\n") {
		p.child("start").fail("put the lines into a script of the source", "must be one line")
	}
	if start := strings.TrimSpace(s.Start); strings.HasSuffix(start, "&") && !strings.HasSuffix(start, "&&") {
		p.child("start").fail("leave out the & at its end", "must stay in the foreground: systemd takes its end for that of the service")
	}
	if known := slices.Collect(maps.Keys(a.Services)); len(s.After) > 0 {
		p.child("after").oneOf(s.After, "service", known)
	}
	if s.Health == nil {
		return
	}
	health := p.child("health")
	if s.Health.Path != "" && !pending(s.Health.Path) && !strings.HasPrefix(s.Health.Path, "/") {
		health.child("path").fail("write "+pathOf(s.Health.Path), "is %s, which does not begin with /", quote(s.Health.Path))
	}
	known := p.child("port").bad() || health.child("port").bad()
	if s.Port == 0 && s.Health.Port == 0 && s.Health.Path != "" && !known {
		health.fail("write the service's `port`", "needs a port")
	}
}

// pathOf returns the path that an address, or a path without its first /, means.
func pathOf(s string) string {
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		return cmp.Or(u.EscapedPath(), "/")
	}
	return "/" + s
}

func (g *Postgres) validate(p place) {
	p.child("password").required(g.Password, "such as password: ${secret.db_password}")
	hint := func(s string) string {
		if better := strings.ToLower(strings.NewReplacer(".", "_", " ", "_").Replace(s)); databaseName.matches(better) {
			return "write " + better
		}
		return ""
	}
	for key, name := range map[string]string{"database": g.Database, "user": g.User, "owner": g.Owner} {
		if !p.child(key).text(name, databaseName, hint(name)) {
			continue
		}
		if contains([]string{"postgres", "template0", "template1"}, name) || strings.HasPrefix(name, "pg_") {
			p.child(key).fail("", "can't be %s, which is PostgreSQL's own", name)
		}
	}
	p.child("encoding").text(g.Encoding, encodingName, "")
	p.child("extensions").each(g.Extensions, databaseName, nil)
	if g.Backup != nil {
		p.child("backup", "schedule").schedule(g.Backup.Schedule)
		p.child("backup", "dir").absolute(g.Backup.Dir)
	}
}

func (a *App) validateCron(p place) {
	names := map[string]bool{}
	for i := range a.Cron {
		c := &a.Cron[i]
		at := p.item(i)
		if at.bad() {
			continue
		}
		c.validate(at)
		if names[c.Name] && c.Name != "" {
			at.child("name").fail("", "is %s a second time", quote(c.Name))
		}
		names[c.Name] = true
	}
}

func (c *Cron) validate(p place) {
	if p.child("name").required(c.Name, "such as name: fetch") {
		p.child("name").text(c.Name, unitName, "")
	}
	if p.child("schedule").required(c.Schedule, `such as schedule: "*/15 * * * *"`) {
		p.child("schedule").schedule(c.Schedule)
	}
	p.child("run").required(c.Run, "the command to run")
	p.child("user").text(c.User, userName, "")
	p.child("env").variables(c.Env)
	p.child("notify").each(c.Notify, mailAddress, nil)
}

// validateMail checks that what wants to send mail can.
func (a *App) validateMail(p place) {
	p.child("notify").each(a.Notify, mailAddress, nil)
	if a.SMTP == nil {
		const hint = "write `smtp: {host: …, from: …}` under `app`"
		if len(a.Notify) > 0 {
			p.child("notify").key().fail(hint, "needs `smtp`")
		}
		for i, c := range a.Cron {
			if len(c.Notify) > 0 {
				p.child("cron").item(i).child("notify").key().fail(hint, "needs `smtp`")
			}
		}
		return
	}
	smtp := p.child("smtp")
	smtp.child("host").required(a.SMTP.Host, "such as host: mail.lan")
	smtp.child("host").text(a.SMTP.Host, hostName, "")
	if smtp.child("from").required(a.SMTP.From, "such as from: app@example.org") {
		smtp.child("from").text(a.SMTP.From, mailAddress, "")
	}
	if a.SMTP.Password != "" && a.SMTP.User == "" {
		smtp.child("password").fail("", "needs `user`")
	}
	if a.SMTP.Password != "" && a.SMTP.TLS == "none" {
		smtp.child("tls").fail(fmt.Sprintf("write starttls or tls, or remove `%s`", "password"), "is none: the password would travel in plain text")
	}
}
