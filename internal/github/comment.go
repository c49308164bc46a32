package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-github/v60/github"
)

const commentPermission = "pull-requests: write"

// PullRequest returns the number of the open pull request that a pushed commit
// belongs to, 0 if there is none.
func (c *Client) PullRequest(ctx context.Context, sha, branch string) (int, error) {
	prs, _, err := c.gh.PullRequests.ListPullRequestsWithCommit(ctx, c.owner, c.repo, sha, &github.ListOptions{PerPage: 100})
	if err != nil {
		return 0, explain(err, "find the commit's pull request", "pull-requests: read")
	}
	for _, pr := range prs {
		if pr.GetState() == "open" && pr.GetHead().GetSHA() == sha {
			return pr.GetNumber(), nil
		}
	}
	return c.pullRequestOfBranch(ctx, sha, branch)
}

// pullRequestOfBranch asks by branch: the commit's list lags behind a push.
func (c *Client) pullRequestOfBranch(ctx context.Context, sha, branch string) (int, error) {
	prs, _, err := c.gh.PullRequests.List(ctx, c.owner, c.repo, &github.PullRequestListOptions{
		State: "open", Head: c.owner + ":" + branch, ListOptions: github.ListOptions{PerPage: 100},
	})
	if err != nil {
		return 0, explain(err, "find the branch's pull request", "pull-requests: read")
	}
	for _, pr := range prs {
		if pr.GetHead().GetSHA() == sha {
			return pr.GetNumber(), nil
		}
	}
	return 0, nil
}

// Comment writes the one comment of a pull request that has this marker (an HTML
// comment on its first line): it edits the one that is there, if its author is the
// token's own, or makes one. The same text again is no request but the look for it.
func (c *Client) Comment(ctx context.Context, number int, marker, body string) error {
	if !strings.HasPrefix(body, marker+"\n") {
		return fmt.Errorf("cannot comment: the body does not begin with its marker %q", marker)
	}
	old, err := c.findComment(ctx, number, marker)
	if err != nil {
		return explain(err, "read the pull request's comments", commentPermission)
	}
	if old != nil {
		return c.editComment(ctx, old, body)
	}
	_, _, err = c.gh.Issues.CreateComment(ctx, c.owner, c.repo, number, &github.IssueComment{Body: &body})
	if err != nil && !definite(err) {
		// The answer was lost, perhaps not the comment.
		if old, findErr := c.findComment(ctx, number, marker); findErr == nil && old != nil {
			return c.editComment(ctx, old, body)
		}
	}
	return explain(err, "comment on the pull request", commentPermission)
}

func (c *Client) editComment(ctx context.Context, old *github.IssueComment, body string) error {
	if old.GetBody() == body {
		return nil
	}
	_, _, err := c.gh.Issues.EditComment(ctx, c.owner, c.repo, old.GetID(), &github.IssueComment{Body: &body})
	return explain(err, "edit the comment on the pull request", commentPermission)
}

// findComment looks through all pages. Anybody can write our marker; only we
// can be its author.
func (c *Client) findComment(ctx context.Context, number int, marker string) (*github.IssueComment, error) {
	o := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 100}}
	for {
		comments, res, err := c.gh.Issues.ListComments(ctx, c.owner, c.repo, number, o)
		if err != nil {
			return nil, err
		}
		for _, found := range comments {
			if strings.HasPrefix(found.GetBody(), marker) && found.GetUser().GetLogin() == c.me(ctx) {
				return found, nil
			}
		}
		if res.NextPage <= o.Page {
			return nil, nil // 0 after the last; pages that go in circles would never end
		}
		o.Page = res.NextPage
	}
}

// definite tells whether GitHub's answer says that the request did not happen.
func definite(err error) bool {
	var refused *github.ErrorResponse
	var limited *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	return errors.As(err, &limited) || errors.As(err, &abuse) ||
		errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError
}
