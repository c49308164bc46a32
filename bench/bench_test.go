package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/bench/results"
	"github.com/org/appstack-action/internal/stack"
)

func TestStagesOfTiming(t *testing.T) {
	s := sample{took: 200 * time.Millisecond, stderr: `shop/ours == observe
shop/ours            observe         120ms
shop/ours            deploy: health of the new release     20ms
shop/ours: deploy release 080076f4c9e6db7c7c0c0ea61da3129afd70018b   30ms
shop/ours: connect                                               61.5ms
shop/ours: observe the guest                                     45.1ms
proxmox GET /nodes/pve1/lxc/101/config 200                        4.4ms
proxmox GET /cluster/resources?type=vm 200                       900µs
… and 3 more
`}
	want := []results.Stage{
		{Name: "deploy: health of the new release", MS: 20},
		{Name: "connect", MS: 61.5}, {Name: "observe the guest", MS: 45.1},
		{Name: "Proxmox: GET /nodes/pve1/lxc/*/config", MS: 4.4}, {Name: "Proxmox: GET /cluster/resources", MS: 0.9},
	}
	got := stages(s)
	if diff := cmp.Diff(want, got[:len(got)-1]); diff != "" {
		t.Error(diff)
	}
	if rest := got[len(got)-1].MS; rest < 68 || rest > 69 {
		t.Errorf("the rest is %v ms, not 68.1", rest)
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(""); err != nil || len(all) != len(parts) {
		t.Errorf("nothing chosen is %d parts, %v", len(all), err)
	}
	if some, err := choose("start,image"); err != nil || some[0].name != "start" || some[1].name != "image" {
		t.Errorf("chose %v, %v", some, err)
	}
	if _, err := choose("nonsense"); err == nil || !strings.Contains(err.Error(), "steady") {
		t.Errorf("an unknown part: %v", err)
	}
}

func TestCallFails(t *testing.T) {
	_, err := call{args: []string{"sh", "-c", "echo too bad >&2; exit 3"}}.do(t.Context())
	if err == nil || !strings.Contains(err.Error(), "too bad") {
		t.Errorf("a call that fails: %v", err)
	}
	s, err := call{args: []string{"cat"}, stdin: "text"}.do(t.Context())
	if err != nil || s.stdout != "text" || s.took <= 0 {
		t.Errorf("a call: %+v, %v", s, err)
	}
}

func TestChangedOfRecap(t *testing.T) {
	none := "a : ok=9 changed=0 unreachable=0\nb : ok=9 changed=0 unreachable=0\n"
	if got := changedOf(none); got != 0 {
		t.Errorf("counts %d", got)
	}
	if got := changedOf(strings.Replace(none, "changed=0", "changed=12", 1)); got != 12 {
		t.Errorf("counts %d", got)
	}
}

// TestLargeStackIsRight: a stack with mistakes would be refused faster than checked.
func TestLargeStackIsRight(t *testing.T) {
	s, problems := stack.Load("appstack.yaml", []byte(largeStack(200)))
	if problems.HasErrors() || len(s.Envs) != 600 {
		t.Errorf("%v", problems)
	}
}

// TestRoles has ansible-playbook read the roles. Collections that are not installed are
// stood in for: what is in them is not what is asked here.
func TestRoles(t *testing.T) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("ansible-playbook is not installed (apt-get install ansible-core)")
	}
	dir := t.TempDir()
	standIn(t, filepath.Join(dir, "ansible_collections"))
	hosts := filepath.Join(dir, "hosts")
	if err := os.WriteFile(hosts, []byte("[shop]\na\n[pote]\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ansible-playbook", "-i", hosts, "--syntax-check", "site.yml")
	cmd.Dir = "ansible"
	cmd.Env = append(os.Environ(), "ANSIBLE_COLLECTIONS_PATH="+dir, "ANSIBLE_LOCAL_TEMP="+dir, "ANSIBLE_HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

var collectionModule = regexp.MustCompile(`(?m)^ +(ansible\.posix|community\.[a-z]+)\.([a-z_]+):`)

// standIn writes empty modules for those that the roles take from collections.
func standIn(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob("ansible/roles/*/*/main.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no roles: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range collectionModule.FindAllStringSubmatch(string(text), -1) {
			modules := filepath.Join(dir, strings.ReplaceAll(found[1], ".", "/"), "plugins/modules")
			if err := os.MkdirAll(modules, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(modules, found[2]+".py"), []byte("#!/usr/bin/python\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestScripts(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed (apt-get install shellcheck)")
	}
	scripts, err := filepath.Glob("floor/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	// SC2154: bench sets variables before them.
	out, err := exec.Command("shellcheck", append([]string{"--shell=sh", "--exclude=SC2154"}, scripts...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestSettled(t *testing.T) {
	if err := (&bench{}).settled(t.Context()); err != nil {
		t.Errorf("nothing to wait for: %v", err)
	}
	if err := (&bench{before: "echo not now >&2; false"}).settled(t.Context()); err == nil || !strings.Contains(err.Error(), "not now") {
		t.Errorf("a command that fails: %v", err)
	}
}

func TestBusy(t *testing.T) {
	share, err := busy(50 * time.Millisecond)
	if err != nil || share < 0 || share > 1 {
		t.Errorf("of the processors' time %v is used, %v", share, err)
	}
}
