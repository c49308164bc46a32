package templates_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/lab/gitserver"
)

// private moves the sandbox's repository onto a git server that asks who one is.
func (s *sandbox) private() *gitserver.Server {
	s.t.Helper()
	server, err := gitserver.New(gitserver.Options{Dir: s.path("gitserver")})
	s.must(err)
	s.t.Cleanup(func() { server.Close() })
	repo, err := server.Create("org/shop")
	s.must(err)
	s.git("push", "--quiet", repo.Dir, "main")
	return server
}

// deployWith runs the script with a credential in a file of its own.
func (s *sandbox) deployWith(want int, credential, sha string) string {
	s.t.Helper()
	s.must(os.WriteFile(s.path("credential"), []byte(credential), 0o600))
	return s.deploy(want, "--credentials", s.path("credential"), sha)
}

// leftNothing checks that a credential is nowhere but in its file.
func (s *sandbox) leftNothing(credential string) {
	s.t.Helper()
	word := strings.TrimSpace(credential)
	if lines := strings.Split(word, "\n"); len(lines) > 2 {
		word = lines[2]
	}
	// The stand-in for systemd writes down every call, the script's own log is in out.
	out, _ := exec.Command("grep", "-rlF", "--exclude=credential", "-e", word, s.root).CombinedOutput()
	if len(out) > 0 {
		s.t.Errorf("the credential is left in %s", out)
	}
}

// spy puts a program in front of another that writes down its arguments and variables.
func (s *sandbox) spy(program string) {
	s.t.Helper()
	real, err := exec.LookPath(program)
	s.must(err)
	s.must(os.MkdirAll(s.path("bin"), 0o755))
	s.write("bin/"+program, fmt.Sprintf("#!/bin/sh\n{ printf '%%s\\n' \"$@\"; env; } >>%s\nexec %s \"$@\"\n", s.path("seen"), real))
}

func TestDeployKey(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	sha := s.commit("private", nil)
	server := s.private()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	go server.ServeSSH(ln) //nolint:errcheck // it ends when the test closes the server

	public, private, err := ed25519.GenerateKey(rand.Reader)
	s.must(err)
	key, err := ssh.NewPublicKey(public)
	s.must(err)
	s.must(server.AddDeployKey("org/shop", key, false))
	block, err := ssh.MarshalPrivateKey(private, "")
	s.must(err)
	// As a secret often comes: without the end of its last line.
	credential := strings.TrimSpace(string(pem.EncodeToMemory(block)))

	s.conf.Source = "ssh://git@" + ln.Addr().String() + "/org/shop.git"
	s.configure()
	s.deployWith(4, credential, sha) // the server's key is not known
	s.conf.KnownHosts = s.path("known_hosts")
	s.write("known_hosts", server.KnownHosts(ln.Addr())+"\n")
	s.configure()
	s.deployWith(4, "", sha)
	s.spy("git")
	s.spy("ssh")
	s.deployWith(0, credential, "main")
	s.serves("private hello")
	s.leftNothing(credential)
	s.clean()
}

func TestToken(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	sha := s.commit("private", nil)
	server := s.private()
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	const token = "ghs_canary'\"$x"
	server.AddToken(token, "org/shop", false)
	s.conf.Source = web.URL + "/org/shop.git"
	s.configure()
	s.spy("git")
	if out := s.deployWith(4, "wrong", sha); strings.Contains(out, "wrong") {
		t.Error("the output shows the token")
	}
	s.deployWith(4, "", sha)
	s.deployWith(0, token+"\n", sha)
	s.serves("private hello")
	s.leftNothing(token)
	if seen, _ := os.ReadFile(filepath.Join(s.root, "seen")); len(seen) == 0 {
		t.Error("the spy saw nothing")
	}
	s.clean()
}
