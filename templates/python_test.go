package templates_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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

const uvLock = `version = 1
[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
[[package]]
name = "psycopg"
version = "3.2.1"
source = { registry = "https://pypi.org/simple" }
[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://pypi.org/simple" }
[[package]]
name = "numpy"
version = "2.1.0"
source = { registry = "https://pypi.org/simple" }
`

func TestUVConstraints(t *testing.T) {
	out, err := runPython(t, map[string]string{"uv.lock": uvLock}, "scripts/uv_constraints.py", "uv.lock")
	if err != nil || out != "psycopg==3.2.1\n" {
		t.Errorf("got %v, %q", err, out)
	}
}
