package github

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-github/v60/github"
)

const deploymentPermission = "deployments: write"

// maxDescription is how many characters of a status' description GitHub takes.
const maxDescription = 140

// Deployment is what is deployed where.
type Deployment struct {
	SHA         string
	Environment string // "shop/dev"
	Production  bool
	LogURL      string
	URL         string // of the app, once it is live
	RunID       string // the run that deploys: its own deployment is found again by it
}

// deploymentPayload is kept with a deployment.
type deploymentPayload struct {
	AppstackRun string `json:"appstack_run"`
}

// OpenDeployment makes a deployment of this commit and environment and sets it
// in progress. One that this run has open already, by an earlier step or the
// job's own `environment:`, is used instead of a second.
func (c *Client) OpenDeployment(ctx context.Context, d Deployment) (int64, error) {
	id, err := c.ownDeployment(ctx, d)
	if err != nil || id == 0 {
		id, err = c.createDeployment(ctx, d)
	}
	if err != nil {
		return 0, err
	}
	return id, c.SetDeployment(ctx, id, d, "in_progress", "appstack is at work")
}

func (c *Client) createDeployment(ctx context.Context, d Deployment) (int64, error) {
	made, _, err := c.gh.Repositories.CreateDeployment(ctx, c.owner, c.repo, &github.DeploymentRequest{
		Ref:         &d.SHA,
		Environment: &d.Environment,
		AutoMerge:   github.Bool(false),
		// Not nil: that asks for all checks to have passed, and this run is one that has not.
		RequiredContexts:      &[]string{},
		Description:           github.String("appstack"),
		Payload:               deploymentPayload{d.RunID},
		ProductionEnvironment: &d.Production,
		TransientEnvironment:  github.Bool(false),
	})
	if err != nil && !definite(err) {
		if id, findErr := c.ownDeployment(ctx, d); findErr == nil && id != 0 {
			return id, nil
		}
	}
	return made.GetID(), explain(err, "open a deployment", deploymentPermission)
}

// ownDeployment finds the deployment that this run has made, 0 if none. The one
// that the runner makes for a job's `environment:` has the run in its log URL.
func (c *Client) ownDeployment(ctx context.Context, d Deployment) (int64, error) {
	list, _, err := c.gh.Repositories.ListDeployments(ctx, c.owner, c.repo, &github.DeploymentsListOptions{
		SHA: d.SHA, Environment: d.Environment, ListOptions: github.ListOptions{PerPage: 10},
	})
	if err != nil {
		return 0, explain(err, "list the deployments", deploymentPermission)
	}
	for _, found := range list {
		if madeBy(found, d.RunID) || c.isJobs(ctx, found, d.RunID) {
			return found.GetID(), nil
		}
	}
	return 0, nil
}

// madeBy tells whether an earlier step of this run made the deployment.
func madeBy(found *github.Deployment, run string) bool {
	return run != "" && string(found.Payload) == fmt.Sprintf(`{"appstack_run":%q}`, run)
}

// isJobs tells whether the runner made the deployment for this run's job.
func (c *Client) isJobs(ctx context.Context, found *github.Deployment, run string) bool {
	if run == "" || found.GetCreator().GetLogin() != "github-actions[bot]" || found.GetTask() != "deploy" {
		return false
	}
	statuses, _, err := c.gh.Repositories.ListDeploymentStatuses(ctx, c.owner, c.repo, found.GetID(), &github.ListOptions{PerPage: 10})
	if err != nil {
		return false
	}
	for _, s := range statuses {
		if runOfURL(s.GetLogURL()) == run || runOfURL(s.GetTargetURL()) == run {
			return s.GetState() == "in_progress" || s.GetState() == "queued" || s.GetState() == "pending" || s.GetState() == "waiting"
		}
	}
	return false
}

// SetDeployment gives a deployment a state: in_progress, success, failure, error
// or inactive. The description is cut to what GitHub takes.
func (c *Client) SetDeployment(ctx context.Context, id int64, d Deployment, state, description string) error {
	if r := []rune(description); len(r) > maxDescription {
		description = string(r[:maxDescription-1]) + "…"
	}
	s := &github.DeploymentStatusRequest{
		State: &state, Description: &description, Environment: &d.Environment, AutoInactive: github.Bool(false),
	}
	if d.LogURL != "" {
		s.LogURL = &d.LogURL
	}
	if d.URL != "" {
		s.EnvironmentURL = &d.URL
	}
	_, _, err := c.gh.Repositories.CreateDeploymentStatus(ctx, c.owner, c.repo, id, s)
	return explain(err, "set the deployment "+state, deploymentPermission)
}

// AbandonDeployment gives a deployment that nobody works on any more the state error;
// one that has ended keeps its state.
func (c *Client) AbandonDeployment(ctx context.Context, id int64, d Deployment, description string) error {
	last, err := c.lastState(ctx, id)
	if err != nil {
		return err
	}
	switch last {
	case "", "in_progress", "queued", "pending":
		return c.SetDeployment(ctx, id, d, "error", description)
	}
	return nil
}

// RetireDeployments makes the environment's deployments before keep inactive,
// newest first, up to one that is inactive already: GitHub does so by itself only
// for environments that are neither production nor transient, and asking for all
// of a long history runs into its limits.
func (c *Client) RetireDeployments(ctx context.Context, environment string, keep int64) error {
	list, _, err := c.gh.Repositories.ListDeployments(ctx, c.owner, c.repo, &github.DeploymentsListOptions{
		Environment: environment, ListOptions: github.ListOptions{PerPage: 30},
	})
	if err != nil {
		return explain(err, "list the deployments", deploymentPermission)
	}
	for _, old := range list {
		if old.GetID() == keep || keep != 0 && old.GetID() > keep {
			continue
		}
		last, err := c.lastState(ctx, old.GetID())
		if err != nil {
			return err
		}
		if last == "inactive" {
			return nil
		}
		if err := c.SetDeployment(ctx, old.GetID(), Deployment{Environment: environment}, "inactive", "superseded"); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) lastState(ctx context.Context, id int64) (string, error) {
	statuses, res, err := c.gh.Repositories.ListDeploymentStatuses(ctx, c.owner, c.repo, id, &github.ListOptions{PerPage: 1})
	if err != nil {
		return "", explain(err, "read the deployment's statuses", deploymentPermission)
	}
	if res.StatusCode != http.StatusOK || len(statuses) == 0 {
		return "", nil
	}
	return statuses[0].GetState(), nil
}
