package templates

import (
	"strings"
	"text/template"
)

// Service is a unit that keeps one process of the app running.
type Service struct {
	Mark        string // "shop/dev": whose unit it is
	Description string
	User        string
	Dir         string   // absolute working directory, below /srv/app/current
	App         string   // the app's directory, which the process may write to
	EnvFiles    []string // in order; a later one wins
	Port        int      // 0: none
	Start       string   // shell command
	Restart     string   // systemd's Restart=
	BackOff     bool     // systemd is new enough (254) for growing delays
	MemoryMiB   int      // 0: no limit
	After       []string // units
	Sandbox     Sandbox
}

// Job is a unit that a timer starts and that ends by itself.
type Job struct {
	Mark        string
	Description string
	User        string
	Dir         string
	App         string
	EnvFiles    []string
	Run         string // shell command
	Timeout     string // systemd time span
	After       []string
	// NeedsRelease skips the job while no release serves.
	NeedsRelease bool
	// Notify are the mail addresses that hear of a failure.
	Notify  []string
	Sandbox Sandbox
}

// Timer starts a job of the same name.
type Timer struct {
	Mark        string
	Description string
	OnCalendar  []string
}

// Sandbox says which of systemd's confinements a unit gets.
type Sandbox struct {
	// Mounts are those that need a mount namespace of their own. A container
	// without nesting forbids it, and the unit would fail with 226/NAMESPACE.
	Mounts bool
	// LowPort lets the process bind a port below 1024.
	LowPort bool
}

// Unit returns the service's unit file.
func (s Service) Unit() string { return render("service.unit", s) }

// Unit returns the job's unit file.
func (j Job) Unit() string { return render("job.unit", j) }

// Unit returns the timer's unit file.
func (t Timer) Unit() string { return render("timer.unit", t) }

// Notify returns the template unit that mails about a failed unit.
func Notify(mark string) string { return render("notify.unit", map[string]string{"Mark": mark}) }

var units = template.Must(template.New("").Funcs(template.FuncMap{
	"join":  func(s []string) string { return strings.Join(s, " ") },
	"quote": UnitQuote,
	"line":  UnitLine,
}).ParseFS(files, "units/*.unit"))

// UnitLine returns s as the value of a unit's setting that knows specifiers: on
// one line, % doubled.
func UnitLine(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "%", "%%")
}

// render executes one of our own templates, which cannot fail: they are parsed
// when the program starts and write into memory.
func render(name string, data any) string {
	var b strings.Builder
	if err := units.ExecuteTemplate(&b, name, data); err != nil {
		panic("templates: " + err.Error())
	}
	return b.String()
}
