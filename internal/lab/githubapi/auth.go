package githubapi

import (
	"net/http"
	"slices"
	"strings"
)

// TokenKind is what a token was made from; GitHub words its refusals by kind.
type TokenKind string

// The kinds of token that a workflow meets.
const (
	JobToken     TokenKind = "job"          // GITHUB_TOKEN of a workflow run
	AppToken     TokenKind = "app"          // installation token of a GitHub App
	ClassicPAT   TokenKind = "classic"      // personal access token with scopes
	FineGrained  TokenKind = "fine-grained" // personal access token with permissions
	actionsLogin           = "github-actions[bot]"
	actionsSlug            = "github-actions"
)

// Token is a credential of the API.
type Token struct {
	Value string
	Kind  TokenKind
	// Repos are the repositories that the token can see; empty: all.
	Repos []string
	// Permissions are those of a workflow's `permissions:` or of an app: "contents":
	// "read", "pull-requests": "write", … For a classic token, "repo": "write" is the scope.
	Permissions map[string]string
	// Login is the person of a personal token, or the slug of an app.
	Login string
	// Limit is how many requests an hour it may make; default 1,000 for a job's token
	// and 5,000 for the others.
	Limit int
}

// DefaultPermissions are those that appstack's documentation asks for.
func DefaultPermissions() map[string]string {
	return map[string]string{"contents": "read", "deployments": "write", "pull-requests": "write"}
}

// author is the login under which the token writes.
func (t *Token) author() string {
	switch t.Kind {
	case JobToken:
		return actionsLogin
	case AppToken:
		return t.Login + "[bot]"
	}
	return t.Login
}

// app is the slug of the app that the token belongs to, empty for a person's.
func (t *Token) app() string {
	switch t.Kind {
	case JobToken:
		return actionsSlug
	case AppToken:
		return t.Login
	}
	return ""
}

func (t *Token) sees(repo string) bool {
	return len(t.Repos) == 0 || slices.Contains(t.Repos, repo)
}

// allows reports whether the token has a permission such as "deployments" at a level.
func (t *Token) allows(permission, level string) bool {
	if t.Kind == ClassicPAT {
		return rank(t.Permissions["repo"]) >= rank(level)
	}
	for name, has := range t.Permissions {
		if strings.ReplaceAll(name, "-", "_") == permission {
			return rank(has) >= rank(level)
		}
	}
	return false
}

func rank(level string) int {
	return slices.Index([]string{"", "none", "read", "write", "admin"}, level)
}

// demand is what a route asks of a token: one of the permissions at the level.
// The zero value asks for nothing but a repository that the token can see.
type demand struct {
	level string // read or write
	any   []string
}

func (d demand) metBy(t *Token) bool {
	if d.level == "" {
		return true
	}
	return slices.ContainsFunc(d.any, func(p string) bool { return t.allows(p, d.level) })
}

// String is GitHub's X-Accepted-GitHub-Permissions header.
func (d demand) String() string {
	var out []string
	for _, p := range d.any {
		out = append(out, p+"="+d.level)
	}
	return strings.Join(out, "; ")
}

func reads(any ...string) demand  { return demand{"read", any} }
func writes(any ...string) demand { return demand{"write", any} }

// refusal is GitHub's answer to a token that may not do what it asks.
func (t *Token) refusal() *apiError {
	switch t.Kind {
	case FineGrained:
		return problem(http.StatusForbidden, "Resource not accessible by personal access token")
	case ClassicPAT:
		return notFound()
	}
	return problem(http.StatusForbidden, "Resource not accessible by integration")
}

// bearer is the token that a request carries, in any of the forms that GitHub takes.
func bearer(r *http.Request) string {
	h := r.Header.Get("Authorization")
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	for _, scheme := range []string{"Bearer ", "bearer ", "token ", "Token "} {
		if v, ok := strings.CutPrefix(h, scheme); ok {
			return v
		}
	}
	return h
}

// GitAccess says what a token may do with a repository over git: whether the token is
// known, whether it may read and whether it may write. It fits the lab's git server.
func (s *Server) GitAccess(token, repo string) (known, read, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.state.Tokens[token]
	if t == nil {
		return false, false, false
	}
	if !t.sees(repo) {
		return true, false, false
	}
	return true, t.allows("contents", "read"), t.allows("contents", "write")
}
