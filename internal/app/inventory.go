package app

import (
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/stack"
)

// Inventory is an Ansible inventory as Ansible's yaml plugin reads it, from JSON too:
// the groups app_all, app_<project>_all and app_<project>_<env>, and each host's
// variables.
type Inventory map[string]*group

// group is a group of hosts.
type group struct {
	Hosts    map[string]map[string]string `json:"hosts,omitempty"`
	Children map[string]*group            `json:"children,omitempty"`
}

// NewInventory lists the environments' guests.
func NewInventory(envs []*stack.Env) Inventory {
	all := &group{Children: map[string]*group{}}
	for _, e := range envs {
		name := "app_" + groupName(e.Project)
		project := all.Children[name+"_all"]
		if project == nil {
			project = &group{Children: map[string]*group{}}
			all.Children[name+"_all"] = project
		}
		project.Children[name+"_"+groupName(e.Name)] = &group{Hosts: map[string]map[string]string{e.Hostname: {
			"ansible_host": resolve.Address(e), "ansible_user": e.Base.User, "app_project": e.Project, "app_env": e.Name,
		}}}
	}
	return Inventory{"app_all": all}
}

var notInGroupName = regexp.MustCompile(`[^A-Za-z0-9_]`)

// groupName makes a name that Ansible takes for a group without a warning.
func groupName(s string) string {
	return notInGroupName.ReplaceAllString(strings.ToLower(s), "_")
}
