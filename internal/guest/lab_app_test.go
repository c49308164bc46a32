package guest_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/guest"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/templates"
)

func TestDatabase(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	const password = `canary it's \ "quoted" $HOME :x` + "\té"
	want := &machine.OS{
		Packages: map[string]string{"postgresql": ""},
		Databases: map[string]machine.Database{
			"pote":   {Owner: "pote", Password: secret.New(password), Encoding: "UTF8", Extensions: []string{"pg_trgm"}},
			"ledger": {Owner: "books", User: "clerk", Password: secret.New("canary clerk"), Encoding: "LATIN1", Extensions: []string{"uuid-ossp"}},
		},
	}
	c := dial(t, options(g))
	mustApply(t, c, want)
	converged(t, c, want)
	g.Run(t, "runuser -u postgres -- psql -d pote -c 'CREATE TABLE kept (x int)'")

	want.Databases["pote"] = machine.Database{Owner: "pote", Password: secret.New("canary another"), Encoding: "UTF8", Extensions: []string{"pg_trgm"}}
	p := mustApply(t, c, want)
	if got := p.String(); got != "lab: 0 to add, 1 to change, 0 to remove\n  ~ set database pote: password differs\n" {
		t.Errorf("got %s", got)
	}
	converged(t, c, want)
	// The role that is not the owner may do what the owner may.
	g.Run(t, "PGPASSWORD='canary clerk' psql -h 127.0.0.1 -U clerk -d ledger -qc 'CREATE TABLE t (x int); ALTER TABLE t OWNER TO books; DROP TABLE t'; cd /; runuser -u postgres -- psql -qc 'REVOKE books FROM clerk'; systemctl stop postgresql@15-main")
	if p, _ := todo(t, c, want); p.String() != "lab: 0 to add, 2 to change, 0 to remove\n  ~ set database ledger: PostgreSQL does not run\n  ~ set database pote: PostgreSQL does not run\n" {
		t.Errorf("with PostgreSQL stopped:\n%s", p)
	}
	mustApply(t, c, want)
	converged(t, c, want)
	want.Databases = nil
	p, _ = todo(t, c, want)
	if !p.Empty() || len(p.Notes) != 2 || !strings.Contains(p.Notes[1], "pote left the stack and is kept") {
		t.Errorf("got %s", p)
	}
	if out := g.Run(t, "cd /; runuser -u postgres -- psql -At -d pote -c '\\dt'; grep -rl canary /var/log /var/lib/appstack 2>/dev/null; journalctl --no-pager | grep canary; true"); !strings.HasPrefix(out, "public|kept|table") || strings.Contains(out, "canary") || strings.Contains(out, "/var/log") {
		t.Errorf("got %s", out)
	}
}

// deployScript does what deploy_app.sh does to the disk.
const deployScript = `#!/bin/sh
set -eu
key=$(cat)
echo "deploying $1"
[ "$key" = "the key" ] || { echo "no key"; exit 4; }
mkdir -p /srv/app/releases/"$1"
if [ "$1" = bad ]; then
	echo unhealthy >/srv/app/releases/bad.failed
	echo "backend did not answer on /healthz"
	exit 6
fi
ln -sfn releases/"$1" /srv/app/current
systemctl restart shop-web.service
`

func TestDeploy(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	want := base(g)
	want.Files["/usr/local/bin/deploy_app.sh"] = file(0o755, "root", deployScript)
	want.Files["/etc/appstack/app.conf"] = file(0o644, "root", "keep=5\n")
	want.Release = &machine.Release{SHA: "aaa", Input: secret.New("the key"), Units: []string{"shop-web.service"}, Triggers: []string{"/etc/appstack/app.conf"}}
	c := dial(t, options(g))
	mustApply(t, c, want)
	converged(t, c, want)

	want.Release.SHA = "bad"
	_, _, err := apply(t, c, want)
	var failed *guest.StepError
	if !errors.As(err, &failed) || failed.Code != 6 || !strings.HasSuffix(failed.Tail, "backend did not answer on /healthz") {
		t.Fatalf("got %v", err)
	}
	p, have := todo(t, c, want)
	if have.Release.SHA != "aaa" || have.Release.Failed != "bad" || len(p.Notes) == 0 {
		t.Errorf("release %+v\n%s", have.Release, p)
	}

	want.Release.SHA = "aaa"
	if p, _ := todo(t, c, want); len(p.Steps) != 1 || p.Steps[0].Verb != plan.Deploy || p.Steps[0].Cause != "an interrupted run did not come to it" {
		t.Errorf("after a deploy that failed:\n%s", p)
	}
	mustApply(t, c, want)
	want.Files["/etc/appstack/app.conf"] = file(0o644, "root", "keep=6\n")
	p = mustApply(t, c, want)
	if last := p.Steps[len(p.Steps)-1].String(); last != "+ deploy release aaa: /etc/appstack/app.conf changes (restart)" {
		t.Errorf("got %s", p)
	}
	converged(t, c, want)
}

func TestDeployTree(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	archive := bytes.Repeat([]byte("not really a tar archive\n"), 1<<18) // 6.5 MB
	path := filepath.Join(t.TempDir(), "tree.tar")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	want := base(g)
	want.Files["/usr/local/bin/deploy_app.sh"] = file(0o755, "root", "#!/bin/sh\nset -e\n[ \"$1\" = --upload ]\nsha256sum >/srv/app/sum\nln -sfn releases/$2 /srv/app/current\n")
	want.Release = &machine.Release{SHA: "abc", Tree: path}
	c := dial(t, options(g))
	mustApply(t, c, want)
	converged(t, c, want)
	if out := g.Run(t, "cat /srv/app/sum; ls /var/lib/appstack"); !strings.HasPrefix(out, fmt.Sprintf("%x  -\n", sha256.Sum256(archive))) || strings.Contains(out, "uploads") {
		t.Errorf("got %s", out)
	}
}

// watch notes each command line with the canary in it. (Environments may have it: the
// service's own does.)
const watch = `while :; do
	for f in /proc/[0-9]*/cmdline; do
		line=$(tr "\0" " " <$f 2>/dev/null)
		case $line in *canary*) echo "$line" >>/root/seen ;; esac
	done
done
`

// Secrets are on no command line while they are used.
func TestSecretsStayOffCommandLines(t *testing.T) {
	t.Parallel()
	g := lab.Guest(t)
	want := base(g)
	want.Files["/root/watch"] = file(0o700, "root", "#!/bin/sh\n"+watch)
	want.Files["/etc/systemd/system/watch.service"] = file(0o644, "root", "[Service]\nExecStart=/root/watch\n")
	want.Units["watch.service"] = machine.Unit{Active: true}
	want.Files["/usr/local/bin/deploy_app.sh"] = file(0o755, "root", "#!/bin/sh\ncat >/dev/null; mkdir -p /srv/app/releases/$1; ln -sfn releases/$1 /srv/app/current\n")
	c := dial(t, options(g))
	mustApply(t, c, want)
	for _, sha := range []string{"aaa", "bbb", "ccc"} {
		want.Release = &machine.Release{SHA: sha, Input: secret.New("canary-key")}
		env := want.Files[envFile]
		env.Content = secret.New("A=1\n" + templates.EnvMarker + "\nPW=canary-" + sha + "\n")
		want.Files[envFile] = env
		mustApply(t, c, want)
		converged(t, c, want)
	}
	if out := g.Run(t, "systemctl is-active watch.service; cat /root/seen 2>/dev/null; true"); out != "active\n" {
		t.Errorf("got %s", out)
	}
	g.Run(t, "sh -c 'sleep 1; :' canary-control")
	if out := g.Run(t, "cat /root/seen"); !strings.Contains(out, "canary-control") {
		t.Errorf("the watch sees nothing: %q", out)
	}
}
