package app_test

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/sample"
)

// subject is an app that the matrices deploy.
type subject struct {
	name string
	// files are those of its first commit, and version those of a later one.
	files   func(t testing.TB) gitrepo.Files
	version func(n int) gitrepo.Files
	// stack is the project in the stack file, for a source; changed is another commit's.
	stack   func(source string, changed bool) string
	page    string // path that a visitor asks for
	port    int
	secrets map[string]string
}

// subjects are the Node app and the Python app with its database.
func subjects() []subject { return []subject{nodeSubject(), poteSubject()} }

func nodeSubject() subject {
	return subject{
		name:  "node",
		files: func(testing.TB) gitrepo.Files { return tiny() },
		version: func(n int) gitrepo.Files {
			return gitrepo.Files{"version": fmt.Append(nil, "version ", n),
				"build.js": []byte("setTimeout(() => console.log('built'), 300)"), "migrate.js": []byte("setTimeout(() => console.log('migrated'), 200)")}
		},
		stack: func(source string, changed bool) string {
			cores, extra := 1, ""
			if changed {
				cores, extra = 2, "\n      cron: [{name: tick, schedule: \"0 5 31 12 *\", run: \"true\"}]"
			}
			return fmt.Sprintf(`    guest: {template: debian-12-warm, cores: %d, memory: 512, swap: 0, disk: 6}
    app:
      runtime: node
      source: %s
      keep_releases: 2%s
      services:
        web: {port: 3000, public: true, build: node build.js, migrate: node migrate.js, start: node server.js, health: {path: /, timeout: 30s}}`, cores, source, extra)
		},
		page: "/", port: 3000,
	}
}

func poteSubject() subject {
	return subject{
		name: "pote",
		files: func(t testing.TB) gitrepo.Files {
			files, err := sample.Pote()
			if err != nil {
				t.Fatal(err)
			}
			wheels, err := sample.Wheels(context.Background(), filepath.Join(lab.CacheDir(), "wheels"))
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(files, wheels)
			return files
		},
		version: func(n int) gitrepo.Files { return gitrepo.Files{"VERSION": fmt.Append(nil, n)} },
		stack: func(source string, changed bool) string {
			cores, schedule := 1, "0 5 31 12 *"
			if changed {
				cores, schedule = 2, "0 6 31 12 *"
			}
			return fmt.Sprintf(`    guest: {template: debian-12-warm, cores: %d, memory: 768, swap: 0, disk: 6}
    app:
      runtime: python
      wheels: wheels
      source: %s
      keep_releases: 2
      postgres: {password: "${secret.db_password}", backup: {keep: 2}}
      migrate: .venv/bin/python -m pote.migrate
      cron: [{name: fetch, schedule: "%s", run: .venv/bin/python -m pote.fetch}]
      services: {web: {start: .venv/bin/python -m pote.web, port: 8000, public: true, health: {path: /healthz, timeout: 60s}}}`, cores, source, schedule)
		},
		page: "/healthz", port: 8000, secrets: map[string]string{"db_password": "database password"},
	}
}
