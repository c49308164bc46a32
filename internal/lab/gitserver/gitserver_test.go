package gitserver

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// lab is a running server with the repositories org/shop and org/other.
type lab struct {
	*Server
	dir, addr, url string
	sha            string
}

func newLab(t *testing.T, opt Options) *lab {
	t.Helper()
	for _, tool := range []string{"git", "ssh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: apt-get install git openssh-client", tool)
		}
	}
	l := &lab{dir: t.TempDir()}
	opt.Dir = filepath.Join(l.dir, "server")
	var err error
	if l.Server, err = New(opt); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- l.ServeSSH(ln) }()
	web := httptest.NewServer(l.Server)
	t.Cleanup(func() {
		web.Close()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	l.addr, l.url = ln.Addr().String(), web.URL
	l.put(t, "known_hosts", l.KnownHosts(ln.Addr())+"\n")
	for _, repo := range []string{"org/shop", "org/other"} {
		if l.sha, err = l.Commit(repo, "main", gitrepo.Files{"README.md": []byte("# " + repo)}, "first"); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l *lab) put(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// key makes an SSH key and returns its public half; the private one lies in l.dir/name.
func (l *lab) key(t *testing.T, name string) ssh.PublicKey {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		t.Fatal(err)
	}
	l.put(t, name, string(pem.EncodeToMemory(block)))
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// git runs the real client with one SSH key and returns all it says.
func (l *lab) git(key string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@lab.invalid"}, args...)...)
	cmd.Dir = l.dir
	cmd.Env = append(gitrepo.Env(), "GIT_SSH_COMMAND=ssh -F none -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile="+
		filepath.Join(l.dir, "known_hosts")+" -i "+filepath.Join(l.dir, key))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (l *lab) ssh(repo string) string { return "ssh://git@" + l.addr + "/" + repo + ".git" }

func (l *lab) web(token, repo string) string {
	return strings.Replace(l.url, "://", "://x-access-token:"+token+"@", 1) + "/" + repo
}

func TestSSHDeployKeys(t *testing.T) {
	l := newLab(t, Options{})
	if err := l.AddDeployKey("org/shop", l.key(t, "reader"), false); err != nil {
		t.Fatal(err)
	}
	if err := l.AddDeployKey("org/shop", l.key(t, "writer"), true); err != nil {
		t.Fatal(err)
	}
	l.key(t, "stranger")

	if out, err := l.git("reader", "clone", "--quiet", l.ssh("org/shop"), "clone"); err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	if got, _ := os.ReadFile(filepath.Join(l.dir, "clone/README.md")); string(got) != "# org/shop" {
		t.Errorf("cloned README.md is %q", got)
	}
	if out, err := l.git("writer", "-C", "clone", "commit", "--quiet", "--allow-empty", "-m", "second"); err != nil {
		t.Fatalf("commit: %v\n%s", err, out)
	}
	for _, tt := range []struct {
		name, key, want string
		args            []string
	}{
		{"unknown key", "stranger", "Permission denied (publickey)", []string{"ls-remote", l.ssh("org/shop")}},
		{"key of another repository", "reader", "ERROR: Repository not found.", []string{"ls-remote", l.ssh("org/other")}},
		{"no such repository", "reader", "ERROR: Repository not found.", []string{"ls-remote", l.ssh("org/none")}},
		{"path outside", "reader", "ERROR: Repository not found.", []string{"ls-remote", l.ssh("../../etc")}},
		{"push with a read-only key", "reader", "marked as read only", []string{"-C", "clone", "push", "origin", "main"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := l.git(tt.key, tt.args...)
			if err == nil || !strings.Contains(out, tt.want) {
				t.Errorf("got %v\n%s\nwant %q", err, out, tt.want)
			}
		})
	}
	if out, err := l.git("writer", "-C", "clone", "push", "--quiet", "origin", "main:topic"); err != nil {
		t.Fatalf("push: %v\n%s", err, out)
	}
	if c, err := l.Repo("org/shop").Commit("topic"); err != nil || c.Message != "second" {
		t.Errorf("pushed commit: %+v, %v", c, err)
	}
}

func TestDeployKeyBelongsToOneRepository(t *testing.T) {
	l := newLab(t, Options{})
	key := l.key(t, "k")
	if err := l.AddDeployKey("org/shop", key, false); err != nil {
		t.Fatal(err)
	}
	if err := l.AddDeployKey("org/other", key, false); err == nil || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("second repository: %v", err)
	}
	if err := l.RemoveDeployKey(key); err != nil {
		t.Fatal(err)
	}
	if out, err := l.git("k", "ls-remote", l.ssh("org/shop")); err == nil {
		t.Errorf("a removed key still works: %s", out)
	}
}

func TestHTTPTokens(t *testing.T) {
	l := newLab(t, Options{TokenAccess: func(token, repo string) Access {
		if token == "ghs_api" && repo == "org/shop" {
			return Read
		}
		return Unknown
	}})
	l.AddToken("writer", "org/shop", true)
	l.AddToken("reader", "org/shop", false)

	if out, err := l.git("", "clone", "--quiet", l.web("writer", "org/shop"), "clone"); err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	if out, err := l.git("", "ls-remote", l.web("ghs_api", "org/shop.git")); err != nil || !strings.Contains(out, "refs/heads/main") {
		t.Errorf("token of the API: %v\n%s", err, out)
	}
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"no token", "could not read Username", []string{"ls-remote", l.url + "/org/shop.git"}},
		{"wrong token", "Invalid username or token", []string{"ls-remote", l.web("wrong", "org/shop")}},
		{"other repository", "Repository not found.", []string{"ls-remote", l.web("writer", "org/other")}},
		{"push with a reading token", "Write access to repository not granted.", []string{"-C", "clone", "push", l.web("reader", "org/shop"), "main:x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := l.git("", tt.args...)
			if err == nil || !strings.Contains(out, tt.want) {
				t.Errorf("got %v\n%s\nwant %q", err, out, tt.want)
			}
		})
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // git chunks what exceeds 1 MiB
	if _, err := rand.Read(big); err != nil {
		t.Fatal(err)
	}
	l.put(t, "clone/big", string(big))
	l.git("", "-C", "clone", "add", "big")
	l.git("", "-C", "clone", "commit", "--quiet", "-m", "big")
	if out, err := l.git("", "-C", "clone", "push", "--quiet", "origin", "main:big"); err != nil {
		t.Fatalf("push: %v\n%s", err, out)
	}
	if e, err := l.Repo("org/shop").Stat("big", "big"); err != nil || e.Size != int64(len(big)) {
		t.Errorf("pushed file: %+v, %v", e, err)
	}
}

func TestFaults(t *testing.T) {
	l := newLab(t, Options{})
	if err := l.AddDeployKey("org/shop", l.key(t, "k"), false); err != nil {
		t.Fatal(err)
	}
	l.AddToken("t", "org/shop", false)
	urls := map[string]string{"ssh": l.ssh("org/shop"), "http": l.web("t", "org/shop")}
	for name, url := range urls {
		for _, f := range []Fault{{Down: true}, {DropAfter: 20}} {
			l.SetFault(f)
			if out, err := l.git("k", "ls-remote", url); err == nil {
				t.Errorf("%s with %+v answers: %s", name, f, out)
			}
		}
		const delay = 300 * time.Millisecond
		l.SetFault(Fault{Delay: delay})
		begin := time.Now()
		if out, err := l.git("k", "ls-remote", url); err != nil || time.Since(begin) < delay {
			t.Errorf("%s after %v with a delay: %v\n%s", name, time.Since(begin), err, out)
		}
		l.SetFault(Fault{})
		if out, err := l.git("k", "ls-remote", url); err != nil {
			t.Errorf("%s after the faults: %v\n%s", name, err, out)
		}
	}
}

func TestKeysSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	first, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	deploy := (&lab{dir: dir}).key(t, "k")
	if err := first.AddDeployKey("org/shop", deploy, true); err != nil {
		t.Fatal(err)
	}
	second, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.HostKey().Marshal(), second.HostKey().Marshal()) {
		t.Error("the host key changed")
	}
	if a := second.lookup(second.keys, string(deploy.Marshal()), "org/shop"); a != Write {
		t.Errorf("the deploy key's access is %d", a)
	}
	info, err := os.Stat(filepath.Join(dir, "ssh_host_ed25519_key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the host key's file: %v, %v", info.Mode(), err)
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("org/shop write ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7pD5e2oB0oYp6Xq0kq1mXl0x3sN8x0q5y6p9Wb1r2d\n"))
	f.Add([]byte("x read"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := parseKeys(raw)
		for _, repos := range keys {
			if err == nil && len(repos) != 1 {
				t.Errorf("a key with %d repositories", len(repos))
			}
		}
	})
}

func FuzzGitCommand(f *testing.F) {
	f.Add("git-upload-pack 'org/shop.git'")
	f.Add("git-upload-pack 'org/..'")
	f.Add("git receive-pack '/a/b'; rm -rf /")
	f.Fuzz(func(t *testing.T, line string) {
		m := gitCommand.FindStringSubmatch(line)
		if m == nil || !repoName.MatchString(m[2]) {
			return
		}
		s := &Server{opt: Options{Dir: "/lab"}}
		if dir := s.dir(m[2]); !strings.HasPrefix(dir, "/lab/repos/") || strings.Count(dir, "/") != 4 {
			t.Errorf("%q leads to %s", line, dir)
		}
	})
}
