package github

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"

	"github.com/google/go-github/v60/github"
)

// File returns a file of the repository at a commit, branch or tag. The error is
// fs.ErrNotExist if it is not there, a [PermissionError] if the token may not look.
func (c *Client) File(ctx context.Context, path, ref string) ([]byte, error) {
	file, dir, res, err := c.gh.Repositories.GetContents(ctx, c.owner, c.repo, path, &github.RepositoryContentGetOptions{Ref: ref})
	if err != nil {
		if res != nil && res.StatusCode == http.StatusNotFound && c.readable(ctx) {
			return nil, fmt.Errorf("cannot read %s at %s: %w", path, ref, fs.ErrNotExist)
		}
		return nil, explain(err, fmt.Sprintf("read %s at %s", path, ref), "contents: read")
	}
	if dir != nil {
		return nil, fmt.Errorf("cannot read %s at %s: it is a directory", path, ref)
	}
	text, err := file.GetContent()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s at %s: %w", path, ref, err)
	}
	return []byte(text), nil
}

// readable tells whether the token may read the repository: GitHub answers 404
// for a missing file and for a missing right alike.
func (c *Client) readable(ctx context.Context) bool {
	_, _, _, err := c.gh.Repositories.GetContents(ctx, c.owner, c.repo, "", nil)
	return err == nil
}

// Commit returns the commit that a branch, tag or shortened commit names.
func (c *Client) Commit(ctx context.Context, ref string) (string, error) {
	sha, _, err := c.gh.Repositories.GetCommitSHA1(ctx, c.owner, c.repo, ref, "")
	return sha, explain(err, "find the commit of "+ref, "contents: read")
}

// RunOver tells whether a workflow run is known to be over, so that what it held
// may be taken. A run that cannot be asked for is taken to live.
func (c *Client) RunOver(ctx context.Context, run string) (bool, error) {
	id, err := strconv.ParseInt(run, 10, 64)
	if err != nil {
		return false, fmt.Errorf("cannot ask for run %q: %w", run, err)
	}
	r, _, err := c.gh.Actions.GetWorkflowRunByID(ctx, c.owner, c.repo, id)
	var refused *github.ErrorResponse
	if errors.As(err, &refused) && refused.Response.StatusCode == http.StatusNotFound {
		return false, explain(err, "ask whether the other run is over", "actions: read")
	}
	return r.GetStatus() == "completed", explain(err, "ask whether the other run is over", "actions: read")
}
