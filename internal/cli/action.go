package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/appstack-action/internal/action"
	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/github"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/stack"
	"github.com/org/appstack-action/internal/vault"
)

// actionCommand is the image's entry point.
func actionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:    "action",
		Short:  "Run as a GitHub Action",
		Long:   "action runs as the entry point of the GitHub Action: inputs and event come from the\nenvironment, as GitHub's runner sets it.",
		Hidden: true,
		Args:   noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return g.action(c.Context())
		},
	}
}

// actionRun is one run of the action.
type actionRun struct {
	g      *globals
	runner *action.Runner
	in     action.Inputs
	run    action.Run
	event  event.Event
	github *github.Client

	selected []*stack.Env
}

// action reads what the runner gives, runs, and hands back what it expects.
func (g *globals) action(ctx context.Context) error {
	runner := action.NewRunner(g.raw, g.Getenv, g.hide)
	defer runner.Close()
	a := &actionRun{g: g, runner: runner, run: action.ReadRun(g.Getenv)}
	reports, err := a.do(ctx)
	return a.hand(reports, err)
}

func (a *actionRun) do(ctx context.Context) ([]report.Report, error) {
	var err error
	if a.in, err = action.ReadInputs(a.g.Getenv); err != nil {
		return nil, err
	}
	if err := a.mask(); err != nil {
		return nil, err
	}
	if a.event, err = action.ReadEvent(a.g.Getenv); err != nil {
		return nil, err
	}
	if a.github, err = a.client(); err != nil {
		return nil, err
	}
	run, err := a.prepare()
	if err != nil {
		return nil, err
	}
	if run.Source.Temp != "" {
		defer os.RemoveAll(run.Source.Temp)
	}
	ctx, cancel := context.WithTimeout(ctx, a.in.Timeout)
	defer cancel()
	reports, err := run.Do(ctx)
	a.selected = run.Selected
	return reports, err
}

// mask hides what the inputs hold, before anything else is written.
func (a *actionRun) mask() error {
	for _, v := range []secret.Value{a.in.AgeKey, a.in.GitHubToken} {
		if v.IsZero() {
			continue
		}
		if err := a.g.hide.Add(v); err != nil {
			return err
		}
	}
	a.runner.Mask()
	return nil
}

// client returns the client of GitHub's API, nil without a token.
func (a *actionRun) client() (*github.Client, error) {
	if a.in.GitHubToken.IsZero() {
		return nil, nil
	}
	return github.New(github.Options{
		APIURL: a.run.APIURL, Token: a.in.GitHubToken, Repository: a.run.Repository,
		Trace: func(method, path string, status int, took time.Duration) {
			a.debug(fmt.Sprintf("github %s %s %d", method, path, status), took)
		},
	})
}

func (a *actionRun) debug(what string, took time.Duration) {
	if a.g.Getenv("RUNNER_DEBUG") == "1" {
		a.runner.Debug(fmt.Sprintf("%s (%s)", what, took.Round(100*time.Microsecond)))
	}
}

// prepare makes the run that the inputs ask for.
func (a *actionRun) prepare() (*app.Run, error) {
	req := resolve.Request{Command: a.in.Command, Project: a.in.Project, Env: a.in.Env, Ref: a.in.Ref}.WithDispatch(a.event)
	switch {
	case req.Command != "" && !slices.Contains(action.Commands, req.Command):
		return nil, &app.UsageError{Text: fmt.Sprintf("the action has no command %q; it has %s", req.Command, strings.Join(action.Commands, ", "))}
	case req.Command == "destroy" && (!a.in.AllowDestroy || req.Env == ""):
		return nil, &app.UsageError{Text: "the command destroy needs the inputs `env` and `allow-destroy: true`: nobody is asked here"}
	}
	var keys []vault.Source
	if !a.in.AgeKey.IsZero() {
		keys = []vault.Source{{Name: "the input age-key", Text: a.in.AgeKey.Reveal()}}
	} else if a.in.OnMissingCredentials == "fail" {
		return nil, &app.UsageError{Text: "the input age-key is empty, and on-missing-credentials is fail"}
	}
	req.Credentials = len(keys) > 0
	source, err := a.source()
	if err != nil {
		return nil, err
	}
	r := &app.Run{
		Source: source, Stack: a.in.Stack, Keys: keys, Event: a.event,
		Request:   req,
		Policy:    plan.Policy{AllowDestroy: a.in.AllowDestroy, Adopt: a.in.Adopt},
		Overrides: overrides(a.in.AllowIPConflicts), Parallel: a.in.Parallel,
		Holder: a.run.Repository + "/" + a.run.ID + "/" + a.run.Attempt, RunURL: a.run.URL(),
		Repository: a.run.Repository, ServerURL: a.run.ServerURL, CloneURL: a.run.ServerURL + "/" + a.run.Repository + ".git", Token: a.in.GitHubToken,
		Hide: a.g.hide, Tell: a.annotate, Trace: a.debug,
	}
	several := func() bool { return a.in.Parallel > 1 && len(r.Selected) > 1 }
	r.View = actionView{&action.View{Runner: a.runner, Several: several}}
	if a.github != nil {
		r.Publisher = a.publisher(func() bool { return len(r.Selected) == 1 })
		r.Commit = a.github.Commit
		r.RunOver = a.github.RunOver
	}
	return r, nil
}

func (a *actionRun) publisher(alone func() bool) *app.GitHub {
	p := &app.GitHub{
		Client: a.github, Comment: a.in.Comment, Deployment: a.in.Deployment,
		Job:   github.Job{Run: a.run.ID, ID: a.in.JobID, SHA: a.run.SHA},
		Alone: alone,
		Opened: func(environment string, id int64) {
			a.warn(a.runner.State("deployment_"+strconv.FormatInt(id, 10), environment))
		},
	}
	if a.event.PullRequest != nil {
		p.PullRequest = a.event.PullRequest.Number
	}
	return p
}

// source is the workspace where actions/checkout filled it, else the event's commit.
func (a *actionRun) source() (app.Source, error) {
	s := app.Source{Dir: a.run.Workspace}
	if _, err := os.Stat(a.run.Workspace + "/" + a.in.Stack); err == nil || a.github == nil {
		return s, nil
	}
	temp, err := os.MkdirTemp(a.g.Getenv("RUNNER_TEMP"), "appstack-")
	if err != nil {
		return s, fmt.Errorf("cannot keep the files of the commit: %w", err)
	}
	s.Temp = temp
	s.Fetch = func(ctx context.Context, path string) ([]byte, error) {
		return a.github.File(ctx, path, a.event.SHA)
	}
	return s, nil
}

// actionView fits action.View to what app expects.
type actionView struct{ *action.View }

func (v actionView) Open(target string) app.Show { return v.View.Open(target) }

// annotate puts the stack file's mistakes on its lines.
func (a *actionRun) annotate(problems diag.List) {
	var text strings.Builder
	if err := problems.Render(&text, false); err == nil {
		fmt.Fprint(a.runner, text.String())
	}
	levels := map[diag.Severity]string{diag.Error: "error", diag.Warning: "warning"}
	for _, p := range problems {
		level, ok := levels[p.Severity]
		if !ok {
			level = "notice"
		}
		a.runner.Annotate(action.Annotation{Level: level, Title: "appstack", Message: p.Message(), File: p.Pos.File, Line: p.Pos.Line, Col: p.Pos.Col})
	}
}

// warn tells of what did not work and does not matter enough to fail.
func (a *actionRun) warn(err error) {
	if err != nil {
		a.runner.Annotate(action.Annotation{Level: "warning", Title: "appstack", Message: err.Error()})
	}
}

// hand gives the runner annotations, outputs and the summary, and returns the error
// that makes the step fail.
func (a *actionRun) hand(reports []report.Report, err error) error {
	failed := err != nil
	if err != nil {
		a.failure(app.Reason(err), err.Error(), app.Hint(err))
	}
	for _, r := range reports {
		for _, w := range r.Warnings {
			a.warn(errors.New(w))
		}
		if r.Failed() {
			failed = true
			a.failure(r.Reason, r.Target()+": "+r.Error, r.Hint)
		}
	}
	a.warn(a.outputs(reports, err))
	a.warn(a.runner.State(stateOver, "true"))
	if len(reports) > 0 {
		a.warn(a.runner.Summary(report.Summary(reports)))
	}
	if failed {
		return errReported
	}
	return nil
}

func (a *actionRun) failure(reason report.Reason, message, hint string) {
	if hint != "" {
		message += "\n" + hint
	}
	a.runner.Annotate(action.Annotation{Level: "error", Title: "appstack: " + string(reason), Message: message})
}

// outputs sets the action's outputs, those of action.yml and no others.
func (a *actionRun) outputs(reports []report.Report, runErr error) error {
	inventory, err := json.Marshal(app.NewInventory(a.selected))
	if err != nil {
		return fmt.Errorf("cannot write the inventory: %w", err)
	}
	out := report.Outputs(reports, string(inventory))
	if runErr != nil {
		out["failure-reason"] = string(app.Reason(runErr))
	}
	var errs []error
	for name, value := range out {
		errs = append(errs, a.runner.Output(name, value))
	}
	return errors.Join(errs...)
}

// stateOver is the state that tells the post step that the run came to its end by itself.
const stateOver = "over"

// postCommand is the image's post-entrypoint: what a killed run left open is ended.
func postCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "post", Short: "End what a killed run of the action left open", Hidden: true, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return g.post(c.Context()) },
	}
}

func (g *globals) post(ctx context.Context) error {
	runner := action.NewRunner(g.raw, g.Getenv, g.hide)
	defer runner.Close()
	a := &actionRun{g: g, runner: runner, run: action.ReadRun(g.Getenv)}
	var err error
	if a.in, err = action.ReadInputs(g.Getenv); err != nil {
		return err
	}
	if err := a.mask(); err != nil {
		return err
	}
	if a.github, err = a.client(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	a.endDeployments(ctx)
	if g.Getenv("STATE_"+stateOver) == "" && !a.in.AgeKey.IsZero() {
		a.warn(a.letGo(ctx))
	}
	return nil
}

// endDeployments ends the deployments that the killed run left open.
func (a *actionRun) endDeployments(ctx context.Context) {
	for _, kv := range a.g.Environ() {
		name, environment, _ := strings.Cut(kv, "=")
		id, ok := strings.CutPrefix(name, "STATE_deployment_")
		number, err := strconv.ParseInt(id, 10, 64)
		if !ok || err != nil || a.github == nil {
			continue
		}
		a.warn(app.EndDeployment(ctx, a.github, number, environment, a.run.URL()))
	}
}

// letGo gives back what the killed run held on Proxmox.
func (a *actionRun) letGo(ctx context.Context) (err error) {
	if a.event, err = action.ReadEvent(a.g.Getenv); err != nil {
		return err
	}
	run, err := a.prepare()
	if err != nil {
		return err
	}
	if run.Source.Temp != "" {
		defer os.RemoveAll(run.Source.Temp)
	}
	return run.LetGo(ctx)
}
