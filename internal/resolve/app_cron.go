package resolve

import (
	"cmp"
	"fmt"
	"path"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/templates"
)

// cronUnit is the name of a job's units without their kind: `systemctl list-timers`
// shows pote-cron-fetch.timer.
func cronUnit(env *stack.Env, job string) string { return env.Project + "-cron-" + job }

// cron asks for a timer and a unit for each job.
func (b *osBuilder) cron() {
	env, a := b.env, b.env.App
	if len(a.Cron) > 0 {
		b.jobEnded()
	}
	for i, job := range a.Cron {
		calendar, err := onCalendar(job.Schedule)
		if err != nil {
			b.problems.Errorf(env.Pos(fmt.Sprintf("app.cron[%d].schedule", i)), "%v", err)
			continue
		}
		name := cronUnit(env, job.Name)
		about := env.Project + " " + job.Name + " (" + env.Name + ")"
		notify := job.Notify
		if len(notify) == 0 {
			notify = a.Notify
		}
		unit := templates.Job{
			Mark: b.mark(), Description: about, User: cmp.Or(job.User, env.Base.User),
			Dir: path.Join(a.Dir, "current"), App: a.Dir, EnvFiles: b.envFilesOf(job.Env, "cron-"+job.Name),
			Run: job.Run, Timeout: seconds(job.Timeout), After: b.after(namedService{}), NeedsRelease: true,
			Notify: notify, Sandbox: b.sandbox(),
		}
		b.runAs(unit.User)
		b.unit(name+".service", unit.Unit(), machine.Unit{})
		b.unit(name+".timer", templates.Timer{Mark: b.mark(), Description: about, OnCalendar: calendar}.Unit(),
			machine.Unit{Enabled: true, Active: true})
	}
}

// jobEnded asks for what notes the result of jobs and scheduled dumps.
func (b *osBuilder) jobEnded() {
	b.script(path.Join(libDir, "job_ended"), templates.Script("scripts/job_ended"))
}

// seconds writes a duration for systemd, an hour if it is zero.
func seconds(d time.Duration) string {
	if d <= 0 {
		d = time.Hour
	}
	return fmt.Sprintf("%.0fs", d.Seconds())
}

// mail asks for what tells people about failed jobs.
func (b *osBuilder) mail() {
	smtp := b.env.App.SMTP
	if smtp == nil {
		return
	}
	b.sensitive(configDir+"/smtp.conf", "root", templates.SMTP{
		Host: smtp.Host, Port: smtp.Port, User: smtp.User, Password: smtp.Password,
		From: smtp.From, TLS: smtp.TLS, About: b.mark(),
	}.File())
	b.script(path.Join(libDir, "notify"), templates.Script("scripts/notify"))
	// A template has no state of its own: its file is all that there is to ask for.
	b.file(path.Join(machine.UnitDir, "appstack-notify@.service"), templates.Notify(b.mark()))
}
