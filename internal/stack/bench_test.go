package stack

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// largeStack returns a stack with the given number of projects of three
// environments each, with all that real ones have.
func largeStack(projects int) []byte {
	var b strings.Builder
	b.WriteString(`proxmox: {url: https://10.86.0.2:8006, token: "${secret.proxmox_token}", node: pve1, pool: appstack}
secrets: [secrets/common.yaml.age]
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
      source: {git: "git@git.example.org:org/shop%[1]d.git", key: "${secret.shop%[1]d.deploy_key}"}
      postgres: {database: shop%[1]d, password: "${secret.shop%[1]d.db_password}", backup: {keep: 7}}
      cron:
        - {name: cleanup, schedule: "*/15 * * * *", run: node cleanup.js}
      services:
        backend: {dir: backend, build: npm ci, migrate: npm run migrate, health: /healthz}
        frontend: {dir: frontend, health: /, after: [backend]}
    envs:
`, i)
		for j, env := range []string{"dev", "qa", "prod"} {
			fmt.Fprintf(&b, `      %[1]s:
        vmid: %[2]d
        ip: 10.86.%[3]d.%[4]d/16
        gateway: 10.86.0.1
        branch: %[1]s
        env_vars: {LOG_LEVEL: debug, PUBLIC_URL: "http://${ip}:3000", SMTP_PASSWORD: "${secret.smtp_password}"}
`, env, 1000+3*i+j, 1+i, 10+j)
		}
	}
	return []byte(b.String())
}

// The bounds for 200 projects with 3 environments each are 150 ms and 60 MB.
// TestLargeStack holds the memory, and the time loosely.
func BenchmarkLoad200x3(b *testing.B) {
	src := largeStack(200)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, list := Load("appstack.yaml", src); len(list) > 0 {
			b.Fatal(list)
		}
	}
}

// BenchmarkExpand is what a run does for each of its targets.
func BenchmarkExpand(b *testing.B) {
	s, list := Load("appstack.yaml", largeStack(1))
	if len(list) > 0 {
		b.Fatal(list)
	}
	lookup := func(name string) (string, bool) { return "value", true }
	b.ReportAllocs()
	for b.Loop() {
		s.Envs[0].Expand(lookup)
	}
}

func TestLargeStack(t *testing.T) {
	src := largeStack(200)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, list := Load("appstack.yaml", src)
	runtime.ReadMemStats(&after)
	if len(list) > 0 {
		t.Fatalf("has problems:\n%s", render(t, list))
	}
	if !raced { // the race detector's time says nothing about ours
		holdLoadTime(t, src)
	}
	if len(s.Envs) != 600 {
		t.Errorf("%d environments, want 600", len(s.Envs))
	}
	// What was allocated in all bounds what can have been in use at once.
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 60 {
		t.Errorf("loading %d kB allocated %d MB", len(src)>>10, used)
	}
}

// holdLoadTime allows twice the bound, for a busy machine.
func holdLoadTime(t *testing.T, src []byte) {
	best := time.Hour
	for range 5 {
		start := cpuTime(t)
		Load("appstack.yaml", src)
		best = min(best, cpuTime(t)-start)
	}
	t.Logf("%v of processor time, %d kB of stack", best, len(src)>>10)
	if best > 300*time.Millisecond {
		t.Errorf("takes %v of processor time", best)
	}
}
