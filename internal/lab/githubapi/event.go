package githubapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// PullEvent is what GitHub writes to GITHUB_EVENT_PATH for a pull_request event with an
// action such as opened, synchronize or closed. The URLs in it begin with base, the
// address under which clients reach the look-alike.
func (s *Server) PullEvent(base, repo string, number int, action string) (event []byte, err error) {
	err = s.withPull(repo, number, func(r *repository, p *Pull) error {
		c := s.seen(base, r)
		pull, err := c.fullPull(p)
		if err != nil {
			return err
		}
		event, err = json.Marshal(obj{
			"action": action, "number": number, "pull_request": pull,
			"repository": c.repository(r, false), "sender": c.links.user(p.Author),
		})
		return err
	})
	return event, err
}

// zeroSHA stands for "no commit" in a push event: before a branch was made, after it
// was deleted.
var zeroSHA = strings.Repeat("0", 40)

// PushEvent is what GitHub writes to GITHUB_EVENT_PATH for a push to a branch. An empty
// before is a new branch; a branch that is gone is a deletion.
func (s *Server) PushEvent(base, repo, branch, before string) (event []byte, err error) {
	err = s.with(repo, func(r *repository) error {
		c := s.seen(base, r)
		body := obj{
			"ref": "refs/heads/" + branch, "before": before, "after": zeroSHA, "created": before == "", "deleted": true, "forced": false,
			"repository": c.pushRepository(r), "sender": c.links.user("octocat"), "pusher": obj{"name": "octocat", "email": "octocat@lab.invalid"},
			"commits": []any{}, "head_commit": nil, "base_ref": nil, "compare": c.links.web + "/" + repo + "/compare/" + branch,
		}
		if before == "" {
			body["before"] = zeroSHA
		}
		if commit, err := r.git().Commit(branch); err == nil {
			body["after"], body["deleted"], body["head_commit"] = commit.SHA, false, c.simpleCommit(commit.SHA)
			if before != "" {
				forward, err := r.git().IsAncestor(before, commit.SHA)
				if err != nil {
					return fmt.Errorf("cannot make a push event: %w", err)
				}
				body["forced"] = !forward
			}
		}
		event, err = json.Marshal(body)
		return err
	})
	return event, err
}

// pushRepository is a repository as push events have it: with times as numbers, unlike
// everywhere else.
func (c *call) pushRepository(r *repository) obj {
	o := c.repository(r, false)
	for _, key := range []string{"created_at", "pushed_at"} {
		if t, err := time.Parse(time.RFC3339, fmt.Sprint(o[key])); err == nil {
			o[key] = t.Unix()
		}
	}
	return o
}

// seen is a call that nobody made, to render with a client's eyes.
func (s *Server) seen(base string, r *repository) *call {
	base = strings.TrimSuffix(base, "/")
	req := &http.Request{URL: &url.URL{}}
	if u, err := url.Parse(base); err == nil {
		req.Host = u.Host
	}
	return &call{Server: s, r: req, repo: r, links: links{web: base, api: base}}
}
