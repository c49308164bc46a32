package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/org/appstack-action/internal/secret"
)

// Patience is how long a client waits in all, over its whole life, for GitHub to
// take a request that it refused for now.
const Patience = time.Minute

// Options are what a client needs.
type Options struct {
	APIURL     string       // GITHUB_API_URL: https://api.github.com, or https://ghes/api/v3
	Token      secret.Value // GITHUB_TOKEN, a personal access token or an app's
	Repository string       // owner/name
	Transport  http.RoundTripper
	// Trace hears of each request when it is over. It gets no bodies.
	Trace func(method, path string, status int, took time.Duration)
}

// Client talks to GitHub for one repository. It may be used by several goroutines.
type Client struct {
	gh          *github.Client
	owner, repo string

	login     sync.Once
	loginName string
}

// New returns a client. It makes no request.
func New(o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(o.APIURL, "/") + "/")
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("cannot use %q as GitHub's API address", o.APIURL)
	}
	owner, repo, ok := strings.Cut(o.Repository, "/")
	if !ok {
		return nil, fmt.Errorf("cannot use %q as a repository: it must be owner/name", o.Repository)
	}
	next := o.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	transport := &retrier{next: next, left: Patience, trace: o.Trace}
	gh := github.NewClient(&http.Client{Transport: transport})
	if t := o.Token.Reveal(); t != "" {
		gh = gh.WithAuthToken(t)
	}
	// WithEnterpriseURLs would append /api/v3 to hosts that do not want it.
	gh.BaseURL = base
	return &Client{gh: gh, owner: owner, repo: repo}, nil
}

// A PermissionError says that the token may not do what was asked of it.
type PermissionError struct {
	Permission string // line for the workflow's `permissions:`, "deployments: write"
	Message    string // GitHub's words
}

// Error returns one line.
func (e *PermissionError) Error() string {
	return fmt.Sprintf("GitHub refuses: %s; add `%s` to the job's permissions", e.Message, e.Permission)
}

// A CallError is a request that GitHub did not carry out, for another reason than a
// missing permission.
type CallError struct {
	What   string // what was asked of it: "open a deployment"
	Status int    // of its answer; 0: there was none
	Text   string // what it says
	cause  error
}

// Error returns one line.
func (e *CallError) Error() string { return "cannot " + e.What + ": " + e.Text }

func (e *CallError) Unwrap() error { return e.cause }

// Hint tells a request that was wrong from a GitHub that is not well.
func (e *CallError) Hint() string {
	switch e.Status {
	case http.StatusUnprocessableEntity, http.StatusConflict:
		return ""
	}
	return "GitHub does not answer as it should: run it again later; https://www.githubstatus.com tells whether it is known"
}

// explain makes GitHub's refusals readable. permission is what the call needs.
func explain(err error, what, permission string) error {
	if err == nil {
		return nil
	}
	var limited *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	var refused *github.ErrorResponse
	switch {
	case errors.As(err, &limited):
		text := "GitHub's rate limit is used up until " + limited.Rate.Reset.Format(time.TimeOnly)
		return &CallError{what, http.StatusForbidden, text, err}
	case errors.As(err, &abuse):
		return &CallError{what, http.StatusForbidden, "GitHub limits the token's requests: " + abuse.Message, err}
	case errors.As(err, &refused):
		status := refused.Response.StatusCode
		// A token without a permission gets 403, or 404 where even reading is not its right.
		if (status == http.StatusForbidden || status == http.StatusNotFound) && permission != "" {
			return fmt.Errorf("cannot %s: %w", what, &PermissionError{permission, refused.Message})
		}
		return &CallError{what, status, fmt.Sprintf("GitHub answers %d: %s", status, refused.Message), err}
	}
	return &CallError{What: what, Text: err.Error(), cause: err}
}

// me returns the login that the token's comments have. GITHUB_TOKEN may not ask
// (403); its login is known.
func (c *Client) me(ctx context.Context) string {
	c.login.Do(func() {
		c.loginName = "github-actions[bot]"
		if u, _, err := c.gh.Users.Get(ctx, ""); err == nil && u.GetLogin() != "" {
			c.loginName = u.GetLogin()
		}
	})
	return c.loginName
}
