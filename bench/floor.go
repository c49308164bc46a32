package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// script runs scripts of bench/floor on a guest, one after the other, in one call of
// OpenSSH's client.
func (r *rig) script(ctx context.Context, e env, vars map[string]string, names ...string) (sample, error) {
	text := "unset HISTFILE\n"
	for name, value := range vars {
		text += name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n"
	}
	for _, name := range names {
		part, err := os.ReadFile(filepath.Join(r.root, "bench/floor", name))
		if err != nil {
			return sample{}, err
		}
		text += string(part)
	}
	return call{args: append(r.ssh(e), "sh", "-s"), stdin: text}.do(ctx)
}

// ssh is OpenSSH's client, with its defaults.
func (r *rig) ssh(e env) []string {
	return []string{"ssh", "-F", "/dev/null", "-i", r.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=" + r.knownHosts(), "root@" + e.ip()}
}

// floorVars are what the scripts know of the shop.
func (r *rig) floorVars(sha string) map[string]string {
	return map[string]string{
		"sha": sha, "source": r.source(shopRepo), "authorized_key": r.pub, "known_host": r.knownHost, "deploy_key": r.deployKey,
	}
}
