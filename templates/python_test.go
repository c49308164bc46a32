package templates_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/templates"
)

// runPython runs one of the embedded Python scripts in a directory with these files.
func runPython(t *testing.T, files map[string]string, script string, args ...string) (string, error) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not here")
	}
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The script is beside the app, not in it, as on a guest.
	file := filepath.Join(t.TempDir(), filepath.Base(script))
	if err := os.WriteFile(file, []byte(templates.Script(script)), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, append([]string{file}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestImportCheck(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string // what it complains of; empty: nothing
	}{
		{"fine", map[string]string{"app/__init__.py": "", "app/web.py": "import json\nfrom . import db\nfrom app.db import x\n", "app/db.py": "x = 1\n"}, ""},
		{"not run", map[string]string{"app/__init__.py": "", "app/web.py": "raise SystemExit('ran')\n"}, ""},
		{"no module", map[string]string{"app/__init__.py": ""}, "there is no module app.web"},
		{"no dependency", map[string]string{"app/__init__.py": "", "app/web.py": "import no_such_thing\n"}, "app/web.py:1: there is no module no_such_thing"},
		{"of a neighbour", map[string]string{"app/__init__.py": "", "app/web.py": "from app import db\nimport app.db\n", "app/db.py": "\nimport no_such_thing\n"}, "app/db.py:2: there is no module no_such_thing"},
		{"optional", map[string]string{"app/__init__.py": "", "app/web.py": "try:\n    import no_such_thing\nexcept ImportError:\n    pass\n"}, ""},
		{"syntax", map[string]string{"app/__init__.py": "", "app/web.py": "def f(:\n"}, "app/web.py:1: invalid syntax"},
		{"relative", map[string]string{"app/__init__.py": "", "app/web.py": "from .nothing import x\n"}, "app/web.py:1: there is no module app.nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := runPython(t, tt.files, "scripts/import_check.py", "app.web")
			if (err == nil) != (tt.want == "") || !strings.Contains(out, tt.want) || strings.Contains(out, "Traceback") {
				t.Errorf("got %v, %q, want %q", err, out, tt.want)
			}
		})
	}
}

// uvLock has each kind of source, packages for other machines, and groups that nobody
// asks for.
const uvLock = `version = 1
requires-python = ">=3.9"
[[package]]
name = "app"
version = "0.1.0"
source = { editable = "." }
dependencies = [
  { name = "psycopg", extra = ["pool"] },
  { name = "numpy", version = "1.26.4", source = { registry = "https://index.example/simple" }, marker = "python_full_version < '3'" },
  { name = "numpy", version = "2.1.0", source = { registry = "https://index.example/simple" }, marker = "python_full_version >= '3'" },
  { name = "winkerberos", marker = "sys_platform == 'win32'" },
  { name = "tools" }, { name = "fork" }, { name = "direct" },
]
[package.optional-dependencies]
docs = [{ name = "sphinx" }]
[package.dev-dependencies]
dev = [{ name = "pytest" }]
[[package]]
name = "psycopg"
version = "3.2.1"
source = { registry = "https://index.example/simple" }
dependencies = [{ name = "psycopg" }]
sdist = { url = "https://files.example/psycopg.tar.gz", hash = "sha256:bb" }
wheels = [{ url = "https://files.example/psycopg.whl", hash = "sha256:aa" }]
[package.optional-dependencies]
pool = [{ name = "psycopg-pool" }]
[[package]]
name = "psycopg-pool"
version = "3.2.2"
source = { registry = "https://other.example/simple" }
wheels = [{ url = "https://files.example/pool.whl", hash = "sha256:cc" }]
[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "https://files.example/numpy1.whl", hash = "sha256:dd" }]
[[package]]
name = "numpy"
version = "2.1.0"
source = { registry = "https://index.example/simple" }
wheels = [{ url = "https://files.example/numpy2.whl", hash = "sha256:ee" }]
[[package]]
name = "winkerberos"
version = "0.1"
source = { registry = "https://index.example/simple" }
[[package]]
name = "sphinx"
version = "8.0"
source = { registry = "https://index.example/simple" }
[[package]]
name = "pytest"
version = "8.0"
source = { registry = "https://index.example/simple" }
[[package]]
name = "tools"
version = "0.1.0"
source = { directory = "packages/tools" }
[[package]]
name = "fork"
version = "1.0"
source = { git = "https://git.example/o/fork.git?subdirectory=py&rev=v1#0123abcd" }
[[package]]
name = "direct"
version = "1.0"
source = { url = "https://files.example/direct-1.0.whl" }
wheels = [{ url = "https://files.example/direct-1.0.whl", hash = "sha256:ff" }]
`

// requirements runs python_requirements.py for a file, and returns what it wrote.
func requirements(t *testing.T, name, text string) (string, error) {
	t.Helper()
	if out, err := exec.Command("python3", "-c", "import pip").CombinedOutput(); err != nil {
		t.Skipf("python3 has no pip here: %s", out)
	}
	out := t.TempDir()
	said, err := runPython(t, map[string]string{name: text}, "scripts/python_requirements.py", name, out+"/pinned", out+"/local")
	for _, file := range []string{"pinned", "local"} {
		text, _ := os.ReadFile(filepath.Join(out, file))
		said += file + ":\n" + string(text)
	}
	return said, err
}

func TestRequirementsOfALock(t *testing.T) {
	const want = `pinned:
--index-url https://index.example/simple
--extra-index-url https://other.example/simple
psycopg==3.2.1 --hash=sha256:aa --hash=sha256:bb
psycopg-pool==3.2.2 --hash=sha256:cc
numpy==2.1.0 --hash=sha256:ee
direct @ https://files.example/direct-1.0.whl --hash=sha256:ff
local:
--index-url https://index.example/simple
--extra-index-url https://other.example/simple
./.
./packages/tools
fork @ git+https://git.example/o/fork.git@0123abcd#subdirectory=py
`
	got, err := requirements(t, "uv.lock", uvLock)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	t.Setenv("PIP_INDEX_URL", "https://ours.example/simple")
	if got, _ := requirements(t, "uv.lock", uvLock); strings.Contains(got, "index-url") {
		t.Errorf("the lock's index takes the place of the stack's:\n%s", got)
	}
}

func TestRequirements(t *testing.T) {
	const project = "[project]\nname = \"app\"\ndependencies = [\"psycopg>=3,<4\"]\n"
	tests := []struct{ name, file, text, want string }{
		{"no package", "pyproject.toml", project, "pinned:\nlocal:\npsycopg>=3,<4\n"},
		{"package", "pyproject.toml", project + "[build-system]\nrequires = [\"setuptools\"]\n", "pinned:\nlocal:\n.\n"},
		{"only tools", "pyproject.toml", "[tool.ruff]\n", "pinned:\nlocal:\n"},
		{"workspace", "uv.lock", "version = 1\n[manifest]\nmembers = [\"a\"]\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { virtual = \"packages/a\" }\ndependencies = [{ name = \"b\" }]\n" +
			"[[package]]\nname = \"b\"\nversion = \"2\"\nsource = { registry = \"../wheels\" }\n", "pinned:\nlocal:\nb==2\n"},
		{"other Python", "uv.lock", "version = 1\nrequires-python = \">=4\"\n", "uv.lock wants Python >=4, this is 3."},
		{"other Python for the project", "pyproject.toml", project + "requires-python = \"<3\"\n", "pyproject.toml wants Python <3, this is 3."},
		{"other lock", "uv.lock", "version = 2\n", "uv.lock has version 2"},
		{"broken lock", "uv.lock", "version = 1\n[[package]]\nname = \"a\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"b\" }]\n", "uv.lock has 0 packages for {'name': 'b'}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := requirements(t, tt.file, tt.text)
			if fails := strings.Contains(tt.want, "uv.lock") || strings.Contains(tt.want, "toml"); !strings.Contains(got, tt.want) || (err != nil) != fails || strings.Contains(got, "Traceback") {
				t.Errorf("%v, got\n%s\nwant\n%s", err, got, tt.want)
			}
		})
	}
}
