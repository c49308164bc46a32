package sample

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

func TestAppsAreWhole(t *testing.T) {
	shop, err := Shop()
	if err != nil {
		t.Fatal(err)
	}
	pote, err := Pote()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		files gitrepo.Files
		want  []string
	}{
		{shop, []string{"backend/package.json", "backend/package-lock.json", "backend/server.js", "backend/migrations/002-prices.js", "frontend/package-lock.json", "frontend/src/index.html"}},
		{pote, []string{"requirements.txt", "pote/web.py", "pote/fetch.py", "pote/migrations/001_readings.sql", "pote/migrations/002_source.sql"}},
	} {
		for _, name := range tt.want {
			if len(tt.files[name]) == 0 {
				t.Errorf("no %s", name)
			}
		}
		for name := range tt.files {
			if strings.Contains(name, "node_modules/") || strings.HasSuffix(name, ".whl") || strings.HasSuffix(name, ".pyc") {
				t.Errorf("%s is no source", name)
			}
		}
	}
}

// A lock file that names a registry's host works only where that host does.
func TestLockFilesNameNoRegistry(t *testing.T) {
	shop, err := Shop()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"backend/package-lock.json", "frontend/package-lock.json"} {
		lock := string(shop[name])
		if !strings.Contains(lock, `"integrity"`) {
			t.Errorf("%s pins nothing", name)
		}
		if strings.Contains(lock, `"resolved"`) || strings.Contains(lock, "://") {
			t.Errorf("%s names where its packages came from", name)
		}
	}
}

// checkout writes files into a directory, as git would.
func checkout(t *testing.T, dir string, files gitrepo.Files) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func run(t *testing.T, dir string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

func TestPoteInstallsFromWheels(t *testing.T) {
	need(t, "python3", "apt-get", "dpkg-deb")
	cache := filepath.Join(t.TempDir(), "wheels")
	wheels, err := Wheels(t.Context(), cache)
	if err != nil {
		t.Skipf("Debian's mirror does not answer: %v", err)
	}
	again, err := Wheels(t.Context(), cache)
	if err != nil || len(again) != len(wheels) || len(wheels) != 2 {
		t.Fatalf("%d wheels, then %d: %v", len(wheels), len(again), err)
	}
	dir := t.TempDir()
	pote, err := Pote()
	if err != nil {
		t.Fatal(err)
	}
	checkout(t, dir, pote)
	checkout(t, dir, wheels)
	if out, err := exec.Command("python3", "-c", "import ensurepip").CombinedOutput(); err != nil {
		t.Skipf("python3-venv is not installed: %s", out)
	}
	run(t, dir, "python3", "-m", "venv", ".venv")
	run(t, dir, ".venv/bin/pip", "install", "--quiet", "--no-index", "--find-links", "wheels", "-r", "requirements.txt")
	if out := run(t, dir, ".venv/bin/python", "-m", "unittest", "tests.test_pote"); !strings.Contains(out, "OK") {
		t.Errorf("tests of pote: %s", out)
	}
}

func TestShopMigrates(t *testing.T) {
	need(t, "node")
	dir := t.TempDir()
	shop, err := Shop()
	if err != nil {
		t.Fatal(err)
	}
	checkout(t, dir, shop)
	t.Setenv("DATA_DIR", filepath.Join(dir, "data"))
	backend := filepath.Join(dir, "backend")
	if out := run(t, backend, "node", "migrate.js"); !strings.Contains(out, "migrated 002-prices.js") {
		t.Errorf("first run: %s", out)
	}
	if out := run(t, backend, "node", "migrate.js"); !strings.Contains(out, "nothing to migrate") {
		t.Errorf("second run: %s", out)
	}
}
