package sample

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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

// output is what a service printed so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a service of shop and returns what ends it: SIGTERM, then its exit status.
func start(t *testing.T, dir string, log *output, env ...string) (stop func() error) {
	t.Helper()
	cmd := exec.Command("node", "server.js")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceValue(func() error {
		cmd.Process.Signal(syscall.SIGTERM)
		return <-ended
	})
	t.Cleanup(func() { stop() })
	return stop
}

// freePort asks the system for a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

func fetch(url string) (int, string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// poll tries something until it is done.
func poll(t *testing.T, try func() (done bool, state string)) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, state := try()
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(state)
		}
	}
}

// await polls an address until it answers 200 with the words.
func await(t *testing.T, url, words string) {
	t.Helper()
	poll(t, func() (bool, string) {
		status, body, err := fetch(url)
		return status == http.StatusOK && strings.Contains(body, words), fmt.Sprintf("%s: %d %s %v, want %q", url, status, body, err, words)
	})
}

// TestShopServesAndDrains installs shop as a deploy does, and stops it as systemd does.
func TestShopServesAndDrains(t *testing.T) {
	need(t, "node", "npm")
	if testing.Short() {
		t.Skip("npm ci takes its time")
	}
	if out, err := exec.Command("npm", "ping").CombinedOutput(); err != nil {
		t.Skipf("npm's registry does not answer: %s", out)
	}
	shop, err := Shop()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "releases", "0123456789abcdef0123456789abcdef01234567")
	checkout(t, dir, shop)
	backend, frontend := filepath.Join(dir, "backend"), filepath.Join(dir, "frontend")
	run(t, backend, "npm", "ci", "--silent")
	run(t, frontend, "npm", "ci", "--silent")
	run(t, frontend, "npm", "run", "--silent", "build")

	api, page := freePort(t), freePort(t)
	t.Setenv("DATA_DIR", filepath.Join(dir, "data"))
	log := &output{}
	stopBackend := start(t, backend, log, "HOST=127.0.0.1", "PORT="+api, "API_KEY=geheim", "LOG_LEVEL=debug")
	stopFrontend := start(t, frontend, log, "HOST=127.0.0.1", "PORT="+page, "BACKEND_URL=http://127.0.0.1:"+api)
	site := "http://127.0.0.1:" + page
	await(t, site+"/", "<title>shop</title>")
	await(t, site+"/api/version", `"sha":"0123456789abcdef0123456789abcdef01234567"`)
	if status, body, err := fetch(site + "/healthz"); status != http.StatusServiceUnavailable {
		t.Errorf("healthy before its migrations: %d %s %v", status, body, err)
	}
	run(t, backend, "npm", "run", "--silent", "migrate")
	await(t, site+"/healthz", `"status":"ok"`)
	if _, body, _ := fetch(site + "/api/config"); !strings.Contains(body, `"apiKey":true`) || strings.Contains(body, "geheim") {
		t.Errorf("config: %s", body)
	}

	slow := make(chan string, 1)
	go func() {
		_, body, err := fetch("http://127.0.0.1:" + api + "/api/slow?ms=1000")
		slow <- fmt.Sprint(body, err)
	}()
	await(t, site+"/api/products", "Tea pot")
	poll(t, func() (bool, string) {
		return strings.Contains(log.String(), "/api/slow"), "the request did not arrive: " + log.String()
	})
	if err := stopBackend(); err != nil {
		t.Errorf("the backend ended badly: %v", err)
	}
	if got := <-slow; !strings.Contains(got, `"waited":1000`) {
		t.Errorf("the request that ran at the end got %s", got)
	}
	if status, body, _ := fetch(site + "/api/products"); status != http.StatusBadGateway {
		t.Errorf("without a backend: %d %s", status, body)
	}
	if err := stopFrontend(); err != nil {
		t.Errorf("the frontend ended badly: %v", err)
	}
	if strings.Contains(log.String(), "geheim") {
		t.Errorf("a secret was printed: %s", log)
	}
}
