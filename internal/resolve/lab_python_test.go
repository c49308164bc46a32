package resolve

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	pvelab "github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/sample"
	"github.com/org/appstack-action/templates"
)

// backend is a build backend (PEP 517) in the project itself: it needs nothing to be
// installed before.
const backend = `
import zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "app-1.0-py3-none-any.whl"
    files = {"app.py": "import typing_extensions\n",
        "app-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "app-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: app\nVersion: 1.0\nRequires-Dist: psycopg\n"}
    record = "".join(f"{n},,\n" for n in [*files, "app-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        for n, text in {**files, "app-1.0.dist-info/RECORD": record}.items():
            wheel.writestr(n, text)
    return name
`

const project = "[project]\nname = \"app\"\nversion = \"1.0\"\ndependencies = [\"psycopg\"]\n"

// uvLock is what uv would write about these wheels for the project.
func uvLock(wheels gitrepo.Files) string {
	text := "version = 1\nrequires-python = \">=3.9\"\n[[package]]\nname = \"app\"\nversion = \"1.0\"\nsource = { virtual = \".\" }\n" +
		"dependencies = [{ name = \"psycopg\" }, { name = \"pywin32\", marker = \"sys_platform == 'win32'\" }]\n"
	for name, content := range wheels {
		f := strings.Split(path.Base(name), "-")
		dependencies := ""
		if f[0] == "psycopg" {
			dependencies = "dependencies = [{ name = \"typing-extensions\", marker = \"python_full_version < '3.13'\" }]\n"
		}
		text += fmt.Sprintf("[[package]]\nname = %q\nversion = %q\nsource = { registry = \"https://index.invalid/simple\" }\n%swheels = [{ url = \"https://index.invalid/x.whl\", hash = \"sha256:%x\" }]\n",
			strings.ReplaceAll(f[0], "_", "-"), f[1], dependencies, sha256.Sum256(content))
	}
	return text
}

// index is a private package index on the lab's bridge.
type index struct {
	url string // of its simple pages

	mu   sync.Mutex
	sent []string // files
}

func newIndex(t *testing.T, wheels gitrepo.Files) *index {
	t.Helper()
	x := &index{}
	pages := sample.Index(wheels)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if file, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
			x.mu.Lock()
			x.sent = append(x.sent, file)
			x.mu.Unlock()
		}
		pages.ServeHTTP(w, r)
	}))
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(lab.Up(t).Gateway().String(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	x.url = server.URL + "/simple/"
	return x
}

// TestBuildPython installs from each kind of file that says what an app needs, from a
// private index and from a directory of wheels.
func TestBuildPython(t *testing.T) {
	g := lab.Guest(t)
	wheels, err := sample.Wheels(t.Context(), filepath.Join(pvelab.CacheDir(), "wheels"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"build_python", "python_requirements.py"} {
		put(t, g, "/usr/local/lib/appstack/"+name, templates.Script("scripts/"+name))
	}
	x := newIndex(t, wheels)
	offline := gitrepo.Files{"pyproject.toml": []byte(project)}
	for name, content := range wheels {
		offline[name] = content
	}
	broken := strings.Replace(uvLock(wheels), "hash = \"sha256:", "hash = \"sha256:ffffffff", 1)
	for _, tt := range []struct {
		name   string
		files  gitrepo.Files
		wheels string
		index  string
		has    string // distributions; none: it fails
		says   string
		sends  int // files that the index sends
	}{
		{"requirements.txt", gitrepo.Files{"requirements.txt": []byte("psycopg>=3.1,<4\n")}, "", x.url, "pip psycopg setuptools typing_extensions", "Successfully installed", 2},
		{"uv.lock, from the cache", gitrepo.Files{"uv.lock": []byte(uvLock(wheels)), "pyproject.toml": []byte(project)}, "", x.url, "pip psycopg setuptools typing_extensions", "Using cached", 0},
		{"uv.lock with another hash", gitrepo.Files{"uv.lock": []byte(broken), "pyproject.toml": []byte(project)}, "", x.url, "", "DO NOT MATCH THE HASHES", 0},
		{"pyproject.toml", gitrepo.Files{"pyproject.toml": []byte(project + "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n"), "backend.py": []byte(backend)}, "", x.url, "app pip psycopg setuptools typing_extensions", "Successfully installed app-1.0", 0},
		{"a directory of wheels", offline, "wheels", "http://127.0.0.1:1/simple", "pip psycopg setuptools typing_extensions", "Looking in links: wheels", 0},
		{"a package that nobody has", gitrepo.Files{"requirements.txt": []byte("no-such-thing\n")}, "", x.url, "", "No matching distribution found for no-such-thing", 0},
	} {
		dir := "/srv/" + strings.NewReplacer(" ", "-", ",", "").Replace(tt.name)
		for name, content := range tt.files {
			put(t, g, dir+"/"+name, string(content))
		}
		x.sent = nil
		out, err := g.Try(context.Background(), fmt.Sprintf("cd %s && PIP_CACHE_DIR=/srv/cache PIP_INDEX_URL=%s PIP_TRUSTED_HOST=%s /usr/local/lib/appstack/build_python python3 %s && .venv/bin/python -c 'import typing_extensions' && .venv/bin/pip --version | grep -q %[1]s/.venv/ && echo has $(.venv/bin/python -m pip list --format=freeze | cut -d= -f1)",
			dir, tt.index, strings.Split(tt.index, "/")[2], tt.wheels))
		if (err == nil) != (tt.has != "") || !strings.Contains(out, tt.says) || len(x.sent) != tt.sends {
			t.Errorf("%s: %v, the index sent %v:\n%s", tt.name, err, x.sent, out)
		}
		if tt.has != "" && !strings.HasSuffix(out, "\nhas "+tt.has+"\n") {
			t.Errorf("%s: want the distributions %s:\n%s", tt.name, tt.has, out)
		}
	}
}

// put writes a file into a guest; scripts may be run.
func put(t *testing.T, g *labtest.Guest, name, text string) {
	t.Helper()
	client, err := g.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	session.Stdin = strings.NewReader(text)
	if out, err := session.CombinedOutput(fmt.Sprintf("mkdir -p '%s' && cat >'%s' && chmod 755 '%[2]s'", path.Dir(name), name)); err != nil {
		t.Fatalf("%s: %v %s", name, err, out)
	}
}
