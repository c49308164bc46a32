package githubapi

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"strings"
)

// nodeID looks like GitHub's opaque GraphQL ids: a kind, then something unreadable.
func nodeID(kind string, id any) string {
	return kind + "_" + base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprint(id)))
}

func numberOf(name string) int64 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int64(h.Sum32() >> 1)
}

// user is GitHub's simple-user.
func (l links) user(login string) obj {
	id, kind := numberOf(login), "User"
	if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	if login == actionsLogin {
		id = 41898282 // what github.com has for it
	}
	api := l.api + "/users/" + login
	o := obj{
		"login": login, "id": id, "node_id": nodeID("U", id), "type": kind, "site_admin": false,
		"avatar_url": l.web + "/avatar/" + login, "gravatar_id": "",
		"url": api, "html_url": l.web + "/" + login,
	}
	for key, tail := range userURLs {
		o[key] = api + tail
	}
	return o
}

var userURLs = map[string]string{
	"followers_url": "/followers", "following_url": "/following{/other_user}", "gists_url": "/gists{/gist_id}",
	"starred_url": "/starred{/owner}{/repo}", "subscriptions_url": "/subscriptions", "organizations_url": "/orgs",
	"repos_url": "/repos", "events_url": "/events{/privacy}", "received_events_url": "/received_events",
}

// app is GitHub's integration; nil for none.
func (l links) app(slug string) any {
	if slug == "" {
		return nil
	}
	return obj{
		"id": numberOf(slug), "slug": slug, "node_id": nodeID("A", slug), "name": appName(slug),
		"owner": l.user("github"), "description": "", "external_url": l.web + "/apps/" + slug,
		"html_url": l.web + "/apps/" + slug, "created_at": "2018-07-30T09:30:17Z", "updated_at": "2024-04-10T20:33:16Z",
		"permissions": obj{}, "events": []string{},
	}
}

func appName(slug string) string {
	if slug == actionsSlug {
		return "GitHub Actions"
	}
	return slug
}

// repository is GitHub's repository; full adds what only GET /repos/{owner}/{repo} has.
func (c *call) repository(r *repository, full bool) obj {
	owner, name, _ := strings.Cut(r.Name, "/")
	branch, _ := r.git().DefaultBranch()
	web := c.links.web + "/" + r.Name
	o := obj{
		"id": r.ID, "node_id": nodeID("R", r.ID), "name": name, "full_name": r.Name, "private": !r.Public,
		"owner": c.links.user(owner), "html_url": web, "description": nil, "fork": false,
		"url": c.links.repo(r.Name, ""), "default_branch": branch, "visibility": visibility(r),
		"git_url": "git:" + strings.TrimPrefix(web, "http:") + ".git", "ssh_url": "git@" + c.r.Host + ":" + r.Name + ".git",
		"clone_url": web + ".git", "svn_url": web, "homepage": nil, "language": nil, "mirror_url": nil, "license": nil,
		"created_at": stamp(r.Created), "updated_at": stamp(r.Created), "pushed_at": stamp(r.Created),
	}
	for key, tail := range repoURLs {
		o[key] = c.links.repo(r.Name, "%s", tail)
	}
	for _, key := range []string{"forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers", "watchers_count"} {
		o[key] = 0
	}
	for _, key := range []string{"has_issues", "has_projects", "has_wiki", "has_pages", "has_discussions", "has_downloads", "archived", "disabled"} {
		o[key] = key == "has_issues"
	}
	if full {
		o["network_count"], o["subscribers_count"] = 0, 0
	}
	return o
}

func visibility(r *repository) string {
	if r.Public {
		return "public"
	}
	return "private"
}

var repoURLs = map[string]string{
	"archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
	"branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}", "comments_url": "/comments{/number}",
	"commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}", "contents_url": "/contents/{+path}",
	"contributors_url": "/contributors", "deployments_url": "/deployments", "downloads_url": "/downloads", "events_url": "/events",
	"forks_url": "/forks", "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}",
	"hooks_url": "/hooks", "issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
	"issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}", "languages_url": "/languages",
	"merges_url": "/merges", "milestones_url": "/milestones{/number}", "notifications_url": "/notifications{?since,all,participating}",
	"pulls_url": "/pulls{/number}", "releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
	"subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags", "teams_url": "/teams", "trees_url": "/git/trees{/sha}",
}
