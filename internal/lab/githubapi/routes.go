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
	return slices.Concat(metaRoutes(), pullRoutes(), deploymentRoutes(), checkRoutes(), gitRoutes(), runRoutes())
}

// in is a path below a repository.
func in(tail string) string { return "/repos/{owner}/{repo}" + tail }

func metaRoutes() []route {
	return []route{
		{"GET", "/user", demand{}, getUser, false},
		{"GET", "/rate_limit", demand{}, getRateLimit, true},
		{"GET", "/meta", demand{}, getMeta, true},
		{"GET", in(""), reads("metadata", "contents", "deployments", "pull_requests"), getRepo, false},
	}
}

func pullRoutes() []route {
	return []route{
		{"GET", in("/pulls"), reads("pull_requests"), listPulls, false},
		{"POST", in("/pulls"), writes("pull_requests"), createPull, false},
		{"GET", in("/pulls/{pull_number}"), reads("pull_requests"), getPull, false},
		{"PATCH", in("/pulls/{pull_number}"), writes("pull_requests"), editPull, false},
		{"GET", in("/pulls/{pull_number}/files"), reads("pull_requests"), listPullFiles, false},
		{"GET", in("/commits/{commit_sha}/pulls"), reads("pull_requests"), listCommitPulls, false},
		{"GET", in("/issues/comments"), reads("issues", "pull_requests"), listRepoComments, false},
		{"GET", in("/issues/comments/{comment_id}"), reads("issues", "pull_requests"), getComment, false},
		{"PATCH", in("/issues/comments/{comment_id}"), writes("issues", "pull_requests"), editComment, false},
		{"DELETE", in("/issues/comments/{comment_id}"), writes("issues", "pull_requests"), deleteComment, false},
		{"GET", in("/issues/{issue_number}"), reads("issues", "pull_requests"), getIssue, false},
		{"GET", in("/issues/{issue_number}/comments"), reads("issues", "pull_requests"), listComments, false},
		{"POST", in("/issues/{issue_number}/comments"), writes("issues", "pull_requests"), createComment, false},
	}
}

func deploymentRoutes() []route {
	return []route{
		{"GET", in("/deployments"), reads("deployments"), listDeployments, false},
		{"POST", in("/deployments"), writes("deployments"), createDeployment, false},
		{"GET", in("/deployments/{deployment_id}"), reads("deployments"), getDeployment, false},
		{"DELETE", in("/deployments/{deployment_id}"), writes("deployments"), deleteDeployment, false},
		{"GET", in("/deployments/{deployment_id}/statuses"), reads("deployments"), listStatuses, false},
		{"POST", in("/deployments/{deployment_id}/statuses"), writes("deployments"), createStatus, false},
		{"GET", in("/deployments/{deployment_id}/statuses/{status_id}"), reads("deployments"), getStatus, false},
		{"GET", in("/environments"), reads("actions", "environments"), listEnvironments, false},
		{"GET", in("/environments/{environment_name}"), reads("actions", "environments"), getEnvironment, false},
		{"PUT", in("/environments/{environment_name}"), writes("administration"), putEnvironment, false},
		{"DELETE", in("/environments/{environment_name}"), writes("administration"), deleteEnvironment, false},
	}
}

func checkRoutes() []route {
	return []route{
		{"GET", in("/commits/{ref}/check-runs"), reads("checks"), listCheckRuns, false},
		{"POST", in("/check-runs"), writes("checks"), createCheckRun, false},
		{"GET", in("/check-runs/{check_run_id}"), reads("checks"), getCheckRun, false},
		{"PATCH", in("/check-runs/{check_run_id}"), writes("checks"), editCheckRun, false},
		{"GET", in("/commits/{ref}/status"), reads("statuses"), getCombinedStatus, false},
		{"GET", in("/commits/{ref}/statuses"), reads("statuses"), listCommitStatuses, false},
		{"GET", in("/commits/{ref}"), reads("contents"), getCommit, false},
		{"POST", in("/statuses/{sha}"), writes("statuses"), createCommitStatus, false},
	}
}

func gitRoutes() []route {
	return []route{
		{"GET", in("/compare/{basehead}"), reads("contents"), compareCommits, false},
		{"GET", in("/contents/{path}"), reads("contents"), getContents, false},
		{"PUT", in("/contents/{path}"), writes("contents"), putContents, false},
		{"DELETE", in("/contents/{path}"), writes("contents"), deleteContents, false},
		{"GET", in("/git/ref/{ref}"), reads("contents"), getRef, false},
		{"GET", in("/git/matching-refs/{ref}"), reads("contents"), matchingRefs, false},
		{"POST", in("/git/refs"), writes("contents"), createRef, false},
		{"PATCH", in("/git/refs/{ref}"), writes("contents"), updateRef, false},
		{"DELETE", in("/git/refs/{ref}"), writes("contents"), deleteRef, false},
		{"GET", in("/branches"), reads("contents"), listBranches, false},
		{"GET", in("/branches/{branch}"), reads("contents"), getBranch, false},
	}
}

func runRoutes() []route {
	return []route{
		{"GET", in("/actions/runs/{run_id}"), reads("actions"), getRun, false},
		{"DELETE", in("/actions/runs/{run_id}"), writes("actions"), deleteRun, false},
		{"GET", in("/actions/runs/{run_id}/jobs"), reads("actions"), listJobs, false},
		{"GET", in("/actions/runs/{run_id}/attempts/{attempt_number}/jobs"), reads("actions"), listAttemptJobs, false},
		{"GET", in("/actions/runs/{run_id}/pending_deployments"), reads("actions"), listPending, false},
		{"POST", in("/actions/runs/{run_id}/pending_deployments"), writes("deployments"), reviewPending, false},
	}
}
