package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/report"
)

// TestCanary gives every secret a value that is nowhere else, deploys, changes, fails
// and restores, and then looks for them everywhere but where they belong.
func TestCanary(t *testing.T) { onEveryKind(t, false, testCanary) }

func testCanary(t *testing.T, kind guestKind) {
	w := newDatabaseWorld(t, "org/canary", kind)
	log := &heardTB{TB: t}
	w.log.t = log
	canaries := w.plantCanaries()
	stop := watchCommandLines(t, canaries)

	one := w.commit("one", nil)
	first := w.do("apply", one)
	w.serves("one")
	rotated := "canary" + rand.Text()
	w.secret("db_password", rotated)
	canaries["database, rotated"] = rotated
	second := w.do("apply", one)
	bad := w.do("apply", w.commit("bad", map[string][]byte{"migrate.js": []byte(""), "server.js": []byte("process.exit(1)")}))
	dump := strings.TrimSpace(w.shell("/usr/local/lib/appstack/backup", ""))
	restored := w.restore(dump)
	reports := []report.Report{first, second, bad, restored, w.do("rollback", one), w.do("status", one), w.do("plan", bad.SHA)}
	for i, want := range []report.Status{report.Live, report.Live, report.Failed, report.Live, report.Live, report.Unchanged, report.Planned} {
		if reports[i].Status != want {
			t.Errorf("%s ends %s, not %s: %s", reports[i].Command, reports[i].Status, want, reports[i].Error)
		}
	}
	for _, line := range stop() {
		t.Errorf("on a command line: %s", line)
	}
	clean(t, canaries, "the log", log.text())
	for _, r := range reports {
		text, err := json.Marshal(r)
		w.must(err)
		clean(t, canaries, "the report", string(text))
		clean(t, canaries, "the comment", report.Comment(r))
	}
	clean(t, canaries, "Proxmox", w.proxmoxSays(first))
	w.searchGuest(canaries, "640 root:appuser /srv/app/.env.dev\n", "shop-web.service\n")
}

// plantCanaries sets the app's secrets, and names those that were made before by a part
// that is nowhere else.
func (w *databaseWorld) plantCanaries() map[string]string {
	w.t.Helper()
	canaries := map[string]string{
		"database": "canary" + rand.Text(), "api key": "canary" + rand.Text(), "age identity": w.identity,
		"token": w.lab.Info.Token[strings.LastIndex(w.lab.Info.Token, "=")+1:],
	}
	w.secret("db_password", canaries["database"])
	w.secret("api_key", canaries["api key"])
	for _, name := range []string{"ssh_key", "deploy_key"} {
		private, public := newKey(w.t)
		w.secret(name, private)
		canaries[name] = strings.Split(private, "\n")[3] // of its base64, a line after the public half
		if name == "deploy_key" {
			w.must(w.lab.Git.AddDeployKey(w.repo, public, false))
			continue
		}
		key, err := ssh.ParsePrivateKey([]byte(private))
		w.must(err)
		w.key = key
	}
	stack, err := os.ReadFile(filepath.Join(w.dir, "appstack.yaml"))
	w.must(err)
	w.write("appstack.yaml", strings.Replace(string(stack), "branch: dev}", `branch: dev, env_vars: {API_KEY: "${secret.api_key}"}}`, 1))
	return canaries
}

// clean reports each canary that is in a text.
func clean(t *testing.T, canaries map[string]string, where, text string) {
	t.Helper()
	if text == "" {
		t.Errorf("%s is empty: nothing was looked at", where)
	}
	for name, canary := range canaries {
		if i := strings.Index(text, canary); i >= 0 {
			t.Errorf("%s tells the secret %q: …%q…", where, name, text[max(0, i-100):min(len(text), i+20)])
		}
	}
}

// heardTB keeps what is logged.
type heardTB struct {
	testing.TB
	mu  sync.Mutex
	all strings.Builder
}

func (h *heardTB) Logf(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(&h.all, format+"\n", args...)
}

func (h *heardTB) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.String()
}

// watchCommandLines reads those of every process of this machine, those in containers
// too, over and over until stop, which returns those that had a canary.
func watchCommandLines(t *testing.T, canaries map[string]string) (stop func() []string) {
	t.Helper()
	canaries = maps.Clone(canaries)
	canaries["control"] = "canary" + rand.Text()
	ctx, cancel := context.WithCancel(t.Context())
	seen, works := map[string]bool{}, make(chan bool)
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for lines := (commandLines{}); ctx.Err() == nil; <-tick.C {
			for line := range lines.fresh() {
				for name, canary := range canaries {
					if bytes.Contains(line, []byte(canary)) {
						if name == "control" && len(seen) == 0 {
							close(works)
						}
						seen[name+": "+string(bytes.ReplaceAll(line, []byte{0}, []byte(" ")))] = true
					}
				}
			}
		}
	})
	control := exec.CommandContext(ctx, "sh", "-c", "read line; :", canaries["control"])
	if _, err := control.StdinPipe(); err != nil { // so that it waits
		t.Fatal(err)
	}
	if err := control.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-works:
	case <-time.After(time.Minute):
		t.Error("the watch sees nothing")
	}
	return func() []string {
		cancel()
		watch.Wait()
		_ = control.Wait() // it was killed
		lines := slices.Collect(maps.Keys(seen))
		return slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "control: ") })
	}
}

// commandLines are those of this machine's processes. A process gets its own soon after
// its birth: the young ones are read each time and all now and then, which takes so
// little that those that live for a moment are met.
type commandLines struct {
	born map[string]time.Time
	all  time.Time // when all were read
}

func (c *commandLines) fresh() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		dir, err := os.Open("/proc")
		if err != nil {
			return
		}
		names, _ := dir.Readdirnames(-1)
		_ = dir.Close()
		now, before := time.Now(), c.born
		all := now.Sub(c.all) > 100*time.Millisecond
		if all {
			c.all = now
		}
		c.born = make(map[string]time.Time, len(names))
		for _, name := range names {
			if name[0] < '0' || name[0] > '9' {
				continue
			}
			born, known := before[name]
			if !known {
				born = now
			}
			if c.born[name] = born; !all && now.Sub(born) > 200*time.Millisecond {
				continue
			}
			line, _ := os.ReadFile("/proc/" + name + "/cmdline") // a process that is gone has none
			if !yield(line) {
				return
			}
		}
	}
}

// proxmoxSays returns what its API tells of the guest: the configuration, and the
// tasks with their logs.
func (w *databaseWorld) proxmoxSays(r report.Report) string {
	w.t.Helper()
	var tasks []struct{ UPID string }
	all := string(w.ask(http.MethodGet, fmt.Sprintf("/nodes/%s/%s/%d/config", r.Node, w.kind.kind, r.VMID), ""))
	list := w.ask(http.MethodGet, fmt.Sprintf("/nodes/%s/tasks?vmid=%d", r.Node, r.VMID), "")
	w.must(json.Unmarshal(list, &tasks))
	all += string(list)
	if len(tasks) == 0 {
		w.t.Error("Proxmox has no tasks of the guest")
	}
	for _, task := range tasks {
		all += string(w.ask(http.MethodGet, "/nodes/"+r.Node+"/tasks/"+task.UPID+"/log?limit=0", ""))
	}
	return all
}

// searchGuest looks through the files, the journal and the processes of the guest, which
// are to have secrets in these files, with their modes, and processes of these units.
func (w *databaseWorld) searchGuest(canaries map[string]string, files, units string) {
	w.t.Helper()
	control := "canary" + rand.Text()
	patterns := strings.Join(append(slices.Collect(maps.Values(canaries)), control), "\n") + "\n"
	out := w.shell(`umask 077; cat >/root/patterns; cd /
tail -n 1 /root/patterns | logger; journalctl --sync
echo "# files"
find / -xdev -type f -mmin -300 ! -path '/proc/*' ! -path '/sys/*' ! -path '/var/log/journal/*' ! -path /root/patterns -exec grep -lFf /root/patterns {} + | sort | while read -r f; do stat -c '%a %U:%G %n' "$f"; done
find /run /tmp /dev/shm -type f ! -path '/run/log/journal/*' -exec grep -lFf /root/patterns {} + 2>/dev/null
echo "# journal"
journalctl --no-pager --output=cat | grep -Ff /root/patterns
echo "# processes"
for p in /proc/[0-9]*; do grep -qsFf /root/patterns $p/environ && sed -n "s|.*/\(..*\)|\1|p" $p/cgroup; done | sort -u
rm /root/patterns`, patterns)
	want := "# files\n" + files + "# journal\n" + control + "\n# processes\n" + units
	if out != want {
		for name, canary := range canaries {
			out = strings.ReplaceAll(out, canary, "<"+name+">")
		}
		w.t.Errorf("secrets are in\n%s\nwant\n%s", out, want)
	}
}
