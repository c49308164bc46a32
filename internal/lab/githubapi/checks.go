package githubapi

import (
	"net/http"
	"slices"
	"time"
)

func (c *call) checkRun(run *CheckRun) obj {
	self := c.url("/check-runs/%d", run.ID)
	return obj{
		"id": run.ID, "node_id": nodeID("CR", run.ID), "name": run.Name, "head_sha": run.SHA,
		"status": run.Status, "conclusion": orNull(run.Conclusion), "external_id": run.ExternalID,
		"url": self, "html_url": c.links.web + "/" + c.repo.Name + "/runs/" + itoa(int(run.ID)), "details_url": orNull(run.DetailsURL),
		"started_at": stamp(run.Started), "completed_at": stamp(run.CompletedAt),
		"output": obj{
			"title": orNull(run.Title), "summary": orNull(run.Summary), "text": orNull(run.Text),
			"annotations_count": run.Annotations, "annotations_url": self + "/annotations",
		},
		"check_suite": obj{"id": numberOf(run.App + run.SHA)}, "app": c.links.app(run.App), "pull_requests": []any{},
	}
}

type checkRequest struct {
	Name, Status, Conclusion string
	HeadSHA                  string    `json:"head_sha"`
	DetailsURL               string    `json:"details_url"`
	ExternalID               string    `json:"external_id"`
	StartedAt                time.Time `json:"started_at"`
	CompletedAt              time.Time `json:"completed_at"`
	Output                   *checkOutput
}

type checkOutput struct {
	Title, Summary, Text string
	Annotations          []any
}

// maxCheckText is GitHub's limit of a check run's summary and text, in characters.
const maxCheckText = 65535

// apply takes over what a request says; a conclusion completes the run.
func (run *CheckRun) apply(in checkRequest, now time.Time) error {
	if in.Status == "completed" && in.Conclusion == "" && run.Conclusion == "" {
		return invalid("CheckRun", "conclusion", "missing_field", "")
	}
	if in.Output != nil {
		if len(in.Output.Summary) > maxCheckText || len(in.Output.Text) > maxCheckText {
			return problem(http.StatusUnprocessableEntity, "Invalid request.\n\nOnly 65535 characters are allowed; %d were supplied.", max(len(in.Output.Summary), len(in.Output.Text)))
		}
		run.Title, run.Summary, run.Text = in.Output.Title, in.Output.Summary, in.Output.Text
		run.Annotations += len(in.Output.Annotations)
	}
	set(&run.Name, in.Name)
	set(&run.DetailsURL, in.DetailsURL)
	set(&run.ExternalID, in.ExternalID)
	set(&run.Status, in.Status)
	if !in.StartedAt.IsZero() {
		run.Started = in.StartedAt
	}
	if in.Conclusion != "" {
		run.Conclusion, run.Status, run.CompletedAt = in.Conclusion, "completed", now
		if !in.CompletedAt.IsZero() {
			run.CompletedAt = in.CompletedAt
		}
	}
	return nil
}

func set(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// createCheckRun is for apps, of which a workflow's token is one; people can't.
func createCheckRun(c *call) (*reply, error) {
	if c.token.app() == "" {
		return nil, problem(http.StatusForbidden, "You must authenticate via a GitHub App.")
	}
	var in checkRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, invalid("CheckRun", "name", "missing_field", "")
	}
	sha, err := c.repo.git().Resolve(in.HeadSHA)
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "No commit found for SHA: %s", in.HeadSHA)
	}
	run := &CheckRun{SHA: sha, Status: "queued", App: c.token.app(), Started: c.now()}
	if err := run.apply(in, c.now()); err != nil {
		return nil, err
	}
	run.ID = c.state.id()
	c.repo.CheckRuns = append(c.repo.CheckRuns, run)
	return created(c.checkRun(run))
}

func (c *call) findCheckRun() (*CheckRun, error) {
	id, err := c.id("check_run_id")
	if err != nil {
		return nil, err
	}
	if run := find(c.repo.CheckRuns, func(r *CheckRun) bool { return r.ID == id }); run != nil {
		return run, nil
	}
	return nil, notFound()
}

func getCheckRun(c *call) (*reply, error) {
	run, err := c.findCheckRun()
	if err != nil {
		return nil, err
	}
	return ok(c.checkRun(run))
}

func editCheckRun(c *call) (*reply, error) {
	run, err := c.findCheckRun()
	if err != nil {
		return nil, err
	}
	if run.App != c.token.app() {
		return nil, problem(http.StatusForbidden, "Invalid app_id `%d` - check run can only be modified by the GitHub App that created it.", numberOf(c.token.app()))
	}
	var in checkRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := run.apply(in, c.now()); err != nil {
		return nil, err
	}
	return ok(c.checkRun(run))
}

// listCheckRuns answers, like GitHub's filter `latest`, the newest run of each name,
// newest first.
func listCheckRuns(c *call) (*reply, error) {
	sha, err := c.repo.git().Resolve(c.r.PathValue("ref"))
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "No commit found for SHA: %s", c.r.PathValue("ref"))
	}
	q := c.r.URL.Query()
	seen := map[string]bool{}
	var list []*CheckRun
	for _, run := range slices.Backward(c.repo.CheckRuns) {
		if run.SHA != sha || seen[run.Name] && q.Get("filter") != "all" {
			continue
		}
		seen[run.Name] = true
		if (q.Get("check_name") == "" || q.Get("check_name") == run.Name) && (q.Get("status") == "" || q.Get("status") == run.Status) {
			list = append(list, run)
		}
	}
	return counted(c, "check_runs", list, c.checkRun)
}
