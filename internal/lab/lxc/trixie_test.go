package lxc_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/luthermonson/go-proxmox"

	"github.com/org/appstack-action/internal/lab/template"
)

// TestDebian13 downloads the other template that the lab's nodes list, which is built when
// it is first asked for, and boots a container from it.
func TestDebian13(t *testing.T) {
	node, err := client(t).Node(t.Context(), "pve1")
	must(t, err)
	list, err := node.Appliances(t.Context())
	must(t, err)
	name := template.Trixie().Name
	if !slices.ContainsFunc(list, func(a *proxmox.Appliance) bool { return a.Template == name && a.Os == "debian-13" }) {
		t.Fatalf("no %s to download: %+v", name, list)
	}
	began := time.Now()
	upid, err := node.DownloadAppliance(t.Context(), name, "local")
	must(t, err)
	status, err := lab.Up(t).PVE.WaitTask(t.Context(), upid)
	must(t, err)
	if status != "OK" {
		t.Fatalf("the download ended in %q:\n%s", status, strings.Join(lab.Up(t).PVE.TaskLog(upid), "\n"))
	}
	t.Logf("the template was there after %s", time.Since(began).Round(time.Second))
	g := lab.Draft(t)
	ct := create(t, node, g, proxmox.ContainerOption{Name: "ostemplate", Value: "local:vztmpl/" + name})
	task, err := ct.Start(t.Context())
	finish(t, task, err)
	g.Wait(t)
	says(t, g, ". /etc/os-release; echo $VERSION_ID", "13")
	says(t, g, "systemctl is-system-running --wait || systemctl --failed", "running")
	says(t, g, "systemctl is-active cron ssh | uniq", "active")
	t.Log(g.Run(t, "ssh -V 2>&1; systemctl --version | head -1"))
}
