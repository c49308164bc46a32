package stage

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/org/appstack-action/internal/lab/githubapi"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/runner"
)

// Pushed is a push to dev.
type Pushed struct {
	Before, After string
	Message       string
}

// Push commits files and pushes dev with git.
func (s *Stage) Push(ctx context.Context, files gitrepo.Files, message string) (Pushed, error) {
	before, err := s.git(ctx, "ls-remote", "origin", "refs/heads/dev")
	if err != nil {
		return Pushed{}, err
	}
	p := Pushed{Before: strings.Repeat("0", 40), Message: message}
	if sha, _, ok := strings.Cut(before, "\t"); ok {
		p.Before = sha
	}
	if p.After, err = s.Commit(ctx, files, message); err != nil {
		return p, err
	}
	_, err = s.git(ctx, "push", "--quiet", "origin", "dev")
	return p, err
}

// Head is the push that brought dev to where it is.
func (s *Stage) Head(ctx context.Context) (Pushed, error) {
	after, err := s.git(ctx, "rev-parse", "dev")
	if err != nil {
		return Pushed{}, err
	}
	before, err := s.git(ctx, "rev-parse", "dev^")
	return Pushed{Before: before, After: after, Message: "deploy with appstack"}, err
}

// PushJob is the job that a push sets to work, with a token of its own.
func (s *Stage) PushJob(p Pushed) (runner.Job, error) {
	payload, err := runner.Push(s.payload("push"), s.Repository, "dev", p.Before, p.After, p.Message, Actor)
	if err != nil {
		return runner.Job{}, err
	}
	return s.job(runner.Job{Event: "push", Payload: payload, Ref: "refs/heads/dev", SHA: p.After}, "dev", p.After)
}

// PullJob is the job of a pull_request event. The runner's GITHUB_SHA is that of a
// merge commit, which is not the commit to plan.
func (s *Stage) PullJob(p runner.Pull) (runner.Job, error) {
	p.Repository = s.Repository
	payload, err := runner.PullRequest(s.payload("pull_request."+p.Action), p)
	if err != nil {
		return runner.Job{}, err
	}
	return s.job(runner.Job{
		Event: "pull_request", Payload: payload, Ref: fmt.Sprintf("refs/pull/%d/merge", p.Number),
		SHA: strings.Repeat("5", 40), HeadRef: p.Head, BaseRef: p.Base,
	}, p.Head, p.HeadSHA)
}

// EventJob is the job of another event; kind names the recorded payload to build on, and
// changes say what is in its place.
func (s *Stage) EventJob(event, kind, ref, sha string, changes map[string]any) (runner.Job, error) {
	payload, err := runner.Payload(s.payload(kind), s.Repository, Actor, changes)
	if err != nil {
		return runner.Job{}, err
	}
	return s.job(runner.Job{Event: event, Payload: payload, Ref: ref, SHA: sha}, strings.TrimPrefix(ref, "refs/heads/"), sha)
}

func (s *Stage) payload(event string) []byte {
	if s.Payload == nil {
		return nil
	}
	return s.Payload(event)
}

// job files the run with GitHub and gives it what the quick start's workflow does.
func (s *Stage) job(j runner.Job, branch, sha string) (runner.Job, error) {
	var err error
	j.RunID, err = s.Lab.GitHub.AddRun(s.Repository, githubapi.Run{
		Name: "appstack", Path: ".github/workflows/appstack.yml", Event: j.Event, Branch: branch, SHA: sha, Actor: Actor,
		Jobs: []githubapi.Job{{Name: "deploy", Environment: s.Environment}},
	})
	if err != nil {
		return j, err
	}
	jobs, err := s.Lab.GitHub.Jobs(s.Repository, j.RunID)
	if err != nil {
		return j, err
	}
	j.ID = jobs[0].ID
	j.Repository, j.Actor, j.Token = s.Repository, Actor, "ghs_"+rand.Text()+rand.Text()
	j.With = map[string]string{"age-key": s.Identity}
	j.Secrets = []string{s.Identity}
	s.Lab.GitHub.AddToken(githubapi.Token{
		Value: j.Token, Kind: githubapi.JobToken, Repos: []string{s.Repository}, Permissions: githubapi.DefaultPermissions(),
	})
	return j, nil
}

// Over ends a job's run on GitHub, and its token.
func (s *Stage) Over(j runner.Job, res *runner.Result) error {
	conclusion := "success"
	if res.ExitCode != 0 {
		conclusion = "failure"
	}
	s.Lab.GitHub.RevokeToken(j.Token)
	return s.Lab.GitHub.CompleteRun(s.Repository, j.RunID, conclusion)
}

// Run runs a job, its post step included, as the runner does.
func (s *Stage) Run(ctx context.Context, j runner.Job) (*runner.Result, error) {
	res, err := s.Runner.Run(ctx, j)
	if err != nil {
		return nil, err
	}
	post, err := s.Runner.Post(ctx, j, res)
	if err != nil {
		return res, err
	}
	if post.ExitCode != 0 {
		return res, fmt.Errorf("the post step ends with %d:\n%s", post.ExitCode, post.Log)
	}
	return res, s.Over(j, res)
}
