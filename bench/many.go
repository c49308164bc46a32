package main

import (
	"context"
	"errors"
	"fmt"
)

// crowd is how many environments one run is about.
const crowd = 16

// many measures a no-op of several environments in one run, each with the whole shop.
func many(ctx context.Context, b *bench) error {
	r, err := b.newRig(ctx)
	if err != nil {
		return err
	}
	return errors.Join(r.many(ctx), r.close())
}

func (r *rig) many(ctx context.Context) error {
	r.guests["shop"], r.guests["rivals"] = r.shopProject(warmTemplate), rivalProject(warmTemplate)
	sha, err := r.commitShop("many")
	if err != nil {
		return err
	}
	if err := r.crowdOfOurs(ctx, sha); err != nil {
		return err
	}
	vars := map[string]string{"sha": sha, "greeting": r.greeting}
	v, ansible := r.rival("pipelining")
	var theirs []env
	if ansible {
		if theirs, err = r.crowdOfTheirs(ctx, v, vars); err != nil {
			return err
		}
	}
	if err := r.settled(ctx); err != nil {
		return err
	}
	r.clear("many")
	r.clear("many-memory")
	r.clear("scale/10-real")
	for round := range r.runs {
		if err := r.oneAndAll(ctx, sha); err != nil {
			return err
		}
		if !ansible || round >= r.slow {
			continue
		}
		s, err := unchanged(r.playbook(ctx, v, "shop", vars, crowd, theirs...))
		if err != nil {
			return err
		}
		r.add("many/pipelining-16", "ms", s.ms())
		r.add("many-memory/pipelining-16", "MB", s.peak)
	}
	return nil
}

// crowdOfOurs makes guests that appstack configures.
func (r *rig) crowdOfOurs(ctx context.Context, sha string) error {
	for i := range crowd {
		e, err := r.newEnv("shop", fmt.Sprintf("e%d", i+1))
		if err != nil {
			return err
		}
		if err := r.set(e, "GREETING: Welcome, DATA_DIR: /srv/app/data"); err != nil {
			return err
		}
	}
	say("setting up %d guests", crowd)
	_, err := r.appstack(ctx, "live", "apply", "--project", "shop", "--ref", sha)
	return err
}

// crowdOfTheirs makes guests that Ansible has configured: one, and copies of it.
func (r *rig) crowdOfTheirs(ctx context.Context, v rival, vars map[string]string) ([]env, error) {
	model, err := r.newEnv("rivals", "r1")
	if err != nil {
		return nil, err
	}
	if err := r.provision(ctx, "rivals", model); err != nil {
		return nil, err
	}
	if _, err := changed(r.playbook(ctx, v, "shop", vars, 1, model)); err != nil {
		return nil, err
	}
	say("copying Ansible's guest")
	all := []env{model}
	if err := r.stop(ctx, model); err != nil {
		return nil, err
	}
	for i := 2; i <= crowd; i++ {
		vmid, addr, err := r.lab.Allocate()
		if err != nil {
			return nil, err
		}
		e := env{project: "rivals", name: fmt.Sprintf("r%d", i), vmid: vmid, addr: addr}
		if err := r.clone(ctx, model, e); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	for _, e := range all {
		if err := r.start(ctx, e); err != nil {
			return nil, err
		}
	}
	for _, e := range all {
		if err := r.trustLater(ctx, e); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// oneAndAll measures appstack on one of the environments, on ten, and on all.
func (r *rig) oneAndAll(ctx context.Context, sha string) error {
	s, err := r.appstack(ctx, "unchanged", "apply", "--project", "shop", "--env", "e1", "--ref", sha)
	if err != nil {
		return err
	}
	r.add("many/appstack-1", "ms", s.ms())
	if s, err = r.appstack(ctx, "unchanged", "apply", "--project", "shop", "--ref", sha); err != nil {
		return err
	}
	r.add("many/appstack-16", "ms", s.ms())
	r.add("many-memory/appstack-16", "MB", s.peak)
	return r.withOnly(10, func() error {
		s, err := r.appstack(ctx, "unchanged", "apply", "--project", "shop", "--ref", sha)
		if err == nil {
			r.add("scale/10-real", "ms", s.ms())
			r.add("scale-memory/10-real", "MB", s.peak)
		}
		return err
	})
}

// withOnly does something while the stack file has only its first environments.
func (r *rig) withOnly(n int, work func() error) error {
	all := r.envs
	r.envs = all[:n]
	err := r.write()
	if err == nil {
		err = work()
	}
	r.envs = all
	return errors.Join(err, r.write())
}
