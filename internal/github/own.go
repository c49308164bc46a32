package github

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/google/go-github/v60/github"
)

// ownDeployment finds the deployment of d that its job has open: one that an earlier step
// made, or the one that the runner made for the job's `environment:`. The ID is 0 if there
// is none.
func (c *Client) ownDeployment(ctx context.Context, d Deployment) (Deployment, error) {
	var jobs Deployment
	for _, sha := range d.commits() {
		list, _, err := c.gh.Repositories.ListDeployments(ctx, c.owner, c.repo, &github.DeploymentsListOptions{
			SHA: sha, ListOptions: github.ListOptions{PerPage: 30},
		})
		if err != nil {
			return Deployment{}, explain(err, "list the deployments", deploymentPermission)
		}
		for _, found := range list {
			switch {
			case found.GetEnvironment() == d.Environment && madeBy(found, d.Job.Run):
				return d.as(found, false), nil
			case jobs.ID == 0 && d.mayBe(found) && c.isJobs(ctx, found, d):
				jobs = d.as(found, true)
			}
		}
	}
	return jobs, nil
}

// commits are those that a deployment of this job may name: the runner's is of the event's
// commit, which is a merge commit where the event is a pull request's.
func (d Deployment) commits() []string {
	if d.Job.SHA == "" || d.Job.SHA == d.SHA {
		return []string{d.SHA}
	}
	return []string{d.SHA, d.Job.SHA}
}

// as returns d in the place of a deployment that is there.
func (d Deployment) as(found *github.Deployment, jobsOwn bool) Deployment {
	d.ID, d.Environment, d.JobsOwn = found.GetID(), found.GetEnvironment(), jobsOwn
	return d
}

// madeBy tells whether an earlier step of this run made the deployment.
func madeBy(found *github.Deployment, run string) bool {
	return run != "" && string(found.Payload) == fmt.Sprintf(`{"appstack_run":%q}`, run)
}

// mayBe tells whether the deployment can be that of the job's `environment:`. Where the job
// has no number, one of another name may as well be a neighbour's.
func (d Deployment) mayBe(found *github.Deployment) bool {
	named := found.GetEnvironment() == d.Environment || d.Alone && d.Job.ID != ""
	return d.Job.Run != "" && named && found.GetCreator().GetLogin() == "github-actions[bot]" && found.GetTask() == "deploy"
}

// isJobs tells whether the runner made the deployment for this job and has not ended it:
// the job is in the address of a status' log.
func (c *Client) isJobs(ctx context.Context, found *github.Deployment, d Deployment) bool {
	statuses, _, err := c.gh.Repositories.ListDeploymentStatuses(ctx, c.owner, c.repo, found.GetID(), &github.ListOptions{PerPage: 10})
	if err != nil || len(statuses) == 0 || !slices.Contains(atWork, statuses[0].GetState()) {
		return false
	}
	return slices.ContainsFunc(statuses, func(s *github.DeploymentStatus) bool {
		m := jobURL.FindStringSubmatch(s.GetLogURL())
		return m != nil && m[1] == d.Job.Run && (d.Job.ID == "" || m[2] == d.Job.ID)
	})
}

// atWork are the states of a deployment that has not ended.
var atWork = []string{"in_progress", "queued", "pending", "waiting"}

// jobURL is the address of a run's or a job's log, with their numbers. GitHub wrote jobs/
// where it writes job/ now.
var jobURL = regexp.MustCompile(`/actions/runs/(\d+)(?:/jobs?/(\d+))?`)
