package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/appstack-action/bench/results"
	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// first measures what a fresh guest takes. Each sample has a guest of its own, of
// Debian's plain template; packages come from the lab's cache.
func first(ctx context.Context, b *bench) error {
	r, err := b.newRig(ctx)
	if err != nil {
		return err
	}
	return errors.Join(r.first(ctx), r.close())
}

func (r *rig) first(ctx context.Context) error {
	r.guests["shop"], r.guests["rivals"] = r.shopProject(plainTemplate), rivalProject(plainTemplate)
	sha, err := r.commitShop("first")
	if err != nil {
		return err
	}
	if _, err := r.firstOf(ctx, "floor", "warm", sha); err != nil { // fills the cache of packages
		return err
	}
	if err := r.settled(ctx); err != nil {
		return err
	}
	r.clear("first")
	r.clear("memory-first")
	who := []string{"appstack", "floor"}
	for _, v := range r.rivals() {
		if r.every || v.name == "pipelining" {
			who = append(who, v.name)
		}
	}
	for round := range r.runs {
		for i, one := range who {
			if i > 1 && round >= r.slow {
				continue
			}
			s, err := r.firstOf(ctx, one, fmt.Sprintf("n%d-%s", round, one), sha)
			if err != nil {
				return fmt.Errorf("%s: %w", one, err)
			}
			r.take("first", one, s)
			if one == "appstack" {
				r.add("memory-first/appstack", "MB", s.peak)
			}
		}
	}
	r.found.Stages["first"] = results.MedianStages(r.spent)
	return nil
}

// firstOf configures a guest that it makes and takes away.
func (r *rig) firstOf(ctx context.Context, who, name, sha string) (s sample, err error) {
	project := "rivals"
	if who == "appstack" {
		project = "shop"
	}
	r.envs = nil // those before are gone
	e, err := r.newEnv(project, name)
	if err != nil {
		return s, err
	}
	if err := r.set(e, "GREETING: Welcome, DATA_DIR: /srv/app/data"); err != nil {
		return s, err
	}
	// The environment's branch has to be there, although another commit is deployed.
	if _, err := r.lab.Git.Commit(shopRepo, name, gitrepo.Files{"NOTES": []byte(name + "\n")}, name); err != nil {
		return s, err
	}
	if err := r.provision(ctx, project, e); err != nil {
		return s, err
	}
	if err := r.python(ctx, e); err != nil {
		return s, err
	}
	switch who {
	case "appstack":
		s, err = r.appstack(ctx, "live", "apply", "--project", "shop", "--ref", sha)
	case "floor":
		s, err = r.script(ctx, e, r.floorVars(sha), "configure.sh", "deploy.sh", "switch.sh")
	default:
		v, _ := r.rival(who)
		s, _, err = r.playbook(ctx, v, "shop", map[string]string{"sha": sha}, 5, e)
	}
	return s, errors.Join(err, r.destroy(ctx, e))
}

// python gives a guest the Python that Ansible cannot do without and Debian's plain template
// lacks, whoever configures it: ufw wants it, too, and all are to begin alike. So the lists of
// packages go again, and leave no time by which Ansible would take them for fresh.
func (r *rig) python(ctx context.Context, e env) error {
	_, err := r.shell(ctx, e, `set -e
apt-get -qq update
apt-get -qq -y --no-install-recommends install python3 >/dev/null
rm -rf /var/lib/apt/lists/* /var/lib/apt/periodic/*
touch -d @0 /var/lib/apt/lists`)
	return err
}

// destroy takes a guest away.
func (r *rig) destroy(ctx context.Context, e env) error {
	_, err := r.appstack(ctx, "destroyed", "destroy", "--project", e.project, "--env", e.name, "--yes")
	return err
}

// provision measures a guest from nothing to an SSH server that lets one in.
func provision(ctx context.Context, b *bench) error {
	r, err := b.newRig(ctx)
	if err != nil {
		return err
	}
	return errors.Join(r.provisioning(ctx), r.close())
}

func (r *rig) provisioning(ctx context.Context) error {
	r.guests["rivals"] = rivalProject(plainTemplate)
	r.clear("provision")
	for round := range r.runs {
		r.envs = nil
		e, err := r.newEnv("rivals", fmt.Sprintf("p%d", round))
		if err != nil {
			return err
		}
		s, err := r.appstack(ctx, "live", "provision", "--project", "rivals")
		if err != nil {
			return err
		}
		r.take("provision", "appstack", s)
		if err := r.destroy(ctx, e); err != nil {
			return err
		}
		if err := r.provisionByScript(ctx); err != nil {
			return err
		}
	}
	r.found.Stages["provision"] = results.MedianStages(r.spent)
	return nil
}

// provisionByScript does the same with curl and OpenSSH's client.
func (r *rig) provisionByScript(ctx context.Context) error {
	vmid, addr, err := r.lab.Allocate()
	if err != nil {
		return err
	}
	info := r.lab.Info
	began := time.Now()
	s, err := call{args: []string{"sh", r.root + "/bench/floor/provision.sh"}, env: []string{
		"url=" + info.URL, "token=" + info.Token, "certificate=" + info.Certificate, "template=" + info.Template,
		fmt.Sprintf("vmid=%d", vmid), "address=" + addr.String(), "gateway=" + info.Gateway.String(),
		"public_key=" + r.pub, "key=" + r.key, "known_hosts=" + r.knownHosts() + "-provision",
	}}.do(ctx)
	if err != nil {
		return err
	}
	s.took = time.Since(began)
	r.take("provision", "floor", s)
	return errors.Join(r.lab.Guests.Stop(ctx, vmid), r.lab.Guests.Destroy(ctx, vmid))
}
