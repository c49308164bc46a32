package plan

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/templates"
)

// Public keys made for these tests; nobody has their private halves.
const (
	opsKey   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGEfSrxPGG/H2rRTCdiWDrXoOJczk3dOXuuL6dXCdg+h ops"
	aliceKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL6nxCEQBtW6PO8oN0SBVE2Lx0bGpBqGhLq4cqzUTbEo alice@laptop"
)

const (
	sha1 = "1111111111111111111111111111111111111111"
	sha2 = "2222222222222222222222222222222222222222"
)

func text(mode fs.FileMode, owner, content string) machine.File {
	return machine.File{Mode: mode, Owner: owner, Group: owner, Content: secret.New(content), SHA256: Hash(secret.New(content))}
}

func sensitive(content string) machine.File {
	f := text(0o640, "app", content)
	f.Sensitive = true
	return f
}

func ours(f machine.File) machine.File {
	f.Ours = true
	return f
}

type (
	files = map[string]machine.File
	units = map[string]machine.Unit
	users = map[string]machine.User
)

var running = machine.Unit{Enabled: true, Active: true}

func triggered(by ...string) machine.Unit {
	return machine.Unit{Enabled: true, Active: true, Triggers: by}
}

const unitFilePath = "/etc/systemd/system/shop-web.service"

var osCases = []struct {
	name       string
	have, want *machine.OS
	text       string
}{
	{"nothing wanted", &machine.OS{}, &machine.OS{}, `
shop/dev: no changes
`},
	{"guest that does not run", nil, &machine.OS{Packages: map[string]string{"git": ""}, Timezone: "Europe/Berlin"}, `
shop/dev: 1 to add, 1 to change, 0 to remove
  + install packages git: not installed
  ~ set timezone Europe/Berlin: not set
`},
	{"packages in one transaction", &machine.OS{Packages: map[string]string{"git": "1"}},
		&machine.OS{Packages: map[string]string{"git": "", "ufw": "", "curl": ""}}, `
shop/dev: 1 to add, 0 to change, 0 to remove
  + install packages curl ufw: not installed
`},
	{"another version of a package", &machine.OS{Packages: map[string]string{"nodejs": "18.19"}},
		&machine.OS{Packages: map[string]string{"nodejs": "20.1", "npm": ""}}, `
shop/dev: 1 to add, 0 to change, 0 to remove
  + install packages nodejs=20.1 npm: nodejs 18.19 → 20.1, not installed
`},
	{"package source before packages", &machine.OS{}, &machine.OS{Packages: map[string]string{"nodejs": ""},
		Files: files{"/etc/apt/sources.list.d/node.sources": text(0o644, "root", "x"), "/etc/motd": text(0o644, "root", "x")}}, `
shop/dev: 3 to add, 0 to change, 0 to remove
  + create file /etc/apt/sources.list.d/node.sources: missing
  + install packages nodejs: not installed
  + create file /etc/motd: missing
`},
	{"new user with a key", &machine.OS{}, &machine.OS{Users: users{"app": {Shell: "/bin/bash", Keys: []string{opsKey}}}}, `
shop/dev: 2 to add, 0 to change, 0 to remove
  + create user app: missing
  + add key app SHA256:YyCTQIDUYZY0XwPm6unYECR22Ah2wfdyvEOAlvPZXVw ops: missing
`},
	{"shell and group of a user", &machine.OS{Users: users{"app": {Shell: "/bin/sh", Home: "/home/app"}}},
		&machine.OS{Users: users{"app": {Shell: "/bin/bash", Home: "/home/app", Groups: []string{"adm"}}}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set user app: shell /bin/sh → /bin/bash, not in the group adm
`},
	{"key with other options", &machine.OS{Users: users{"app": {Keys: []string{opsKey}}}},
		&machine.OS{Users: users{"app": {Keys: []string{"no-pty " + opsKey}}}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set key app SHA256:YyCTQIDUYZY0XwPm6unYECR22Ah2wfdyvEOAlvPZXVw ops: its options differ
`},
	{"same key with another comment", &machine.OS{Users: users{"app": {Keys: []string{opsKey}}}},
		&machine.OS{Users: users{"app": {Keys: []string{strings.TrimSuffix(opsKey, "ops") + "infra"}}}}, `
shop/dev: no changes
`},
	{"foreign key is noted", &machine.OS{Users: users{"app": {Keys: []string{opsKey, aliceKey}}}},
		&machine.OS{Users: users{"app": {Keys: []string{opsKey}}}}, `
shop/dev: no changes
  note: app also lets in the key SHA256:XYeyBP956EPJLRSu4BQObtjijx4Fejaznfe5an62UXo alice@laptop, which is not in the stack
`},
	{"foreign key is removed when exclusive", &machine.OS{Users: users{"app": {Keys: []string{opsKey, aliceKey, "root:$6$x:1:"}}}},
		&machine.OS{Users: users{"app": {Keys: []string{opsKey}, Exclusive: true}}}, `
shop/dev: 0 to add, 0 to change, 2 to remove
  - remove key app SHA256:XYeyBP956EPJLRSu4BQObtjijx4Fejaznfe5an62UXo alice@laptop: not in the stack
  - remove key app line:ddb9 (not a key): not in the stack
`},
	{"line that is no key is not shown", &machine.OS{Users: users{"app": {Keys: []string{"root:$6$secret:19000:0:99999"}}}},
		&machine.OS{Users: users{"app": {}}}, `
shop/dev: no changes
  note: app also lets in the key line:6ede (not a key), which is not in the stack
`},
	{"new file and its directory", &machine.OS{}, &machine.OS{Files: files{
		"/etc/x.d/a.conf": text(0o644, "root", "a\n"), "/etc/x.d": {Dir: true, Mode: 0o755, Owner: "root", Group: "root"}}}, `
shop/dev: 2 to add, 0 to change, 0 to remove
  + create directory /etc/x.d: missing
  + create file /etc/x.d/a.conf: missing
`},
	{"content of a file", &machine.OS{Files: files{"/etc/motd": text(0o644, "root", "one\ntwo\nthree\n")}},
		&machine.OS{Files: files{"/etc/motd": text(0o644, "root", "one\nTWO\nthree\n")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ write file /etc/motd: content differs
      --- /etc/motd
      +++ /etc/motd
      @@ -1,3 +1,3 @@
       one
      -two
      +TWO
       three
`},
	{"content of a file that is too large to show", &machine.OS{Files: files{"/etc/motd": {Mode: 0o644, Owner: "root", Group: "root", SHA256: "00"}}},
		&machine.OS{Files: files{"/etc/motd": text(0o644, "root", "one\n")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ write file /etc/motd: content differs
`},
	{"mode and owner of a file", &machine.OS{Files: files{"/etc/motd": text(0o644, "root", "x")}},
		&machine.OS{Files: files{"/etc/motd": text(0o600, "app", "x")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set file /etc/motd: mode 0644 → 0600, owner root:root → app:app
`},
	{"content and mode", &machine.OS{Files: files{"/etc/motd": text(0o600, "root", "x\n")}},
		&machine.OS{Files: files{"/etc/motd": text(0o644, "root", "y\n")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ write file /etc/motd: content differs, mode 0600 → 0644
      --- /etc/motd
      +++ /etc/motd
      @@ -1,1 +1,1 @@
      -x
      +y
`},
	{"setgid directory", &machine.OS{Files: files{"/srv/app": {Dir: true, Mode: 0o755, Owner: "app", Group: "app"}}},
		&machine.OS{Files: files{"/srv/app": {Dir: true, Mode: 0o755 | fs.ModeSetgid, Owner: "app", Group: "app"}}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set directory /srv/app: mode 0755 → 2755
`},
	{"symlink in the place of a file", &machine.OS{Files: files{"/etc/motd": {Mode: 0o777 | fs.ModeSymlink, Owner: "root", Group: "root"}}},
		&machine.OS{Files: files{"/etc/motd": text(0o644, "root", "x")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ write file /etc/motd: not a regular file
`},
	{"symlink in the place of a directory", &machine.OS{Files: files{"/srv/app": {Mode: 0o777 | fs.ModeSymlink, Owner: "root", Group: "root"}}},
		&machine.OS{Files: files{"/srv/app": {Dir: true, Mode: 0o755, Owner: "app"}}}, `
shop/dev: no changes
  note: /srv/app is a symlink; what it leads to is taken as it is
`},
	{"directory in the place of a file", &machine.OS{Files: files{"/etc/motd": {Dir: true, Mode: 0o755, Owner: "root", Group: "root"}}},
		&machine.OS{Files: files{"/etc/motd": text(0o644, "root", "x")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ write file /etc/motd: a directory
    refused: a directory is in its place: move it away
`},
	{"file in the place of a directory", &machine.OS{Files: files{"/srv/app": text(0o644, "root", "x")}},
		&machine.OS{Files: files{"/srv/app": {Dir: true, Mode: 0o755, Owner: "app"}}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set directory /srv/app: a file
    refused: a file is in its place: move it away
`},
	{"file that must not be", &machine.OS{Files: files{"/etc/cron.d/old": text(0o644, "root", "x")}},
		&machine.OS{Files: files{"/etc/cron.d/old": {Absent: true}, "/etc/cron.d/older": {Absent: true}}}, `
shop/dev: 0 to add, 0 to change, 1 to remove
  - remove file /etc/cron.d/old: not wanted
`},
	{"our file that left the stack, a person's that stays", &machine.OS{Files: files{
		"/etc/a": ours(text(0o644, "root", "x")), "/etc/b": text(0o644, "root", "x")}}, &machine.OS{}, `
shop/dev: 0 to add, 0 to change, 1 to remove
  - remove file /etc/a: not in the stack
`},
	{"secret of an env file", &machine.OS{Files: files{"/srv/app/.env.dev": sensitive("LOG=info\n" + templates.EnvMarker + "\nDB=\"old\"\nAPI=\"same\"\n")}},
		&machine.OS{Files: files{"/srv/app/.env.dev": sensitive("LOG=debug\n" + templates.EnvMarker + "\nDB=\"new\"\nAPI=\"same\"\nMAIL=\"a\nB=c\"\n")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ write file /srv/app/.env.dev: content differs
      --- /srv/app/.env.dev
      +++ /srv/app/.env.dev
      @@ -1,4 +1,5 @@
      -LOG=info
      +LOG=debug
       # --- secrets below: never shown ---
      -DB=(sensitive 4214)
      +DB=(sensitive 4732)
       API=(sensitive 3c4d)
      +MAIL=(sensitive 3613)
`},
	{"sensitive file without a marker", &machine.OS{Files: files{"/etc/key": sensitive("-----BEGIN-----\nold\n")}},
		&machine.OS{Files: files{"/etc/key": sensitive("-----BEGIN-----\nnew\n")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ write file /etc/key: content differs
      --- /etc/key
      +++ /etc/key
      @@ -1,1 +1,1 @@
      -(sensitive 8a02)
      +(sensitive 55f4)
`},
	{"env file of a person, taken over", &machine.OS{Files: files{"/srv/app/.env.dev": text(0o640, "app", "DB=old\n")}},
		&machine.OS{Files: files{"/srv/app/.env.dev": sensitive("A=1\n" + templates.EnvMarker + "\nDB=\"new\"\n")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ write file /srv/app/.env.dev: content differs
      --- /srv/app/.env.dev
      +++ /srv/app/.env.dev
      @@ -1,1 +1,3 @@
      -(sensitive a8d5)
      +A=1
      +# --- secrets below: never shown ---
      +DB=(sensitive 4a3b)
`},
	{"secrets that a file had", &machine.OS{Files: files{"/etc/x": text(0o644, "root", "A=1\n"+templates.EnvMarker+"\nDB=old\n")}},
		&machine.OS{Files: files{"/etc/x": text(0o644, "root", "A=1\n")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ write file /etc/x: content differs
      --- /etc/x
      +++ /etc/x
      @@ -1,3 +1,1 @@
       A=1
      -# --- secrets below: never shown ---
      -DB=(sensitive 1b12)
`},
	{"env file restarts what reads it", &machine.OS{Files: files{"/srv/app/.env.dev": text(0o640, "app", "A=1\n")}, Units: units{"shop-web.service": running, "other.service": running}},
		&machine.OS{Files: files{"/srv/app/.env.dev": text(0o640, "app", "A=2\n")}, Units: units{"shop-web.service": triggered("/srv/app/.env.dev"), "other.service": triggered("/etc/other")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart
  ~ write file /srv/app/.env.dev: content differs
      --- /srv/app/.env.dev
      +++ /srv/app/.env.dev
      @@ -1,1 +1,1 @@
      -A=1
      +A=2
  > restart unit shop-web.service: /srv/app/.env.dev changes (restart)
`},
	{"mode alone restarts nothing", &machine.OS{Files: files{"/srv/app/.env.dev": text(0o600, "app", "A=1\n")}, Units: units{"shop-web.service": running}},
		&machine.OS{Files: files{"/srv/app/.env.dev": text(0o640, "app", "A=1\n")}, Units: units{"shop-web.service": triggered("/srv/app/.env.dev")}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set file /srv/app/.env.dev: mode 0600 → 0640
`},
	{"unit's own file and its drop-in", &machine.OS{Files: files{unitFilePath: ours(text(0o644, "root", "[Unit]\nA=1\n"))}, Units: units{"shop-web.service": running, "cron.service": running}},
		&machine.OS{Files: files{unitFilePath: text(0o644, "root", "[Unit]\nA=2\n"), "/etc/systemd/system/cron.service.d/x.conf": text(0o644, "root", "x")},
			Units: units{"shop-web.service": running, "cron.service": running}}, `
shop/dev: 1 to add, 1 to change, 0 to remove, 2 to restart
  + create file /etc/systemd/system/cron.service.d/x.conf: missing
  ~ write file /etc/systemd/system/shop-web.service: content differs
      --- /etc/systemd/system/shop-web.service
      +++ /etc/systemd/system/shop-web.service
      @@ -1,2 +1,2 @@
       [Unit]
      -A=1
      +A=2
  > restart unit cron.service: /etc/systemd/system/cron.service.d/x.conf changes (restart)
  > restart unit shop-web.service: /etc/systemd/system/shop-web.service changes (restart)
`},
	{"new unit", &machine.OS{}, &machine.OS{Files: files{unitFilePath: text(0o644, "root", "x")}, Units: units{"shop-web.service": running}}, `
shop/dev: 2 to add, 0 to change, 0 to remove, 1 to start
  + create file /etc/systemd/system/shop-web.service: missing
  + enable unit shop-web.service: not enabled
  > start unit shop-web.service: not running
`},
	{"timer whose file changes", &machine.OS{Files: files{"/etc/systemd/system/fetch.timer": text(0o644, "root", "a\n")}, Units: units{"fetch.timer": running}},
		&machine.OS{Files: files{"/etc/systemd/system/fetch.timer": text(0o644, "root", "b\n")}, Units: units{"fetch.timer": running}}, `
shop/dev: 0 to add, 1 to change, 0 to remove, 1 to restart
  ~ write file /etc/systemd/system/fetch.timer: content differs
      --- /etc/systemd/system/fetch.timer
      +++ /etc/systemd/system/fetch.timer
      @@ -1,1 +1,1 @@
      -a
      +b
  > restart unit fetch.timer: /etc/systemd/system/fetch.timer changes
`},
	{"enabled, and nothing to run yet", &machine.OS{Units: units{"shop-web.service": {}}},
		&machine.OS{Files: files{"/srv/app/.env.dev": text(0o640, "app", "A=2\n")}, Units: units{"shop-web.service": {Enabled: true, Triggers: []string{"/srv/app/.env.dev"}}}}, `
shop/dev: 2 to add, 0 to change, 0 to remove
  + create file /srv/app/.env.dev: missing
  + enable unit shop-web.service: not enabled
`},
	{"zero unit acts on its triggers only", &machine.OS{Units: units{"systemd-sysctl.service": {Active: true}}},
		&machine.OS{Files: files{"/etc/sysctl.d/90-a.conf": text(0o644, "root", "a")}, Units: units{"systemd-sysctl.service": {Triggers: []string{"/etc/sysctl.d/90-a.conf"}}}}, `
shop/dev: 1 to add, 0 to change, 0 to remove, 1 to restart
  + create file /etc/sysctl.d/90-a.conf: missing
  > restart unit systemd-sysctl.service: /etc/sysctl.d/90-a.conf changes (restart)
`},
	{"stale units of an interrupted run", &machine.OS{Units: units{"shop-web.service": {Enabled: true, Active: true, Stale: true}, "ssh.service": {Enabled: true, Active: true, Stale: true}}},
		&machine.OS{Units: units{"shop-web.service": running, "ssh.service": {Enabled: true, Active: true, Reload: true}}}, `
shop/dev: 0 to add, 0 to change, 0 to remove, 2 to restart
  > reload unit ssh.service: an interrupted run did not come to it
  > restart unit shop-web.service: an interrupted run did not come to it (restart)
`},
	{"unit that left the stack goes before the release comes", &machine.OS{Release: &machine.Release{SHA: sha1},
		Files: files{"/etc/systemd/system/shop-old.service": ours(text(0o644, "root", "x"))}, Units: units{"shop-old.service": running}},
		&machine.OS{Release: &machine.Release{SHA: sha2}}, `
shop/dev: 1 to add, 0 to change, 1 to remove
  - remove unit shop-old.service: not in the stack (restart)
  + deploy release 2222222222222222222222222222222222222222: 111111111111 serves (restart)
`},
	{"unit that must not be", &machine.OS{Units: units{"apache2.service": running}, Files: files{"/etc/systemd/system/x.service": text(0o644, "root", "x")}},
		&machine.OS{Units: units{"apache2.service": {Absent: true}, "gone.service": {Absent: true}}}, `
shop/dev: 0 to add, 0 to change, 1 to remove
  - remove unit apache2.service: not wanted (restart)
`},
	{"sshd's file, its reload, sudo and the firewall in one piece", &machine.OS{Users: users{"app": {Keys: []string{aliceKey}}}, Units: units{"ssh.service": running}},
		&machine.OS{Users: users{"app": {Keys: []string{opsKey}, Exclusive: true}},
			Files:    files{"/etc/ssh/sshd_config.d/10-a.conf": text(0o644, "root", "x"), "/etc/sudoers.d/a": text(0o440, "root", "x"), "/zz": text(0o644, "root", "x")},
			Units:    units{"ssh.service": {Enabled: true, Active: true, Reload: true, Triggers: []string{"/etc/ssh/sshd_config.d/10-a.conf"}}},
			Firewall: &machine.Firewall{Enabled: true, Rules: []machine.Rule{{Port: "22", Protocol: "tcp"}}}, Timezone: "Etc/UTC"}, `
shop/dev: 6 to add, 1 to change, 1 to remove, 1 to restart
  + create file /zz: missing
  + add key app SHA256:YyCTQIDUYZY0XwPm6unYECR22Ah2wfdyvEOAlvPZXVw ops: missing
  + create file /etc/ssh/sshd_config.d/10-a.conf: missing
  + create file /etc/sudoers.d/a: missing
  - remove key app SHA256:XYeyBP956EPJLRSu4BQObtjijx4Fejaznfe5an62UXo alice@laptop: not in the stack
  > reload unit ssh.service: /etc/ssh/sshd_config.d/10-a.conf changes
  + add rule 22/tcp: not open
  + enable firewall ufw: incoming traffic is not denied
  ~ set timezone Etc/UTC: not set
`},
	{"an app whose name begins as sshd's units do", &machine.OS{},
		&machine.OS{Files: files{"/etc/systemd/system/sshop-web.service": text(0o644, "root", "x")}, Units: units{"sshop-web.service": running},
			Release: &machine.Release{SHA: sha1, Units: []string{"sshop-web.service"}}, Timezone: "Etc/UTC"}, `
shop/dev: 3 to add, 1 to change, 0 to remove
  + create file /etc/systemd/system/sshop-web.service: missing
  ~ set timezone Etc/UTC: not set
  + deploy release 1111111111111111111111111111111111111111: first release
  + enable unit sshop-web.service: not enabled
`},
	{"sshd's file that left the stack", &machine.OS{Files: files{"/etc/ssh/sshd_config.d/20-b.conf": ours(text(0o644, "root", "x")), "/etc/ssh/sshd_config.d/10-a.conf": text(0o644, "root", "x")}, Units: units{"ssh.service": running}},
		&machine.OS{Files: files{"/etc/ssh/sshd_config.d/10-a.conf": text(0o644, "root", "x")},
			Units: units{"ssh.service": {Enabled: true, Active: true, Reload: true, Triggers: []string{"/etc/ssh/sshd_config.d/10-a.conf"}}}}, `
shop/dev: 0 to add, 0 to change, 1 to remove, 1 to restart
  - remove file /etc/ssh/sshd_config.d/20-b.conf: not in the stack
  > reload unit ssh.service: /etc/ssh/sshd_config.d/20-b.conf changes
`},
	{"firewall rules of ours and of a person", &machine.OS{Firewall: &machine.Firewall{Enabled: true, Rules: []machine.Rule{
		{Port: "22", Protocol: "tcp"}, {Port: "3000", Protocol: "tcp", Ours: true}, {Port: "53", Protocol: "udp"}, {Text: "deny tcp 25 0.0.0.0/0 any 0.0.0.0/0 in"}}}},
		&machine.OS{Firewall: &machine.Firewall{Enabled: true, Rules: []machine.Rule{{Port: "22", Protocol: "tcp"}, {Port: "8000:8010", Protocol: "udp", From: "10.0.0.0/8"}}}}, `
shop/dev: 1 to add, 0 to change, 1 to remove
  + add rule 8000:8010/udp from 10.0.0.0/8: not open
  - remove rule 3000/tcp: not in the stack
  note: the firewall has a rule that is not in the stack and stays: 53/udp
  note: the firewall has a rule that is not in the stack and stays: deny tcp 25 0.0.0.0/0 any 0.0.0.0/0 in
`},
	{"comments of firewall rules", &machine.OS{Firewall: &machine.Firewall{Enabled: true, Rules: []machine.Rule{
		{Port: "22", Protocol: "tcp"}, {Port: "80", Protocol: "tcp", Ours: true, Comment: "web"}, {Port: "81", Protocol: "tcp", Ours: true}}}},
		&machine.OS{Firewall: &machine.Firewall{Enabled: true, Rules: []machine.Rule{
			{Port: "22", Protocol: "tcp", Comment: "a person's rule, which stays"}, {Port: "80", Protocol: "tcp", Comment: "the web"}, {Port: "81", Protocol: "tcp"}}}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set rule 80/tcp: comment "web" → "the web"
`},
	{"one network written in two ways", &machine.OS{Firewall: &machine.Firewall{Enabled: true, Rules: []machine.Rule{
		{Port: "22", Protocol: "tcp", From: "10.0.0.5"}, {Port: "80", Protocol: "tcp", From: "10.0.0.0/8", Ours: true}, {Port: "81", Protocol: "tcp"}}}},
		&machine.OS{Firewall: &machine.Firewall{Enabled: true, Rules: []machine.Rule{
			{Port: "22", Protocol: "tcp", From: "10.0.0.5/32"}, {Port: "80", Protocol: "tcp", From: "10.1.2.3/8"}, {Port: "81", Protocol: "tcp", From: "0.0.0.0/0"}}}}, `
shop/dev: no changes
`},
	{"firewall is left alone when it is not managed", &machine.OS{Firewall: &machine.Firewall{Enabled: true, Rules: []machine.Rule{{Port: "3000", Protocol: "tcp", Ours: true}}}}, &machine.OS{}, `
shop/dev: no changes
`},
	{"time zone and locale", &machine.OS{Timezone: "Etc/UTC"}, &machine.OS{Timezone: "Europe/Berlin", Locale: "C.UTF-8"}, `
shop/dev: 0 to add, 2 to change, 0 to remove
  ~ set timezone Europe/Berlin: was Etc/UTC
  ~ set locale C.UTF-8: not set
`},
	{"new database", &machine.OS{}, &machine.OS{Databases: map[string]machine.Database{"pote": {Owner: "pote", Password: secret.New("geheim")}}}, `
shop/dev: 1 to add, 0 to change, 0 to remove
  + create database pote: missing
`},
	{"database with another password, owner and extension", &machine.OS{Databases: map[string]machine.Database{"pote": {Owner: "postgres", Encoding: "SQL_ASCII"}}},
		&machine.OS{Databases: map[string]machine.Database{"pote": {Owner: "pote", Password: secret.New("geheim"), Encoding: "UTF8", Extensions: []string{"pg_trgm"}}}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set database pote: owner postgres → pote, password differs, extension pg_trgm missing
  note: database pote has the encoding SQL_ASCII, not UTF8: only a new database can have another
`},
	{"database whose user is no member of its owner", &machine.OS{Databases: map[string]machine.Database{"pote": {Owner: "owners", PasswordValid: true}, "old": {Owner: "owners", PasswordValid: true, Member: true}}},
		&machine.OS{Databases: map[string]machine.Database{"pote": {Owner: "owners", User: "pote", Password: secret.New("geheim")}, "old": {Owner: "owners", User: "pote", Password: secret.New("geheim")}}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set database pote: pote is no member of owners
`},
	{"database whose server does not run", &machine.OS{DatabasesDown: true}, &machine.OS{Databases: map[string]machine.Database{"pote": {Owner: "pote"}}}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set database pote: PostgreSQL does not run
`},
	{"database that left the stack", &machine.OS{Databases: map[string]machine.Database{"pote": {Owner: "pote"}}}, &machine.OS{}, `
shop/dev: no changes
  note: database pote left the stack and is kept; drop it by hand when its data is worth nothing
`},
	{"first release", &machine.OS{}, &machine.OS{Release: &machine.Release{SHA: sha1, Units: []string{"shop-web.service"}},
		Files: files{unitFilePath: text(0o644, "root", "x")}, Units: units{"shop-web.service": running}}, `
shop/dev: 3 to add, 0 to change, 0 to remove
  + create file /etc/systemd/system/shop-web.service: missing
  + deploy release 1111111111111111111111111111111111111111: first release
  + enable unit shop-web.service: not enabled
`},
	{"next release restarts by itself", &machine.OS{Release: &machine.Release{SHA: sha1, Failed: sha2}, Files: files{"/srv/app/.env.dev": text(0o640, "app", "A=1\n")}, Units: units{"shop-web.service": running}},
		&machine.OS{Release: &machine.Release{SHA: sha2, Units: []string{"shop-web.service"}}, Files: files{"/srv/app/.env.dev": text(0o640, "app", "A=2\n")},
			Units: units{"shop-web.service": triggered("/srv/app/.env.dev")}}, `
shop/dev: 1 to add, 1 to change, 0 to remove
  ~ write file /srv/app/.env.dev: content differs
      --- /srv/app/.env.dev
      +++ /srv/app/.env.dev
      @@ -1,1 +1,1 @@
      -A=1
      +A=2
  + deploy release 2222222222222222222222222222222222222222: 111111111111 serves (restart)
  note: release 222222222222 was unhealthy when it was last deployed
`},
	{"a variable that the build does not bake in restarts the release", &machine.OS{Release: &machine.Release{SHA: sha1, Built: []string{"app=1", "web=1", "gone=1"}}, Files: files{"/srv/app/.env.dev": text(0o640, "app", "A=1\n")}},
		&machine.OS{Release: &machine.Release{SHA: sha1, Built: []string{"app=1", "web=1"}, Triggers: []string{"/srv/app/.env.dev"}}, Files: files{"/srv/app/.env.dev": text(0o640, "app", "A=2\n")}}, `
shop/dev: 1 to add, 1 to change, 0 to remove
  ~ write file /srv/app/.env.dev: content differs
      --- /srv/app/.env.dev
      +++ /srv/app/.env.dev
      @@ -1,1 +1,1 @@
      -A=1
      +A=2
  + deploy release 1111111111111111111111111111111111111111: /srv/app/.env.dev changes (restart)
`},
	{"a variable that the build bakes in makes another release", &machine.OS{Release: &machine.Release{SHA: sha1, Built: []string{"app=1", "web=1", "gone=1"}}, Files: files{"/srv/app/.env.dev": text(0o640, "app", "VITE_A=1\n")}},
		&machine.OS{Release: &machine.Release{SHA: sha1, Built: []string{"app=1", "web=2", "new=1"}, Triggers: []string{"/srv/app/.env.dev"}}, Files: files{"/srv/app/.env.dev": text(0o640, "app", "VITE_A=2\n")}}, `
shop/dev: 1 to add, 1 to change, 0 to remove
  ~ write file /srv/app/.env.dev: content differs
      --- /srv/app/.env.dev
      +++ /srv/app/.env.dev
      @@ -1,1 +1,1 @@
      -VITE_A=1
      +VITE_A=2
  + deploy release 1111111111111111111111111111111111111111: built with something else: web, new (restart)
`},
	{"a run without a commit builds nothing", &machine.OS{Release: &machine.Release{SHA: sha1, Built: []string{"app=1", "web=1", "gone=1"}}}, &machine.OS{Release: &machine.Release{Built: []string{"app=2"}}}, `
shop/dev: no changes
`},
	{"same release once more for its settings", &machine.OS{Release: &machine.Release{SHA: sha1}, Files: files{"/etc/appstack/app.conf": text(0o644, "root", "a\n")}},
		&machine.OS{Release: &machine.Release{SHA: sha1, Triggers: []string{"/etc/appstack/app.conf"}}, Files: files{"/etc/appstack/app.conf": text(0o644, "root", "b\n")}}, `
shop/dev: 1 to add, 1 to change, 0 to remove
  ~ write file /etc/appstack/app.conf: content differs
      --- /etc/appstack/app.conf
      +++ /etc/appstack/app.conf
      @@ -1,1 +1,1 @@
      -a
      +b
  + deploy release 1111111111111111111111111111111111111111: /etc/appstack/app.conf changes (restart)
`},
	{"release that an interrupted run left out", &machine.OS{Release: &machine.Release{SHA: sha1, Stale: true}}, &machine.OS{Release: &machine.Release{SHA: sha1}}, `
shop/dev: 1 to add, 0 to change, 0 to remove
  + deploy release 1111111111111111111111111111111111111111: an interrupted run did not come to it (restart)
`},
	{"guard of an interrupted run", &machine.OS{Guarded: true}, &machine.OS{}, `
shop/dev: 0 to add, 1 to change, 0 to remove
  ~ set guard confirmed: an interrupted run changed how the machine is reached, and it is reached
`},
}

func TestDiffOS(t *testing.T) {
	for _, c := range osCases {
		t.Run(c.name, func(t *testing.T) {
			p := Diff("shop/dev", machine.State{OS: c.have}, machine.State{OS: c.want}, Policy{})
			want := strings.TrimPrefix(c.text, "\n")
			if diff := cmp.Diff(want, p.String()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if p.Partial != (c.have == nil) {
				t.Errorf("Partial = %v", p.Partial)
			}
		})
	}
}

// What a diff shows of an env file must hold nothing of a value below the marker,
// whatever the file looks like.
func FuzzFileDiff(f *testing.F) {
	f.Add("A=1\n", "DB", "hunter2hunter2", "b=c")
	f.Add("", "DB", "with \"quotes\"\nand=lines", "# don't")
	f.Fuzz(func(t *testing.T, open, name, value, rest string) {
		const canary = "c4n4ry-"
		if strings.Contains(open, templates.EnvMarker) || strings.Contains(open+name+rest, canary) || strings.ContainsAny(open+rest+value, "\x00") {
			t.Skip()
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(canary+value+"\n"+canary+"=x") + `"`
		after := sensitive(open + "\n" + templates.EnvMarker + "\nPW=" + quoted + "\n" + "X=" + quoted + "\n")
		before := sensitive(rest + "\n" + templates.EnvMarker + "\nPW=" + quoted + "\n")
		if d := fileDiff("/x", before, after); strings.Contains(d, canary) {
			t.Errorf("the diff shows a secret:\n%s", d)
		}
		if d := fileDiff("/x", after, before); strings.Contains(d, canary) {
			t.Errorf("the diff shows a secret:\n%s", d)
		}
	})
}

func TestAccess(t *testing.T) {
	for _, c := range []struct {
		step Step
		want bool
	}{
		{Step{Verb: Add, Resource: Resource{"key", "app SHA256:x"}}, true},
		{Step{Verb: Remove, Resource: Resource{"rule", "22/tcp"}}, true},
		{Step{Verb: Enable, Resource: Resource{"firewall", "ufw"}}, true},
		{Step{Verb: Write, Resource: Resource{"file", "/etc/ssh/sshd_config.d/a.conf"}}, true},
		{Step{Verb: Write, Resource: Resource{"file", "/etc/sudoers.d/a"}}, true},
		{Step{Verb: Reload, Resource: Resource{"unit", "ssh.service"}}, true},
		{Step{Verb: Restart, Resource: Resource{"unit", "ssh.socket"}}, true},
		{Step{Verb: Reload, Resource: Resource{"unit", "sshd.service"}}, true},
		{Step{Verb: Set, Resource: Resource{"user", "app"}}, true},
		{Step{Verb: Create, Resource: Resource{"user", "app"}}, false},
		{Step{Verb: Write, Resource: Resource{"file", "/srv/app/.env"}}, false},
		{Step{Verb: Restart, Resource: Resource{"unit", "shop.service"}}, false},
		{Step{Verb: Restart, Resource: Resource{"unit", "sshop-web.service"}}, false},
	} {
		if got := Access(c.step); got != c.want {
			t.Errorf("Access(%s) = %v", c.step, got)
		}
	}
}
