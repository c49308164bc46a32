package resolve

import (
	"maps"
	"net/url"
	"slices"

	"github.com/org/appstack-action/templates"
)

// envFiles asks for the app's env file and those of services and jobs that have
// variables of their own.
func (b *osBuilder) envFiles() {
	a := b.env.App
	vars := maps.Clone(b.env.EnvVars)
	if vars == nil {
		vars = make(map[string]string)
	}
	for name, value := range databaseVars(a.Postgres) {
		if _, own := vars[name]; !own {
			vars[name] = value
		}
	}
	maps.Copy(vars, indexVars(a.IndexURL))
	always := make(map[string]bool)
	if a.Postgres != nil {
		always["DATABASE_URL"], always["PGPASSWORD"] = true, true
	}
	b.envFile(a.EnvFile, vars, always)
	for name, s := range a.Services {
		b.ownEnvFile(name, s.Env)
	}
	for _, job := range a.Cron {
		b.ownEnvFile("cron-"+job.Name, job.Env)
	}
}

// indexVars are the variables by which pip finds the stack's index. Of one without TLS
// pip takes nothing unless told that this is meant, which the stack did by naming it.
func indexVars(index string) map[string]string {
	u, err := url.Parse(index)
	if index == "" || err != nil {
		return nil
	}
	vars := map[string]string{"PIP_INDEX_URL": index}
	if u.Scheme == "http" {
		vars["PIP_TRUSTED_HOST"] = u.Host
	}
	return vars
}

// envFile asks for an env file that root writes and the app's user may read.
// Secret are the variables in always and those whose value holds a secret.
func (b *osBuilder) envFile(path string, vars map[string]string, always map[string]bool) {
	var public, secret []templates.Var
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		v := templates.Var{Name: name, Value: vars[name]}
		switch {
		case name == "PORT":
			// The unit says it: each service has its own, and a candidate another.
			b.problems.Errorf(b.env.Pos("env_vars.PORT"), "PORT is each service's own: write `port` of the service")
		case always[name] || b.in.IsSecret(v.Value):
			secret = append(secret, v)
		default:
			public = append(public, v)
		}
	}
	const about = "Written by appstack; a change here lasts until its next run.\n" +
		"For a shell: set -a; . FILE; set +a\n"
	text, err := templates.EnvFile(about, public, secret)
	if err != nil {
		b.problems.Errorf(b.env.Pos("env_vars"), "%v", err)
		return
	}
	b.sensitive(path, b.env.Base.User, text)
}

func (b *osBuilder) ownEnvFile(name string, vars map[string]string) {
	if len(vars) > 0 {
		b.envFile(b.ownEnvPath(name), vars, nil)
	}
}

// ownEnvPath is the env file of one service or job: .env.prod.backend.
func (b *osBuilder) ownEnvPath(name string) string { return b.env.App.EnvFile + "." + name }

// envFilesOf returns the env files of a service or job, in order.
func (b *osBuilder) envFilesOf(own map[string]string, name string) []string {
	files := []string{b.env.App.EnvFile}
	if len(own) > 0 {
		files = append(files, b.ownEnvPath(name))
	}
	return files
}
