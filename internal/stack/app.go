package stack

import "time"

// App is the application and what it needs on the guest.
type App struct {
	// Supplies defaults for packages, build and migrate.
	Runtime string `yaml:"runtime" jsonschema:"enum=node,enum=python"`
	// Version of the runtime: a major of Node.js such as 22 (see
	// `node_source`), a minor of Python such as 3.11. Default: Debian's.
	Version string `yaml:"version" stack:"scalar"`
	// apt repository that has `version` of Node.js.
	NodeSource *AptSource `yaml:"node_source"`
	// Python package index instead of PyPI, with its user and password if it wants
	// them, for every kind of file that says what is needed.
	IndexURL string `yaml:"index_url"`
	// Directory in the source with wheels to install from; no index is asked then.
	Wheels string `yaml:"wheels"`
	// Where the app's code comes from. Default: the workflow's repository.
	Source Source `yaml:"source"`
	// Directory of the app on the guest.
	Dir string `yaml:"dir"`
	// The app's env file on the guest. Default: `.env.${env}` in `dir`.
	EnvFile string `yaml:"env_file"`
	// Debian packages that the app needs beside those of its runtime.
	Packages []string `yaml:"packages"`
	// Command that builds the whole source, before the services' own: the place for what
	// more than one of them needs.
	Build string `yaml:"build"`
	// Variables of `env_vars` that builds bake in: another value makes another
	// release. `NAME_*` stands for all that begin so. Those of the usual frontend
	// tools count without being named: NEXT_PUBLIC_*, NUXT_PUBLIC_*, VITE_*,
	// REACT_APP_*, VUE_APP_*, GATSBY_*, PUBLIC_*.
	BuildEnv OneOrMore `yaml:"build_env"`
	// Command that migrates the database, before the services' own.
	Migrate string `yaml:"migrate"`
	// The app's processes by name; each becomes a systemd unit.
	Services map[string]Service `yaml:"services"`
	// A PostgreSQL database on the same guest.
	Postgres *Postgres `yaml:"postgres"`
	// Jobs that run at certain times.
	Cron []Cron `yaml:"cron"`
	// Who gets a mail when a cron job fails. Needs `smtp`.
	Notify OneOrMore `yaml:"notify"`
	// The mail server for `notify`.
	SMTP *SMTP `yaml:"smtp"`
	// Releases to keep for a rollback, the current one included.
	KeepReleases int `yaml:"keep_releases" jsonschema:"minimum=1,maximum=100"`
	// Commands around a deploy.
	Hooks Hooks `yaml:"hooks"`
}

// Source is where the app's code comes from: `git` or `upload`.
type Source struct {
	// Git repository, git@host:path or https://host/path.
	Git string `yaml:"git"`
	// SSH deploy key (its text, from a secret) for `git`.
	Key string `yaml:"key"`
	// Token for `git` over HTTPS.
	Token string `yaml:"token"`
	// Branch, tag or commit to deploy. Default: the commit of the run if the
	// repository is the workflow's own, else the environment's branch.
	Ref string `yaml:"ref" stack:"scalar"`
	// The git server's SSH host key, such as `ssh-ed25519 AAAA…`. Default:
	// the published ones of GitHub, GitLab and Codeberg.
	HostKey string `yaml:"host_key"`
	// Directory of the workflow's checkout to send to the guest over SSH,
	// for guests that may not reach the git server.
	Upload string `yaml:"upload"`
}

// AptSource is an apt repository. A plain string is its URL.
type AptSource struct {
	// Address, such as https://deb.nodesource.com/node_22.x. Required.
	URL string `yaml:"url"`
	// Suite (distribution) in the repository.
	Suite string `yaml:"suite"`
	// Components in the repository.
	Components OneOrMore `yaml:"components"`
	// The repository's signing key, ASCII-armoured OpenPGP: the key itself, or
	// its file in the repository. Required.
	SignedBy string `yaml:"signed_by"`
}

func (AptSource) shortForm() string { return "url" }

// Service is a process of the app, run as a systemd unit.
type Service struct {
	// Working directory in the source.
	Dir string `yaml:"dir"`
	// Command that builds it, run in `dir`. Services whose directories lie apart are built
	// at the same time where the guest has two processors and 256 MiB free for each. One
	// after the other are built: what is uploaded, a workspace's packages, and services
	// whose command or packages lead out of their directory by `..`. Default with
	// `runtime: node`: `npm ci && npm run build --if-present`.
	Build string `yaml:"build"`
	// Command that migrates its database, run in `dir`. Default with `runtime: node`, for
	// a service of the name backend: `npm run migrate --if-present`.
	Migrate string `yaml:"migrate"`
	// Command that runs it, in the foreground, in `dir`. Default with `runtime: node`:
	// `npm start`; required otherwise.
	Start string `yaml:"start"`
	// TCP port that it listens on; its env has it as PORT. Default: none, but `3001` for a
	// service of the name backend and `3000` for one of the name frontend.
	Port int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// Open the port in the guest's firewall.
	Public bool `yaml:"public"`
	// How to tell that it works. A plain string is the path. Default: with a
	// port, that it accepts connections; without, that it stays active.
	Health *Health `yaml:"health"`
	// Variables for this service only.
	Env map[string]string `yaml:"env" stack:"scalar"`
	// User that it runs as. Default: `base.user`.
	User string `yaml:"user"`
	// Memory limit in MiB. Default: none.
	Memory int `yaml:"memory" jsonschema:"minimum=16"`
	// When systemd starts it again: always, on-failure or no.
	Restart string `yaml:"restart" jsonschema:"enum=always,enum=on-failure,enum=no"`
	// Services that are started before this one.
	After OneOrMore `yaml:"after"`
}

// Health is how to tell that a service works.
type Health struct {
	// Path that answers a GET request with a status below 400.
	Path string `yaml:"path"`
	// Port of the request. Default: the service's.
	Port int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// How long the service may take to become healthy, such as 30s.
	Timeout time.Duration `yaml:"timeout"`
}

func (Health) shortForm() string { return "path" }

// Postgres is a database in the guest's own PostgreSQL. The env file gets
// DATABASE_URL and the PG* variables.
type Postgres struct {
	// Name of the database.
	Database string `yaml:"database"`
	// Role that the app logs in as. Default: `database`.
	User string `yaml:"user"`
	// Password of the role. Required.
	Password string `yaml:"password"`
	// Role that owns the database, which `user` becomes a member of. Default: `user`.
	Owner string `yaml:"owner"`
	// Character set.
	Encoding string `yaml:"encoding"`
	// Extensions to create.
	Extensions OneOrMore `yaml:"extensions"`
	// Dumps of the database.
	Backup *Backup `yaml:"backup"`
}

// Backup is a timer that dumps the database with pg_dump.
type Backup struct {
	// Dumps to keep.
	Keep int `yaml:"keep" jsonschema:"minimum=1,maximum=1000"`
	// When, in cron syntax.
	Schedule string `yaml:"schedule"`
	// Directory of the dumps on the guest.
	Dir string `yaml:"dir"`
}

// Cron is a job that runs at certain times.
type Cron struct {
	// Name, unique in the app. Required.
	Name string `yaml:"name"`
	// When, in cron syntax: five fields such as "*/15 * * * *", or @daily. Required.
	Schedule string `yaml:"schedule"`
	// Command, run in the current release with the app's env. Required.
	Run string `yaml:"run"`
	// User that it runs as. Default: `base.user`.
	User string `yaml:"user"`
	// Variables for this job only.
	Env map[string]string `yaml:"env" stack:"scalar"`
	// How long a run may take, such as 10m.
	Timeout time.Duration `yaml:"timeout"`
	// Who gets a mail when it fails. Default: `notify` of the app.
	Notify OneOrMore `yaml:"notify"`
}

// SMTP is a mail server.
type SMTP struct {
	// Host name or address. Required.
	Host string `yaml:"host"`
	// Port: 587 with STARTTLS, 465 with TLS, 25 without.
	Port int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// User to log in as. Default: no login.
	User string `yaml:"user"`
	// Password of the user.
	Password string `yaml:"password"`
	// Sender's address. Required.
	From string `yaml:"from"`
	// Encryption: starttls, tls or none.
	TLS string `yaml:"tls" jsonschema:"enum=starttls,enum=tls,enum=none"`
}

// Hooks are commands around a deploy, run in the new release.
type Hooks struct {
	// After build and migration, before the release is switched to.
	BeforeDeploy OneOrMore `yaml:"before_deploy"`
	// After the release is live and healthy.
	AfterDeploy OneOrMore `yaml:"after_deploy"`
}
