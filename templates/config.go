package templates

import (
	"strings"
	"text/template"
	"time"
)

// Config is what deploy_app.sh knows about the app. It holds no secret.
type Config struct {
	Project    string
	App        string // the app's directory
	User       string
	Repo       string // bare mirror
	Source     string // git URL; empty: only uploads
	Branch     string
	KnownHosts string
	EnvFiles   []string // for builds, migrations and hooks
	Keep       int      // releases
	Built      []string // what releases are built with, NAME=HASH
	BuildID    string   // of Built as a whole
	Build      string   // commands of the app as a whole, before those of services
	Migrate    string
	Check      string // has to accept the build
	Database   string // dumped before a migration
	Services   []ConfigService
	Jobs       []string // units of cron jobs
	BackupUnit string   // what dumps the database by the clock
	Before     []string // hooks
	After      []string
}

// ConfigService is one service of [Config], in the order of restarts.
type ConfigService struct {
	Name, Unit, Dir string
	Port            int
	Build, Migrate  string
	HealthPath      string
	HealthPort      int // 0: Port
	HealthTimeout   time.Duration
	EnvFiles        []string
}

// HealthSeconds is HealthTimeout in whole seconds, at least one.
func (s ConfigService) HealthSeconds() int {
	return max(1, int(s.HealthTimeout.Round(time.Second)/time.Second))
}

// Migrates tells whether anything has a migration.
func (c Config) Migrates() bool {
	for _, s := range c.Services {
		if s.Migrate != "" {
			return true
		}
	}
	return c.Migrate != ""
}

// File returns the configuration as a shell script that only sets things.
func (c Config) File() string {
	var b strings.Builder
	if err := config.Execute(&b, c); err != nil {
		panic("templates: " + err.Error()) // a constant template into memory
	}
	return b.String()
}

// ServiceNames returns the names of the services, in their order.
func (c Config) ServiceNames() []string {
	names := make([]string, len(c.Services))
	for i, s := range c.Services {
		names[i] = s.Name
	}
	return names
}

var config = template.Must(template.New("app.conf").Funcs(template.FuncMap{
	"sh":   ShellQuote,
	"join": func(s []string) string { return ShellQuote(strings.Join(s, " ")) },
}).Parse(configText))

const configText = `# Written by appstack for deploy_app.sh; a change here lasts until its next run.
app={{sh .App}}
user={{sh .User}}
repo={{sh .Repo}}
source={{sh .Source}}
branch={{sh .Branch}}
known_hosts={{sh .KnownHosts}}
env_files={{join .EnvFiles}}
keep={{.Keep}}
build_id={{.BuildID}}
built={{join .Built}}
app_build={{sh .Build}}
app_migrate={{sh .Migrate}}
migrates={{if .Migrates}}yes{{end}}
check={{sh .Check}}
database={{sh .Database}}
services={{join .ServiceNames}}
jobs={{join .Jobs}}
backup_unit={{sh .BackupUnit}}
has_before_deploy={{if .Before}}yes{{end}}
has_after_deploy={{if .After}}yes{{end}}

# service NAME sets what is known about a service.
service() {
	build='' migrate='' health_path='' health_port=0 health_timeout=60 service_env_files=''
	case $1 in
{{- range .Services}}
	{{.Name}})
		unit={{sh .Unit}} dir={{sh .Dir}} port={{.Port}}
		{{- with .Build}}
		build={{sh .}}{{end}}
		{{- with .Migrate}}
		migrate={{sh .}}{{end}}
		{{- with .HealthPath}}
		health_path={{sh .}}{{end}}
		{{- with .HealthPort}}
		health_port={{.}}{{end}}
		{{- if .HealthTimeout}}
		health_timeout={{.HealthSeconds}}{{end}}
		{{- with .EnvFiles}}
		service_env_files={{join .}}{{end}}
		;;
{{- end}}
	*) die 2 "there is no service $1" ;;
	esac
}

before_deploy() {
	:{{range .Before}} &&
		in_release "$release" {{sh .}}{{end}}
}

after_deploy() {
	:{{range .After}} &&
		in_release "$release" {{sh .}}{{end}}
}
`
