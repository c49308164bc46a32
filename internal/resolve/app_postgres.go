package resolve

import (
	"path"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/templates"
)

const defaultBackupDir = "/var/backups/postgresql"

// postgres asks for the server, the database and what dumps and restores it.
// Debian's server listens on the socket and loopback only.
func (b *osBuilder) postgres() {
	g := b.env.App.Postgres
	if g == nil {
		return
	}
	b.install("postgresql", "postgresql-client")
	b.os.Units["postgresql.service"] = machine.Unit{Enabled: true, Active: true}
	b.os.Databases = map[string]machine.Database{g.Database: {
		Owner: g.Owner, User: g.User, Password: secret.New(g.Password), Encoding: g.Encoding, Extensions: g.Extensions,
	}}
	dump := templates.Dump{Database: g.Database, Owner: g.Owner, Dir: defaultBackupDir, Keep: 7}
	if g.Backup != nil {
		dump.Dir, dump.Keep = g.Backup.Dir, g.Backup.Keep
		b.backupTimer(g.Backup)
	}
	for _, s := range sortedServices(b.env) {
		dump.Units = append(dump.Units, unitName(b.env, s.Name))
	}
	for _, job := range b.env.App.Cron {
		dump.Jobs = append(dump.Jobs, cronUnit(b.env, job.Name)+".service")
	}
	b.file(configDir+"/backup.conf", dump.File())
	b.script(path.Join(libDir, "backup"), templates.Script("scripts/backup"))
	b.script(restoreScript, templates.Script("scripts/restore_db.sh"))
}

// backupUnit is the name of the units that dump the database, without their kind.
func backupUnit(env *stack.Env) string { return env.Project + "-backup" }

// backupTimer asks for the dumps that are made by the clock.
func (b *osBuilder) backupTimer(backup *stack.Backup) {
	calendar, err := onCalendar(backup.Schedule)
	if err != nil {
		b.problems.Errorf(b.env.Pos("app.postgres.backup.schedule"), "%v", err)
		return
	}
	name := backupUnit(b.env)
	about := "Dump of the database of " + b.env.Project + " (" + b.env.Name + ")"
	b.jobEnded()
	b.unit(name+".service", templates.Backup(b.mark(), about, b.env.App.Notify), machine.Unit{})
	b.unit(name+".timer", templates.Timer{Mark: b.mark(), Description: about, OnCalendar: calendar}.Unit(),
		machine.Unit{Enabled: true, Active: true})
}

// databaseVars are the variables by which an app finds its database: a URL, in
// which every special character is percent-encoded, and those of libpq
// (postgresql.org, "Environment Variables").
func databaseVars(g *stack.Postgres) map[string]string {
	if g == nil {
		return nil
	}
	return map[string]string{
		"DATABASE_URL": "postgresql://" + percentEncode(g.User) + ":" + percentEncode(g.Password) +
			"@127.0.0.1:5432/" + percentEncode(g.Database),
		"PGHOST": "127.0.0.1", "PGPORT": "5432",
		"PGDATABASE": g.Database, "PGUSER": g.User, "PGPASSWORD": g.Password,
	}
}
