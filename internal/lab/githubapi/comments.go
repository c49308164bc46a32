package githubapi

import (
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
)

func itoa(n int) string { return strconv.Itoa(n) }

// maxCommentLength is GitHub's limit of a comment's body. GitHub speaks of characters;
// this counts UTF-16 units, the stricter reading.
const maxCommentLength = 65536

func checkBody(body string) error {
	if body == "" {
		return invalid("IssueComment", "body", "missing_field", "")
	}
	if len(utf16.Encode([]rune(body))) > maxCommentLength {
		return invalid("IssueComment", "data", "unprocessable", "Body is too long (maximum is 65536 characters)")
	}
	return nil
}

func (c *call) comment(cm *Comment) obj {
	o := obj{
		"id": cm.ID, "node_id": nodeID("IC", cm.ID), "body": cm.Body, "user": c.links.user(cm.Author),
		"url": c.url("/issues/comments/%d", cm.ID), "issue_url": c.url("/issues/%d", cm.Issue),
		"html_url":   c.links.web + "/" + c.repo.Name + "/pull/" + itoa(cm.Issue) + "#issuecomment-" + strconv.FormatInt(cm.ID, 10),
		"created_at": stamp(cm.Created), "updated_at": stamp(cm.Updated),
		"author_association": "CONTRIBUTOR", "performed_via_github_app": c.links.app(cm.App),
	}
	if cm.App != "" {
		o["author_association"] = "NONE"
	}
	return o
}

func (c *call) commentsOf(issue int) []*Comment { return c.repo.commentsOf(issue) }

func (r *repository) commentsOf(issue int) []*Comment {
	var list []*Comment
	for _, cm := range r.Comments {
		if cm.Issue == issue {
			list = append(list, cm)
		}
	}
	return list
}

// since drops the comments that were not updated after the request's `since`.
func (c *call) since(list []*Comment) []*Comment {
	t, err := time.Parse(time.RFC3339, c.r.URL.Query().Get("since"))
	if err != nil {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(cm *Comment) bool { return cm.Updated.Before(t) })
}

func listComments(c *call) (*reply, error) {
	p, err := c.findPull("issue_number")
	if err != nil {
		return nil, err
	}
	return paged(c, c.since(c.commentsOf(p.Number)), c.comment)
}

func listRepoComments(c *call) (*reply, error) {
	list := c.since(slices.Clone(c.repo.Comments))
	q := c.r.URL.Query()
	if q.Get("sort") == "updated" {
		slices.SortStableFunc(list, func(a, b *Comment) int { return a.Updated.Compare(b.Updated) })
	}
	if q.Get("sort") != "" && q.Get("direction") != "asc" {
		slices.Reverse(list)
	}
	return paged(c, list, c.comment)
}

func createComment(c *call) (*reply, error) {
	p, err := c.findPull("issue_number")
	if err != nil {
		return nil, err
	}
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if p.Locked && !c.token.allows("administration", "write") {
		return nil, problem(http.StatusForbidden, "Unable to create comment because issue is locked.")
	}
	if err := checkBody(in.Body); err != nil {
		return nil, err
	}
	cm := c.addComment(c.repo, p, Comment{Author: c.token.author(), App: c.token.app(), Body: in.Body})
	return created(c.comment(cm))
}

func (s *Server) addComment(r *repository, p *Pull, cm Comment) *Comment {
	cm.ID, cm.Issue, cm.Created, cm.Updated = s.state.id(), p.Number, s.now(), s.now()
	p.Updated = cm.Created
	r.Comments = append(r.Comments, &cm)
	return &cm
}

func (c *call) findComment() (*Comment, error) {
	id, err := c.id("comment_id")
	if err != nil {
		return nil, err
	}
	if cm := find(c.repo.Comments, func(cm *Comment) bool { return cm.ID == id }); cm != nil {
		return cm, nil
	}
	return nil, notFound()
}

func getComment(c *call) (*reply, error) {
	cm, err := c.findComment()
	if err != nil {
		return nil, err
	}
	return ok(c.comment(cm))
}

func editComment(c *call) (*reply, error) {
	cm, err := c.findComment()
	if err != nil {
		return nil, err
	}
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkBody(in.Body); err != nil {
		return nil, err
	}
	cm.Body, cm.Updated = in.Body, c.now()
	return ok(c.comment(cm))
}

func deleteComment(c *call) (*reply, error) {
	cm, err := c.findComment()
	if err != nil {
		return nil, err
	}
	c.repo.Comments = slices.DeleteFunc(c.repo.Comments, func(o *Comment) bool { return o == cm })
	return noContent()
}

func getIssue(c *call) (*reply, error) {
	p, err := c.findPull("issue_number")
	if err != nil {
		return nil, err
	}
	self, web := c.url("/issues/%d", p.Number), c.links.web+"/"+c.repo.Name+"/pull/"+itoa(p.Number)
	return ok(obj{
		"id": p.ID, "node_id": nodeID("I", p.ID), "number": p.Number, "title": p.Title, "body": orNull(p.Body),
		"state": p.State, "locked": p.Locked, "user": c.links.user(p.Author), "labels": mapped(p.Labels, c.label),
		"assignee": nil, "assignees": []any{}, "milestone": nil, "comments": len(c.commentsOf(p.Number)), "author_association": "CONTRIBUTOR",
		"url": self, "html_url": web, "repository_url": c.url(""), "labels_url": self + "/labels{/name}",
		"comments_url": self + "/comments", "events_url": self + "/events",
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated), "closed_at": stamp(p.Closed),
		"pull_request": obj{
			"url": c.url("/pulls/%d", p.Number), "html_url": web, "diff_url": web + ".diff", "patch_url": web + ".patch", "merged_at": stamp(p.Merged),
		},
	})
}
