package stack

import (
	"fmt"
	"maps"
	"slices"
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

// advice is said of keys that other tools have at a place and this one has not, by what
// the place's path ends in.
var advice = map[string]map[string]string{
	"proxmox": {
		"verify_ssl": trustAdvice, "validate_certs": trustAdvice, "insecure": trustAdvice, "tls_insecure": trustAdvice, "insecure_skip_verify": trustAdvice,
		"user": tokenAdvice, "username": tokenAdvice, "password": tokenAdvice, "api_user": tokenAdvice, "api_password": tokenAdvice,
		"token_id": tokenAdvice, "token_name": tokenAdvice, "token_secret": tokenAdvice, "token_value": tokenAdvice,
		"api_token_id": tokenAdvice, "api_token_secret": tokenAdvice,
	},
	"postgres": {"version": "it is the distribution's: 15 on Debian 12, 17 on Debian 13"},
	"health": {
		"interval": healthAdvice, "retries": healthAdvice, "start_period": healthAdvice, "start_interval": healthAdvice,
	},
}

const (
	trustAdvice  = "the check cannot be switched off: pin the certificate with `fingerprint:`, which `pvenode cert info` prints"
	tokenAdvice  = "log in with `token: ${secret.proxmox_token}`, which is user@realm!id=uuid"
	healthAdvice = "it is asked again and again until `timeout` is over"
)

var habitKeys = slices.Sorted(maps.Keys(habits))

// unknownKey reports the key of p, which l does not know, and returns the
// key of l that was probably meant, or "".
func (c *checker) unknownKey(p pair, l *layout, path string) string {
	key := p.key.value
	if len(c.list) > maxProblems {
		// No one will read it, and looking for what was meant takes time.
		c.report(p.key, fmt.Sprintf("unknown key `%s`%s", key, in(path)), "", "")
		return ""
	}
	meant, hint := "", advice[path[strings.LastIndexByte(path, '.')+1:]][strings.ToLower(key)]
	if hint == "" {
		if meant = likely(key, l); meant != "" {
			hint = fmt.Sprintf("did you mean `%s`?", meant)
		} else {
			hint = elsewhere(key, path)
		}
	}
	c.report(p.key, fmt.Sprintf("unknown key `%s`%s", key, in(path)), "allowed: "+strings.Join(l.keys(), ", "), hint)
	return meant
}

// likely returns the key of l that was probably meant by key: a habit from
// elsewhere, a slip of a finger, or a slip in a habit. A key that is known in
// another place is rather there by mistake than misspelt.
func likely(key string, l *layout) string {
	if meant := habit(key, l); meant != "" {
		return meant
	}
	meant := nearest(key, l.keys())
	if meant != "" && distance(normalise(key), normalise(meant)) <= 1 {
		return meant
	}
	if len(settingsLayout.places(key)) > 0 {
		return ""
	}
	if meant != "" {
		return meant
	}
	return habit(nearest(key, habitKeys), l)
}

// habit returns the key of l that goes by the name of key elsewhere, or "".
func habit(key string, l *layout) string {
	for _, ours := range habits[strings.ToLower(key)] {
		if l.field(ours) != nil {
			return ours
		}
	}
	return ""
}

// elsewhere says where key belongs, if it is known in another place than
// path, or "".
func elsewhere(key, path string) string {
	places := settingsLayout.places(key)
	if ours := habits[strings.ToLower(key)]; len(places) == 0 && len(ours) > 0 {
		key = ours[0]
		places = settingsLayout.places(key)
	}
	switch {
	case len(places) > 0 && places[0] == key:
		return fmt.Sprintf("`%s` belongs to the environment itself, beside `guest`, `base` and `app`", key)
	case len(places) > 0:
		return fmt.Sprintf("`%s` belongs under %s", key, parents(places))
	case path != "" && documentLayout.field(key) != nil:
		return fmt.Sprintf("`%s` belongs at the top level of the file", key)
	}
	return ""
}

// parents lists the mappings that the first few of places are in.
func parents(places []string) string {
	const most = 3
	var names []string
	for _, place := range places[:min(most, len(places))] {
		names = append(names, "`"+place[:strings.LastIndexByte(place, '.')]+"`")
	}
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
