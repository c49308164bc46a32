package templates_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/org/appstack-action/templates"
)

// scripts are the shell scripts that go onto guests, and a configuration with
// everything in it.
func scripts() map[string]string {
	all := map[string]string{"deploy_app.sh": templates.DeployScript()}
	for _, name := range []string{"backup", "restore_db.sh", "notify", "job_ended", "build_python"} {
		all[name] = templates.Script("scripts/" + name)
	}
	return all
}

func TestScriptsArePOSIX(t *testing.T) {
	for name, text := range scripts() {
		if !strings.HasPrefix(text, "#!/bin/sh\n") {
			t.Errorf("%s does not begin with #!/bin/sh", name)
		}
		if _, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), name); err != nil {
			t.Error(err)
		}
	}
}

func TestScriptsPassShellcheck(t *testing.T) {
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("shellcheck is not here")
	}
	dir := t.TempDir()
	args := []string{"--shell=sh", "--norc"}
	for name, text := range scripts() {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	if out, err := exec.Command(shellcheck, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// full has every setting, with values that need quoting.
var full = templates.Config{
	App: "/srv/app", User: "app", Repo: "/var/cache/x", Source: "git@h:o'r.git", Branch: "main",
	KnownHosts: "/k", EnvFiles: []string{"/a", "/b"}, Keep: 3, Build: "echo 'a' \"$b\"\n# c", Migrate: "m", Check: "c",
	Database: "d", Jobs: []string{"j.service"}, Before: []string{"b1", "b'2"}, After: []string{"a1"},
	Services: []templates.ConfigService{
		{Name: "web-1", Unit: "u.service", Dir: "x", Port: 80, Build: "it's", HealthPath: "/?a='b'", HealthPort: 81, EnvFiles: []string{"/c"}},
		{Name: "worker", Unit: "w.service", Dir: "."},
	},
}

func TestConfigIsPOSIXAndSetsWhatItSays(t *testing.T) {
	text := full.File()
	if _, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), "app.conf"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-eu", "-c", `eval "$(cat)"; die() { exit 9; }
release=/r; in_release() { printf '<%s|%s>' "$1" "$2"; }
service web-1; printf '%s\n' "$source" "$app_build" "$build" "$health_path" "$health_port" "$service_env_files"
service worker; printf '%s\n' "$build$health_path$service_env_files$port"; before_deploy; after_deploy`)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	const want = "git@h:o'r.git\necho 'a' \"$b\"\n# c\nit's\n/?a='b'\n81\n/c\n0\n</r|b1></r|b'2></r|a1>"
	if err != nil || string(out) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, out, want)
	}
}

// units are one of each kind, as large as they get.
func units() map[string]string {
	sandbox := templates.Sandbox{Mounts: true}
	return map[string]string{
		"t-web.service": templates.Service{
			Mark: "t/dev", Description: "web 100%", User: "root", Dir: "/srv/app/current", App: "/srv/app",
			EnvFiles: []string{"/srv/app/.env.dev"}, Port: 3000, Start: `echo "$PORT" '100%'`, Restart: "always",
			MemoryMiB: 256, After: []string{"postgresql.service"}, Sandbox: sandbox,
		}.Unit(),
		"t-cron-job.service": templates.Job{
			Mark: "t/dev", Description: "job", User: "root", Dir: "/srv/app/current", App: "/srv/app",
			EnvFiles: []string{"/srv/app/.env.dev"}, Run: "true", Timeout: "300s", NeedsRelease: true,
			Notify: []string{"ops@example.org"}, Sandbox: sandbox,
		}.Unit(),
		"t-cron-job.timer":         templates.Timer{Mark: "t/dev", Description: "job", OnCalendar: []string{"*-*-* 06:00:00", "Mon *-*-* 07:00:00"}}.Unit(),
		"t-backup.service":         templates.Backup("t/dev", "dump", nil),
		"appstack-notify@.service": templates.Notify("t/dev"),
	}
}

func writeUnits(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range units() {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return dir, files
}

func TestUnitsVerify(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here")
	}
	_, files := writeUnits(t)
	out, err := exec.Command(analyze, append([]string{"verify", "--man=no", "--recursive-errors=no"}, files...)...).CombinedOutput()
	// What the units run is on guests, not here.
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "is not executable: No such file or directory") {
			t.Errorf("%s(%v)", line, err)
		}
	}
}

// TestUnitsExposure holds the sandbox at what it reaches: systemd calls an exposure
// of 2 to 4.9 "OK" and one below 2 "SAFE".
func TestUnitsExposure(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here")
	}
	_, files := writeUnits(t)
	for _, file := range files {
		name := filepath.Base(file)
		if name != "t-web.service" && name != "t-cron-job.service" {
			continue
		}
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", file).CombinedOutput()
		m := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		if m == nil {
			t.Fatalf("%v: %s", err, out)
		}
		if exposure, _ := strconv.ParseFloat(string(m[1]), 64); exposure > 3 {
			t.Errorf("%s: exposure %s, want at most 3", name, m[1])
		} else {
			t.Logf("%s: exposure %s", name, m[1])
		}
	}
}
