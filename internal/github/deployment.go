package github

import (
	"context"
	"net/http"

	"github.com/google/go-github/v60/github"
)

const deploymentPermission = "deployments: write"

// maxDescription is how many characters of a status' description GitHub takes.
const maxDescription = 140

// Deployment is what is deployed where.
type Deployment struct {
	ID          int64 // 0: not opened yet
	SHA         string
	Environment string // "shop/dev"; of the job's own deployment, what its `environment:` says
	Production  bool
	LogURL      string
	URL         string // of the app, once it is live
	Job         Job    // that deploys: its deployment is found again by it
	// Alone tells that the job deploys nothing but this: its `environment:` can only mean
	// this one, whatever its name.
	Alone bool
	// JobsOwn tells that the runner made the deployment for the job's `environment:`, and
	// will end it with the job.
	JobsOwn bool
}

// Job is the job of a workflow run that this program works in. The zero Job is none.
type Job struct {
	Run string
	// ID is the number of its check run, which is in the address of its log. A server older
	// than September 2025 tells it to nobody: empty.
	ID  string
	SHA string // GITHUB_SHA: of a pull request's event, not the commit that is deployed
}

// deploymentPayload is kept with a deployment.
type deploymentPayload struct {
	AppstackRun string `json:"appstack_run"`
}

// OpenDeployment makes a deployment of this commit and environment, sets it in progress
// and returns it with its ID. One that this run has open already, by an earlier step or the
// job's own `environment:`, is used instead of a second.
func (c *Client) OpenDeployment(ctx context.Context, d Deployment) (Deployment, error) {
	open, err := c.ownDeployment(ctx, d)
	if err != nil || open.ID == 0 {
		open, err = c.createDeployment(ctx, d)
	}
	if err != nil {
		return Deployment{}, err
	}
	return open, c.SetDeployment(ctx, open, "in_progress", "appstack is at work")
}

func (c *Client) createDeployment(ctx context.Context, d Deployment) (Deployment, error) {
	made, _, err := c.gh.Repositories.CreateDeployment(ctx, c.owner, c.repo, &github.DeploymentRequest{
		Ref:         &d.SHA,
		Environment: &d.Environment,
		AutoMerge:   github.Bool(false),
		// Not nil: that asks for all checks to have passed, and this run is one that has not.
		RequiredContexts:      &[]string{},
		Description:           github.String("appstack"),
		Payload:               deploymentPayload{d.Job.Run},
		ProductionEnvironment: &d.Production,
		TransientEnvironment:  github.Bool(false),
	})
	if err != nil && !definite(err) {
		if found, findErr := c.ownDeployment(ctx, d); findErr == nil && found.ID != 0 {
			return found, nil
		}
	}
	d.ID = made.GetID()
	return d, explain(err, "open a deployment", deploymentPermission)
}

// SetDeployment gives a deployment a state: in_progress, success, failure, error
// or inactive. The description is cut to what GitHub takes.
func (c *Client) SetDeployment(ctx context.Context, d Deployment, state, description string) error {
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
	_, _, err := c.gh.Repositories.CreateDeploymentStatus(ctx, c.owner, c.repo, d.ID, s)
	return explain(err, "set the deployment "+state, deploymentPermission)
}

// AbandonDeployment gives a deployment that nobody works on any more the state error;
// one that has ended keeps its state.
func (c *Client) AbandonDeployment(ctx context.Context, d Deployment, description string) error {
	last, err := c.lastState(ctx, d.ID)
	if err != nil {
		return err
	}
	switch last {
	case "", "in_progress", "queued", "pending":
		return c.SetDeployment(ctx, d, "error", description)
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
		if err := c.SetDeployment(ctx, Deployment{ID: old.GetID(), Environment: environment}, "inactive", "superseded"); err != nil {
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
