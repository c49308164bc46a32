package app_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/stack"
)

// TestInventoryIsAnsibles has ansible-inventory read the inventory.
func TestInventoryIsAnsibles(t *testing.T) {
	st, problems := stack.Load("appstack.yaml", []byte(`
projects:
  my-shop:
    envs:
      dev: {name: shop-dev, vmid: 101, ip: 10.86.0.101/24, gateway: 10.86.0.1, branch: dev}
      qa:  {name: shop-qa,  vmid: 102, ip: 10.86.0.102/24, gateway: 10.86.0.1, branch: qa}
  pote:
    base: {user: pote}
    envs:
      dev: {name: pote, vmid: 110, ip: 10.86.0.110/24, gateway: 10.86.0.1, branch: main}
`))
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	text, err := json.Marshal(app.NewInventory(st.Envs))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("ansible-inventory"); err != nil {
		t.Skip("ansible-inventory is missing: apt-get install ansible-core")
	}
	file := filepath.Join(t.TempDir(), "inventory.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ansible-inventory", "-i", file, "--list")
	cmd.Env = append(os.Environ(), "ANSIBLE_INVENTORY_UNPARSED_FAILED=true", "LC_ALL=C.UTF-8")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ansible-inventory: %v", err)
	}
	var got map[string]struct {
		Hosts    []string
		Children []string
	}
	var vars struct {
		Meta struct {
			Hostvars map[string]map[string]string
		} `json:"_meta"`
	}
	if err := json.Unmarshal(out, &vars); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for group, hosts := range map[string][]string{"app_my_shop_dev": {"shop-dev"}, "app_my_shop_qa": {"shop-qa"}, "app_pote_dev": {"pote"}} {
		if diff := cmp.Diff(hosts, got[group].Hosts); diff != "" {
			t.Errorf("hosts of %s (-want +got):\n%s", group, diff)
		}
	}
	if diff := cmp.Diff([]string{"app_my_shop_all", "app_pote_all"}, got["app_all"].Children); diff != "" {
		t.Errorf("children of app_all (-want +got):\n%s", diff)
	}
	want := map[string]string{"ansible_host": "10.86.0.110", "ansible_user": "pote", "app_project": "pote", "app_env": "dev"}
	if diff := cmp.Diff(want, vars.Meta.Hostvars["pote"]); diff != "" {
		t.Errorf("variables of pote (-want +got):\n%s", diff)
	}
}
