package templates_test

import (
	"fmt"
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
	s.hasten()
	for _, dir := range []string{"bin", "origin/api", "origin/site"} {
		s.must(os.MkdirAll(s.path(dir), 0o755))
	}
	s.write("bin/nproc", "#!/bin/sh\necho 2\n")
	return s
}

// hasten is configure, where services without a port need not prove themselves.
func (s *sandbox) hasten() {
	s.t.Helper()
	s.configure()
	conf, err := os.ReadFile(s.path("app.conf"))
	s.must(err)
	s.write("app.conf", string(conf)+"settle=0\n")
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

// buildCase is what two services build, and what a deploy says of it.
type buildCase struct {
	name            string
	api, site       string
	more            map[string]string // files
	status          int
	says, saysNever string
}

// apart is of two that must not be built at the same time, for what a file says.
func apart(name, file, text string) buildCase {
	return buildCase{name, "set api site; " + alone, "set site api; " + alone, map[string]string{file: text}, 0, "    site: sh build.sh\n", "exit status"}
}

func TestBuildSideBySide(t *testing.T) {
	t.Parallel()
	tests := []buildCase{
		{"at the same time", meet + "meet api site; echo made", meet + "meet site api; echo made", nil, 0, "    api: made\n", "one after the other"},
		{"one fails", meet + "meet api site; exit 7", meet + "meet site api; exec sleep 600", nil, 4, "<!! build", "site: exit status"},
		{"memory", meet + `[ ! -e half ] || exit 9; [ -e "$FAKE/again" ] || { meet api site; : >half; : >"$FAKE/again"; kill -9 $$; }; echo made`,
			meet + `[ -e "$FAKE/again" ] || { meet site api; exec sleep 600; }; echo made`, nil, 0, "memory ran out: give the guest more memory or swap; now one after the other", "<!!"},
		apart("a workspace", "package.json", "{}"),
		apart("a package beside", "site/package.json", `{"dependencies": {"words": "file:../words"}}`),
		apart("a package beside, in short", "site/package.json", `{"dependencies": {"words": "./../words"}}`),
		apart("a Python package beside", "site/requirements.txt", "-e ../words\n"),
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

// A command that leads out of its directory is run by itself.
func TestBuildThatLeadsOut(t *testing.T) {
	t.Parallel()
	s := newSiteSandbox(t)
	s.conf.Services[2].Build = "sh build.sh ../site"
	s.hasten()
	s.deploy(0, s.commit("one", map[string]string{"api/build.sh": "set api site; " + alone, "site/build.sh": "set site api; " + alone}))
}

// A directory that is not there is said before anything is built for hours beside it.
func TestBuildOfNothing(t *testing.T) {
	t.Parallel()
	s := newSiteSandbox(t)
	s.conf.Services[1].Dir = "nowhere"
	s.hasten()
	out := s.deploy(4, s.commit("one", map[string]string{"site/build.sh": "exec sleep 600"}))
	if !strings.Contains(out, "the source has no directory nowhere, which is that of api") {
		t.Error("it does not say what is missing")
	}
}

// The commands' units are told from services by their names.
func TestBuildUnitsOwnName(t *testing.T) {
	t.Parallel()
	s := newSiteSandbox(t)
	s.must(os.Rename(s.path("units/shop-site.service"), s.path("units/appstack-step-site.service")))
	s.conf.Services[2].Unit = "appstack-step-site.service"
	s.hasten()
	s.deploy(0, s.commit("one", map[string]string{"api/build.sh": ":", "site/build.sh": ":"}))
	if out := s.deploy(0, "--status"); !strings.Contains(out, "service=site active\n") {
		t.Error("the service was taken for a command")
	}
}

// A build of which nobody knows how it ended did not succeed.
func TestBuildWithoutStatus(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.conf.Services[0].Build = "cp version built; kill -9 $PPID; exit 5" // its parent is who would tell
	s.configure()
	if out := s.deploy(4, s.commit("one", nil)); !strings.Contains(out, "web: exit status 137") {
		t.Error("it does not say how it ended")
	}
}

// A build is ended before the guest has no memory left, and nothing of it where swap is.
func TestBuildTakesAllMemory(t *testing.T) {
	t.Parallel()
	meminfo := func(s *sandbox, available, swap int) string {
		return fmt.Sprintf("printf 'MemTotal: 512000 kB\nMemAvailable: %d kB\nSwapTotal: 512000 kB\nSwapFree: %d kB\n' >%s.new; mv %[3]s.new %[3]s\n", available, swap, s.path("meminfo"))
	}
	watched := func(s *sandbox, available int, sha string) (int, string) {
		s.write("meminfo", fmt.Sprintf("MemTotal: 512000 kB\nMemAvailable: %d kB\n", available))
		return s.run([]string{"APPSTACK_MEMINFO=" + s.path("meminfo")}, sha)
	}
	s := newSandbox(t)
	s.deploy(0, s.commit("one", nil))
	full := s.commit("two", map[string]string{"build.sh": meminfo(s, 20_000, 1000) + "exec sleep 600"})
	if got, out := watched(s, 500_000, full); got != 4 || !strings.Contains(out, "web: out of memory: it was ended before") {
		t.Errorf("a build that leaves no memory ends with %d, and nobody says why", got)
	}
	s.serves("one hello")
	swaps := s.commit("three", map[string]string{"build.sh": meminfo(s, 20_000, 400_000) + "sleep 1; cp version built"})
	if got, _ := watched(s, 500_000, swaps); got != 0 {
		t.Errorf("a build with swap left ends with %d", got)
	}
	s.serves("three hello")
	modest := s.commit("four", map[string]string{"build.sh": meminfo(s, 20_000, 0) + "sleep 1; cp version built"})
	if got, _ := watched(s, 30_000, modest); got != 0 {
		t.Errorf("a build that takes little where little is left ends with %d", got)
	}
	s.clean()
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
