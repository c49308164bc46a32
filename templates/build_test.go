package templates_test

import (
	"os"
	"strings"
	"testing"

	"github.com/org/appstack-action/templates"
)

// newSiteSandbox has two services that are built in directories of their own, beside one
// that serves.
func newSiteSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := newSandbox(t)
	s.conf.Build, s.conf.Services[0].Build = "sh build.sh", ""
	for _, name := range []string{"api", "site"} {
		unit := "shop-" + name + ".service"
		s.conf.Services = append(s.conf.Services, templates.ConfigService{Name: name, Unit: unit, Dir: name, Build: "sh build.sh"})
		s.write("units/"+unit, templates.Service{
			Mark: "shop/test", Description: name, User: "root", Dir: s.conf.App + "/current", App: s.conf.App, Start: "sleep 600", Restart: "always",
		}.Unit())
	}
	// What a service alone has in its environment is for its build alone.
	s.write("site.env", "SITE=\"mine\"\n")
	s.conf.Services[2].EnvFiles, s.conf.Check = []string{s.path("site.env")}, `[ -z "${SITE-}" ]`
	s.configure()
	conf, err := os.ReadFile(s.path("app.conf"))
	s.must(err)
	s.write("app.conf", string(conf)+"settle=0\n")
	for _, dir := range []string{"bin", "origin/api", "origin/site"} {
		s.must(os.MkdirAll(s.path(dir), 0o755))
	}
	s.write("bin/nproc", "#!/bin/sh\necho 2\n")
	return s
}

// meet goes on when the other build has come here, too.
const meet = `
meet() {
	: >"../$1.here"
	for moment in $(seq 600); do [ ! -e "../$2.here" ] || return 0; sleep 0.1; done
	echo "$2 did not come"
	exit 9
}
`

// alone fails if the other build begins before it ends.
const alone = `: >"../$1.here"
for moment in 1 2 3 4 5; do [ ! -e "../$2.here" ] || exit 9; sleep 0.1; done
rm "../$1.here"
`

func TestBuildSideBySide(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		api, site       string
		more            map[string]string
		status          int
		says, saysNever string
	}{
		{"at the same time", meet + "meet api site; echo made", meet + "meet site api; echo made", nil, 0, "    api: made\n", "one after the other"},
		{"one fails", meet + "meet api site; exit 7", meet + "meet site api; exec sleep 600", nil, 4, "<!! build", "site: exit status"},
		{"memory", meet + `[ -e ../again ] || { meet api site; : >../again; kill -9 $$; }; echo made`,
			meet + `[ -e ../again ] || { meet site api; exec sleep 600; }; echo made`, nil, 0, "memory ran out: give the guest more memory or swap; now one after the other", "<!!"},
		{"a workspace", "set api site; " + alone, "set site api; " + alone, map[string]string{"package.json": "{}"}, 0, "site: sh build.sh", "exit status"},
		{"a package beside", "set api site; " + alone, "set site api; " + alone,
			map[string]string{"site/package.json": `{"dependencies": {"words": "file:../words"}}`}, 0, "site: sh build.sh", "exit status"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSiteSandbox(t)
			files := map[string]string{"api/build.sh": tt.api, "site/build.sh": tt.site}
			for name, text := range tt.more {
				files[name] = text
			}
			out := s.deploy(tt.status, s.commit("one", files))
			if !strings.Contains(out, tt.says) || strings.Contains(out, tt.saysNever) {
				t.Errorf("it has to say %q, and not %q", tt.says, tt.saysNever)
			}
			s.clean()
		})
	}
}

// Builds that run when the run is killed are ended by the next.
func TestDeployKilledInBuilds(t *testing.T) {
	t.Parallel()
	s := newSiteSandbox(t)
	hang := " [ -e " + s.path("again") + " ] || "
	sha := s.commit("one", map[string]string{
		"api/build.sh":  meet + hang + "{ meet api site; : >" + s.path("again") + "; kill -9 $(cat " + s.path("run/appstack-deploy.lock") + "); exec sleep 600; }",
		"site/build.sh": meet + hang + "{ meet site api; exec sleep 600; }",
	})
	if got, _ := s.run(nil, sha); got != 137 {
		t.Fatalf("exit status %d: the run was not killed", got)
	}
	s.deploy(0, sha)
	s.serves("one hello")
	s.clean()
}
