// Package github is the little of GitHub's REST API that appstack uses: one
// comment on a pull request, deployments with their statuses, files at a commit and
// whether a run still lives. It works with github.com, GHES and ghe.com.
//
// Reporting must never be the reason that a deploy fails or waits: every method's
// error is for a warning, a [PermissionError] names the line to add to the
// workflow, and all the waiting for GitHub together is bounded.
package github
