package main

import "strings"

// shopProject is the shop for a lab's guest made from a template. It asks for what
// bench/ansible and bench/floor do.
func (r *rig) shopProject(template string) string {
	const text = `    guest: {template: TEMPLATE, cores: 2, memory: 1024, swap: 0, disk: 6}
    base:
      packages: [tzdata, locales, tree, git]
      timezone: Europe/Berlin
      locale: en_US.UTF-8
      journal_size: 200M
      authorized_keys: ["PUBLIC_KEY"]
    app:
      runtime: node
      source: {git: "SOURCE", key: "${secret.deploy_key}", host_key: "HOST_KEY"}
      services:
        backend:  {dir: backend, port: 3001, public: true, build: npm ci, migrate: npm run migrate, start: npm start, health: /healthz}
        frontend: {dir: frontend, port: 3000, public: true, build: npm ci && npm run build, start: npm start, health: /}
`
	return strings.NewReplacer("TEMPLATE", template, "PUBLIC_KEY", r.pub, "SOURCE", r.source(shopRepo), "HOST_KEY", r.lab.Info.GitHostKey).Replace(text)
}

// rivalProject are guests that only Proxmox's half of appstack has to do with: the
// scripts and Ansible configure them.
func rivalProject(template string) string {
	return "    guest: {template: " + template + ", cores: 2, memory: 1024, swap: 0, disk: 6}\n"
}

// templates of the lab: Debian as it comes, and with the apps' packages installed.
const (
	plainTemplate = "debian-12-standard"
	warmTemplate  = "debian-12-warm"
)
