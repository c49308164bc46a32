package githubapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

func (c *call) deployment(d *Deployment) obj {
	self := c.url("/deployments/%d", d.ID)
	return obj{
		"id": d.ID, "node_id": nodeID("DE", d.ID), "sha": d.SHA, "ref": d.Ref, "task": d.Task,
		"environment": d.Environment, "original_environment": d.Original, "payload": d.Payload, "description": orNull(d.Description),
		"creator": c.links.user(d.Creator), "transient_environment": d.Transient, "production_environment": d.Production,
		"url": self, "statuses_url": self + "/statuses", "repository_url": c.url(""),
		"created_at": stamp(d.Created), "updated_at": stamp(d.Updated), "performed_via_github_app": c.links.app(d.App),
	}
}

// listDeployments answers the newest first.
func listDeployments(c *call) (*reply, error) {
	q := c.r.URL.Query()
	wants := func(name, value string) bool {
		return q.Get(name) == "" || q.Get(name) == "none" || q.Get(name) == value
	}
	var list []*Deployment
	for _, d := range slices.Backward(c.repo.Deployments) {
		if wants("sha", d.SHA) && wants("ref", d.Ref) && wants("task", d.Task) && wants("environment", d.Environment) {
			list = append(list, d)
		}
	}
	return paged(c, list, c.deployment)
}

// deploymentRequest is the body of a deployment to be; the pointers tell "left out".
type deploymentRequest struct {
	Ref              string
	Task             string
	AutoMerge        *bool     `json:"auto_merge"`
	RequiredContexts *[]string `json:"required_contexts"`
	Payload          json.RawMessage
	Environment      string
	Description      *string
	Transient        bool  `json:"transient_environment"`
	Production       *bool `json:"production_environment"`
}

func createDeployment(c *call) (*reply, error) {
	in := deploymentRequest{Task: "deploy", Environment: "production", Payload: json.RawMessage(`""`)}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Ref == "" {
		return nil, invalid("Deployment", "ref", "missing_field", "")
	}
	sha, err := c.repo.git().Resolve(in.Ref)
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "No ref found for: %s", in.Ref)
	}
	if in.Environment == "" || utf8.RuneCountInString(in.Environment) > 255 {
		return nil, invalid("Deployment", "environment", "invalid", "")
	}
	if in.AutoMerge == nil || *in.AutoMerge {
		if rep, err := c.autoMerge(in.Ref); rep != nil || err != nil {
			return rep, err
		}
	}
	if err := c.checkContexts(in, sha); err != nil {
		return nil, err
	}
	return created(c.deployment(c.addDeployment(in, sha)))
}

func (c *call) addDeployment(in deploymentRequest, sha string) *Deployment {
	d := &Deployment{
		ID: c.state.id(), SHA: sha, Ref: in.Ref, Task: in.Task, Environment: in.Environment, Original: in.Environment,
		Payload: in.Payload, Creator: c.token.author(), App: c.token.app(),
		Transient: in.Transient, Production: in.Environment == "production",
		Created: c.now(), Updated: c.now(),
	}
	if in.Production != nil {
		d.Production = *in.Production
	}
	if in.Description != nil {
		d.Description = *in.Description
	}
	c.repo.Deployments = append(c.repo.Deployments, d)
	c.state.ensureEnvironment(c.repo, d.Environment, c.now())
	return d
}

// autoMerge merges the default branch into a branch that is behind it, which is what
// GitHub does unless it is told not to. A deployed SHA or tag can't be merged into.
func (c *call) autoMerge(ref string) (*reply, error) {
	git := c.repo.git()
	def, err := git.DefaultBranch()
	if err != nil || ref == def {
		return nil, err
	}
	if branches, err := git.Refs("refs/heads/" + ref); err != nil || len(branches) == 0 || branches[0].Name != "refs/heads/"+ref {
		return nil, err
	}
	if behind, err := git.Count(ref, def); err != nil || behind == 0 {
		return nil, err
	}
	_, err = git.Merge(ref, def, "Merge branch '"+def+"' into "+ref, gitrepo.CommitOptions{Author: c.token.author(), Email: "deploy@lab.invalid"})
	if errors.Is(err, gitrepo.ErrConflict) {
		return nil, problem(http.StatusConflict, "Conflict merging %s into %s.", def, ref)
	}
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusAccepted, body: obj{"message": "Auto-merged " + def + " into " + ref + " on deployment."}}, nil
}

// checkContexts refuses while checks of the commit are not green. Without
// required_contexts that means all of them, the run that deploys included.
func (c *call) checkContexts(in deploymentRequest, sha string) error {
	states := c.contexts(sha)
	names := make([]string, 0, len(states))
	for name := range states {
		names = append(names, name)
	}
	slices.Sort(names)
	if in.RequiredContexts != nil {
		names = *in.RequiredContexts
	}
	var red []obj
	for _, name := range names {
		state, known := states[name]
		if !known {
			state = "pending"
		}
		if state != "success" {
			red = append(red, obj{"context": name, "state": state})
		}
	}
	if red == nil {
		return nil
	}
	e := problem(http.StatusConflict, "Conflict: Commit status checks failed for %s.", in.Ref)
	e.errors = []obj{{"contexts": red, "resource": "Deployment", "field": "required_contexts", "code": "invalid"}}
	return e
}

// contexts are the newest states of a commit's statuses and check runs, by name.
func (c *call) contexts(sha string) map[string]string {
	states := map[string]string{}
	for _, st := range c.repo.Statuses {
		if st.SHA == sha {
			states[st.Context] = st.State
		}
	}
	for _, run := range c.repo.CheckRuns {
		if run.SHA != sha {
			continue
		}
		switch {
		case run.Status != "completed":
			states[run.Name] = "pending"
		case slices.Contains([]string{"success", "neutral", "skipped"}, run.Conclusion):
			states[run.Name] = "success"
		default:
			states[run.Name] = "failure"
		}
	}
	return states
}

func (c *call) findDeployment() (*Deployment, error) {
	id, err := c.id("deployment_id")
	if err != nil {
		return nil, err
	}
	if d := c.repo.deployment(id); d != nil {
		return d, nil
	}
	return nil, notFound()
}

func getDeployment(c *call) (*reply, error) {
	d, err := c.findDeployment()
	if err != nil {
		return nil, err
	}
	return ok(c.deployment(d))
}

// deleteDeployment keeps an active deployment unless it is the repository's only one.
func deleteDeployment(c *call) (*reply, error) {
	d, err := c.findDeployment()
	if err != nil {
		return nil, err
	}
	if len(c.repo.Deployments) > 1 && d.State() != "inactive" {
		return nil, problem(http.StatusUnprocessableEntity, "We cannot delete an active deployment unless it is the only deployment in a given environment.")
	}
	c.repo.Deployments = slices.DeleteFunc(c.repo.Deployments, func(o *Deployment) bool { return o == d })
	return noContent()
}

func (c *call) status(d *Deployment) func(*DeploymentStatus) obj {
	return func(st *DeploymentStatus) obj {
		dep := c.url("/deployments/%d", d.ID)
		return obj{
			"id": st.ID, "node_id": nodeID("DES", st.ID), "state": st.State, "description": st.Description,
			"creator": c.links.user(st.Creator), "environment": st.Environment, "environment_url": st.EnvironmentURL,
			"target_url": st.LogURL, "log_url": st.LogURL, "url": dep + "/statuses/" + itoa(int(st.ID)),
			"deployment_url": dep, "repository_url": c.url(""),
			"created_at": stamp(st.Created), "updated_at": stamp(st.Created), "performed_via_github_app": c.links.app(st.App),
		}
	}
}

// listStatuses answers the newest first.
func listStatuses(c *call) (*reply, error) {
	d, err := c.findDeployment()
	if err != nil {
		return nil, err
	}
	list := slices.Clone(d.Statuses)
	slices.Reverse(list)
	return paged(c, list, c.status(d))
}

func getStatus(c *call) (*reply, error) {
	d, err := c.findDeployment()
	if err != nil {
		return nil, err
	}
	id, err := c.id("status_id")
	if err != nil {
		return nil, err
	}
	st := find(d.Statuses, func(st *DeploymentStatus) bool { return st.ID == id })
	if st == nil {
		return nil, notFound()
	}
	return ok(c.status(d)(st))
}

// deploymentStates are the states that a status may set.
var deploymentStates = []string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}

// maxStatusDescription is in characters, as GitHub counts them.
const maxStatusDescription = 140

type statusRequest struct {
	State, Description, Environment string
	TargetURL                       string `json:"target_url"`
	LogURL                          string `json:"log_url"`
	EnvironmentURL                  string `json:"environment_url"`
	AutoInactive                    *bool  `json:"auto_inactive"`
}

func (in *statusRequest) check() error {
	const resource = "DeploymentStatus"
	if !slices.Contains(deploymentStates, in.State) {
		return invalid(resource, "state", "custom", "state is not included in the list")
	}
	if utf8.RuneCountInString(in.Description) > maxStatusDescription {
		return invalid(resource, "description", "custom", "description is too long (maximum is 140 characters)")
	}
	if in.LogURL == "" {
		in.LogURL = in.TargetURL
	}
	for _, field := range []struct{ name, value string }{{"target_url", in.LogURL}, {"environment_url", in.EnvironmentURL}} {
		u, err := url.Parse(field.value)
		if field.value != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return invalid(resource, field.name, "custom", field.name+" must use http(s) scheme")
		}
	}
	return nil
}

func createStatus(c *call) (*reply, error) {
	d, err := c.findDeployment()
	if err != nil {
		return nil, err
	}
	var in statusRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if in.Environment != "" && in.Environment != d.Environment {
		d.Environment = in.Environment
		c.state.ensureEnvironment(c.repo, d.Environment, c.now())
	}
	st := c.addStatus(d, DeploymentStatus{State: in.State, Description: in.Description, LogURL: in.LogURL, EnvironmentURL: in.EnvironmentURL})
	if in.State == "success" && (in.AutoInactive == nil || *in.AutoInactive) {
		c.retire(d)
	}
	return created(c.status(d)(st))
}

func (c *call) addStatus(d *Deployment, st DeploymentStatus) *DeploymentStatus {
	st.ID, st.Environment, st.Created = c.state.id(), d.Environment, c.now()
	st.Creator, st.App = c.token.author(), c.token.app()
	d.Statuses = append(d.Statuses, &st)
	d.Updated = st.Created
	return &st
}

// retire adds `inactive` to the earlier successful deployments of the environment, but
// never to transient or production ones: those its maker must retire.
func (c *call) retire(current *Deployment) {
	for _, d := range c.repo.Deployments {
		if d.ID < current.ID && d.Environment == current.Environment && !d.Transient && !d.Production && d.State() == "success" {
			c.addStatus(d, DeploymentStatus{State: "inactive"})
		}
	}
}
