package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/report"
)

// TestPote is the life of a Python app with a database and cron jobs on one guest, and
// the loss of that guest.
func TestPote(t *testing.T) { onEveryKind(t, false, testPote) }

func testPote(t *testing.T, kind guestKind) {
	w := newPoteWorld(t, kind)
	stop := watchCommandLines(t, w.canaries)
	one := w.commit("one", nil)
	w.begins(one)
	if kind.kind == machine.KVM && !torture() {
		stop()
		return // the rest is inside the guest, and the same there
	}
	w.mails()
	w.endsJobs()
	w.fetches()
	two := w.pausesJobs()
	w.rotates(two)
	w.failsToMigrate(two)
	for _, line := range stop() {
		t.Errorf("on a command line: %s", line)
	}
	w.remembersJobs()
	w.leavesTheStack(two)
	w.keepsSecrets()
	w.movesHouse(two)
}

// begins goes from nothing to an app that serves.
func (w *poteWorld) begins(one string) {
	w.t.Helper()
	r := w.do("apply", one, report.Live)
	w.t.Logf("from nothing to serving took %s", r.Took.Round(time.Second))
	if page := w.page("/healthz"); r.Release != one || !strings.Contains(page, one) {
		w.t.Errorf("%s is to serve: %s", one, page)
	}
	if comment := report.Comment(r); r.Dump == "" || !strings.Contains(comment, "dumped before its migration to `"+path.Base(r.Dump)+"`") {
		w.t.Errorf("the dump %q is not in the comment:\n%s", r.Dump, comment)
	}
	w.shell("test -s "+r.Dump, "")
	if out := w.shell("ss -Hltn sport = :5432 | awk '{ print $4 }' | sort; ls /var/run/postgresql/.s.PGSQL.5432; cd /; runuser -u postgres -- psql -Atc \"SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'pote'\"; runuser -u postgres -- psql -d pote -Atc \"SELECT extname FROM pg_extension WHERE extname = 'pg_trgm'\"", ""); out !=
		"127.0.0.1:5432\n[::1]:5432\n/var/run/postgresql/.s.PGSQL.5432\npote|UTF8\npg_trgm\n" {
		w.t.Errorf("PostgreSQL listens at, and has: %s", out)
	}
	w.do("apply", one, report.Unchanged)
}

// fetches waits for the job that nobody starts but the clock.
func (w *poteWorld) fetches() {
	w.t.Helper()
	since := time.Now()
	w.poll("the cron job does not run by itself: "+w.shell("systemctl list-timers --all --no-pager", ""), func() bool {
		return strings.Contains(w.page("/api/readings"), "/proc/loadavg")
	})
	w.t.Logf("the clock had started the job after another %s", time.Since(since).Round(time.Second))
}

// mails has a job fail, whose output comes by mail.
func (w *poteWorld) mails() {
	w.t.Helper()
	mail := w.mail("pote-cron-fails.service")
	for _, want := range []string{"login True", "RCPT TO:<ops@example.org>", "Subject: [pote/prod] pote-cron-fails.service failed (exit-code)", "it is broken"} {
		if !strings.Contains(mail, want) {
			w.t.Errorf("the mail lacks %q:\n%s", want, mail)
		}
	}
}

// endsJobs starts a job several times that does not end by itself.
func (w *poteWorld) endsJobs() {
	w.t.Helper()
	w.shell("for i in 1 2 3; do systemctl start pote-cron-hangs; done; systemctl start --wait pote-cron-hangs || true", "")
	if out := w.shell("cat /srv/app/shared/hangs; systemctl show -P Result pote-cron-hangs; pgrep -fx 'sleep 600' || echo gone", ""); out != "begin\ntimeout\ngone\n" {
		w.t.Errorf("a job that is started again while it runs, and runs for too long: %s", out)
	}
}

// pausesJobs has a job come due while a release is deployed.
func (w *poteWorld) pausesJobs() (two string) {
	w.t.Helper()
	two = w.commit("two", gitrepo.Files{"pote/migrate.py": []byte(`
import pathlib, time
from . import config, db
while pathlib.Path("/srv/app/shared/wait").exists():
    pathlib.Path("/srv/app/shared/waits").touch()
    time.sleep(0.1)
with db.connect(config.load().database) as conn:
    db.migrate(conn)
`)})
	w.shell("touch /srv/app/shared/wait", "")
	deployed := make(chan []report.Report)
	go func() {
		reports, err := w.run(w.t.Context(), "apply", func(r *app.Run) { r.Request.Ref = two })
		if err != nil {
			w.t.Error(err)
		}
		deployed <- reports
	}()
	w.poll("the migration does not begin", func() bool { return w.exists("/srv/app/shared/waits") })
	w.shell("systemctl start --no-block pote-cron-notes; systemctl start --no-block pote-cron-notes", "")
	w.poll("the job does not wait", func() bool {
		return w.shell("systemctl show -P SubState pote-cron-notes", "") == "start-pre\n"
	})
	if w.exists("/srv/app/shared/notes") {
		w.t.Error("a job ran during a deploy")
	}
	w.shell("rm /srv/app/shared/wait", "")
	reports := <-deployed
	if len(reports) != 1 {
		w.t.FailNow()
	}
	w.ends(reports[0], report.Live)
	w.poll("the job does not run after the deploy", func() bool { return w.exists("/srv/app/shared/notes") })
	if out := w.shell("cat /srv/app/shared/notes", ""); out != two+"\n" {
		w.t.Errorf("the job that waited ran in %q, want once in %s", out, two)
	}
	w.do("apply", two, report.Unchanged)
	return two
}

func (w *poteWorld) exists(file string) bool {
	w.t.Helper()
	return w.shell("test ! -e "+file+" || echo yes", "") == "yes\n"
}

// rotates changes the password of the database, and nothing else.
func (w *poteWorld) rotates(two string) {
	w.t.Helper()
	before, after := w.canaries["db"], w.rotate("db", "db, rotated")
	const want = "write file /srv/app/.env.prod\nset database pote\ndeploy release "
	if r := w.do("plan", two, report.Planned); steps(r.Plan) != want+two {
		w.t.Errorf("the plan of another password:\n%s\nwant\n%s", r.Plan, want+two)
	}
	w.shell("touch /root/before", "")
	if r := w.do("apply", two, report.Live); steps(r.Plan) != want+two {
		w.t.Errorf("another password led to:\n%s", r.Plan)
	}
	changed := w.shell("find /etc /usr /srv/app -xdev -type f -newer /root/before ! -path '*/__pycache__/*' | LC_ALL=C sort", "")
	if changed != "/srv/app/.env.prod\n/srv/app/releases/"+two+".live\n" {
		w.t.Errorf("another password changed the files\n%s", changed)
	}
	if !w.logsIn(after) || w.logsIn(before) {
		w.t.Error("the role logs in with the old password, or does not with the new one")
	}
	w.shell(`umask 077; cat >/root/pattern
for unit in pote-web pote-worker; do grep -zqxFf /root/pattern /proc/$(systemctl show -P MainPID $unit)/environ || exit 1; done; rm /root/pattern /root/before
systemctl start --wait pote-cron-fetch`, "PGPASSWORD="+after)
	if page := w.page("/healthz"); !strings.Contains(page, two) {
		w.t.Errorf("with another password: %s", page)
	}
	w.do("apply", two, report.Unchanged)
}

// failsToMigrate deploys a commit whose second migration is broken.
func (w *poteWorld) failsToMigrate(two string) {
	w.t.Helper()
	bad := w.commit("bad", gitrepo.Files{"pote/migrations/003_bad.sql": []byte("SELECT nonsense;")})
	r := w.do("apply", bad, report.Failed)
	if page := w.page("/healthz"); r.Reason != report.MigrateFailed || r.Release != two || !strings.Contains(page, two) {
		w.t.Errorf("a broken migration ends with %s and %s serving: %s", r.Reason, r.Release, page)
	}
	comment := report.Comment(r)
	for _, want := range []string{
		"appstack restore --project pote --env prod --from " + path.Base(r.Dump), "restore\\_db.sh " + strings.ReplaceAll(r.Dump, "_", "\\_"),
		"`" + two[:7] + "` still serves", "nonsense",
	} {
		if !strings.Contains(comment, want) {
			w.t.Errorf("the comment lacks %q:\n%s", want, comment)
		}
	}
	if !strings.HasPrefix(r.Dump, "/var/backups/postgresql/pote-") || !strings.HasSuffix(r.Dump, "-before-"+bad[:12]+".dump") {
		w.t.Errorf("the dump is %q", r.Dump)
	}
}

// remembersJobs asks for the jobs' last results after a reboot.
func (w *poteWorld) remembersJobs() {
	w.t.Helper()
	if out := w.shell("for i in 1 2 3; do systemctl start pote-backup; sleep 1; done; ls /var/backups/postgresql | grep -c scheduled; stat -c '%a %U' /var/backups/postgresql", ""); out != "2\n700 postgres\n" {
		w.t.Errorf("of the backups there are: %s", out)
	}
	const started = "systemctl show -P ActiveEnterTimestampMonotonic sysinit.target"
	boot := w.shell(started, "")
	w.shell("systemd-run -q --on-active=1 systemctl reboot", "")
	w.poll("the guest does not come back", func() bool {
		out, err := w.try(started, "")
		return err == nil && out != boot && strings.TrimSpace(out) != "0"
	})
	results := map[string]string{}
	for _, j := range w.do("status", "", report.Planned).App.Jobs {
		results[j.Unit] = fmt.Sprint(j.Result, " ", j.Exit, " ", j.At.After(time.Now().Add(-time.Hour)))
	}
	if got, want := fmt.Sprint(results), "map[pote-backup.service:success 0 true pote-cron-fails.service:exit-code 3 true pote-cron-fetch.service:success 0 true pote-cron-hangs.service:timeout 0 true pote-cron-notes.service:success 0 true]"; got != want {
		w.t.Errorf("after a reboot the jobs are\n%s\nwant\n%s", got, want)
	}
}

// leavesTheStack takes jobs, and then the database, out of the stack file.
func (w *poteWorld) leavesTheStack(two string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "appstack.yaml"))
	w.must(err)
	w.write("appstack.yaml", strings.Replace(string(text), poteJobs, "", 1))
	w.do("apply", two, report.Live)
	if out := w.shell("systemctl list-units --all --plain --no-legend 'pote-cron-*' | awk '{ print $1 }'; ls /etc/systemd/system | grep pote-cron; ls /var/lib/appstack/jobs", ""); out !=
		"pote-cron-fetch.service\npote-cron-fetch.timer\npote-cron-fetch.service\npote-cron-fetch.timer\npote-backup.service\npote-cron-fetch.service\n" {
		w.t.Errorf("of jobs that left the stack there is: %s", out)
	}
	text, err = os.ReadFile(filepath.Join(w.dir, "appstack.yaml"))
	w.must(err)
	w.write("appstack.yaml", regexp.MustCompile(`(?m)^ *postgres:.*\n`).ReplaceAllString(string(text), ""))
	r := w.do("plan", two, report.Planned)
	if strings.Contains(steps(r.Plan), "database") || !slices.ContainsFunc(r.Plan.Notes, func(n string) bool { return strings.Contains(n, "database pote left the stack and is kept") }) {
		w.t.Errorf("the plan of a database that left the stack:\n%s", r.Plan)
	}
	w.write("appstack.yaml", string(text))
}

// keepsSecrets looks for the secrets everywhere but where they belong.
func (w *poteWorld) keepsSecrets() {
	t := w.log.TB.(*testing.T)
	w.shell("systemctl stop pote-cron-fetch.timer pote-cron-fetch.service", "")
	clean(t, w.canaries, "the log", w.log.text())
	for _, r := range w.reports {
		text, err := json.Marshal(r)
		w.must(err)
		clean(t, w.canaries, "the report", string(text))
		clean(t, w.canaries, "the comment", report.Comment(r))
	}
	clean(t, w.canaries, "Proxmox", w.proxmoxSays(w.reports[0]))
	w.searchGuest(w.canaries, "600 root:root /etc/appstack/smtp.conf\n640 root:appuser /srv/app/.env.prod\n", "pote-web.service\npote-worker.service\n")
}

// movesHouse loses the guest, and puts a dump that was kept elsewhere into a new one.
func (w *poteWorld) movesHouse(two string) {
	w.t.Helper()
	readings := w.page("/api/readings")
	w.shell("systemctl start pote-backup", "")
	w.must(os.WriteFile(filepath.Join(w.dir, "kept.dump"), []byte(w.shell("cat $(ls /var/backups/postgresql/*-scheduled.dump | tail -1)", "")), 0o600))
	w.do("destroy", "", report.Destroyed)
	r := w.do("apply", two, report.Live)
	w.shell("systemctl stop pote-cron-fetch.timer pote-cron-fetch.service", "")
	w.t.Logf("again from nothing to serving took %s", r.Took.Round(time.Second))
	w.ends(w.restore("kept.dump"), report.Live)
	if got := w.page("/api/readings"); got != readings || !strings.Contains(got, "/proc/loadavg") {
		w.t.Errorf("on a new guest the dump gives\n%s\nwant\n%s", got, readings)
	}
	if !w.logsIn(w.canaries["db, rotated"]) {
		w.t.Error("the role cannot log in after the restore")
	}
	w.do("destroy", "", report.Destroyed)
}
