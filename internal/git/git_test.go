package git_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/git"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/gitserver"
	"github.com/org/appstack-action/internal/secret"
)

// TestResolve asks a real git over both of its ways.
func TestResolve(t *testing.T) {
	server, err := gitserver.New(gitserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := server.Create("org/shop"); err != nil {
		t.Fatal(err)
	}
	commit := func(branch, text string) string {
		sha, err := server.Commit("org/shop", branch, gitrepo.Files{"a": []byte(text)}, "change")
		if err != nil {
			t.Fatal(err)
		}
		return sha
	}
	main, dev := commit("main", "1"), commit("dev", "2")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.ServeSSH(listener)
	web := httptest.NewServer(server)
	defer web.Close()
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	block, _ := xssh.MarshalPrivateKey(private, "")
	signer, _ := xssh.NewSignerFromSigner(private)
	if err := server.AddDeployKey("org/shop", signer.PublicKey(), false); err != nil {
		t.Fatal(err)
	}
	server.AddToken("ghs_read", "org/shop", false)
	overSSH := git.Remote{
		URL: "ssh://git@" + listener.Addr().String() + "/org/shop.git", Key: secret.New(string(pem.EncodeToMemory(block))),
		HostKey: strings.TrimSpace(string(xssh.MarshalAuthorizedKey(server.HostKey()))),
	}
	overHTTP := git.Remote{URL: web.URL + "/org/shop.git", Token: secret.New("ghs_read")}
	for name, remote := range map[string]git.Remote{"ssh": overSSH, "http": overHTTP} {
		t.Run(name, func(t *testing.T) {
			for ref, want := range map[string]string{"main": main, "dev": dev, dev: dev, "HEAD": main} {
				if got, err := git.Resolve(t.Context(), remote, ref); err != nil || got != want {
					t.Errorf("%s is %q, %v; want %s", ref, got, err, want)
				}
			}
			var none *git.NoRefError
			if _, err := git.Resolve(t.Context(), remote, "nothing"); !errors.As(err, &none) {
				t.Errorf("a missing branch: %v", err)
			}
		})
	}
	overHTTP.Token = secret.New("ghs_wrong")
	if _, err := git.Resolve(t.Context(), overHTTP, "main"); err == nil {
		t.Error("a wrong token reads the repository")
	}
	overSSH.URL = strings.Replace(overSSH.URL, "shop", "other", 1)
	if _, err := git.Resolve(t.Context(), overSSH, "main"); err == nil || !strings.Contains(err.Error(), "Repository not found") {
		t.Errorf("another repository: %v", err)
	}
}
