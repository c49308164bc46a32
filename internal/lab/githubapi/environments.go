package githubapi

import (
	"net/http"
	"net/url"
	"slices"
)

func (c *call) environment(e *Environment) obj {
	self := c.url("/environments/%s", url.PathEscape(e.Name))
	o := obj{
		"id": e.ID, "node_id": nodeID("EN", e.ID), "name": e.Name, "url": self,
		"html_url":   c.links.web + "/" + c.repo.Name + "/deployments?environment=" + url.QueryEscape(e.Name),
		"created_at": stamp(e.Created), "updated_at": stamp(e.Updated),
		"protection_rules": []obj{}, "deployment_branch_policy": nil,
	}
	if e.WaitTimer > 0 {
		o["protection_rules"] = []obj{{"id": e.ID, "node_id": nodeID("GA", e.ID), "type": "wait_timer", "wait_timer": e.WaitTimer}}
	}
	if e.ProtectedOnly || e.CustomPolicies {
		o["deployment_branch_policy"] = obj{"protected_branches": e.ProtectedOnly, "custom_branch_policies": e.CustomPolicies}
	}
	return o
}

func listEnvironments(c *call) (*reply, error) {
	return counted(c, "environments", c.repo.Environments, c.environment)
}

func (c *call) findEnvironment() (*Environment, error) {
	if e := c.repo.environment(c.r.PathValue("environment_name")); e != nil {
		return e, nil
	}
	return nil, notFound()
}

func getEnvironment(c *call) (*reply, error) {
	e, err := c.findEnvironment()
	if err != nil {
		return nil, err
	}
	return ok(c.environment(e))
}

func putEnvironment(c *call) (*reply, error) {
	var in struct {
		WaitTimer int `json:"wait_timer"`
		Policy    *struct {
			Protected bool `json:"protected_branches"`
			Custom    bool `json:"custom_branch_policies"`
		} `json:"deployment_branch_policy"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.WaitTimer < 0 || in.WaitTimer > 43200 {
		return nil, invalid("Environment", "wait_timer", "invalid", "")
	}
	if p := in.Policy; p != nil && p.Protected == p.Custom {
		return nil, problem(http.StatusUnprocessableEntity, "protected_branches and custom_branch_policies cannot have the same value")
	}
	e := c.state.ensureEnvironment(c.repo, c.r.PathValue("environment_name"), c.now())
	e.WaitTimer, e.Updated = in.WaitTimer, c.now()
	e.ProtectedOnly = in.Policy != nil && in.Policy.Protected
	e.CustomPolicies = in.Policy != nil && in.Policy.Custom
	return ok(c.environment(e))
}

// deleteEnvironment takes the environment's deployments with it, as GitHub does.
func deleteEnvironment(c *call) (*reply, error) {
	e, err := c.findEnvironment()
	if err != nil {
		return nil, err
	}
	c.repo.Environments = slices.DeleteFunc(c.repo.Environments, func(o *Environment) bool { return o == e })
	c.repo.Deployments = slices.DeleteFunc(c.repo.Deployments, func(d *Deployment) bool { return d.Environment == e.Name })
	return noContent()
}
