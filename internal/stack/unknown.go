package stack

import (
	"fmt"
	"strings"
)

// habits maps keys that people bring along from Ansible, Docker Compose,
// Proxmox's own configuration and Kubernetes to ours. Where several fit, the
// first that is known at the place is taken.
var habits = map[string][]string{
	"address":               {"ip", "url"},
	"ansible_host":          {"ip"},
	"ansible_user":          {"user"},
	"api_token":             {"token"},
	"api_url":               {"url"},
	"app_env":               {"env_vars"},
	"app_user":              {"user"},
	"apt_packages":          {"packages"},
	"build_command":         {"build"},
	"ciuser":                {"ciuser"},
	"cloud_init_user":       {"ciuser"},
	"cmd":                   {"start", "run"},
	"command":               {"start", "run"},
	"container_id":          {"vmid"},
	"cpus":                  {"cores"},
	"ctid":                  {"vmid"},
	"database":              {"postgres"},
	"db":                    {"postgres", "database"},
	"dbname":                {"database"},
	"deploy_key":            {"key"},
	"depends_on":            {"after"},
	"disk_size":             {"disk"},
	"dns":                   {"nameserver"},
	"dns_servers":           {"nameserver"},
	"endpoint":              {"url"},
	"entrypoint":            {"start"},
	"env":                   {"env_vars"},
	"environment":           {"env_vars", "env", "envs"},
	"environment_variables": {"env_vars", "env"},
	"environments":          {"envs"},
	"git_branch":            {"branch"},
	"git_repo":              {"git"},
	"gw":                    {"gateway"},
	"gw6":                   {"gateway6"},
	"health_check":          {"health"},
	"healthcheck":           {"health"},
	"host":                  {"url"},
	"hostname":              {"name"},
	"hwaddr":                {"mac"},
	"id":                    {"vmid"},
	"image":                 {"template"},
	"interval":              {"schedule"},
	"ip_address":            {"ip"},
	"ipv4":                  {"ip"},
	"ipv6":                  {"ip6"},
	"ipv6_gateway":          {"gateway6"},
	"jobs":                  {"cron"},
	"lxc":                   {"guest"},
	"mem":                   {"memory"},
	"memory_limit":          {"memory"},
	"mem_limit":             {"memory"},
	"migration":             {"migrate"},
	"mountpoints":           {"mounts"},
	"node_version":          {"version"},
	"ostemplate":            {"template"},
	"os_template":           {"template"},
	"ports":                 {"port"},
	"postgresql":            {"postgres"},
	"private_key":           {"key"},
	"proto":                 {"protocol"},
	"ram":                   {"memory"},
	"repo":                  {"git"},
	"repository":            {"git"},
	"restart_policy":        {"restart"},
	"rootfs":                {"disk"},
	"size":                  {"disk"},
	"ssh_key":               {"key"},
	"ssh_keys":              {"authorized_keys"},
	"ssh_public_keys":       {"authorized_keys"},
	"tag":                   {"vlan"},
	"target_node":           {"node"},
	"variables":             {"env_vars", "env"},
	"vars":                  {"env_vars", "env"},
	"vlan_id":               {"vlan"},
	"vlan_tag":              {"vlan"},
	"vm":                    {"guest"},
	"vm_id":                 {"vmid"},
	"volumes":               {"mounts"},
	"working_dir":           {"dir"},
	"workdir":               {"dir"},
}

// unknownKey reports the key of p, which l does not know, and returns the
// key of l that was probably meant, or "".
func (c *checker) unknownKey(p pair, l *layout, path string) string {
	key := p.key.value
	meant := nearest(key, l.keys())
	for _, habit := range habits[strings.ToLower(key)] {
		if l.field(habit) != nil {
			meant = habit
			break
		}
	}
	hint := elsewhere(key, path)
	if meant != "" && (hint == "" || distance(key, meant) == 1) {
		hint = fmt.Sprintf("did you mean `%s`?", meant)
	} else if hint != "" {
		meant = ""
	}
	c.report(p.key, fmt.Sprintf("unknown key `%s`%s", key, in(path)), "allowed: "+strings.Join(l.keys(), ", "), hint)
	return meant
}

// elsewhere says where key belongs, if it is known in another part of the
// settings than path, or "".
func elsewhere(key, path string) string {
	places := settingsLayout.places(key)
	if len(places) == 0 {
		if habit := habits[strings.ToLower(key)]; len(habit) > 0 {
			places = settingsLayout.places(habit[0])
		}
	}
	if len(places) == 0 {
		if path != "" && documentLayout.field(key) != nil {
			return fmt.Sprintf("`%s` belongs at the top level of the file", key)
		}
		return ""
	}
	place := places[0]
	parent, last := "", place
	if i := strings.LastIndexByte(place, '.'); i >= 0 {
		parent, last = strings.ReplaceAll(place[:i], ".*", ".<name>"), place[i+1:]
	}
	switch {
	case parent == "":
		return fmt.Sprintf("`%s` belongs to the environment itself, beside `guest`, `base` and `app`", last)
	default:
		return fmt.Sprintf("`%s` belongs under `%s`", last, parent)
	}
}
