package app_test

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/sample"
	"github.com/org/appstack-action/internal/report"
)

// poteWorld is a world with the sample app pote: a private git server and a private
// package index, a database, services with and without a port, and jobs.
type poteWorld struct {
	*databaseWorld
	vmid     int
	log      *heardTB
	canaries map[string]string
	reports  []report.Report
}

func newPoteWorld(t *testing.T, kind guestKind) *poteWorld {
	t.Helper()
	repo := kind.repo("org/pote")
	w := &poteWorld{databaseWorld: &databaseWorld{tinyWorld: &tinyWorld{world: newWorld(t, kind), repo: repo}}, log: &heardTB{TB: t}}
	w.world.log.t = w.log
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.log.text())
		}
	})
	w.must(w.lab.AddRepository(repo))
	w.canaries = map[string]string{"age identity": w.identity, "token": w.lab.Info.Token[strings.LastIndex(w.lab.Info.Token, "=")+1:]}
	for _, name := range []string{"db", "smtp", "index"} {
		w.rotate(name, name)
	}
	for _, name := range []string{"ssh", "git"} {
		private, public := newKey(t)
		w.secret("pote_"+name+"_key", private)
		w.canaries[name+" key"] = strings.Split(private, "\n")[3] // of its base64, a line after the public half
		if name == "git" {
			w.must(w.lab.Git.AddDeployKey(repo, public, false))
			continue
		}
		key, err := ssh.ParsePrivateKey([]byte(private))
		w.must(err)
		w.key = key
	}
	var prefix = w.allocate()
	w.stackWith(prefix, w.index(), poteJobs)
	return w
}

// rotate gives a password another value, which is a canary by the name as.
func (w *poteWorld) rotate(name, as string) (password string) {
	w.t.Helper()
	w.canaries[as] = "canary" + rand.Text()
	w.secret("pote_"+name+"_password", w.canaries[as])
	return w.canaries[as]
}

func (w *poteWorld) allocate() string {
	w.t.Helper()
	vmid, addr := machines.Allocate(w.t)
	w.vmid, w.addr = vmid, addr.Addr()
	return addr.String()
}

// index serves pote's wheels on the lab's bridge to who knows the password.
func (w *poteWorld) index() string {
	w.t.Helper()
	wheels, err := sample.Wheels(w.t.Context(), filepath.Join(lab.CacheDir(), "wheels"))
	w.must(err)
	pages, password := sample.Index(wheels), w.canaries["index"]
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if user, given, _ := r.BasicAuth(); user != "ci" || given != password {
			rw.Header().Set("WWW-Authenticate", "Basic")
			http.Error(rw, "who are you?", http.StatusUnauthorized)
			return
		}
		pages.ServeHTTP(rw, r)
	}))
	server.Listener.Close()
	server.Listener, err = (&net.ListenConfig{}).Listen(w.t.Context(), "tcp", net.JoinHostPort(w.lab.Gateway().String(), "0"))
	w.must(err)
	server.Start()
	w.t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http://", "http://ci:${secret.pote_index_password}@", 1) + "/simple/"
}

// poteJobs are its jobs beside the one that comes by the clock.
const poteJobs = `
        - {name: fails, schedule: "0 5 31 12 *", run: echo it is broken; exit 3, notify: ops@example.org}
        - {name: hangs, schedule: "0 5 31 12 *", run: echo begin >>/srv/app/shared/hangs; exec sleep 600, timeout: 10s}
        - {name: notes, schedule: "0 5 31 12 *", run: basename "$(readlink -f .)" >>/srv/app/shared/notes}`

func (w *poteWorld) stackWith(prefix, index, jobs string) {
	w.t.Helper()
	w.write("appstack.yaml", fmt.Sprintf(`proxmox: {url: "${secret.proxmox_url}", token: "${secret.proxmox_token}", fingerprint: "${secret.proxmox_fingerprint}", node: pve1}
secrets: [secrets.yaml.age]
ssh: {user: root, key: "${secret.pote_ssh_key}"}
projects:
  pote:
    guest: {template: debian-12-warm, cores: 2, memory: 1024, swap: 0, disk: 6}
    base: {unattended_upgrades: false} # files are watched
    app:
      runtime: python
      version: "3.11"
      index_url: "%s"
      source: {git: "ssh://git@%s/%s.git", key: "${secret.pote_git_key}", host_key: "%s"}
      postgres: {password: "${secret.pote_db_password}", extensions: pg_trgm, backup: {keep: 2}}
      migrate: .venv/bin/python -m pote.migrate
      smtp: {host: localhost, port: 4650, user: pote, password: "${secret.pote_smtp_password}", from: pote@example.org, tls: tls}
      cron:
        - {name: fetch, schedule: "* * * * *", run: .venv/bin/python -m pote.fetch}%s
      services:
        web: {start: .venv/bin/python -m pote.web, port: 8000, public: true, health: /healthz}
        worker: {start: exec sleep infinity}
    envs:
      prod: {name: pote-%d, vmid: %[6]d, ip: %s, gateway: %s, branch: dev, env_vars: {SMTP_HOST: localhost, SMTP_PASSWORD: "${secret.pote_smtp_password}"}}
`, index, w.lab.Info.GitSSH, w.repo, w.lab.Info.GitHostKey, jobs, w.vmid, prefix, w.lab.Gateway()))
}

// commit makes a commit of pote with some files changed.
func (w *poteWorld) commit(message string, change gitrepo.Files) string {
	w.t.Helper()
	files := w.sample("pote")
	maps.Copy(files, change)
	sha, err := w.lab.Git.Commit(w.repo, "dev", files, message)
	w.must(err)
	return sha
}

// do runs a command whose report has to end in this way.
func (w *poteWorld) do(command, ref string, want report.Status) report.Report {
	w.t.Helper()
	r := w.world.do(command, ref)
	w.ends(r, want)
	return r
}

func (w *poteWorld) ends(r report.Report, want report.Status) {
	w.t.Helper()
	w.reports = append(w.reports, r)
	if r.Status != want {
		w.t.Fatalf("%s ends %s, not %s (%s): %s\n%s\n%s", r.Command, r.Status, want, r.Reason, r.Error, r.Hint, r.Plan)
	}
}

func (w *poteWorld) page(path string) string {
	w.t.Helper()
	return get(w.t, fmt.Sprintf("http://%s:8000%s", w.addr, path))
}

// poll waits until a condition holds: for what takes a minute by the clock, and
// for a machine that has much else to do.
func (w *poteWorld) poll(otherwise string, condition func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(4 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			w.t.Fatal(otherwise)
		}
	}
}

// logsIn tells whether the app's role gets into its database with a password.
func (w *poteWorld) logsIn(password string) bool {
	w.t.Helper()
	return w.shell(`PGPASSWORD="$(cat)"; export PGPASSWORD; psql -w -h 127.0.0.1 -U pote -d pote -Atqc 'SELECT 1' || echo refused`, password) == "1\n"
}

// mailSink takes one mail over TLS from who logs in with the password of this hash.
const mailSink = `
import base64, hashlib, socket, ssl, sys
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); tls.load_cert_chain("/root/sink.pem")
server = tls.wrap_socket(socket.create_server(("127.0.0.1", 4650)), server_side=True)
print("listens", flush=True)
conn, _ = server.accept(); f = conn.makefile("rw", newline="\r\n")
def say(x): f.write(x + "\r\n"); f.flush()
say("220 sink")
for line in f:
    words = line.split()
    if words[0] == "EHLO":
        say("250-sink"); say("250 AUTH PLAIN")
        continue
    if words[0] == "AUTH":
        if len(words) == 2:
            say("334 "); words.append(next(f).strip())
        password = base64.b64decode(words[2]).split(b"\0")[2]
        known = hashlib.sha256(password).hexdigest() == sys.argv[1]
        print("login", known, flush=True); say("235 welcome" if known else "535 no")
        continue
    print(line.strip(), flush=True)
    if words[0] == "DATA":
        say("354 go")
        for line in f:
            print(line.rstrip(), flush=True)
            if line.strip() == ".": break
    say("221 bye" if words[0] == "QUIT" else "250 ok")
    if words[0] == "QUIT": break
`

// mail lets a job fail and returns the mail about it.
func (w *poteWorld) mail(job string) string {
	w.t.Helper()
	w.shell(`cat >/root/sink.py; cd /usr/local/share/ca-certificates
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout /root/key.pem -out sink.crt 2>&1
cat /root/key.pem sink.crt >/root/sink.pem; update-ca-certificates >/dev/null 2>&1`, mailSink)
	sum := sha256.Sum256([]byte(w.canaries["smtp"]))
	w.shell(fmt.Sprintf("systemd-run -q --unit=sink python3 /root/sink.py %x", sum), "")
	w.poll("the mail server does not start", func() bool { return strings.Contains(w.journal("sink"), "listens") })
	w.shell("systemctl start --wait "+job+" || true", "")
	w.poll("no mail came: "+w.journal("appstack-notify@"+job), func() bool { return strings.Contains(w.journal("sink"), "QUIT") })
	return w.journal("sink")
}

func (w *poteWorld) journal(unit string) string {
	w.t.Helper()
	return w.shell("journalctl --quiet --no-pager --output=cat --unit="+unit, "")
}
