package templates_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/org/appstack-action/templates"
)

// TestDeployCheck has a build that does what it is told and is not accepted: of a Python
// app, a module that the check cannot find.
func TestDeployCheck(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not here")
	}
	s := newSandbox(t)
	s.must(os.MkdirAll(s.path("lib"), 0o755))
	s.write("lib/import_check.py", templates.Script("scripts/import_check.py"))
	s.conf.Check = "python3 " + s.path("lib/import_check.py") + " pote"
	s.configure()
	s.deploy(0, s.commit("one", map[string]string{"pote.py": "import json\n"}))
	two := s.commit("two", map[string]string{"pote.py": "import json\nimport no_such_module\n"})
	out := s.deploy(4, two)
	if !strings.Contains(out, "pote.py:2: there is no module no_such_module") || !strings.Contains(out, "the check of the build: exit status 1") {
		t.Error("the deploy does not say what is missing")
	}
	if strings.Contains(out, "==> migrate") || s.exists("app/releases/"+two+".ready") {
		t.Error("a build that was not accepted went on")
	}
	s.serves("one hello")
	s.clean()
}

// TestDeployWorker deploys an app with a service that has no port: it is healthy when it
// has stayed up for some seconds.
func TestDeployWorker(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.conf.Services = append(s.conf.Services, templates.ConfigService{Name: "worker", Unit: "shop-worker.service", Dir: "."})
	s.configure()
	conf, err := os.ReadFile(s.path("app.conf"))
	s.must(err)
	s.write("app.conf", string(conf)+"settle=1\n")
	s.write("units/shop-worker.service", templates.Service{
		Mark: "shop/test", Description: "worker", User: "root", Dir: s.conf.App + "/current", App: s.conf.App,
		EnvFiles: s.conf.EnvFiles, Start: "sh worker.sh", Restart: "always",
	}.Unit())

	one := s.commit("one", map[string]string{"worker.sh": "exec sleep 600"})
	if out := s.deploy(0, one); !strings.Contains(out, "worker: restarted and up for 1 s") {
		t.Error("the deploy does not wait for the worker")
	}
	s.serves("one hello")
	out := s.deploy(7, s.commit("two", map[string]string{"worker.sh": "sleep 0.2"}))
	if !strings.Contains(out, "shop-worker.service ends and is started again, over and over; rolled back") {
		t.Error("the deploy does not say that the worker does not stay up")
	}
	s.serves("one hello")
	if out := s.deploy(0, "--status"); !strings.Contains(out, "current="+one+"\n") || !strings.Contains(out, "service=worker active\n") {
		t.Errorf("--status: %s", out)
	}
	s.clean()
}
