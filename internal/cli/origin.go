package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strings"

	"github.com/org/appstack-action/internal/secret"
)

// origin is the repository that the working directory is a clone of, as a workflow of it
// would know it. The zero origin is none.
type origin struct {
	server     string // https://github.com
	repository string // owner/name
	token      secret.Value
}

// cloneURL is where the workflow's runs clone from.
func (o origin) cloneURL() string {
	if o.repository == "" {
		return ""
	}
	return o.server + "/" + o.repository + ".git"
}

// origin asks git for the remote of that name. A token in its address, or else the one of
// GitHub's own program, lets a guest read it.
func (g *globals) origin(ctx context.Context) origin {
	out, err := exec.CommandContext(ctx, "git", "-C", g.Dir, "remote", "get-url", "origin").Output()
	if err != nil {
		return origin{}
	}
	o := parseOrigin(strings.TrimSpace(string(out)))
	if o.repository != "" && o.token.IsZero() {
		o.token = g.tokenFor(strings.TrimPrefix(o.server, "https://"))
	}
	return o
}

// tokenFor returns the token that the environment has for a host, as gh takes it
// (https://cli.github.com/manual/gh_help_environment): no other host is to see it.
func (g *globals) tokenFor(host string) secret.Value {
	switch {
	case host == "github.com", strings.HasSuffix(host, ".ghe.com"):
		return secret.New(cmp.Or(g.Getenv("GH_TOKEN"), g.Getenv("GITHUB_TOKEN")))
	case host == g.Getenv("GH_HOST"):
		return secret.New(cmp.Or(g.Getenv("GH_ENTERPRISE_TOKEN"), g.Getenv("GITHUB_ENTERPRISE_TOKEN")))
	}
	return secret.Value{}
}

// parseOrigin reads a remote's address: https://host/owner/name.git, ssh://git@host/owner/name
// or git@host:owner/name.
func parseOrigin(address string) origin {
	if !strings.Contains(address, "://") {
		host, path, ok := strings.Cut(address, ":")
		if !ok {
			return origin{} // a directory
		}
		address = "ssh://" + host + "/" + path
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return origin{}
	}
	name := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	if strings.Count(name, "/") != 1 {
		return origin{}
	}
	switch u.Scheme {
	case "http", "https":
		password, _ := u.User.Password()
		return origin{u.Scheme + "://" + u.Host, name, secret.New(password)}
	case "ssh":
		return origin{server: "https://" + u.Hostname(), repository: name}
	}
	return origin{}
}

// pushed asks origin for the commit of a branch, with the person's own credentials.
func (g *globals) pushed(ctx context.Context, branch string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", "-C", g.Dir, "ls-remote", "--quiet", "origin", "refs/heads/"+branch)
	cmd.Env = append(g.Environ(), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git cannot ask origin for the branch %s%s", branch, gitReason(err))
	}
	sha, _, ok := strings.Cut(string(out), "\t")
	if !ok {
		return "", fmt.Errorf("origin has no branch %s yet", branch)
	}
	return sha, nil
}

// userInfo is what an address in git's words may have a token in.
var userInfo = regexp.MustCompile(`//[^\s']*@`)

// gitReason is why git failed, in the first of its own words that say so: ": …", or nothing.
func gitReason(err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return ": " + err.Error()
	}
	for line := range strings.Lines(string(exit.Stderr)) {
		if why, ok := strings.CutPrefix(strings.TrimSpace(line), "fatal: "); ok {
			return ": " + userInfo.ReplaceAllString(why, "//")
		}
	}
	return ""
}
