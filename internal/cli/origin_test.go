package cli

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	for address, want := range map[string]string{
		"https://github.com/org/shop.git":                       "https://github.com/org/shop.git",
		"https://github.com/org/shop":                           "https://github.com/org/shop.git",
		"git@github.com:org/shop.git":                           "https://github.com/org/shop.git",
		"ssh://git@ghe.lan:2222/org/shop.git":                   "https://ghe.lan/org/shop.git",
		"http://x:t0ken-of-the-lab@10.86.0.1:8080/org/shop.git": "http://10.86.0.1:8080/org/shop.git",
		"/srv/git/shop.git":                                     "",
		"../shop":                                               "",
		"https://gitlab.com/group/sub/shop.git":                 "",
		"file:///srv/git/shop.git":                              "",
		"":                                                      "",
		"https://%zz":                                           "",
	} {
		o := parseOrigin(address)
		if got := o.cloneURL(); got != want {
			t.Errorf("%q is cloned from %q, not %q", address, got, want)
		}
		if hasToken := address == "http://x:t0ken-of-the-lab@10.86.0.1:8080/org/shop.git"; o.token.IsZero() == hasToken {
			t.Errorf("%q has the token %v", address, o.token)
		}
	}
}

// git runs git in a directory, and returns what it says.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@b.c"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// A token goes to the host that it is for, and to no other that a clone may have come from.
func TestTokenOfOrigin(t *testing.T) {
	env := map[string]string{"GH_TOKEN": "for-github", "GH_HOST": "ghe.lan", "GH_ENTERPRISE_TOKEN": "for-ghe"}
	for address, want := range map[string]string{
		"git@github.com:org/shop.git":               "for-github",
		"https://github.com/org/shop.git":           "for-github",
		"https://acme.ghe.com/org/shop.git":         "for-github",
		"git@ghe.lan:org/shop.git":                  "for-ghe",
		"git@elsewhere.example:org/shop.git":        "",
		"https://github.com.elsewhere/org/shop.git": "",
		"http://github.com/org/shop.git":            "",
	} {
		dir := t.TempDir()
		git(t, dir, "init", "--quiet")
		git(t, dir, "remote", "add", "origin", address)
		g := &globals{Dir: dir, Getenv: func(name string) string { return env[name] }}
		if got := g.origin(t.Context()).token.Reveal(); got != want {
			t.Errorf("%s gets the token %q, not %q", address, got, want)
		}
	}
}

func TestPushed(t *testing.T) {
	remote, dir := t.TempDir(), t.TempDir()
	git(t, remote, "init", "--quiet", "--bare")
	git(t, dir, "init", "--quiet", "--initial-branch", "dev")
	git(t, dir, "remote", "add", "origin", remote)
	git(t, dir, "commit", "--quiet", "--allow-empty", "--message", "first")
	g := &globals{Dir: dir, Environ: os.Environ}
	if sha, err := g.pushed(t.Context(), "dev"); err == nil || !strings.Contains(err.Error(), "no branch dev yet") {
		t.Errorf("before the push: %q, %v", sha, err)
	}
	git(t, dir, "push", "--quiet", "origin", "dev")
	if sha, err := g.pushed(t.Context(), "dev"); err != nil || sha != git(t, dir, "rev-parse", "HEAD") {
		t.Errorf("after the push: %q, %v", sha, err)
	}
	git(t, dir, "remote", "set-url", "origin", dir+"/none")
	if sha, err := g.pushed(t.Context(), "dev"); err == nil || !strings.Contains(err.Error(), "/none' does not") {
		t.Errorf("from nowhere: %q, %v", sha, err)
	}
	// Nobody listens at port 1; what the address has for a token is not told.
	git(t, dir, "remote", "set-url", "origin", "http://canary-token@127.0.0.1:1/org/shop.git")
	if _, err := g.pushed(t.Context(), "dev"); err == nil || !strings.Contains(err.Error(), ": unable to access 'http://127.0.0.1:1/") {
		t.Errorf("from a server that does not answer: %v", err)
	}
}
