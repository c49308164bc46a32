package lab_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/pveapi"
)

// pvelab builds the program, where every user can run it.
func pvelab(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pvelab-test-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	program := filepath.Join(dir, "pvelab")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/pvelab").CombinedOutput(); err != nil {
		t.Fatalf("cannot build pvelab: %v\n%s", err, out)
	}
	return program
}

// place finds one for a lab that a process of its own serves. A guest of it runs already
// if with asks for that.
func place(t *testing.T, guest bool) lab.Options {
	t.Helper()
	l, o := bringUp(t, lab.Options{})
	if !guest {
		must(t, l.Down(t.Context()))
		return o
	}
	boot(t, l)
	must(t, l.Close())
	return o
}

// serve starts pvelab up and returns once it says that it serves.
func serve(t *testing.T, program string, o lab.Options, flags ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, append([]string{"up", "--bridge", o.Bridge, "--subnet", o.Subnet.String()}, flags...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	buf := make([]byte, 64<<10)
	n, _ := out.Read(buf)
	if !strings.Contains(string(buf[:n]), "The lab is up.") {
		t.Errorf("pvelab up says %q", buf[:n])
	}
	go io.Copy(io.Discard, out) // until the process ends
	return cmd
}

// TestEnds kills pvelab with a guest running, interrupts it and takes it down from
// outside: whatever the end, nothing is left.
func TestEnds(t *testing.T) {
	labtest.RequireOrSkip(t)
	program := pvelab(t)
	for _, end := range []string{"kill", "interrupt", "down"} {
		t.Run(end, func(t *testing.T) {
			o := place(t, true)
			cmd := serve(t, program, o)
			switch end {
			case "kill":
				must(t, cmd.Process.Kill())
				cmd.Wait()
				if len(leftovers(t, o)) == 0 {
					t.Error("a killed lab left nothing: this test tests nothing")
				}
				if out, err := exec.Command(program, "clean").CombinedOutput(); err != nil || !strings.Contains(string(out), o.Bridge) {
					t.Fatalf("pvelab clean: %v\n%s", err, out)
				}
			case "interrupt":
				must(t, cmd.Process.Signal(os.Interrupt))
				must(t, cmd.Wait())
			case "down":
				if out, err := exec.Command(program, "down", "--bridge", o.Bridge).CombinedOutput(); err != nil {
					t.Errorf("pvelab down: %v\n%s", err, out)
				}
				must(t, cmd.Wait())
			}
			if left := leftovers(t, o); len(left) > 0 {
				t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
			}
		})
	}
}

// TestFaultsByFlag gives pvelab up faults of each kind; the control port tells them.
func TestFaultsByFlag(t *testing.T) {
	labtest.RequireOrSkip(t)
	program := pvelab(t)
	o := place(t, false)
	flags := []string{"--nodes", "2"}
	var want []pveapi.Fault
	for _, text := range []string{
		`{"guest": 101, "late_ssh": "20s", "times": 1}`, `{"guest": "*", "reboot_after": "5s", "times": -1}`,
		`{"path": "/nodes/*/lxc", "status": 596, "times": 2}`, `{"task": "vzcreate", "task_hang": true, "times": 1}`,
		`{"guest": 102, "lock": "backup", "times": 1}`, `{"storage": "local-lvm"}`, `{"node": "pve2"}`,
	} {
		flags = append(flags, "--faults", text)
		fault, err := pveapi.ParseFault(text)
		must(t, err)
		want = append(want, fault)
	}
	cmd := serve(t, program, o, flags...)
	res, err := http.Get("http://" + o.Subnet.Addr().Next().String() + ":8086/faults")
	must(t, err)
	defer res.Body.Close()
	var got []pveapi.Fault
	must(t, json.NewDecoder(res.Body).Decode(&got))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	must(t, cmd.Process.Signal(os.Interrupt))
	must(t, cmd.Wait())
	out, err := exec.Command(program, "up", "--bridge", o.Bridge, "--subnet", o.Subnet.String(), "--faults", `{"guest": 101}`).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "late_ssh") {
		t.Errorf("a fault that would never come: %v\n%s", err, out)
	}
	if left := leftovers(t, o); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

// TestMissing runs pvelab where it has not what it needs.
func TestMissing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	program := pvelab(t)
	for want, setup := range map[string]func(*exec.Cmd){
		"run it with sudo": func(c *exec.Cmd) {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		},
		"apt-get install -y --no-install-recommends lxc mmdebstrap iptables iproute2 git zstd e2fsprogs openssl mount": func(c *exec.Cmd) {
			c.Env = []string{"PATH=/nonexistent"}
		},
	} {
		cmd := exec.Command(program, "up", "--bridge", "pvelabmissing")
		setup(cmd)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.HasSuffix(strings.TrimSpace(string(out)), want) {
			t.Errorf("pvelab up says\n%s\nwant at its end %q", out, want)
		}
	}
}
