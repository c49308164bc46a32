package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/org/appstack-action/internal/github"
	"github.com/org/appstack-action/internal/report"
)

// GitHub publishes reports: the comment on the pull request and the deployment.
// What GitHub does not let it do is told once, as a warning, and stops nothing.
type GitHub struct {
	Client      *github.Client
	PullRequest int // of the event; 0: found by the commit
	Comment     bool
	Deployment  bool
	Job         github.Job
	// Alone tells whether the run works on one environment only; nil: no.
	Alone func() bool
	// Opened hears of each deployment that must be ended, so that the action's post
	// step can do it if this program is killed.
	Opened func(environment string, id int64)

	mu     sync.Mutex
	number map[string]int               // pull requests by commit
	open   map[string]github.Deployment // by target
	warned map[string]bool
	last   map[string]string // warnings by environment and what they are about
}

// Publish implements [Publisher].
func (g *GitHub) Publish(ctx context.Context, r *report.Report) {
	if g.Deployment {
		g.warn(r, "deployment", g.deploy(ctx, r))
	}
	if g.Comment {
		g.warn(r, "comment", g.comment(ctx, r))
	}
}

// warn puts what GitHub refused into the report: the same thing only once in a run, and
// of one environment's comment or deployment only what failed last.
func (g *GitHub) warn(r *report.Report, about string, err error) {
	if err == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.warned[err.Error()] {
		return
	}
	if g.warned == nil {
		g.warned, g.last = make(map[string]bool), make(map[string]string)
	}
	key := r.Target() + " " + about
	if before := slices.Index(r.Warnings, g.last[key]); before >= 0 {
		r.Warnings = slices.Delete(r.Warnings, before, before+1)
	}
	g.warned[err.Error()], g.last[key] = true, err.Error()
	r.Warnings = append(r.Warnings, err.Error())
}

func (g *GitHub) comment(ctx context.Context, r *report.Report) error {
	number, err := g.pullRequest(ctx, r.SHA, r.Branch)
	if err != nil || number == 0 {
		return err // without a pull request the job's summary says all of it
	}
	return g.Client.Comment(ctx, number, r.Marker(), report.Comment(*r))
}

// pullRequest finds the pull request of a commit, once.
func (g *GitHub) pullRequest(ctx context.Context, sha, branch string) (int, error) {
	if g.PullRequest != 0 || sha == "" {
		return g.PullRequest, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if n, ok := g.number[sha]; ok {
		return n, nil
	}
	n, err := g.Client.PullRequest(ctx, sha, branch)
	if g.number == nil {
		g.number = make(map[string]int)
	}
	g.number[sha] = n // also after an error: it is told once
	return n, err
}

// deploy opens, ends and retires the environment's deployment as the report goes.
func (g *GitHub) deploy(ctx context.Context, r *report.Report) error {
	d := github.Deployment{
		SHA: r.SHA, Environment: r.Target(), Production: r.Protected, LogURL: r.RunURL, URL: r.URL,
		Job: g.Job, Alone: g.Alone != nil && g.Alone(),
	}
	switch r.Status {
	case report.Deploying:
		return g.openDeployment(ctx, r, d)
	case report.Live:
		return g.end(ctx, r, "success", "live")
	case report.Failed, report.RolledBack:
		why, _, _ := strings.Cut(r.Error, "\n")
		return g.end(ctx, r, "failure", why)
	case report.Cancelled:
		return g.end(ctx, r, "error", "cancelled")
	case report.Destroyed:
		return g.Client.RetireDeployments(ctx, d.Environment, 0)
	}
	return nil
}

func (g *GitHub) openDeployment(ctx context.Context, r *report.Report, d github.Deployment) error {
	if r.SHA == "" {
		return nil // nothing is deployed
	}
	open, err := g.Client.OpenDeployment(ctx, d)
	if open.ID == 0 {
		return err
	}
	g.mu.Lock()
	if g.open == nil {
		g.open = make(map[string]github.Deployment)
	}
	g.open[r.Target()] = open
	g.mu.Unlock()
	r.DeploymentID = open.ID
	if g.Opened != nil {
		g.Opened(open.Environment, open.ID)
	}
	return err
}

func (g *GitHub) end(ctx context.Context, r *report.Report, state, description string) error {
	g.mu.Lock()
	d := g.open[r.Target()]
	delete(g.open, r.Target())
	g.mu.Unlock()
	if d.ID == 0 {
		return nil
	}
	if d.URL = r.URL; state != "success" {
		d.URL = ""
	}
	err := g.Client.SetDeployment(ctx, d, state, description)
	if err != nil || state != "success" || d.Environment != r.Target() {
		return err // others may deploy to an environment of another name: it is not ours to tidy
	}
	return g.Client.RetireDeployments(ctx, d.Environment, d.ID)
}

// EndDeployment ends a deployment that a killed run may have left open: the action's post
// step runs after every run.
func EndDeployment(ctx context.Context, client *github.Client, id int64, environment, logURL string) error {
	err := client.AbandonDeployment(ctx, github.Deployment{ID: id, Environment: environment, LogURL: logURL}, "the run was killed")
	if err != nil {
		return fmt.Errorf("cannot end the deployment of %s: %w", environment, err)
	}
	return nil
}
