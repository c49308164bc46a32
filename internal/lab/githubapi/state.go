package githubapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// state is all that survives a restart.
type state struct {
	NextID int64
	Repos  map[string]*repository // by owner/name
	Tokens map[string]*Token      // by value

	saved string // the last content of the file
}

type repository struct {
	Name         string // owner/name
	ID           int64
	Git          string // the bare repository's directory
	Public       bool
	Created      time.Time
	Pulls        []*Pull
	Comments     []*Comment
	Deployments  []*Deployment
	Environments []*Environment
	CheckRuns    []*CheckRun
	Statuses     []*CommitStatus
	Runs         []*Run
}

func (r *repository) git() gitrepo.Repo { return gitrepo.Repo{Dir: r.Git} }

// Pull is a pull request.
type Pull struct {
	ID          int64
	Number      int
	Title, Body string
	Author      string // login
	Head, Base  string // branches
	HeadRepo    string // owner/name of a fork; empty: the same repository
	HeadSHA     string // of a closed pull request; an open one follows its branch
	MergeSHA    string
	MergedBy    string
	Draft       bool
	Locked      bool
	Labels      []string
	State       string // open or closed
	Created     time.Time
	Updated     time.Time
	Closed      time.Time
	Merged      time.Time
}

// Comment is a comment of a pull request's conversation.
type Comment struct {
	ID               int64
	Issue            int
	Author           string // login
	App              string // slug of the app that wrote it; empty: a person
	Body             string
	Created, Updated time.Time
}

// Deployment is a deployment with its statuses, oldest first.
type Deployment struct {
	ID                    int64
	SHA, Ref, Task        string
	Environment, Original string
	Payload               json.RawMessage
	Description           string
	Creator, App          string
	Transient, Production bool
	Created, Updated      time.Time
	Statuses              []*DeploymentStatus
}

// State is the deployment's newest state, "pending" before the first status.
func (d *Deployment) State() string {
	if len(d.Statuses) == 0 {
		return "pending"
	}
	return d.Statuses[len(d.Statuses)-1].State
}

// URL is the newest environment URL that a status gave.
func (d *Deployment) URL() string {
	for i := len(d.Statuses) - 1; i >= 0; i-- {
		if u := d.Statuses[i].EnvironmentURL; u != "" {
			return u
		}
	}
	return ""
}

// DeploymentStatus is one status of a deployment.
type DeploymentStatus struct {
	ID                     int64
	State, Description     string
	Environment            string
	LogURL, EnvironmentURL string
	Creator, App           string
	Created                time.Time
}

// Environment is a deployment environment of a repository.
type Environment struct {
	ID               int64
	Name             string
	WaitTimer        int // minutes
	ProtectedOnly    bool
	CustomPolicies   bool
	Created, Updated time.Time
}

// CheckRun is a check run on a commit.
type CheckRun struct {
	ID                   int64
	Name, SHA            string
	Status, Conclusion   string
	DetailsURL           string
	ExternalID           string
	Title, Summary, Text string
	Annotations          int
	App                  string
	Started, CompletedAt time.Time
}

// CommitStatus is a commit status, the older sibling of a check run.
type CommitStatus struct {
	ID                          int64
	SHA, State, Context         string
	Description, Target, Author string
	Created                     time.Time
}

// Run is a run of a GitHub Actions workflow.
type Run struct {
	ID                 int64
	Number, Attempt    int
	Name, Path, Event  string // "Deploy", ".github/workflows/deploy.yml", "push"
	Branch, SHA, Actor string
	Status, Conclusion string // queued, in_progress, completed; success, …
	Jobs               []Job
	Pending            []string // environments that wait for a review
	Created            time.Time
}

// Job is a job of a run.
type Job struct {
	ID                 int64
	Name               string
	Status, Conclusion string
	// Environment is the job's `environment:`, for which GitHub makes a deployment.
	Environment string
}

const stateFile = "github.json"

func loadState(dir string) (state, error) {
	st := state{NextID: 1_000_000_000, Repos: map[string]*repository{}, Tokens: map[string]*Token{}}
	if dir == "" {
		return st, nil
	}
	raw, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &st)
	}
	if err != nil {
		return st, fmt.Errorf("cannot read the state of the GitHub look-alike: %w", err)
	}
	st.saved = string(raw)
	return st, nil
}

// save writes the state when it changed: beside the old file first, so that a crash
// leaves one of the two whole. The file holds tokens, so nobody else may read it.
func (st *state) save(dir string) error {
	if dir == "" {
		return nil
	}
	raw, err := json.MarshalIndent(st, "", "\t")
	if err != nil || string(raw) == st.saved {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, stateFile)
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	st.saved = string(raw)
	return nil
}

func (st *state) id() int64 {
	st.NextID++
	return st.NextID
}

func find[T any](list []*T, match func(*T) bool) *T {
	for _, v := range list {
		if match(v) {
			return v
		}
	}
	return nil
}

func (r *repository) pull(number int) *Pull {
	return find(r.Pulls, func(p *Pull) bool { return p.Number == number })
}

func (r *repository) deployment(id int64) *Deployment {
	return find(r.Deployments, func(d *Deployment) bool { return d.ID == id })
}

func (r *repository) environment(name string) *Environment {
	return find(r.Environments, func(e *Environment) bool { return e.Name == name })
}

// ensureEnvironment makes the environment that a deployment names, as GitHub does.
func (st *state) ensureEnvironment(r *repository, name string, now time.Time) *Environment {
	e := r.environment(name)
	if e == nil {
		e = &Environment{ID: st.id(), Name: name, Created: now, Updated: now}
		r.Environments = append(r.Environments, e)
	}
	return e
}
