package resolve

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	pvelab "github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/sample"
)

const poteStack = `
proxmox: {url: "https://pve", token: "${secret.proxmox_token}"}
secrets: [a.age]
ssh: {key: "${secret.ssh_key}"}
projects:
  pote:
    app:
      runtime: python
      wheels: wheels
      source: {git: "GIT_URL", key: "${secret.git_key}", host_key: "GIT_HOST_KEY"}
      postgres: {password: "${secret.pote_db_password}", backup: {keep: 2}}
      migrate: .venv/bin/python -m pote.migrate
      cron: [{name: fetch, schedule: "0 5 31 12 *", run: .venv/bin/python -m pote.fetch, notify: ops@example.org}]
      smtp: {host: 127.0.0.1, port: 2525, from: pote@example.org, tls: none}
      services: {web: {start: .venv/bin/python -m pote.web, port: 8000, health: /healthz}}
    envs: {dev: {vmid: 110, ip: ADDRESS, gateway: GATEWAY, branch: main}}
`

// TestPote deploys the sample pote, with its database, its cron job and its backups.
func TestPote(t *testing.T) {
	p := newPlace(t, "org/pote", poteStack)
	files, err := sample.Pote()
	if err != nil {
		t.Fatal(err)
	}
	wheels, err := sample.Wheels(t.Context(), filepath.Join(pvelab.CacheDir(), "wheels"))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(files, wheels)
	first := p.commit(files, "first")
	_, heard := p.mustApply(p.want(first))
	t.Log(heard)
	if got := p.get(":8000/healthz"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("pote answers %s", got)
	}
	if todo, _, _ := p.apply(p.want(first)); !todo.Empty() {
		t.Errorf("a second run has more to do:\n%s", todo)
	}
	p.guest.Run(t, "systemctl start pote-cron-fetch.service")
	if got := p.get(":8000/api/readings"); !strings.Contains(got, "/proc/loadavg") {
		t.Errorf("after the cron job: %s", got)
	}
	p.backsUp(t)
	p.mails(t)

	bad := p.commit(gitrepo.Files{"pote/migrations/003_bad.sql": []byte("SELECT nonsense;")}, "bad migration")
	_, heard, err = p.apply(p.want(bad))
	if err == nil || !strings.Contains(heard+err.Error(), "restore_db.sh /var/backups/postgresql/pote-") {
		t.Errorf("a broken migration: %v\n%s", err, heard)
	}
	if got := p.get(":8000/healthz"); !strings.HasPrefix(got, "200 ") || !strings.Contains(got, first) {
		t.Errorf("after a broken migration: %s", got)
	}
	missing := p.commit(gitrepo.Files{"pote/migrations/003_bad.sql": []byte("SELECT 1;"), "pote/fetch.py": []byte("import no_such_module\n")}, "bad import")
	_, heard, err = p.apply(p.want(missing))
	if err == nil || !strings.Contains(heard+err.Error(), "there is no module no_such_module") {
		t.Errorf("a missing module: %v\n%s", err, heard)
	}
}

// backsUp makes dumps, loses data, and puts it back.
func (p *place) backsUp(t *testing.T) {
	out := p.guest.Run(t, `for i in 1 2 3; do /usr/local/lib/appstack/backup; sleep 1.1; done; ls /var/backups/postgresql | grep -c scheduled
stat -c '%a %U' /var/backups/postgresql; runuser -u postgres -- psql -d pote -qc 'DELETE FROM readings'
restore_db.sh "$(ls /var/backups/postgresql/*scheduled* | tail -1)"; systemctl is-active pote-web`)
	if !strings.Contains(out, "\n2\n700 postgres\n") || !strings.HasSuffix(out, "\nactive\n") {
		t.Errorf("backup and restore: %s", out)
	}
	if got := p.get(":8000/api/readings"); !strings.Contains(got, "/proc/loadavg") {
		t.Errorf("after the restore: %s", got)
	}
}

// mailSink takes one mail on port 2525 and prints it, as an SMTP server would.
const mailSink = `
import socket
s = socket.create_server(("127.0.0.1", 2525)); c, _ = s.accept(); f = c.makefile("rw", newline="\r\n")
def say(x): f.write(x + "\r\n"); f.flush()
say("220 sink")
for line in f:
    w = line.split()[0].upper()
    print(line.strip())
    if w == "DATA":
        say("354 go")
        for line in f:
            print(line.rstrip())
            if line.strip() == ".": break
    say("221 bye" if w == "QUIT" else "250 ok")
    if w == "QUIT": break
`

// mails lets the job fail and reads the mail about it.
func (p *place) mails(t *testing.T) {
	out := p.guest.Run(t, "cat >/root/sink.py <<'EOF'\n"+mailSink+"EOF\n"+`systemd-run -q --unit=sink python3 -u /root/sink.py
mkdir -p /run/systemd/system/pote-cron-fetch.service.d
printf '[Service]\nEnvironment=POTE_SOURCE=/nonexistent\n' >/run/systemd/system/pote-cron-fetch.service.d/fail.conf
systemctl daemon-reload; systemctl start pote-cron-fetch.service || echo it failed
for i in $(seq 100); do [ "$(systemctl is-active sink)" = active ] || break; sleep 0.2; done
journalctl -o cat -u sink; rm -r /run/systemd/system/pote-cron-fetch.service.d; systemctl daemon-reload; systemctl reset-failed`)
	for _, want := range []string{"it failed", "RCPT TO:<ops@example.org>", "Subject: [pote/dev] pote-cron-fetch.service failed (exit-code)", "cannot read /nonexistent"} {
		if !strings.Contains(out, want) {
			t.Errorf("the mail lacks %q:\n%s", want, out)
		}
	}
}
