package action

import (
	"cmp"
	"fmt"
	"os"

	"github.com/org/appstack-action/internal/event"
)

// Run is the workflow run that the program works in.
type Run struct {
	ID, Attempt string
	Job         string
	Workflow    string
	ServerURL   string // https://github.com
	APIURL      string // https://api.github.com
	Workspace   string // where actions/checkout puts the repository
	Repository  string // owner/name
	SHA         string // of a pull request's event, a merge commit of GitHub's own
}

// ReadRun reads the run from the environment.
func ReadRun(getenv func(string) string) Run {
	return Run{
		ID:         getenv("GITHUB_RUN_ID"),
		Attempt:    cmp.Or(getenv("GITHUB_RUN_ATTEMPT"), "1"),
		Job:        getenv("GITHUB_JOB"),
		Workflow:   getenv("GITHUB_WORKFLOW"),
		ServerURL:  cmp.Or(getenv("GITHUB_SERVER_URL"), "https://github.com"),
		APIURL:     cmp.Or(getenv("GITHUB_API_URL"), "https://api.github.com"),
		Workspace:  getenv("GITHUB_WORKSPACE"),
		Repository: getenv("GITHUB_REPOSITORY"),
		SHA:        getenv("GITHUB_SHA"),
	}
}

// URL is the page of the run, empty outside of one.
func (r Run) URL() string {
	if r.ID == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s/actions/runs/%s/attempts/%s", r.ServerURL, r.Repository, r.ID, r.Attempt)
}

// ReadEvent reads the event that started the run.
func ReadEvent(getenv func(string) string) (event.Event, error) {
	name := getenv("GITHUB_EVENT_NAME")
	var payload []byte
	if path := getenv("GITHUB_EVENT_PATH"); path != "" {
		var err error
		if payload, err = os.ReadFile(path); err != nil {
			return event.Event{}, fmt.Errorf("cannot read the event: %w", err)
		}
	}
	return event.Parse(name, payload, getenv)
}
