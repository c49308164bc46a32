package githubapi

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// route is one operation: its path as GitHub's description writes it, what it demands
// of a token, and who answers.
type route struct {
	method, path string
	demand       demand
	handle       func(*call) (*reply, error)
	public       bool // works without a token
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (rt route) params() []string {
	var names []string
	for _, m := range pathParam.FindAllStringSubmatch(rt.path, -1) {
		names = append(names, m[1])
	}
	return names
}

// multiSegment are the parameters that keep their slashes: paths of files and names of
// references, which the description marks with x-multi-segment.
var multiSegment = []string{"path", "ref", "branch", "basehead"}

// pattern is what the escaped path of a request matches. http.ServeMux refuses
// GitHub's routes as ambiguous (issues/comments/{id} and issues/{number}/comments).
func (rt route) pattern() *regexp.Regexp {
	at := 0
	var b strings.Builder
	for _, m := range pathParam.FindAllStringSubmatchIndex(rt.path, -1) {
		b.WriteString(regexp.QuoteMeta(rt.path[at:m[0]]))
		last := m[1] == len(rt.path)
		if last && slices.Contains(multiSegment, rt.path[m[2]:m[3]]) {
			b.WriteString("(.*)")
		} else {
			b.WriteString("([^/]+)")
		}
		at = m[1]
	}
	return regexp.MustCompile("^" + b.String() + regexp.QuoteMeta(rt.path[at:]) + "/?$")
}

// table finds the route of a request; the first that matches wins.
type table []struct {
	route
	glob *regexp.Regexp
}

func newTable() table {
	var t table
	for _, rt := range routes() {
		t = append(t, struct {
			route
			glob *regexp.Regexp
		}{rt, rt.pattern()})
	}
	return t
}

// find also stores the path's parameters in the request.
func (t table) find(r *http.Request) (route, bool) {
	for _, row := range t {
		m := row.glob.FindStringSubmatch(r.URL.EscapedPath())
		if m == nil || row.method != r.Method {
			continue
		}
		for i, name := range row.params() {
			value, err := url.PathUnescape(m[i+1])
			if err != nil {
				return route{}, false
			}
			r.SetPathValue(name, value)
		}
		return row.route, true
	}
	return route{}, false
}

// routes is all that the look-alike serves. The permissions are those of
// docs.github.com, "Permissions required for GitHub Apps".
func routes() []route {
	r := func(tail string) string { return "/repos/{owner}/{repo}" + tail }
	return []route{
		{"GET", "/user", demand{}, getUser, false},
		{"GET", "/rate_limit", demand{}, getRateLimit, true},
		{"GET", "/meta", demand{}, getMeta, true},
		{"GET", r(""), reads("metadata", "contents", "deployments", "pull_requests"), getRepo, false},

		{"GET", r("/pulls"), reads("pull_requests"), listPulls, false},
		{"POST", r("/pulls"), writes("pull_requests"), createPull, false},
		{"GET", r("/pulls/{pull_number}"), reads("pull_requests"), getPull, false},
		{"PATCH", r("/pulls/{pull_number}"), writes("pull_requests"), editPull, false},
		{"GET", r("/pulls/{pull_number}/files"), reads("pull_requests"), listPullFiles, false},
		{"GET", r("/commits/{commit_sha}/pulls"), reads("pull_requests"), listCommitPulls, false},

		{"GET", r("/issues/comments"), reads("issues", "pull_requests"), listRepoComments, false},
		{"GET", r("/issues/comments/{comment_id}"), reads("issues", "pull_requests"), getComment, false},
		{"PATCH", r("/issues/comments/{comment_id}"), writes("issues", "pull_requests"), editComment, false},
		{"DELETE", r("/issues/comments/{comment_id}"), writes("issues", "pull_requests"), deleteComment, false},
		{"GET", r("/issues/{issue_number}"), reads("issues", "pull_requests"), getIssue, false},
		{"GET", r("/issues/{issue_number}/comments"), reads("issues", "pull_requests"), listComments, false},
		{"POST", r("/issues/{issue_number}/comments"), writes("issues", "pull_requests"), createComment, false},

		{"GET", r("/deployments"), reads("deployments"), listDeployments, false},
		{"POST", r("/deployments"), writes("deployments"), createDeployment, false},
		{"GET", r("/deployments/{deployment_id}"), reads("deployments"), getDeployment, false},
		{"DELETE", r("/deployments/{deployment_id}"), writes("deployments"), deleteDeployment, false},
		{"GET", r("/deployments/{deployment_id}/statuses"), reads("deployments"), listStatuses, false},
		{"POST", r("/deployments/{deployment_id}/statuses"), writes("deployments"), createStatus, false},
		{"GET", r("/deployments/{deployment_id}/statuses/{status_id}"), reads("deployments"), getStatus, false},

		{"GET", r("/environments"), reads("actions", "environments"), listEnvironments, false},
		{"GET", r("/environments/{environment_name}"), reads("actions", "environments"), getEnvironment, false},
		{"PUT", r("/environments/{environment_name}"), writes("administration"), putEnvironment, false},
		{"DELETE", r("/environments/{environment_name}"), writes("administration"), deleteEnvironment, false},

		{"GET", r("/commits/{ref}/check-runs"), reads("checks"), listCheckRuns, false},
		{"POST", r("/check-runs"), writes("checks"), createCheckRun, false},
		{"GET", r("/check-runs/{check_run_id}"), reads("checks"), getCheckRun, false},
		{"PATCH", r("/check-runs/{check_run_id}"), writes("checks"), editCheckRun, false},
		{"GET", r("/commits/{ref}/status"), reads("statuses"), getCombinedStatus, false},
		{"GET", r("/commits/{ref}/statuses"), reads("statuses"), listCommitStatuses, false},
		{"GET", r("/commits/{ref}"), reads("contents"), getCommit, false},
		{"POST", r("/statuses/{sha}"), writes("statuses"), createCommitStatus, false},

		{"GET", r("/compare/{basehead}"), reads("contents"), compareCommits, false},
		{"GET", r("/contents/{path}"), reads("contents"), getContents, false},
		{"PUT", r("/contents/{path}"), writes("contents"), putContents, false},
		{"DELETE", r("/contents/{path}"), writes("contents"), deleteContents, false},
		{"GET", r("/git/ref/{ref}"), reads("contents"), getRef, false},
		{"GET", r("/git/matching-refs/{ref}"), reads("contents"), matchingRefs, false},
		{"POST", r("/git/refs"), writes("contents"), createRef, false},
		{"PATCH", r("/git/refs/{ref}"), writes("contents"), updateRef, false},
		{"DELETE", r("/git/refs/{ref}"), writes("contents"), deleteRef, false},
		{"GET", r("/branches"), reads("contents"), listBranches, false},
		{"GET", r("/branches/{branch}"), reads("contents"), getBranch, false},

		{"GET", r("/actions/runs/{run_id}"), reads("actions"), getRun, false},
		{"DELETE", r("/actions/runs/{run_id}"), writes("actions"), deleteRun, false},
		{"GET", r("/actions/runs/{run_id}/jobs"), reads("actions"), listJobs, false},
		{"GET", r("/actions/runs/{run_id}/attempts/{attempt_number}/jobs"), reads("actions"), listAttemptJobs, false},
		{"GET", r("/actions/runs/{run_id}/pending_deployments"), reads("actions"), listPending, false},
		{"POST", r("/actions/runs/{run_id}/pending_deployments"), writes("deployments"), reviewPending, false},
	}
}
