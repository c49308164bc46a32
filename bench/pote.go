package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/org/appstack-action/bench/results"
	"github.com/org/appstack-action/internal/lab"
	apps "github.com/org/appstack-action/internal/lab/sample"
)

const poteProject = `    guest: {template: debian-12-warm, cores: 2, memory: 1024, swap: 0, disk: 6}
    base:
      packages: [tzdata, locales, tree, git]
      timezone: Europe/Berlin
      locale: en_US.UTF-8
      journal_size: 200M
      authorized_keys: ["PUBLIC_KEY"]
    app:
      runtime: python
      wheels: wheels
      source: {git: "SOURCE", key: "${secret.deploy_key}", host_key: "HOST_KEY"}
      postgres: {password: "${secret.database_password}", backup: {keep: 7}}
      migrate: .venv/bin/python -m pote.migrate
      cron: [{name: fetch, schedule: "0 5 31 12 *", run: .venv/bin/python -m pote.fetch}]
      services: {web: {start: .venv/bin/python -m pote.web, port: 8000, public: true, health: /healthz}}
`

// pote measures a no-op of the Python app with its database.
func pote(ctx context.Context, b *bench) error {
	r, err := b.newRig(ctx)
	if err != nil {
		return err
	}
	return errors.Join(r.pote(ctx), r.close())
}

func (r *rig) pote(ctx context.Context) error {
	sha, err := r.commitPote(ctx)
	if err != nil {
		return err
	}
	const password = "bench-9f3c1e"
	r.secrets["database_password"] = password
	r.guests["rivals"] = rivalProject(warmTemplate)
	r.guests["pote"] = strings.NewReplacer("PUBLIC_KEY", r.pub, "SOURCE", r.source(shopRepo), "HOST_KEY", r.lab.Info.GitHostKey).Replace(poteProject)
	theirs, err := r.newEnv("rivals", "ansible")
	if err != nil {
		return err
	}
	if _, err := r.newEnv("pote", "ours"); err != nil {
		return err
	}
	say("setting up a guest for each")
	if err := r.provision(ctx, "rivals", theirs); err != nil {
		return err
	}
	ours := func(status string) (sample, error) {
		return r.appstack(ctx, status, "apply", "--project", "pote", "--ref", sha)
	}
	if _, err := ours("live"); err != nil {
		return err
	}
	play := func(v rival) (sample, int, error) {
		return r.playbook(ctx, v, "pote", map[string]string{"sha": sha, "database_password": password}, 5, theirs)
	}
	for i, v := range r.rivals() {
		if i == 0 {
			if _, err := changed(play(v)); err != nil {
				return err
			}
		}
	}
	r.clear("pote-noop")
	for round := range r.runs {
		s, err := ours("unchanged")
		if err != nil {
			return err
		}
		r.take("pote-noop", "appstack", s)
		for _, v := range r.rivals() {
			if round >= r.slow {
				continue
			}
			if s, err = unchanged(play(v)); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			r.take("pote-noop", v.name, s)
		}
	}
	r.found.Stages["pote-noop"] = results.MedianStages(r.spent)
	return nil
}

// commitPote puts the app with its wheels into the repository, on a branch of its own.
func (r *rig) commitPote(ctx context.Context) (string, error) {
	files, err := apps.Pote()
	if err != nil {
		return "", err
	}
	wheels, err := apps.Wheels(ctx, filepath.Join(lab.CacheDir(), "wheels"))
	if err != nil {
		return "", err
	}
	maps.Copy(files, wheels)
	return r.lab.Git.Commit(shopRepo, "pote", files, "first")
}
