package app

import (
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/stack"
)

// Inventory is an Ansible inventory as a dynamic inventory script prints it: groups
// app_all, app_<project>_all and app_<project>_<env>, and each host's variables.
type Inventory map[string]any

// group is a group of hosts.
type group struct {
	Hosts    []string `json:"hosts,omitempty"`
	Children []string `json:"children,omitempty"`
}

// NewInventory lists the environments' guests.
func NewInventory(envs []*stack.Env) Inventory {
	vars := map[string]map[string]any{}
	inv := Inventory{"_meta": map[string]any{"hostvars": vars}}
	all := &group{}
	projects := map[string]*group{}
	for _, e := range envs {
		project := "app_" + groupName(e.Project)
		name := project + "_" + groupName(e.Name)
		inv[name] = &group{Hosts: []string{e.Hostname}}
		if projects[project] == nil {
			projects[project] = &group{}
			inv[project+"_all"] = projects[project]
			all.Children = append(all.Children, project+"_all")
		}
		projects[project].Children = append(projects[project].Children, name)
		vars[e.Hostname] = map[string]any{
			"ansible_host": resolve.Address(e), "ansible_user": e.Base.User, "app_project": e.Project, "app_env": e.Name,
		}
	}
	inv["app_all"] = all
	return inv
}

var notInGroupName = regexp.MustCompile(`[^A-Za-z0-9_]`)

// groupName makes a name that Ansible takes for a group without a warning.
func groupName(s string) string {
	return notInGroupName.ReplaceAllString(strings.ToLower(s), "_")
}
