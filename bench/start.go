package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/org/appstack-action/internal/lab/runner/stage"
)

// start measures what the program takes by itself.
func start(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.work, "large")
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	sealed, err := stage.Seal(identity.Recipient(), map[string]string{"proxmox_token": "none"})
	if err != nil {
		return err
	}
	err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "appstack.yaml"), []byte(largeStack(200)), 0o644),
		os.WriteFile(filepath.Join(dir, "secrets.yaml.age"), sealed, 0o644))
	if err != nil {
		return err
	}
	for _, name := range []string{"start", "validate", "validate-memory"} {
		b.clear(name)
	}
	for range max(b.runs, 20) {
		s, err := call{args: []string{b.bin, "--version"}}.do(ctx)
		if err != nil {
			return err
		}
		b.add("start/version", "ms", s.ms())
		if s, err = (call{args: []string{b.bin, "validate"}, dir: dir}).do(ctx); err != nil {
			return err
		}
		b.add("validate/600", "ms", s.ms())
		b.add("validate-memory/600", "MB", s.peak)
	}
	return nil
}

// largeStack is a stack file with three environments for each project.
func largeStack(projects int) string {
	var b strings.Builder
	b.WriteString(`proxmox: {url: https://10.86.0.2:8006, token: "${secret.proxmox_token}", node: pve1, pool: appstack}
secrets: [secrets.yaml.age]
ssh: {key: "${secret.ssh_key}"}
defaults:
  guest: {type: lxc, template: debian-12-standard, cores: 2, memory: 2048, swap: 512, storage: local-lvm, disk: 16, bridge: vmbr0, tags: [appstack, "${env}"]}
  base:
    user: appuser
    packages: [git, curl, ufw]
    firewall: [{port: 9100, from: 10.86.0.0/16, comment: metrics}]
    sysctl: {net.core.somaxconn: 1024}
projects:
`)
	for i := range projects {
		fmt.Fprintf(&b, `  shop%[1]d:
    app:
      runtime: node
      source: {git: "git@github.com:org/shop%[1]d.git", key: "${secret.shop%[1]d.deploy_key}"}
      cron:
        - {name: cleanup, schedule: "*/15 * * * *", run: node cleanup.js}
      services:
        backend: {dir: backend, port: 3001, build: npm ci, migrate: npm run migrate, start: npm start, health: /healthz}
        frontend: {dir: frontend, port: 3000, build: npm ci, start: npm start, health: /, after: [backend]}
    envs:
`, i)
		for j, env := range []string{"dev", "qa", "prod"} {
			fmt.Fprintf(&b, "      %s: {vmid: %d, ip: 10.86.%d.%d/16, gateway: 10.86.0.1, branch: %s, env_vars: {LOG_LEVEL: debug, PUBLIC_URL: \"http://${ip}:3000\"}}\n",
				env, 1000+3*i+j, 1+i, 10+j, env)
		}
	}
	return b.String()
}
