package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/org/appstack-action/internal/lab"
	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/internal/lab/runner"
	"github.com/org/appstack-action/internal/lab/runner/docker"
	"github.com/org/appstack-action/internal/lab/runner/stage"
	"github.com/org/appstack-action/internal/lab/sample"
	"github.com/org/appstack-action/internal/lab/template"
)

// demo is the main job end to end on this machine.
type demo struct {
	screen *screen
	source string
	once   bool
	warm   bool
	opt    lab.Options

	lab    *lab.Lab
	engine *docker.Engine
	runner *runner.Runner
	stage  *stage.Stage
	work   string // what is gone at the end
}

func demoCommand() *cobra.Command {
	d := &demo{opt: lab.Options{Fresh: true}}
	var subnet string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Push to a sample repository as GitHub would, and watch it being deployed",
		Long: `demo brings a lab up with a sample repository, builds the action's image from its
Dockerfile, and pushes to the branch dev three times: a first deployment, one changed
value, and a commit that does not work. Each push runs the action with the docker run
of GitHub's own runner. At the end it waits, so that you can look around.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if d.opt.Subnet, err = netip.ParsePrefix(subnet); err != nil {
				return fmt.Errorf("cannot use --subnet: %w", err)
			}
			d.screen = newScreen(cmd.OutOrStdout())
			return d.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&d.once, "once", false, "clean up and end instead of waiting")
	flags.BoolVar(&d.warm, "warm", false, "use a template that has the app's Debian packages already")
	flags.StringVar(&d.source, "source", ".", "the action's repository")
	flags.StringVar(&d.opt.Bridge, "bridge", "pvedemo", "bridge on this machine, and the lab's name")
	flags.StringVar(&subnet, "subnet", "10.86.254.0/24", "network of the guests; the lab has its first address")
	return cmd
}

func (d *demo) run(ctx context.Context) (err error) {
	if err := errors.Join(lab.Missing(), docker.Missing()); err != nil {
		return fmt.Errorf("%w\nhint: .ci/setup installs what is missing on Debian 12", err)
	}
	if d.work, err = os.MkdirTemp("", "pvelab-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	for _, act := range []func(context.Context) error{d.setUp, d.open, d.first, d.change, d.broken} {
		if err := act(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // Ctrl-C is no failure
			}
			return err
		}
	}
	d.screen.farewell(d.stage, d.once)
	if !d.once {
		<-ctx.Done()
	}
	return nil
}

// close takes away everything but the caches.
func (d *demo) close() error {
	d.screen.title("Cleaning up")
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTime)
	defer cancel()
	var errs []error
	if d.runner != nil && d.runner.Image() != "" {
		errs = append(errs, d.runner.Close())
	}
	if d.engine != nil {
		errs = append(errs, d.engine.Stop())
	}
	if d.lab != nil {
		errs = append(errs, d.lab.Down(ctx))
	}
	errs = append(errs, os.RemoveAll(d.work))
	d.screen.done("the lab, its guests and its network are gone; templates and images stay in " + lab.CacheDir())
	return errors.Join(errs...)
}

// setUp brings up the two halves beside each other.
func (d *demo) setUp(ctx context.Context) error {
	d.screen.title("Setting up: a Proxmox VE, a GitHub and its runner on this machine")
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.bringUp(ctx) })
	group.Go(func() error { return d.buildImage(ctx) })
	return group.Wait()
}

func (d *demo) bringUp(ctx context.Context) (err error) {
	d.opt.Templates = []template.Template{template.Default()}
	if d.warm {
		d.opt.Templates[0] = template.Warm()
	}
	d.opt.Log = slog.New(slog.DiscardHandler)
	var once sync.Once
	d.opt.Progress = func(string) {
		once.Do(func() { d.screen.say("building a Debian template, once for this machine") })
	}
	d.screen.say("bringing up Proxmox VE, with real containers behind it, and GitHub")
	if d.lab, err = lab.Up(ctx, d.opt); err != nil {
		return err
	}
	d.screen.done("Proxmox VE answers at " + d.lab.Info.URL + ", GitHub at " + d.lab.Info.GitHub)
	return nil
}

func (d *demo) buildImage(ctx context.Context) (err error) {
	source, err := filepath.Abs(d.source)
	if err != nil {
		return err
	}
	d.screen.say("starting a Docker engine and building the action's image from its Dockerfile")
	if d.engine, err = docker.Start(ctx, filepath.Join(lab.CacheDir(), "docker")); err != nil {
		return err
	}
	if err := d.engine.GoBase(ctx, source, lab.CacheDir()); err != nil {
		return err
	}
	d.runner = &runner.Runner{Docker: d.engine, Action: source, Dir: d.work}
	if err := d.runner.Build(ctx, nil); err != nil {
		return err
	}
	d.screen.done("the action's image is built")
	return nil
}

// demoProject is the sample app: a backend with a migration and a frontend.
const demoProject = `    guest: {template: TEMPLATE, cores: 2, memory: 1024, swap: 0, disk: 8}
    app:
      runtime: node
      services:
        backend:  {dir: backend,  port: 3001, build: npm ci, migrate: npm run migrate, start: npm start, health: /healthz}
        frontend: {dir: frontend, port: 3000, public: true, build: npm ci && npm run build, start: npm start}
    env_vars: {GREETING: Welcome, API_KEY: "${secret.api_key}"}`

// open makes the repository and its pull request.
func (d *demo) open(ctx context.Context) error {
	d.screen.title("A repository, org/shop: a Node backend and frontend, appstack.yaml, encrypted secrets")
	app, err := sample.Shop()
	if err != nil {
		return err
	}
	d.runner.GitHub, d.runner.Log = d.lab.Info.GitHub, d.screen.log()
	name, _, _ := strings.Cut(d.opt.Templates[0].Name, "_")
	clone := filepath.Join(d.work, "shop")
	if err := os.Mkdir(clone, 0o755); err != nil {
		return err
	}
	d.stage, err = stage.New(ctx, stage.Options{
		Lab: d.lab, Runner: d.runner, Dir: clone, App: app,
		Project: strings.ReplaceAll(demoProject, "TEMPLATE", name), Secrets: map[string]string{"api_key": "sk-demo-5c7c62a0f1"},
	})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(clone, "appstack.yaml"))
	if err != nil {
		return err
	}
	d.screen.block(string(text))
	return nil
}

func (d *demo) first(ctx context.Context) error {
	d.screen.title("First push to dev: there is no container yet")
	head, err := d.stage.Head(ctx)
	if err != nil {
		return err
	}
	return d.deploy(ctx, head, false)
}

func (d *demo) change(ctx context.Context) error {
	d.screen.title("Second push: one value of appstack.yaml is changed")
	return d.edit(ctx, "appstack.yaml", "GREETING: Welcome", "GREETING: Good morning", "greet in the morning", false)
}

func (d *demo) broken(ctx context.Context) error {
	d.screen.title("Third push: a commit whose backend does not start")
	return d.edit(ctx, "backend/server.js", "'use strict';", "'use strict';\n\nthrow new Error('the till is jammed');", "a faster till", true)
}

func (d *demo) edit(ctx context.Context, file, old, new, message string, fails bool) error {
	files, err := d.stage.Change(file, old, new)
	if err != nil {
		return err
	}
	pushed, err := d.push(ctx, files, message)
	if err != nil {
		return err
	}
	return d.deploy(ctx, pushed, fails)
}

func (d *demo) push(ctx context.Context, files gitrepo.Files, message string) (stage.Pushed, error) {
	d.screen.command("git commit --all --message '" + message + "' && git push origin dev")
	return d.stage.Push(ctx, files, message)
}

// deploy does what GitHub does after a push, and shows what people see of it.
func (d *demo) deploy(ctx context.Context, p stage.Pushed, fails bool) error {
	job, err := d.stage.PushJob(p)
	if err != nil {
		return err
	}
	d.screen.say("the runner's log, without what apt and npm say:")
	res, err := d.stage.Run(ctx, job)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.screen.outcome(d.stage, res)
	if (res.ExitCode != 0) != fails {
		return fmt.Errorf("the run ended with exit status %d, which this push should not: %s", res.ExitCode, res.Outputs["failure-reason"])
	}
	answer, err := ask(ctx, "http://"+d.stage.Addr.Addr().String()+":3000/api/version")
	if err != nil {
		return err
	}
	d.screen.answer(d.stage, answer)
	return nil
}

// ask gets what a URL answers.
func ask(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("the app does not answer: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	return strings.TrimSpace(string(body)), err
}
