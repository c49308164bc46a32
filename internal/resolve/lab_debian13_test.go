package resolve

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/guest"
	labs "github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/labtest"
	"github.com/org/appstack-action/internal/lab/lxc"
	"github.com/org/appstack-action/internal/lab/template"
	"github.com/org/appstack-action/internal/secret"
	productssh "github.com/org/appstack-action/internal/ssh"
	"github.com/org/appstack-action/internal/ssh/sshtest"
)

// trixieStack has a service of Node.js alone: npm's four hundred packages take minutes
// and say nothing about Debian 13.
const trixieStack = `
proxmox: {url: "https://pve", token: "${secret.proxmox_token}"}
secrets: [a.age]
ssh: {key: "${secret.ssh_key}"}
projects:
  hello:
    guest: {template: debian-13-standard}
    base: {timezone: Europe/Berlin, locale: de_DE.UTF-8, firewall: [{port: 8443, comment: "the proxy"}]}
    app:
      packages: [nodejs]
      source: {git: "GIT_URL", key: "${secret.git_key}", host_key: "GIT_HOST_KEY"}
      services: {web: {port: 3000, build: node build.js, start: node server.js, health: /, memory: 128}}
      cron: [{name: tick, schedule: "0 5 * * *", run: "true"}]
    envs: {dev: {vmid: 101, ip: ADDRESS, gateway: GATEWAY, branch: main, env_vars: {GREETING: hello, API_KEY: "${secret.queue}"}}}
`

// debian13 makes the guest one of Debian 13, whose template it builds at first.
func debian13(t *testing.T) labtest.Setup {
	t.Helper()
	labtest.RequireOrSkip(t)
	archive, err := template.Build(t.Context(), labs.CacheDir(), template.Trixie(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(s *lxc.Spec) { s.Template = archive }
}

// TestDebian13 configures a guest of the newer release, deploys onto it twice, and
// leaves it alone then.
func TestDebian13(t *testing.T) {
	p := newPlace(t, "org/hello", trixieStack, debian13(t), labtest.With("memory", "512"), labtest.With("swap", "0"))
	if release := p.guest.Run(t, ". /etc/os-release; echo $VERSION_ID"); release != "13\n" {
		t.Fatalf("the guest has Debian %s", release)
	}
	server := []byte(`require('http').createServer((q, r) => r.end(process.env.GREETING + ' ' + require('./built.json'))).listen(process.env.PORT)`)
	build := func(n string) []byte {
		return []byte(`require('fs').writeFileSync('built.json', '` + n + `')`)
	}
	first := p.commit(gitrepo.Files{"server.js": server, "build.js": build("1")}, "first")
	p.mustApply(p.want(first))
	if got := p.get(":3000/"); got != "200 hello 1" {
		t.Errorf("the app answers %q", got)
	}
	if todo, _, _ := p.apply(p.want(first)); !todo.Empty() {
		t.Errorf("a second run has more to do:\n%s", todo)
	}
	second := p.commit(gitrepo.Files{"build.js": build("2")}, "second")
	p.mustApply(p.want(second))
	if got := p.get(":3000/"); got != "200 hello 2" {
		t.Errorf("after the second deploy: %q", got)
	}
	out := p.guest.Run(t, "ufw status | grep 8443; systemctl is-system-running; systemctl show -P RestartMaxDelayUSec hello-web; locale -a | grep de_DE; iptables-save | grep -c appstack-handover; true")
	for _, want := range []string{"# appstack: the proxy", "\nrunning\n", "1min", "de_DE.utf8", "\n0\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
	p.runsOutOfMemory()
	p.everyKey()
}

// runsOutOfMemory deploys a commit whose build needs more memory than the guest has.
func (p *place) runsOutOfMemory() {
	p.t.Helper()
	bad := p.commit(gitrepo.Files{"build.js": []byte("const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1))")}, "greedy")
	_, heard, err := p.apply(p.want(bad))
	if err == nil || !strings.Contains(heard, "give the guest more memory or swap") {
		p.t.Errorf("a build that runs out of memory: %v\n%s", err, heard)
	}
	if got := p.get(":3000/"); got != "200 hello 2" {
		p.t.Errorf("after a build that ran out of memory: %q", got)
	}
}

// TestDebian12Keys is about the OpenSSH of the older release.
func TestDebian12Keys(t *testing.T) {
	newPlace(t, "org/keys", shopStack).everyKey()
}

// everyKey connects to the guest's OpenSSH with keys of every type, trusting a host key
// of every type.
func (p *place) everyKey() {
	p.t.Helper()
	p.t.Log(p.guest.Run(p.t, "sshd -V 2>&1 || ssh -V 2>&1"))
	var private []string
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		text, signer := sshtest.Key(p.t, kind)
		private = append(private, text)
		p.guest.Run(p.t, "cat >>/root/.ssh/authorized_keys <<'EOF'\n"+string(ssh.MarshalAuthorizedKey(signer.PublicKey()))+"EOF")
	}
	for _, host := range []string{"ed25519", "ecdsa", "rsa"} {
		line := p.guest.Run(p.t, "cat /etc/ssh/ssh_host_"+host+"_key.pub")
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			p.t.Fatal(err)
		}
		for i, text := range private {
			c, err := guest.Dial(p.t.Context(), guest.Options{Options: productssh.Options{
				Address: p.guest.Addr.String(), Users: []string{"root"}, Key: secret.New(text), HostKeys: []string{ssh.FingerprintSHA256(key)},
			}})
			if err != nil {
				p.t.Errorf("key %d, host key %s: %v", i, host, err)
				continue
			}
			if c.HostKey() != ssh.FingerprintSHA256(key) {
				p.t.Errorf("host key %s: the machine showed %s", host, c.HostKey())
			}
			if _, err := c.Observe(p.t.Context(), nil); err != nil {
				p.t.Errorf("key %d, host key %s: %v", i, host, err)
			}
			c.Close()
		}
	}
}
