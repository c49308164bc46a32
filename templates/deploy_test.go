package templates_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/appstack-action/templates"
)

// TestMain lets the test binary be the app that is deployed: `TEST serve` answers
// with the release's version, as a small app would.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		serve()
	}
	os.Exit(m.Run())
}

func serve() {
	version, err := os.ReadFile("built")
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot start:", err)
		os.Exit(1)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, sick := os.Stat("sick"); sick == nil {
			http.Error(w, "sick", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%s %s", bytes.TrimSpace(version), os.Getenv("GREETING"))
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
	os.Exit(1)
}

// sandbox is a guest in a directory: the real script, git and processes, with
// stand-ins for systemd and iptables (testdata/bin).
type sandbox struct {
	t    *testing.T
	root string
	port int
	conf templates.Config
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	for _, tool := range []string{"git", "ss", "curl", "flock", "setsid"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("deploy_app.sh needs %s, which is not here", tool)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("deploy_app.sh gives files to the app's user: run as root")
	}
	s := &sandbox{t: t, root: t.TempDir(), port: freePort(t)}
	s.conf = templates.Config{
		App: s.path("app"), User: "root", Repo: s.path("mirror.git"), Source: s.path("origin"), Branch: "main",
		KnownHosts: "/dev/null", EnvFiles: []string{s.path("env")}, Keep: 2,
		Services: []templates.ConfigService{{
			Name: "web", Unit: "shop-web.service", Dir: ".", Port: s.port, HealthPath: "/",
			HealthTimeout: time.Minute, Build: "sh build.sh", Migrate: "sh migrate.sh",
		}},
	}
	for _, dir := range []string{"app", "run", "units", "fake", "origin"} {
		s.must(os.MkdirAll(s.path(dir), 0o755))
	}
	s.write("env", "GREETING=\"hello\"\n")
	s.write("deploy_app.sh", templates.DeployScript())
	s.configure()
	s.git("init", "--quiet", "--initial-branch=main")
	t.Cleanup(s.stop)
	return s
}

func (s *sandbox) path(name string) string { return filepath.Join(s.root, name) }

func (s *sandbox) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *sandbox) write(name, text string) {
	s.t.Helper()
	s.must(os.WriteFile(s.path(name), []byte(text), 0o755))
}

// configure writes what package resolve would.
func (s *sandbox) configure() {
	s.t.Helper()
	self, err := os.Executable()
	s.must(err)
	s.write("app.conf", s.conf.File())
	unit := templates.Service{
		Mark: "shop/test", Description: "web", User: "root", Dir: s.conf.App + "/current", App: s.conf.App,
		EnvFiles: s.conf.EnvFiles, Port: s.port, Start: self + " serve", Restart: "always",
	}
	s.write("units/shop-web.service", unit.Unit())
}

// patience is how long a release may take to become healthy: short where one never does,
// and else longer than the busiest machine needs.
func (s *sandbox) patience(d time.Duration) {
	s.t.Helper()
	s.conf.Services[0].HealthTimeout = d
	s.configure()
}

func (s *sandbox) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", s.path("origin"), "-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit makes a commit whose release answers with version; change breaks it.
func (s *sandbox) commit(version string, change map[string]string) string {
	s.t.Helper()
	files := map[string]string{
		"version":    version,
		"build.sh":   "cp version built && mkdir -p node_modules",
		"migrate.sh": "echo migrated >>" + s.path("migrations"),
		"readme":     "export-ignore is not for us", ".gitattributes": "readme export-ignore",
	}
	for name, text := range change {
		files[name] = text
	}
	s.git("rm", "-rfq", "--ignore-unmatch", ".")
	for name, text := range files {
		s.write("origin/"+name, text)
	}
	s.git("add", "--all")
	s.git("commit", "--quiet", "--allow-empty", "--message", version)
	return s.git("rev-parse", "HEAD")
}

// run runs the script and returns its exit status (137 when it was killed) and output.
func (s *sandbox) run(env []string, args ...string) (int, string) {
	s.t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{s.path("deploy_app.sh")}, args...)...)
	bin, err := filepath.Abs("testdata/bin")
	s.must(err)
	cmd.Env = append([]string{
		"PATH=" + bin + ":" + s.path("bin") + ":" + os.Getenv("PATH"), "HOME=" + s.root, "FAKE=" + s.path("fake"),
		"APPSTACK_CONF=" + s.path("app.conf"), "APPSTACK_RUN=" + s.path("run"),
		"APPSTACK_UNITS=" + s.path("units"), "APPSTACK_LIB=" + s.path("lib"),
	}, env...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), &out, &out
	cmd.WaitDelay = time.Second // children of a killed run keep its output open
	err = cmd.Run()
	s.t.Logf("deploy_app.sh %s\n%s", strings.Join(args, " "), out.String())
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, out.String()
	case errors.Is(err, exec.ErrWaitDelay):
		return cmd.ProcessState.ExitCode(), out.String()
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return 137, out.String()
	case errors.As(err, &exit):
		return exit.ExitCode(), out.String()
	}
	s.t.Fatal(err)
	return 0, ""
}

// deploy runs the script and checks its exit status.
func (s *sandbox) deploy(want int, args ...string) string {
	s.t.Helper()
	got, out := s.run(nil, args...)
	if got != want {
		s.t.Fatalf("deploy_app.sh %v: exit status %d, want %d", args, got, want)
	}
	return out
}

// serves checks what a client gets.
func (s *sandbox) serves(want string) {
	s.t.Helper()
	resp, err := http.Get("http://127.0.0.1:" + strconv.Itoa(s.port))
	if err != nil {
		s.t.Fatalf("nothing serves: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	s.must(err)
	if got := string(body); got != want {
		s.t.Fatalf("serves %q, want %q", got, want)
	}
}

// clean checks that a finished run left nothing behind.
func (s *sandbox) clean() {
	s.t.Helper()
	for _, pattern := range []string{"run/appstack-git.*", "run/systemd/system/*", "app/.*.new", "app/releases/.marker"} {
		if left, _ := filepath.Glob(s.path(pattern)); len(left) > 0 {
			s.t.Errorf("left behind: %v", left)
		}
	}
}

// stop ends the processes of the stand-in systemd.
func (s *sandbox) stop() {
	files, _ := filepath.Glob(s.path("fake/units/*"))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
}

func (s *sandbox) exists(name string) bool {
	_, err := os.Stat(s.path(name))
	return err == nil
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestDeploy(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	one := s.commit("one", nil)
	out := s.deploy(0, one)
	s.serves("one hello")
	for _, step := range []string{"==> fetch\n", "<== build (", "==> switch to " + one, one + " serves ("} {
		if !strings.Contains(out, step) {
			t.Errorf("the output has no %q", step)
		}
	}
	if !s.exists("app/releases/" + one + "/readme") {
		t.Error("a file with export-ignore is missing from the release")
	}
	two := s.commit("two", nil)
	s.deploy(0) // the branch's newest
	s.serves("two hello")

	s.write("env", "GREETING=\"hi there\"\n")
	s.deploy(0, two)
	s.serves("two hi there")
	if migrations, _ := os.ReadFile(s.path("migrations")); string(migrations) != "migrated\nmigrated\n" {
		t.Errorf("a restart of the same commit migrated again: %q", migrations)
	}

	three := s.commit("three", nil)
	s.deploy(0, three)
	s.serves("three hi there")
	if s.exists("app/releases/"+one) || !s.exists("app/releases/"+two) {
		t.Error("keep 2 keeps the current and the previous release")
	}
	s.deploy(0, "--rollback")
	s.serves("two hi there")
	s.deploy(0, "--rollback", three)
	s.serves("three hi there")
	s.deploy(1, "--rollback", one)
	if out := s.deploy(0, "--status"); !strings.Contains(out, "current="+three+"\nprevious="+two+"\n") {
		t.Errorf("--status: %s", out)
	}
	if out := s.deploy(0, "--dry-run", two); !strings.Contains(out, "would deploy "+two) {
		t.Errorf("--dry-run: %s", out)
	}
	s.serves("three hi there")
	s.clean()
}

// A service that does not end when it is told to is named: systemd kills it, and what it
// was about to answer is lost.
func TestSlowEnd(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	if out := s.deploy(0, s.commit("one", nil)); strings.Contains(out, "warning") {
		t.Error("a first start ends nothing")
	}
	s.write("fake/ends", `InactiveEnterTimestampMonotonic=905200000
ActiveExitTimestampMonotonic=905100000
Id=shop-quick.service

InactiveEnterTimestampMonotonic=915200000
ActiveExitTimestampMonotonic=900100000
Id=shop-web.service

InactiveEnterTimestampMonotonic=0
ActiveExitTimestampMonotonic=0
Id=shop-new.service
`)
	if out := s.deploy(0, s.commit("two", nil)); !strings.Contains(out, "warning: shop-web.service took 15 s to end") || strings.Count(out, "to end,") != 1 {
		t.Error("a service that took 15 s to end is not named, or another one is")
	}
}

func TestDeployFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change map[string]string
		status int
		says   string
	}{
		{"build", map[string]string{"build.sh": "echo no such module; exit 7"}, 4, "web: exit status 7"},
		{"out of memory", map[string]string{"build.sh": "kill -9 $$"}, 4, "memory ran out"},
		{"migration", map[string]string{"migrate.sh": "exit 3"}, 5, "web: exit status 3"},
		{"start", map[string]string{"build.sh": "true"}, 6, "ended right after its start"},
		{"health", map[string]string{"sick": ""}, 6, "GET / answers 503"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.deploy(0, s.commit("good", nil))
			bad := s.commit("bad", tt.change)
			s.patience(2 * time.Second)
			out := s.deploy(tt.status, bad)
			s.patience(time.Minute)
			if !strings.Contains(out, tt.says) {
				t.Errorf("the output does not say %q", tt.says)
			}
			s.serves("good hello")
			if !s.exists("app/releases/" + bad + ".failed") {
				t.Error("the bad release is not marked")
			}
			s.clean()
			// A better commit, and the same one again, when the fault was elsewhere.
			s.deploy(0, s.commit("better", nil))
			s.serves("better hello")
		})
	}
}

// TestBuildVariables builds a commit again for variables that its build bakes in.
func TestBuildVariables(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	sha := s.commit("one", map[string]string{"build.sh": `echo "$GREETING" >built; [ "$SOURCE_COMMIT" = "$(cat commit 2>/dev/null || echo "$SOURCE_COMMIT")" ]`})
	s.conf.BuildID, s.conf.Built = "00000001", []string{"app=1", "web=2"}
	s.configure()
	s.deploy(0, sha)
	if text, _ := os.ReadFile(s.path("app/releases/" + sha + ".ready")); string(text) != "app=1 web=2\n" {
		t.Errorf("the release says that it is built with %q", text)
	}
	s.serves("hello hello")
	s.write("env", "GREETING=\"hi\"\n")
	s.conf.BuildID, s.conf.Built = "00000003", []string{"web=2"} // a part less does not matter
	s.configure()
	s.deploy(0, sha)
	s.serves("hello hi")
	s.conf.BuildID, s.conf.Built = "00000002", []string{"app=1", "web=3"}
	s.configure()
	s.deploy(0) // the branch's newest
	s.serves("hi hi")
	again := sha + "-b00000002"
	if out := s.deploy(0, "--status"); !strings.Contains(out, "current="+again+"\nprevious="+sha+"\n") {
		t.Errorf("--status: %s", out)
	}
	s.deploy(0, again) // once more, as appstack names it
	s.serves("hi hi")
	s.deploy(0, "--rollback")
	s.serves("hello hi")
	other := s.commit("two", nil)
	s.deploy(0, other)
	s.serves("two hi")
	s.deploy(0, "--rollback", sha) // the newest of its builds
	s.serves("hi hi")
	s.clean()
}

// TestBuildOutput has a build print much, endless lines and what looks like ours.
func TestBuildOutput(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	sha := s.commit("one", map[string]string{"build.sh": `printf '==> forged\nfetching\r<!! forged\r\n'
yes 'npm info 0123456789 0123456789' | head -c 2000000
head -c 2000000 /dev/zero | tr '\0' x
cp version built`})
	out := s.deploy(0, sha)
	for line := range strings.FieldsFuncSeq(out, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if len(line) > 5000 || !strings.HasPrefix(line, " ") && strings.Contains(line, "forged") {
			t.Errorf("a line of %d bytes: %.80q", len(line), line)
		}
	}
	if len(out) < 4_000_000 || !strings.Contains(out, "    ==> forged\n    fetching\r    <!! forged\r\n") {
		t.Errorf("of the output, %d bytes came: %.200q", len(out), out)
	}
}

func TestFirstDeployFails(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.patience(2 * time.Second)
	out := s.deploy(6, s.commit("bad", map[string]string{"sick": ""}))
	s.patience(time.Minute)
	if !strings.Contains(out, "nothing serves yet") {
		t.Error("does not say that nothing serves")
	}
	s.deploy(0, s.commit("good", nil))
	s.serves("good hello")
}

// TestDeployKilled kills the run with SIGKILL at each step and runs it again.
func TestDeployKilled(t *testing.T) {
	t.Parallel()
	for _, at := range []string{
		"fetched", "checked-out", "built", "migrated", "before-switch", "after-switch", "redirected", "restarted",
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.deploy(0, s.commit("old", nil))
			next := s.commit("new", nil)
			if got, _ := s.run([]string{"APPSTACK_CRASH=" + at}, next); got != 137 {
				t.Fatalf("exit status %d: the run was not killed at %s", got, at)
			}
			if at == "restarted" {
				s.serves("new hello")
			} else {
				s.serves("old hello")
			}
			s.deploy(0, next)
			s.serves("new hello")
			if out := s.deploy(0, "--status"); !strings.Contains(out, "current="+next+"\n") {
				t.Errorf("--status: %s", out)
			}
			s.clean()
		})
	}
}

// TestDeployKilledInBuild kills the run while a command of the app goes on, which then
// still has the lock's file open.
func TestDeployKilledInBuild(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.deploy(0, s.commit("old", nil))
	next := s.commit("new", map[string]string{"build.sh": "[ -e " + s.path("again") + " ] || { touch " + s.path("again") + "; kill -9 $(cat " + s.path("run/appstack-deploy.lock") + "); sleep 300; }; cp version built"})
	if got, _ := s.run(nil, next); got != 137 {
		t.Fatalf("exit status %d: the run was not killed", got)
	}
	s.serves("old hello")
	s.deploy(0, next)
	s.serves("new hello")
	s.clean()
}

func TestDeployLock(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	sha := s.commit("one", nil)
	lock, err := os.Create(s.path("run/appstack-deploy.lock"))
	s.must(err)
	defer lock.Close()
	s.must(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	s.deploy(3, sha)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	sha := s.commit("one", nil)
	s.write("token", "hunter2") // 0755
	if out := s.deploy(2, "--credentials", s.path("token"), sha); !strings.Contains(out, "chmod 600") {
		t.Errorf("a token that others may read: %s", out)
	}
	s.must(os.Chmod(s.path("token"), 0o600))
	s.deploy(0, "--credentials", s.path("token"), sha)
	s.clean()
	grep := exec.Command("grep", "-rl", "--exclude=token", "hunter2", s.root)
	if out, _ := grep.CombinedOutput(); len(out) > 0 {
		t.Errorf("the token is left in %s", out)
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.commit("up", nil)
	tar := exec.Command("sh", "-c", fmt.Sprintf("git -C %s archive HEAD >%s", s.path("origin"), s.path("tree.tar")))
	s.must(tar.Run())
	s.must(os.Rename(s.path("deploy_app.sh"), s.path("real.sh")))
	s.write("deploy_app.sh", fmt.Sprintf("exec sh %s \"$@\" <%s", s.path("real.sh"), s.path("tree.tar")))
	s.deploy(0, "--upload", "id1")
	s.serves("up hello")
	if s.exists("app/releases/id1/readme") {
		t.Error("the tree has a file that was not sent")
	}
	s.conf.Source = ""
	s.configure()
	s.write("env", "GREETING=\"hi\"\n")
	s.deploy(0, "id1")
	s.serves("up hi")
	s.deploy(2, "id2")
}
