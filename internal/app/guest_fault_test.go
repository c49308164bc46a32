package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/gitserver"
	"github.com/org/appstack-action/internal/report"
)

// guestFault is something that goes wrong in a guest, or around it, while it gets a new
// release.
type guestFault struct {
	name string
	// begin brings it about before the run, in the guest's shell; end takes it away.
	begin, end string
	git        gitserver.Fault
	files      gitrepo.Files // of the commit
	stack      string        // what the base is from here on
	// during is a command in the guest as soon as it builds.
	during string
	down   bool            // the guest itself goes down: no release serves meanwhile
	ends   []report.Reason // how the run may end; "": in success
	says   string          // what a failure has to say
}

const (
	// hold takes the lock that dpkg's front ends take, by fcntl(2) as they do.
	hold = `systemd-run -q --collect --unit=lab-hold --property=RuntimeMaxSec=%s perl -e 'use Fcntl; open(F, ">>", "/var/lib/dpkg/lock-frontend"); $l = pack("ssx4qqlx4", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLKW, $l) or die; sleep 3600'`
	slow = `setTimeout(() => console.log('built'), 3000)`
	// hungry is a build that takes all the memory there is.
	hungry = `const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1))`
	// greedy takes it little by little.
	greedy = `const all = []; setInterval(() => all.push(Buffer.alloc(1 << 23, 1)), 100)`
)

func guestFaults() []guestFault {
	const none = ""
	aptConf := func(line string) string { return `echo '` + line + `' >/etc/apt/apt.conf.d/99lab` }
	noAptConf := "rm -f /etc/apt/apt.conf.d/99lab"
	return []guestFault{
		{name: "disk full", begin: `fallocate -l "$(($(df --output=avail -B1 / | tail -1) - 65536))" /var/fill`, end: "rm -f /var/fill",
			files: gitrepo.Files{"big": make([]byte, 4<<20)}, ends: []report.Reason{report.BuildFailed, report.ConfigureError}, says: "No space left on device"},
		{name: "apt lock held for a while", begin: fmt.Sprintf(hold, "8"), end: "systemctl stop lab-hold 2>/dev/null || true", stack: "packages: [tree]", ends: []report.Reason{none}},
		{name: "apt lock held", begin: fmt.Sprintf(hold, "3600"), end: "systemctl stop lab-hold 2>/dev/null || true", stack: "packages: [tree, jq]", ends: []report.Reason{report.ConfigureError}, says: "lock"},
		{name: "mirror down", begin: aptConf(`Acquire::http::Proxy "http://127.0.0.1:9"; Acquire::https::Proxy "http://127.0.0.1:9"; Acquire::Retries "0";`), end: noAptConf,
			stack: "packages: [tree, jq, bc]", ends: []report.Reason{report.ConfigureError}},
		{name: "clock two years off, as apt sees it", begin: aptConf(`Acquire::Max-ValidTime "1"; Acquire::Check-Valid-Until "true";`) + "; rm -rf /var/lib/apt/lists/*", end: noAptConf,
			stack: "packages: [tree, jq, bc, rsync]", ends: []report.Reason{none, report.ConfigureError}},
		{name: "git server down", git: gitserver.Fault{Down: true}, ends: []report.Reason{report.BuildFailed}, says: "cannot fetch"},
		{name: "git server cuts", git: gitserver.Fault{DropAfter: 1500}, ends: []report.Reason{none, report.BuildFailed}},
		{name: "git server slow", git: gitserver.Fault{Delay: 5 * time.Second}, ends: []report.Reason{none}},
		// Until the kernel kills the build, the guest may be too busy to answer.
		{name: "out of memory", files: gitrepo.Files{"build.js": []byte(hungry)}, ends: []report.Reason{report.BuildFailed, report.Unreachable}, says: "memory"},
		{name: "memory runs short", files: gitrepo.Files{"build.js": []byte(greedy)}, ends: []report.Reason{report.BuildFailed}, says: "ended before the guest stood still"},
		{name: "sshd restarts", files: gitrepo.Files{"build.js": []byte(slow)}, during: "systemctl restart ssh", ends: []report.Reason{none}},
		{name: "sshd drops the session", files: gitrepo.Files{"build.js": []byte(slow)}, during: "pkill -f '^sshd: root@notty'; systemctl restart ssh", ends: []report.Reason{none, report.Unreachable}},
		{name: "reboot", files: gitrepo.Files{"build.js": []byte(slow)}, during: "systemctl reboot", down: true, ends: []report.Reason{report.Unreachable, report.BuildFailed}},
		{name: "power cut", files: gitrepo.Files{"build.js": []byte(slow)}, during: "pve stop", down: true, ends: []report.Reason{report.Unreachable}},
		{name: "read-only /srv", begin: "mount --bind /srv /srv && mount -o remount,bind,ro /srv", end: "umount /srv", ends: []report.Reason{report.BuildFailed, report.ConfigureError}, says: "Read-only file system"},
		{name: "read-only /etc", begin: "mount --bind /etc /etc && mount -o remount,bind,ro /etc", end: "umount /etc", stack: "packages: [tree], journal_size: 300M", ends: []report.Reason{report.ConfigureError}, says: "Read-only file system"},
	}
}

// faultWorld is a world whose guest has a release, to which things happen.
type faultWorld struct {
	*crashWorld
	page  string // that of the last release that was live
	count int
}

// TestFaultsOfTheGuest lets the guest and what it needs go wrong: each run ends in success
// or in a clear failure, the release that served goes on serving, and when the fault is
// gone the next run succeeds.
func TestFaultsOfTheGuest(t *testing.T) {
	if !torture() {
		t.Skip("with APPSTACK_TORTURE=1")
	}
	w := &faultWorld{crashWorld: newCrashWorld(t, "org/guestfaults"), page: "one"}
	one := w.commit("one", nil)
	w.live("apply", one, one, "one")
	table := guestTable()
	for _, f := range guestFaults() {
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			outer := w.t
			w.t = t
			defer func() { w.t = outer }()
			began := time.Now()
			said, served := w.suffer(f)
			if t.Failed() {
				return
			}
			table.add(f.name, table.columns[0], said)
			table.add(f.name, table.columns[1], served)
			table.add(f.name, table.columns[2], "live")
			t.Logf("%s: %s, %s, %v", f.name, said, served, time.Since(began).Round(time.Second))
		})
	}
	if *update { // also where one of them failed: its row stays as it was
		_, old, _ := generated(t, "guest")
		table.keep(parseMatrix(old), func(row string) bool { return len(table.cells[[2]string{row, table.columns[0]}]) == 0 })
		rewrite(t, "guest", table.table("fault"))
		return
	}
	table.document(t, "guest", "fault")
}

// guestTable has a row for each fault.
func guestTable() *matrix {
	table := newMatrix()
	table.columns = []string{"the run", "the release that served", "the next run"}
	for _, f := range guestFaults() {
		table.row(f.name)
	}
	return table
}

// TestFaultsOfTheGuestAreDocumented needs no guest: each fault has its row.
func TestFaultsOfTheGuestAreDocumented(t *testing.T) {
	if torture() {
		t.Skip("TestFaultsOfTheGuest writes and compares the rows")
	}
	guestTable().document(t, "guest", "fault")
	_, text, _ := generated(t, "guest")
	had := parseMatrix(text)
	for _, row := range had.rows {
		for _, column := range had.columns {
			if len(had.cells[[2]string{row, column}]) == 0 {
				t.Errorf("docs/reliability.md does not say what becomes of %q: %s", row, column)
			}
		}
	}
}

// restack writes the stack file with another base, if one is given: what was installed is
// not taken away.
func (w *faultWorld) restack(base string) {
	w.t.Helper()
	if base == "" {
		return
	}
	text, err := os.ReadFile(filepath.Join(w.dir, "appstack.yaml"))
	w.must(err)
	before, rest, _ := strings.Cut(string(text), "  shop:\n")
	if _, after, ok := strings.Cut(rest, "# base\n"); ok {
		rest = after
	}
	w.write("appstack.yaml", before+"  shop:\n    base: {"+base+"} # base\n"+rest)
}

// suffer lets a run meet a fault, takes it away, and runs again.
func (w *faultWorld) suffer(f guestFault) (said, served string) {
	w.t.Helper()
	w.count++
	page := fmt.Sprint("fault ", w.count)
	files := gitrepo.Files{"version": []byte(page)}
	for name, text := range f.files {
		files[name] = text
	}
	sha := w.commit(f.name, files)
	w.restack(f.stack)
	if f.begin != "" {
		login(w.t, w.addr.String(), w.key, f.begin)
	}
	w.lab.Git.SetFault(f.git)
	v := visit(fmt.Sprintf("http://%s:3000/", w.addr))
	r := w.meet(f, sha)
	w.lab.Git.SetFault(gitserver.Fault{})
	if f.down {
		w.poll("the guest does not come back", func() bool { return w.tries("true") })
	}
	v.end()
	served = w.judge(f, r, v, page)
	if f.end != "" {
		login(w.t, w.addr.String(), w.key, f.end)
	}
	if said = "live"; r.Failed() {
		said = "`" + string(r.Reason) + "`"
	}
	if f.files["build.js"] != nil { // what is wrong with the commit is mended by another
		sha = w.commit("mended", gitrepo.Files{"version": []byte(page), "build.js": []byte("console.log('mended')")})
	}
	if r := w.do("apply", sha); r.Failed() || r.Release != sha {
		w.t.Fatalf("%s: the next run ends %s (%s) with the release %s: %s", f.name, r.Status, r.Reason, r.Release, r.Error)
	}
	w.serves(page)
	w.page = page
	return said, served
}

// meet runs apply, and lets happen what is to happen when the guest builds.
func (w *faultWorld) meet(f guestFault, sha string) report.Report {
	w.t.Helper()
	var once sync.Once
	var strike sync.WaitGroup
	view := &watcher{w.log, func(m moment) {
		if f.during != "" && m == (moment{"during", "deploy: build"}) || m == (moment{"before", "deploy: build"}) {
			once.Do(func() { strike.Go(func() { w.strike(f.during) }) })
		}
	}}
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute)
	defer cancel()
	w.runs++
	reports, err := w.run(ctx, "apply", func(r *app.Run) {
		r.View, r.Request.Ref, r.Repository, r.Holder = view, sha, "org/guestfaults", fmt.Sprintf("org/guestfaults/%d/1", w.runs)
		r.RunOver = func(context.Context, string) (bool, error) { return true, nil }
	})
	strike.Wait()
	w.must(err)
	return reports[0]
}

// strike does something to the guest while it builds.
func (w *faultWorld) strike(command string) {
	switch command {
	case "":
	case "pve stop":
		w.ask("POST", "/nodes/pve1/lxc/"+w.vmid()+"/status/stop", "")
	default:
		_, _ = try(w.addr.String(), w.key, command) // it may end the very session
	}
}

// tries tells whether a command succeeds in the guest; a guest that is down is started.
func (w *faultWorld) tries(command string) bool {
	if strings.Contains(string(w.ask("GET", "/nodes/pve1/lxc/"+w.vmid()+"/status/current", "")), `"stopped"`) {
		w.ask("POST", "/nodes/pve1/lxc/"+w.vmid()+"/status/start", "")
	}
	_, err := try(w.addr.String(), w.key, command)
	return err == nil
}

// judge demands one of the ends that the fault allows, and that the old release served, or
// the new one where the run succeeded.
func (w *faultWorld) judge(f guestFault, r report.Report, v *visitor, fresh string) (served string) {
	w.t.Helper()
	text := r.Error + "\n" + r.Hint
	for _, d := range r.Done {
		text += "\n" + d.Outcome.Tail
	}
	silent := r.Reason == report.Unreachable // who is cut off is not told why
	if !slices.Contains(f.ends, r.Reason) || r.Failed() && !silent && !strings.Contains(text, f.says) {
		w.t.Errorf("%s: it ends %s (%s), want one of %q that says %q:\n%s", f.name, r.Status, r.Reason, f.ends, f.says, text)
	}
	w.poll("the app does not answer", func() bool {
		got, err := page(&http.Client{Timeout: 10 * time.Second}, fmt.Sprintf("http://%s:3000/", w.addr))
		return err == nil && (got == fresh || got == w.page)
	})
	if f.down {
		return "came back with the guest"
	}
	if len(v.failures) > 0 {
		w.t.Errorf("%s: requests were lost: %q", f.name, v.failures)
	}
	for got := range v.pages {
		if got != w.page && (got != fresh || r.Failed() && r.Reason != report.Unreachable) {
			w.t.Errorf("%s: the app answered %q", f.name, got)
		}
	}
	return "lost no request"
}
