package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rival is a way to run Ansible.
type rival struct {
	name string
	env  []string
}

// rivals are the ways that this machine has: as it comes, with the two settings that
// every guide to faster runs names first, and with mitogen in place of its transport.
func (b *bench) rivals() []rival {
	if !b.tools.ansible {
		return nil
	}
	all := []rival{
		{"ansible", nil},
		{"pipelining", []string{"ANSIBLE_PIPELINING=True", "ANSIBLE_SSH_ARGS=-o ControlMaster=auto -o ControlPersist=60s"}},
	}
	if b.tools.mitogen != "" {
		all = append(all, rival{"mitogen", []string{"ANSIBLE_STRATEGY_PLUGINS=" + b.tools.mitogen, "ANSIBLE_STRATEGY=mitogen_linear"}})
	}
	if b.ways == "" {
		return all
	}
	return slices.DeleteFunc(all, func(v rival) bool { return !slices.Contains(strings.Split(b.ways, ","), v.name) })
}

// rival returns one of the ways by its name; false: it is not there.
func (b *bench) rival(name string) (rival, bool) {
	for _, v := range b.rivals() {
		if v.name == name {
			return v, true
		}
	}
	return rival{}, false
}

var changedTasks = regexp.MustCompile(`changed=(\d+)`)

// playbook runs the roles on guests. vars are more than those of every run.
func (r *rig) playbook(ctx context.Context, v rival, group string, vars map[string]string, forks int, envs ...env) (s sample, changed int, err error) {
	dir, err := os.MkdirTemp(r.work, "ansible-*")
	if err != nil {
		return s, 0, err
	}
	defer os.RemoveAll(dir)
	inventory := "[" + group + "]\n"
	for _, e := range envs {
		inventory += fmt.Sprintf("%s-%s ansible_host=%s ansible_user=root ansible_ssh_private_key_file=%s ansible_python_interpreter=/usr/bin/python3\n", e.project, e.name, e.ip(), r.key)
	}
	all := map[string]string{"authorized_key": r.pub, "known_host": r.knownHost, "deploy_key": r.deployKey, "source": r.source(shopRepo)}
	maps.Copy(all, vars)
	text, err := json.Marshal(all)
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "hosts"), []byte(inventory), 0o600), os.WriteFile(filepath.Join(dir, "vars.json"), text, 0o600))
	}
	if err != nil {
		return s, 0, err
	}
	// Each run is a job of its own: no connection is left from the one before.
	control := filepath.Join(dir, "cp")
	c := call{
		args: []string{"ansible-playbook", "-i", filepath.Join(dir, "hosts"), "--limit", group, "-e", "@" + filepath.Join(dir, "vars.json"), "-f", strconv.Itoa(forks), "site.yml"},
		dir:  filepath.Join(r.root, "bench/ansible"),
		env: append([]string{
			"ANSIBLE_SSH_CONTROL_PATH_DIR=" + control, "ANSIBLE_LOCAL_TEMP=" + filepath.Join(dir, "tmp"), "ANSIBLE_NOCOLOR=1",
			"ANSIBLE_SSH_COMMON_ARGS=-F /dev/null -o IdentitiesOnly=yes -o UserKnownHostsFile=" + r.knownHosts(),
		}, v.env...),
	}
	s, err = c.do(ctx)
	hangUp(ctx, control)
	return s, changedOf(s.stdout), err
}

// changedOf sums up what the recap of a run says.
func changedOf(recap string) int {
	sum := 0
	for _, found := range changedTasks.FindAllStringSubmatch(recap, -1) {
		n, _ := strconv.Atoi(found[1]) // they are digits
		sum += n
	}
	return sum
}

// hangUp ends the master connections that ControlPersist left.
func hangUp(ctx context.Context, dir string) {
	sockets, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, s := range sockets {
		_ = exec.CommandContext(ctx, "ssh", "-O", "exit", "-o", "ControlPath="+s, "master").Run() // it may be gone by itself
	}
}

// unchanged refuses a run that found something to do.
func unchanged(s sample, changed int, err error) (sample, error) {
	if err == nil && changed != 0 {
		err = fmt.Errorf("ansible changed %d things where there was nothing to do:\n%s", changed, lines(s.stdout, "changed:"))
	}
	return s, err
}

// changed refuses a run that found nothing to do.
func changed(s sample, changed int, err error) (sample, error) {
	if err == nil && changed == 0 {
		err = fmt.Errorf("ansible changed nothing:\n%s", tail(s.stdout))
	}
	return s, err
}

// lines returns those that begin so, and the line before each.
func lines(text, prefix string) string {
	var kept []string
	all := strings.Split(text, "\n")
	for i, line := range all {
		if strings.HasPrefix(line, prefix) {
			kept = append(kept, all[max(0, i-1)], line)
		}
	}
	return strings.Join(kept, "\n")
}
