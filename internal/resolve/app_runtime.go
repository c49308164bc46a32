package resolve

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/templates"
)

// runtime asks for what runs the app.
func (b *osBuilder) runtime() {
	switch b.env.App.Runtime {
	case "node":
		b.node()
	case "python":
		b.python()
	}
}

// node asks for Node.js: Debian's, whose npm is a package of its own, or that of
// the apt repository which the stack names, which brings npm along.
func (b *osBuilder) node() {
	a := b.env.App
	src := a.NodeSource
	if src == nil {
		b.install("nodejs", "npm")
		if a.Version != "" {
			b.problems.Add(diag.Diagnostic{
				Severity: diag.Error, Pos: b.env.Pos("app.version"),
				Summary: "Node.js " + a.Version + " needs an apt repository that has it",
				Hint:    "write `node_source: {url: https://deb.nodesource.com/node_" + a.Version + ".x, signed_by: …}`, or leave `version` out to take Debian's",
			})
		}
		return
	}
	b.install("nodejs")
	const list, key, pin = "/etc/apt/sources.list.d/appstack-node.sources", "/etc/apt/keyrings/appstack-node.asc", "/etc/apt/preferences.d/appstack-node"
	b.dir("/etc/apt/keyrings", 0o755, "root", "root")
	b.file(key, b.signingKey(src.SignedBy))
	b.file(list, templates.AptSource{URL: src.URL, Suite: src.Suite, Components: src.Components, SignedBy: key}.File())
	if host := hostOf(src.URL); host != "" {
		b.file(pin, "Package: nodejs\nPin: origin "+host+"\nPin-Priority: 700\n")
	}
}

// signingKey returns an apt repository's key: signed_by itself, or what its file has.
func (b *osBuilder) signingKey(signedBy string) string {
	key := signedBy
	if !strings.Contains(key, pgpKey) {
		text, err := b.in.ReadFile(signedBy)
		if err != nil {
			b.problems.Errorf(b.env.Pos("app.node_source.signed_by"), "cannot read the repository's key: %v", err)
			return ""
		}
		key = string(text)
	}
	if !strings.Contains(key, pgpKey) {
		b.problems.Add(diag.Diagnostic{
			Severity: diag.Error, Pos: b.env.Pos("app.node_source.signed_by"),
			Summary: signedBy + " is no ASCII-armoured OpenPGP key",
			Hint:    "`gpg --enarmor` turns a binary one into text",
		})
	}
	return strings.TrimSpace(key) + "\n"
}

const pgpKey = "-----BEGIN PGP PUBLIC KEY BLOCK-----"

// python asks for Python with venv, of the distribution's minor version or a given one.
func (b *osBuilder) python() {
	p := b.interpreter()
	b.install(p, p+"-venv")
	if has := distributionPython(b.env.Guest); has != "" && b.env.App.Version != "" && has != b.env.App.Version {
		b.problems.Add(diag.Diagnostic{
			Severity: diag.Error, Pos: b.env.Pos("app.version"),
			Summary: "the guest's distribution has no Python " + b.env.App.Version + ", it has " + has,
			Hint:    "leave `version` out, or take a `template` whose distribution has it",
		})
	}
	for _, name := range []string{"build_python", "python_requirements.py", "import_check.py"} {
		b.script(path.Join(libDir, name), templates.Script("scripts/"+name))
	}
}

// pythons are the versions of Python that distributions have (packages.debian.org and
// packages.ubuntu.com, "python3"), by what their templates and images are called.
var pythons = map[string]string{
	"debian-11": "3.9", "debian-12": "3.11", "debian-13": "3.13",
	"ubuntu-22.04": "3.10", "ubuntu-24.04": "3.12",
}

// distributionPython is the guest's version of Python; empty when it is not known.
func distributionPython(g stack.Guest) string {
	for name, version := range pythons {
		if strings.Contains(g.Template+g.Image, name) {
			return version
		}
	}
	return ""
}

func (b *osBuilder) interpreter() string { return "python" + cmp.Or(b.env.App.Version, "3") }

// build is the command that builds the app as a whole.
func (b *osBuilder) build() string {
	a := b.env.App
	if a.Runtime == "node" && a.Version != "" {
		// Debian's Node.js may have been there before the stack asked for another.
		check := `[ "$(node -p 'process.versions.node.split(".")[0]')" = ` + a.Version + ` ] || { echo "Node.js $(node --version) is installed, the stack wants ` +
			a.Version + `: apt-get install nodejs"; exit 1; }`
		if a.Build == "" {
			return check
		}
		return check + "\n" + a.Build
	}
	if a.Build != "" || a.Runtime != "python" {
		return a.Build
	}
	return strings.TrimSpace(path.Join(libDir, "build_python") + " " + b.interpreter() + " " + a.Wheels)
}

// pythonModule finds the module that a command runs from the release's venv.
var pythonModule = regexp.MustCompile(`\.venv/bin/python[0-9.]* (?:-[BEIOsuv]+ )*-m ([A-Za-z_][A-Za-z0-9_.]*)`)

// check is the command that has to accept a build before anything is switched: for
// Python, that what the commands run can be imported.
func (b *osBuilder) check() string {
	a := b.env.App
	if a.Runtime != "python" {
		return ""
	}
	var modules []string
	note := func(dir, command string) {
		if m := pythonModule.FindStringSubmatch(command); m != nil && path.Clean(dir) == "." {
			modules = append(modules, m[1])
		}
	}
	for _, s := range a.Services {
		note(s.Dir, s.Start)
		note(s.Dir, s.Migrate)
	}
	note(".", a.Migrate)
	for _, job := range a.Cron {
		note(".", job.Run)
	}
	slices.Sort(modules)
	if len(modules) == 0 {
		return ""
	}
	return ".venv/bin/python " + path.Join(libDir, "import_check.py") + " " + strings.Join(slices.Compact(modules), " ")
}
