package app_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/report"
)

// crashWorld is a world with the tiny app, and a way into its guest.
type crashWorld struct {
	*tinyWorld
	key   ssh.Signer
	runs  int
	every int // which points a chain of runs dies at, after the first ones; 0: each
}

func newCrashWorld(t *testing.T, repo string, kinds ...guestKind) *crashWorld {
	t.Helper()
	w := &crashWorld{tinyWorld: newTinyWorld(t, repo, kinds...)}
	w.log.t = silentTB{t}
	private, _ := newKey(t)
	w.secret("ssh_key", private)
	var err error
	w.key, err = ssh.ParsePrivateKey([]byte(private))
	w.must(err)
	return w
}

// inventory is what appstack made inside the guest, but for what differs between two:
// its address, and the commits, each of which is given with the name that stands for it.
func (w *crashWorld) inventory(commits ...string) string {
	w.t.Helper()
	text := login(w.t, w.addr.String(), w.key, `
find /srv/app /var/lib/appstack /etc/systemd/system /etc/ssh /etc/sudoers.d /etc/ufw /usr/local /opt -not -path '*/.git/*' -not -name '*.pyc' \
	-printf '%M %u %g %p %l\n'
ls -A /run | grep appstack; pgrep -af 'apply.sh|deploy_app' | grep -v pgrep; systemctl list-units --plain --no-legend 'app*' | awk '{print $1, $3, $4}'
true`)
	text = strings.NewReplacer(append(commits, w.addr.String(), "ADDRESS")...).Replace(text)
	// Only now: the order of the commits is another one in each world.
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// chain lets runs die one after the other, each at the first point that none died at
// before, until one comes to its end.
func (w *crashWorld) chain(sha string, seen map[string]bool) (points []string) {
	w.t.Helper()
	for {
		w.runs++
		at, r := w.die(sha, seen, w.every, w.runs%2 == 0, w.runs)
		if at == "" {
			if r.Failed() || r.Release != sha {
				w.t.Fatalf("after %d runs that died, the next failed (%s): %s", len(points), r.Reason, r.Error)
			}
			return points
		}
		if r.Status != report.Cancelled && r.Status != report.Live && r.Status != report.Unchanged {
			w.t.Errorf("died at %s, and ended %s (%s): %s", at, r.Status, r.Reason, r.Error)
		}
		points = append(points, at)
	}
}

// A first deploy and a second, which die at every step that they begin: at the end all
// is as in a guest where nothing happened, and the old release served without a pause.
func TestCrashAtEveryStep(t *testing.T) { onEveryKind(t, false, testCrashAtEveryStep) }

func testCrashAtEveryStep(t *testing.T, kind guestKind) {
	calm, w := newCrashWorld(t, "org/calm", kind), newCrashWorld(t, "org/crash", kind)
	if !torture() {
		w.every = 4
	}
	calmOne, one := calm.commit("one", nil), w.commit("one", nil)
	first := w.chain(one, map[string]bool{})
	w.serves("one")

	w.every = 0
	slow := gitrepo.Files{"version": []byte("two"), "build.js": []byte("setTimeout(() => {}, 1500)"), "migrate.js": []byte("setTimeout(() => {}, 700)")}
	calmTwo, two := calm.commit("two", slow), w.commit("two", slow)
	v := visit(fmt.Sprintf("http://%s:3000/", w.addr))
	// A deploy goes on for a while when it was cut off: later points are what the first run
	// dies at.
	second := w.chain(two, map[string]bool{"deploy release " + two: true, "deploy: fetch": true, "deploy: check out": true})
	v.end()
	w.serves("two")
	if len(v.failures) > 0 || v.pages["one"] == 0 {
		t.Errorf("while runs died, the app answered %v, and failed: %q", v.pages, v.failures)
	}

	if r := w.do("plan", two); len(r.Plan.Steps) > 0 {
		t.Errorf("there is something left to do:\n%s", r.Plan)
	}
	calm.do("apply", calmOne)
	calm.do("apply", calmTwo)
	want, got := calm.inventory(calmOne, "ONE", calmTwo, "TWO"), w.inventory(one, "ONE", two, "TWO")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the guest (-undisturbed +now):\n%s", diff)
	}
	t.Logf("%s\n%s", strings.Join(first, "\n"), strings.Join(second, "\n"))
	figures(t, map[machine.Kind]string{machine.LXC: "steps", machine.KVM: "steps-vm"}[kind.kind], "%d points of a first deploy, %d of a second, after which nothing was left to do; "+
		"meanwhile %d requests to the app were answered, and %d failed.", len(first), len(second), v.pages["one"]+v.pages["two"], len(v.failures))
}

// page gets a page; anything but 200 is an error.
func page(client *http.Client, url string) (string, error) {
	res, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", res.Status)
	}
	return string(body), err
}
