package githubapi

import (
	"net/http"
	"strings"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

func person(p gitrepo.Person) obj {
	return obj{"name": p.Name, "email": p.Email, "date": stamp(p.Date)}
}

func (c *call) parents(commit gitrepo.Commit) []obj {
	return mapped(commit.Parents, func(sha string) obj {
		return obj{"sha": sha, "url": c.url("/commits/%s", sha), "html_url": c.links.web + "/" + c.repo.Name + "/commit/" + sha}
	})
}

var unsigned = obj{"verified": false, "reason": "unsigned", "payload": nil, "signature": nil, "verified_at": nil}

// gitCommit is a commit as the contents API answers it.
func (c *call) gitCommit(commit gitrepo.Commit) obj {
	return obj{
		"sha": commit.SHA, "node_id": nodeID("C", commit.SHA), "message": commit.Message,
		"url": c.url("/git/commits/%s", commit.SHA), "html_url": c.links.web + "/" + c.repo.Name + "/commit/" + commit.SHA,
		"author": person(commit.Author), "committer": person(commit.Committer), "parents": c.parents(commit),
		"tree": obj{"sha": commit.Tree, "url": c.url("/git/trees/%s", commit.Tree)}, "verification": unsigned,
	}
}

// fullCommit is GitHub's commit.
func (c *call) fullCommit(commit gitrepo.Commit) obj {
	self := c.url("/commits/%s", commit.SHA)
	return obj{
		"sha": commit.SHA, "node_id": nodeID("C", commit.SHA), "url": self,
		"html_url": c.links.web + "/" + c.repo.Name + "/commit/" + commit.SHA, "comments_url": self + "/comments",
		"author": nil, "committer": nil, "parents": c.parents(commit),
		"commit": obj{
			"url": c.url("/git/commits/%s", commit.SHA), "message": commit.Message, "comment_count": 0,
			"author": person(commit.Author), "committer": person(commit.Committer),
			"tree": obj{"sha": commit.Tree, "url": c.url("/git/trees/%s", commit.Tree)}, "verification": unsigned,
		},
	}
}

func getCommit(c *call) (*reply, error) {
	ref := c.r.PathValue("ref")
	git := c.repo.git()
	commit, err := git.Commit(ref)
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "No commit found for SHA: %s", ref)
	}
	if strings.Contains(c.r.Header.Get("Accept"), ".sha") {
		return &reply{status: http.StatusOK, raw: []byte(commit.SHA), header: http.Header{"Content-Type": {"application/vnd.github.sha; charset=utf-8"}}}, nil
	}
	o := c.fullCommit(commit)
	if len(commit.Parents) == 0 {
		return ok(o)
	}
	changes, err := git.Diff(commit.Parents[0], commit.SHA)
	if err != nil {
		return nil, err
	}
	added, deleted := 0, 0
	for _, ch := range changes {
		added, deleted = added+ch.Additions, deleted+ch.Deletions
	}
	o["stats"] = obj{"additions": added, "deletions": deleted, "total": added + deleted}
	o["files"] = mapped(changes, c.file(commit.SHA))
	return ok(o)
}

func compareCommits(c *call) (*reply, error) {
	baseName, headName, found := strings.Cut(c.r.PathValue("basehead"), "...")
	if !found {
		return nil, notFound()
	}
	git := c.repo.git()
	base, err := git.Commit(baseName)
	if err != nil {
		return nil, err
	}
	head, err := git.Commit(headName)
	if err != nil {
		return nil, err
	}
	common, err := git.MergeBase(base.SHA, head.SHA)
	if err != nil {
		return nil, problem(http.StatusNotFound, "No common ancestor between %s and %s.", baseName, headName)
	}
	commits, err := git.Log(base.SHA, head.SHA)
	if err != nil {
		return nil, err
	}
	behind, err := git.Count(head.SHA, base.SHA)
	if err != nil {
		return nil, err
	}
	changes, err := git.Diff(common, head.SHA)
	if err != nil {
		return nil, err
	}
	ancestor, err := git.Commit(common)
	if err != nil {
		return nil, err
	}
	web := c.links.web + "/" + c.repo.Name + "/compare/" + baseName + "..." + headName
	return ok(obj{
		"url": c.url("/compare/%s...%s", baseName, headName), "html_url": web, "permalink_url": web, "diff_url": web + ".diff", "patch_url": web + ".patch",
		"base_commit": c.fullCommit(base), "merge_base_commit": c.fullCommit(ancestor), "status": comparison(len(commits), behind),
		"ahead_by": len(commits), "behind_by": behind, "total_commits": len(commits),
		"commits": mapped(commits, c.fullCommit), "files": mapped(changes, c.file(head.SHA)),
	})
}

func comparison(ahead, behind int) string {
	switch {
	case ahead > 0 && behind > 0:
		return "diverged"
	case ahead > 0:
		return "ahead"
	case behind > 0:
		return "behind"
	}
	return "identical"
}
