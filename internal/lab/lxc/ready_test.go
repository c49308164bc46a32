package lxc_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/luthermonson/go-proxmox"
)

const (
	// ready is within what time of its order a container answers to SSH, with the template
	// cached and on a machine with two cores and nothing else to do.
	ready = 8 * time.Second
	// reference is what starting 300 processes takes on such a machine.
	reference = 400 * time.Millisecond
)

// slowness is how much longer than it should this machine takes at the moment to do what
// a boot mostly does: to start processes.
func slowness(t *testing.T) float64 {
	t.Helper()
	began := time.Now()
	must(t, exec.Command("sh", "-c", "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done").Run())
	return max(1, float64(time.Since(began))/float64(reference))
}

// TestReadySoon orders containers through the API, from the order to the login over SSH.
// What the machine does beside it is measured before and after and taken into account,
// and one of three has to make it.
func TestReadySoon(t *testing.T) {
	node, err := client(t).Node(t.Context(), "pve1")
	must(t, err)
	made := false
	for range 3 {
		g, slow := lab.Draft(t), slowness(t)
		began := time.Now()
		ct := create(t, node, g)
		task, err := ct.Start(t.Context())
		finish(t, task, err)
		g.Wait(t)
		took := time.Since(began)
		slow = max(slow, slowness(t))
		limit := time.Duration(float64(ready) * slow)
		t.Logf("ready after %s, on a machine that is %.1f times slower than one with nothing else to do: limit %s",
			took.Round(10*time.Millisecond), slow, limit.Round(time.Millisecond))
		task, err = ct.Delete(t.Context(), &proxmox.ContainerDeleteOptions{Force: true})
		finish(t, task, err)
		if made = took < limit; made {
			break
		}
	}
	if !made {
		t.Errorf("no container was ready within %s", ready)
	}
}
