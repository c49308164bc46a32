package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/report"
)

// databaseWorld is a world with the tiny app, its database, a job that fails and
// secrets of every kind.
type databaseWorld struct {
	*tinyWorld
	private string // the key that root logs in with, as the stack file has it
	key     ssh.Signer
}

// newShellWorld is a world without an app, of whose guest the test has the key.
func newShellWorld(t *testing.T, kinds ...guestKind) *databaseWorld {
	t.Helper()
	w := &databaseWorld{tinyWorld: &tinyWorld{world: newWorld(t, kinds...)}}
	w.newKey()
	return w
}

// newKey makes the key and keeps it as a secret.
func (w *databaseWorld) newKey() {
	w.t.Helper()
	w.private, _ = newKey(w.t)
	w.secret("ssh_key", w.private)
	var err error
	w.key, err = ssh.ParsePrivateKey([]byte(w.private))
	w.must(err)
}

func newDatabaseWorld(t *testing.T, repo string, kinds ...guestKind) *databaseWorld {
	t.Helper()
	w := &databaseWorld{tinyWorld: newTinyWorld(t, repo, kinds...)}
	w.newKey()
	w.secret("db_password", "database password")
	stack := tinyStack(fmt.Sprintf(`{git: "ssh://git@%s/%s.git", key: "${secret.deploy_key}", host_key: "%s"}
      postgres: {password: "${secret.db_password}", backup: {keep: 3}}
      cron: [{name: tick, schedule: "0 5 31 12 *", run: exit 3}]`, w.lab.Info.GitSSH, w.repo, w.lab.Info.GitHostKey))
	w.addr = w.stack(strings.Replace(stack, "node migrate.js", `psql -qc "CREATE TABLE IF NOT EXISTS notes (text text)"`, 1))
	return w
}

// shell runs a command in the guest, as root, with text on its standard input.
func (w *databaseWorld) shell(command, input string) string {
	w.t.Helper()
	out, err := w.try(command, input)
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// try is shell for a command or a guest that may fail; the output is its errors then.
func (w *databaseWorld) try(command, input string) (string, error) {
	c, err := ssh.Dial("tcp", w.addr.String()+":22", &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(w.key)}, Timeout: 10 * time.Second,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // on the lab's own bridge
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		return "", err
	}
	s.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	s.Stdout, s.Stderr = &out, &errs
	if err := s.Run(command); err != nil {
		return out.String() + errs.String(), err
	}
	return out.String(), nil
}

// sql runs a statement in the app's database.
func (w *databaseWorld) sql(statement string) string {
	w.t.Helper()
	return strings.TrimSpace(w.shell("cd /; runuser -u postgres -- psql -Atq -d shop", statement))
}

func (w *databaseWorld) restore(dump string) report.Report {
	w.t.Helper()
	reports, err := w.run(w.t.Context(), "restore", func(r *app.Run) { r.Dump = dump })
	w.must(err)
	return reports[0]
}

// TestRestoreAndStatus puts dumps back that are on the guest and here, and asks what
// is there.
func TestRestoreAndStatus(t *testing.T) { onEveryKind(t, false, testRestoreAndStatus) }

func testRestoreAndStatus(t *testing.T, kind guestKind) {
	w := newDatabaseWorld(t, "org/notes", kind)
	one := w.commit("one", nil)
	if r := w.do("status", one); r.Guest != "absent" || r.App != nil {
		t.Errorf("before the first run: guest %s, app %+v", r.Guest, r.App)
	}
	w.live("apply", one, one, "one")
	w.sql("INSERT INTO notes VALUES ('kept')")
	dump := strings.TrimSpace(w.shell("/usr/local/lib/appstack/backup", ""))
	text := w.shell("cat "+dump, "")
	w.sql("TRUNCATE notes; INSERT INTO notes VALUES ('lost')")

	asked := ""
	reports, err := w.run(t.Context(), "restore", func(r *app.Run) {
		r.Dump, r.Confirm = dump, func(target string) error { asked = target; return errors.New("rather not") }
	})
	w.must(err)
	if got := w.sql("SELECT * FROM notes"); asked != "shop/dev" || reports[0].Status != report.Failed || got != "lost" {
		t.Errorf("not confirmed, the restore asks about %q, ends %s, and the table has %q", asked, reports[0].Status, got)
	}
	if r := w.restore(filepath.Base(dump)); r.Status != report.Live {
		t.Fatalf("restore ends %s: %s\n%s", r.Status, r.Error, r.Hint)
	}
	if got := w.sql("SELECT * FROM notes"); got != "kept" {
		t.Errorf("after the restore the table has %q", got)
	}
	w.serves("one")
	w.sql("DROP TABLE notes")
	w.must(os.WriteFile(filepath.Join(w.dir, "saved.dump"), []byte(text), 0o600))
	if r := w.restore("saved.dump"); r.Status != report.Live {
		t.Fatalf("the restore of a file ends %s: %s\n%s", r.Status, r.Error, r.Hint)
	}
	if got := w.sql("SELECT * FROM notes"); got != "kept" {
		t.Errorf("after the restore of a file the table has %q", got)
	}
	if left := w.shell("ls /var/lib/appstack/uploads", ""); left != "" {
		t.Errorf("the dump stays on the guest: %s", left)
	}
	if r := w.restore("nonsense.dump"); r.Status != report.Failed || !strings.Contains(r.Error, "there is no dump /var/backups/postgresql/nonsense.dump") {
		t.Errorf("a dump that is not there: %s %s", r.Status, r.Error)
	}
	w.serves("one")
	w.status(one)
}

// status compares what the command of this name tells with what is there.
func (w *databaseWorld) status(one string) {
	w.t.Helper()
	bad := w.commit("bad", map[string][]byte{"build.js": []byte("process.exit(7)")})
	w.do("apply", bad)
	before := time.Now().Add(-time.Minute)
	w.shell("systemctl start --wait shop-cron-tick.service || true", "")
	r := w.do("status", bad)
	if r.Guest != "running" || r.Release != one || steps(r.Plan) != "deploy release "+bad || r.App == nil {
		w.t.Fatalf("guest %s, release %s, app %+v:\n%s", r.Guest, r.Release, r.App, r.Plan)
	}
	if a := r.App; a.Current != one || len(a.Failed) != 1 || a.Failed[0].SHA != bad || !strings.Contains(a.Failed[0].Why, "exit status 7") ||
		len(a.Services) != 1 || a.Services[0].Name != "web" || a.Services[0].State != "active" {
		w.t.Errorf("got %+v", a)
	}
	if len(r.App.Jobs) != 2 || r.App.Jobs[1].Unit != "shop-backup.service" || !r.App.Jobs[1].At.IsZero() {
		w.t.Fatalf("got the jobs %+v", r.App.Jobs)
	}
	if j := r.App.Jobs[0]; j.Unit != "shop-cron-tick.service" || j.Result != "exit-code" || j.Exit != 3 || j.At.Before(before) || j.At.After(time.Now().Add(time.Minute)) {
		w.t.Errorf("got the job %+v", j)
	}
}
