package githubapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (c *call) run(run *Run) obj {
	self := c.url("/actions/runs/%d", run.ID)
	sha := run.SHA
	return obj{
		"id": run.ID, "node_id": nodeID("WFR", run.ID), "name": run.Name, "display_title": run.Name, "path": run.Path,
		"run_number": run.Number, "run_attempt": run.Attempt, "event": run.Event, "status": run.Status, "conclusion": orNull(run.Conclusion),
		"head_branch": orNull(run.Branch), "head_sha": sha, "workflow_id": numberOf(run.Path), "pull_requests": []any{},
		"actor": c.links.user(run.Actor), "triggering_actor": c.links.user(run.Actor),
		"url": self, "html_url": c.links.web + "/" + c.repo.Name + "/actions/runs/" + itoa(int(run.ID)),
		"jobs_url": self + "/jobs", "logs_url": self + "/logs", "cancel_url": self + "/cancel", "rerun_url": self + "/rerun",
		"artifacts_url": self + "/artifacts", "check_suite_url": c.url("/check-suites/%d", run.ID),
		"workflow_url": c.url("/actions/workflows/%d", numberOf(run.Path)),
		"created_at":   stamp(run.Created), "updated_at": stamp(run.Created), "run_started_at": stamp(run.Created),
		"head_commit": c.simpleCommit(sha), "repository": c.repository(c.repo, false), "head_repository": c.repository(c.repo, false),
	}
}

// simpleCommit is GitHub's nullable-simple-commit.
func (c *call) simpleCommit(sha string) any {
	commit, err := c.repo.git().Commit(sha)
	if err != nil {
		return nil
	}
	return obj{
		"id": commit.SHA, "tree_id": commit.Tree, "message": commit.Message, "timestamp": stamp(commit.Committer.Date),
		"author":    obj{"name": commit.Author.Name, "email": commit.Author.Email},
		"committer": obj{"name": commit.Committer.Name, "email": commit.Committer.Email},
	}
}

func (c *call) job(run *Run) func(Job) obj {
	return func(j Job) obj {
		o := obj{
			"id": j.ID, "node_id": nodeID("CR", j.ID), "run_id": run.ID, "run_attempt": run.Attempt, "name": j.Name,
			"run_url": c.url("/actions/runs/%d", run.ID), "head_sha": run.SHA, "head_branch": orNull(run.Branch), "workflow_name": run.Name,
			"url":           c.url("/actions/jobs/%d", j.ID),
			"html_url":      c.links.web + "/" + c.repo.Name + "/actions/runs/" + itoa(int(run.ID)) + "/job/" + itoa(int(j.ID)),
			"check_run_url": c.url("/check-runs/%d", j.ID), "status": j.Status, "conclusion": orNull(j.Conclusion),
			"labels": []string{"self-hosted"}, "runner_id": 1, "runner_name": "lab", "runner_group_id": 1, "runner_group_name": "Default",
			"created_at": stamp(run.Created), "started_at": stamp(run.Created), "completed_at": nil, "steps": []any{},
		}
		if j.Status == "completed" {
			o["completed_at"] = stamp(run.Created)
		}
		return o
	}
}

func (c *call) findRun() (*Run, error) {
	id, err := c.id("run_id")
	if err != nil {
		return nil, err
	}
	if run := find(c.repo.Runs, func(r *Run) bool { return r.ID == id }); run != nil {
		return run, nil
	}
	return nil, notFound()
}

func getRun(c *call) (*reply, error) {
	run, err := c.findRun()
	if err != nil {
		return nil, err
	}
	return ok(c.run(run))
}

func deleteRun(c *call) (*reply, error) {
	run, err := c.findRun()
	if err != nil {
		return nil, err
	}
	if run.Status != "completed" {
		return nil, problem(http.StatusForbidden, "Could not delete the workflow run")
	}
	c.repo.Runs = slices.DeleteFunc(c.repo.Runs, func(o *Run) bool { return o == run })
	return noContent()
}

func listJobs(c *call) (*reply, error) {
	run, err := c.findRun()
	if err != nil {
		return nil, err
	}
	return counted(c, "jobs", run.Jobs, c.job(run))
}

func listAttemptJobs(c *call) (*reply, error) {
	run, err := c.findRun()
	if err != nil {
		return nil, err
	}
	if c.r.PathValue("attempt_number") != itoa(run.Attempt) {
		return nil, notFound()
	}
	return counted(c, "jobs", run.Jobs, c.job(run))
}

func (c *call) pendingEnvironment(e *Environment) obj {
	return obj{
		"id": e.ID, "node_id": nodeID("EN", e.ID), "name": e.Name, "url": c.url("/environments/%s", e.Name),
		"html_url": c.links.web + "/" + c.repo.Name + "/deployments",
	}
}

func listPending(c *call) (*reply, error) {
	run, err := c.findRun()
	if err != nil {
		return nil, err
	}
	return ok(mapped(run.Pending, func(name string) obj {
		e := c.state.ensureEnvironment(c.repo, name, c.now())
		return obj{
			"environment": c.pendingEnvironment(e), "wait_timer": e.WaitTimer, "wait_timer_started_at": nil,
			"current_user_can_approve": c.token.app() == "", "reviewers": []any{},
		}
	}))
}

func joinIDs(ids []int64) string {
	var out []string
	for _, id := range ids {
		out = append(out, strconv.FormatInt(id, 10))
	}
	return strings.Join(out, ", ")
}

// reviewPending lets a person approve or reject waiting environments.
func reviewPending(c *call) (*reply, error) {
	run, err := c.findRun()
	if err != nil {
		return nil, err
	}
	if c.token.app() != "" {
		return nil, c.token.refusal()
	}
	var in struct {
		IDs     []int64 `json:"environment_ids"`
		State   string
		Comment string
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if len(in.IDs) == 0 || !slices.Contains([]string{"approved", "rejected"}, in.State) {
		return nil, problem(http.StatusUnprocessableEntity, "Invalid request.")
	}
	waiting := func(name string) bool {
		e := c.repo.environment(name)
		return e != nil && slices.Contains(in.IDs, e.ID)
	}
	if !slices.ContainsFunc(run.Pending, waiting) {
		return nil, problem(http.StatusUnprocessableEntity, "There are no pending deployments for environment ids %s", joinIDs(in.IDs))
	}
	run.Pending = slices.DeleteFunc(run.Pending, waiting)
	if in.State == "rejected" {
		run.Status, run.Conclusion = "completed", "failure"
	}
	return ok([]obj{})
}
