package templates_test

import (
	"os"
	"strings"
	"testing"

	"github.com/org/appstack-action/templates"
)

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
