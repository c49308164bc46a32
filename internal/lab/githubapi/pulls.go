package githubapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// sides of an open pull request follow their branches; a closed one keeps its last head.
func (s *Server) headSHA(r *repository, p *Pull) string {
	if p.HeadSHA != "" {
		return p.HeadSHA
	}
	head := r
	if p.HeadRepo != "" {
		head = s.state.Repos[p.HeadRepo]
	}
	if head == nil {
		return ""
	}
	sha, _ := head.git().Resolve(p.Head)
	return sha
}

func (c *call) side(r *repository, branch, sha string) obj {
	owner, _, _ := strings.Cut(r.Name, "/")
	return obj{
		"label": owner + ":" + branch, "ref": branch, "sha": sha,
		"user": c.links.user(owner), "repo": c.repository(r, false),
	}
}

// pull is GitHub's pull-request-simple, as lists show it.
func (c *call) pull(p *Pull) obj {
	self, issue := c.url("/pulls/%d", p.Number), c.url("/issues/%d", p.Number)
	web := c.links.web + "/" + c.repo.Name + "/pull/" + itoa(p.Number)
	head := c.repo
	if p.HeadRepo != "" && c.state.Repos[p.HeadRepo] != nil {
		head = c.state.Repos[p.HeadRepo]
	}
	sha := c.headSHA(c.repo, p)
	base, _ := c.repo.git().Resolve(p.Base)
	o := obj{
		"id": p.ID, "node_id": nodeID("PR", p.ID), "number": p.Number, "state": p.State, "locked": p.Locked,
		"title": p.Title, "body": orNull(p.Body), "user": c.links.user(p.Author), "draft": p.Draft,
		"url": self, "html_url": web, "diff_url": web + ".diff", "patch_url": web + ".patch",
		"issue_url": issue, "comments_url": issue + "/comments", "commits_url": self + "/commits",
		"review_comments_url": self + "/comments", "review_comment_url": c.url("/pulls/comments{/number}"),
		"statuses_url": c.url("/statuses/%s", sha),
		"created_at":   stamp(p.Created), "updated_at": stamp(p.Updated), "closed_at": stamp(p.Closed), "merged_at": stamp(p.Merged),
		"merge_commit_sha": orNull(p.MergeSHA), "assignee": nil, "assignees": []any{}, "requested_reviewers": []any{}, "requested_teams": []any{},
		"labels": mapped(p.Labels, c.label), "milestone": nil, "auto_merge": nil, "author_association": "CONTRIBUTOR",
		"head": c.side(head, p.Head, sha), "base": c.side(c.repo, p.Base, base),
	}
	o["_links"] = obj{
		"self": obj{"href": self}, "html": obj{"href": web}, "issue": obj{"href": issue},
		"comments": obj{"href": issue + "/comments"}, "review_comments": obj{"href": self + "/comments"},
		"review_comment": obj{"href": o["review_comment_url"]}, "commits": obj{"href": self + "/commits"}, "statuses": obj{"href": o["statuses_url"]},
	}
	return o
}

func (c *call) label(name string) obj {
	id := numberOf(name)
	return obj{
		"id": id, "node_id": nodeID("LA", id), "name": name, "color": "ededed", "default": false,
		"description": "", "url": c.url("/labels/%s", name),
	}
}

// fullPull is GitHub's pull-request, as one of its own shows it.
func (c *call) fullPull(p *Pull) (obj, error) {
	o, git := c.pull(p), c.repo.git()
	o["merged"], o["merged_by"] = !p.Merged.IsZero(), nil
	if p.MergedBy != "" {
		o["merged_by"] = c.links.user(p.MergedBy)
	}
	o["comments"] = len(c.commentsOf(p.Number))
	o["review_comments"], o["maintainer_can_modify"] = 0, false
	o["mergeable"], o["mergeable_state"], o["rebaseable"] = nil, "unknown", nil
	sha := c.headSHA(c.repo, p)
	if p.State == "open" && p.HeadRepo == "" {
		if mergeable, err := git.Mergeable(p.Base, sha); err == nil {
			o["mergeable"] = mergeable
			o["mergeable_state"] = map[bool]string{true: "clean", false: "dirty"}[mergeable]
		}
	}
	changes, commits, err := c.changes(p)
	if err != nil {
		return nil, err
	}
	added, deleted := 0, 0
	for _, ch := range changes {
		added, deleted = added+ch.Additions, deleted+ch.Deletions
	}
	o["commits"], o["changed_files"], o["additions"], o["deletions"] = commits, len(changes), added, deleted
	return o, nil
}

// changes compares a pull request's head with where it left its base.
func (c *call) changes(p *Pull) ([]gitrepo.Change, int, error) {
	git, sha := c.repo.git(), c.headSHA(c.repo, p)
	base := p.Base
	if p.MergeSHA != "" {
		merge, err := git.Commit(p.MergeSHA)
		if err == nil && len(merge.Parents) > 0 {
			base = merge.Parents[0]
		}
	}
	from, err := git.MergeBase(base, sha)
	if err != nil { // a fork's commits are in its own repository, or the branch is gone
		return nil, 0, nil
	}
	commits, err := git.Count(from, sha)
	if err != nil {
		return nil, 0, err
	}
	changes, err := git.Diff(from, sha)
	return changes, commits, err
}

func (c *call) findPull(param string) (*Pull, error) {
	n, err := c.id(param)
	if err != nil {
		return nil, err
	}
	if p := c.repo.pull(int(n)); p != nil {
		return p, nil
	}
	return nil, notFound()
}

func getPull(c *call) (*reply, error) {
	p, err := c.findPull("pull_number")
	if err != nil {
		return nil, err
	}
	return c.answerPull(p, http.StatusOK)
}

func (c *call) answerPull(p *Pull, status int) (*reply, error) {
	o, err := c.fullPull(p)
	return &reply{status: status, body: o}, err
}

// listPulls filters as GitHub does: state is open by default, head is owner:branch and
// is ignored in any other form.
func listPulls(c *call) (*reply, error) {
	q := c.r.URL.Query()
	state := q.Get("state")
	if state == "" {
		state = "open"
	}
	var list []*Pull
	for _, p := range c.repo.Pulls {
		if (state == "all" || p.State == state) && matchesHead(c.repo, p, q.Get("head")) && (q.Get("base") == "" || q.Get("base") == p.Base) {
			list = append(list, p)
		}
	}
	ascending := q.Get("direction") == "asc" || q.Get("direction") == "" && q.Get("sort") != "" && q.Get("sort") != "created"
	slices.SortStableFunc(list, func(a, b *Pull) int {
		order := a.Number - b.Number
		if q.Get("sort") == "updated" && !a.Updated.Equal(b.Updated) {
			order = a.Updated.Compare(b.Updated)
		}
		if ascending {
			return order
		}
		return -order
	})
	return paged(c, list, c.pull)
}

func matchesHead(r *repository, p *Pull, head string) bool {
	owner, branch, ok := strings.Cut(head, ":")
	if !ok {
		return true
	}
	from := r.Name
	if p.HeadRepo != "" {
		from = p.HeadRepo
	}
	return p.Head == branch && strings.HasPrefix(from, owner+"/")
}

// listCommitPulls is the merged pull request when the commit is on the default branch,
// else those, open or merged, whose head has it.
func listCommitPulls(c *call) (*reply, error) {
	git := c.repo.git()
	sha, err := git.Resolve(c.r.PathValue("commit_sha"))
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "No commit found for SHA: %s", c.r.PathValue("commit_sha"))
	}
	def, err := git.DefaultBranch()
	if err != nil {
		return nil, err
	}
	onDefault, err := git.IsAncestor(sha, def)
	if err != nil {
		return nil, err
	}
	var list []*Pull
	for _, p := range c.repo.Pulls {
		if c.hasCommit(p, sha, onDefault) {
			list = append(list, p)
		}
	}
	return paged(c, list, c.pull)
}

func (c *call) hasCommit(p *Pull, sha string, onDefault bool) bool {
	if p.MergeSHA == sha && sha != "" {
		return true
	}
	if p.State == "closed" && p.Merged.IsZero() || onDefault && p.Merged.IsZero() {
		return false
	}
	head := c.headSHA(c.repo, p)
	if head == "" {
		return false
	}
	git := c.repo.git()
	contains, err := git.IsAncestor(sha, head)
	if err != nil || !contains {
		return false
	}
	if p.MergeSHA == "" {
		return true
	}
	before, err := git.IsAncestor(sha, p.MergeSHA+"^1")
	return err == nil && !before
}

func createPull(c *call) (*reply, error) {
	var in struct {
		Title, Body, Head, Base string
		Draft                   bool
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Title == "" {
		return nil, invalid("PullRequest", "title", "missing_field", "")
	}
	if _, branch, ok := strings.Cut(in.Head, ":"); ok {
		in.Head = branch
	}
	p, err := c.open(c.repo, Pull{Title: in.Title, Body: in.Body, Head: in.Head, Base: in.Base, Draft: in.Draft, Author: c.token.author()})
	if err != nil {
		return nil, err
	}
	return c.answerPull(p, http.StatusCreated)
}

func editPull(c *call) (*reply, error) {
	p, err := c.findPull("pull_number")
	if err != nil {
		return nil, err
	}
	var in struct{ Title, Body, State, Base *string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Title != nil {
		p.Title = *in.Title
	}
	if in.Body != nil {
		p.Body = *in.Body
	}
	if in.State != nil {
		if err := c.setState(c.repo, p, *in.State); err != nil {
			return nil, err
		}
	}
	p.Updated = c.now()
	return c.answerPull(p, http.StatusOK)
}

// open checks and files a pull request. The state is locked.
func (s *Server) open(r *repository, p Pull) (*Pull, error) {
	git, head := r.git(), r
	if p.HeadRepo != "" {
		if head = s.state.Repos[p.HeadRepo]; head == nil {
			return nil, invalid("PullRequest", "head", "invalid", "")
		}
	}
	tip, err := head.git().Resolve(p.Head)
	if err != nil {
		return nil, invalid("PullRequest", "head", "invalid", "")
	}
	base, err := git.Resolve(p.Base)
	if err != nil {
		return nil, invalid("PullRequest", "base", "invalid", "")
	}
	if none, err := git.IsAncestor(tip, base); err == nil && none {
		return nil, invalid("PullRequest", "", "custom", "No commits between "+p.Base+" and "+p.Head)
	}
	for _, other := range r.Pulls {
		if other.State == "open" && other.Head == p.Head && other.Base == p.Base && other.HeadRepo == p.HeadRepo {
			return nil, invalid("PullRequest", "", "custom", "A pull request already exists for "+r.Name+":"+p.Head+".")
		}
	}
	p.ID, p.Number, p.State = s.state.id(), len(r.Pulls)+1, "open"
	p.Created, p.Updated = s.now(), s.now()
	r.Pulls = append(r.Pulls, &p)
	return &p, nil
}

func (s *Server) setState(r *repository, p *Pull, state string) error {
	switch {
	case state == p.State:
	case state == "closed":
		p.HeadSHA = s.headSHA(r, p)
		p.State, p.Closed = state, s.now()
	case state == "open" && p.Merged.IsZero():
		if p.HeadSHA = ""; s.headSHA(r, p) == "" {
			return invalid("PullRequest", "state", "invalid", "state cannot be changed. The head branch was deleted.")
		}
		p.State, p.Closed = state, p.Merged
	default:
		return invalid("PullRequest", "state", "invalid", "state cannot be changed")
	}
	p.Updated = s.now()
	return nil
}

// merge makes the merge commit and closes the pull request. The state is locked.
func (s *Server) merge(r *repository, p *Pull, by string) error {
	if p.State != "open" || p.HeadRepo != "" {
		return problem(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	}
	head := s.headSHA(r, p)
	sha, err := r.git().Merge(p.Base, p.Head, "Merge pull request #"+itoa(p.Number)+" from "+p.Head+"\n\n"+p.Title, gitrepo.CommitOptions{Author: by, Email: by + "@lab.invalid"})
	if errors.Is(err, gitrepo.ErrConflict) {
		return problem(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	}
	if err != nil {
		return err
	}
	now := s.now()
	p.HeadSHA, p.MergeSHA, p.MergedBy, p.State = head, sha, by, "closed"
	p.Merged, p.Closed, p.Updated = now, now, now
	return nil
}

var fileStatus = map[string]string{"A": "added", "M": "modified", "D": "removed", "R": "renamed", "C": "copied", "T": "changed"}

func (c *call) file(ref string) func(gitrepo.Change) obj {
	return func(ch gitrepo.Change) obj {
		o := obj{
			"sha": ch.SHA, "filename": ch.Path, "status": fileStatus[ch.Status],
			"additions": ch.Additions, "deletions": ch.Deletions, "changes": ch.Additions + ch.Deletions,
			"blob_url":     c.links.web + "/" + c.repo.Name + "/blob/" + ref + "/" + ch.Path,
			"raw_url":      c.links.web + "/" + c.repo.Name + "/raw/" + ref + "/" + ch.Path,
			"contents_url": c.url("/contents/%s?ref=%s", ch.Path, ref),
		}
		if ch.Patch != "" {
			o["patch"] = ch.Patch
		}
		if ch.Previous != "" {
			o["previous_filename"] = ch.Previous
		}
		return o
	}
}

func listPullFiles(c *call) (*reply, error) {
	p, err := c.findPull("pull_number")
	if err != nil {
		return nil, err
	}
	changes, _, err := c.changes(p)
	if err != nil {
		return nil, err
	}
	return paged(c, changes, c.file(c.headSHA(c.repo, p)))
}
