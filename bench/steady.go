package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/appstack-action/bench/results"
)

// trio are guests that do the same, each configured by another.
type trio struct {
	*rig
	ours, floor, ansible env
	served               map[int]string // the release that a guest has, by its vmid
}

// newTrio makes the guests, with the shop on each.
func (b *bench) newTrio(ctx context.Context) (*trio, error) {
	r, err := b.newRig(ctx)
	if err != nil {
		return nil, err
	}
	t := &trio{rig: r}
	if err := t.setUp(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return t, nil
}

func (t *trio) setUp(ctx context.Context) (err error) {
	t.guests["shop"], t.guests["rivals"] = t.shopProject(warmTemplate), rivalProject(warmTemplate)
	for _, c := range []struct {
		e             *env
		project, name string
	}{{&t.ours, "shop", "ours"}, {&t.floor, "rivals", "floor"}, {&t.ansible, "rivals", "ansible"}} {
		if *c.e, err = t.newEnv(c.project, c.name); err != nil {
			return err
		}
	}
	sha, err := t.commitShop("begin")
	if err != nil {
		return err
	}
	t.served = map[int]string{t.ours.vmid: sha, t.floor.vmid: sha, t.ansible.vmid: sha}
	if err := t.greet(t.greeting); err != nil {
		return err
	}
	say("setting up a guest for each")
	if err := t.provision(ctx, "rivals", t.floor, t.ansible); err != nil {
		return err
	}
	if _, err := t.converge(ctx, "live"); err != nil {
		return err
	}
	if err := t.trust(ctx, t.ours); err != nil { // for what is counted there
		return err
	}
	if _, err := t.script(ctx, t.floor, t.floorVars(sha), "configure.sh", "deploy.sh", "switch.sh"); err != nil {
		return err
	}
	if v, ok := t.rival("pipelining"); ok {
		_, _, err = t.play(ctx, v)
	}
	return err
}

// greet sets the variable that changes, for all. Each of Ansible's ways makes another
// value of it, so that each has something to do.
func (t *trio) greet(greeting string) error {
	t.greeting = greeting
	return t.set(t.ours, "GREETING: "+greeting+", DATA_DIR: /srv/app/data")
}

// converge runs appstack on its guest.
func (t *trio) converge(ctx context.Context, status string) (sample, error) {
	return t.appstack(ctx, status, "apply", "--project", "shop", "--ref", t.served[t.ours.vmid])
}

// look runs the floor of a no-op.
func (t *trio) look(ctx context.Context) (sample, error) {
	s, err := t.script(ctx, t.floor, t.floorVars(t.served[t.floor.vmid]), "noop.sh")
	if err == nil && strings.Contains(s.stdout, "changed:") {
		err = fmt.Errorf("the floor finds changes:\n%s", tail(s.stdout))
	}
	return s, err
}

// play runs the roles on Ansible's guest.
func (t *trio) play(ctx context.Context, v rival) (sample, int, error) {
	return t.playbook(ctx, v, "shop", map[string]string{"sha": t.served[t.ansible.vmid], "greeting": t.greeting}, 5, t.ansible)
}

// steady measures what most runs are: nothing to do, a variable, a new commit.
func steady(ctx context.Context, b *bench) error {
	t, err := b.trio(ctx)
	if err == nil {
		err = b.settled(ctx)
	}
	if err != nil {
		return err
	}
	return t.measure(ctx, "")
}

// ready makes the guests and measures nothing, for a run with -keep.
func ready(ctx context.Context, b *bench) error {
	_, err := b.trio(ctx)
	return err
}

// trio returns the guests that several parts share, made at their first use.
func (b *bench) trio(ctx context.Context) (*trio, error) {
	if b.shared != nil {
		return b.shared, nil
	}
	if b.keep != "" {
		return b.keptTrio(ctx)
	}
	t, err := b.newTrio(ctx)
	if err != nil {
		return nil, err
	}
	b.shared = t
	b.later(t.close)
	return t, nil
}

// measure takes the samples; prefix names the series.
func (t *trio) measure(ctx context.Context, prefix string) error {
	for _, c := range []struct {
		name string
		work func(ctx context.Context, name string, round int) error
	}{{"noop", t.noop}, {"variable", t.variable}, {"deploy", t.deploy}} {
		if !slices.Contains(strings.Split(t.works, ","), c.name) {
			continue
		}
		name := prefix + c.name
		t.clear(name)
		t.spent = nil
		for round := range t.runs {
			if err := c.work(ctx, name, round); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		t.found.Stages[name] = results.MedianStages(t.spent)
	}
	return nil
}

// take notes what a call took.
func (r *rig) take(name, who string, s sample) {
	r.add(name+"/"+who, "ms", s.ms())
	if who == "appstack" {
		r.spent = append(r.spent, stages(s))
	}
}

// rivalsIn are those that a round of a work is measured with: each of them where that is
// quick or wanted, else the fastest that needs no other package.
func (t *trio) rivalsIn(name string, round int) []rival {
	if round >= t.slow {
		return nil
	}
	if name == "noop" || t.every {
		return t.rivals()
	}
	v, ok := t.rival("pipelining")
	if !ok {
		return nil
	}
	return []rival{v}
}

func (t *trio) noop(ctx context.Context, name string, round int) error {
	s, err := t.converge(ctx, "unchanged")
	if err != nil {
		return err
	}
	t.take(name, "appstack", s)
	if s, err = t.look(ctx); err != nil {
		return err
	}
	t.take(name, "floor", s)
	for _, v := range t.rivalsIn(name, round) {
		if s, err = unchanged(t.play(ctx, v)); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		t.take(name, v.name, s)
	}
	return nil
}

func (t *trio) variable(ctx context.Context, name string, round int) error {
	if err := t.greet(fmt.Sprintf("Welcome-%s-%d-%d", name, round, time.Now().Unix())); err != nil {
		return err
	}
	s, err := t.converge(ctx, "live")
	if err != nil {
		return err
	}
	t.take(name, "appstack", s)
	if s, err = t.script(ctx, t.floor, map[string]string{"greeting": t.greeting}, "variable.sh"); err != nil {
		return err
	}
	t.take(name, "floor", s)
	for _, v := range t.rivalsIn(name, round) {
		t.greeting += "-" + v.name
		if s, err = changed(t.play(ctx, v)); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		t.take(name, v.name, s)
	}
	return nil
}

func (t *trio) deploy(ctx context.Context, name string, round int) (err error) {
	next := func(e env, who string) (err error) {
		t.served[e.vmid], err = t.commitShop(fmt.Sprintf("%s %d %s", name, round, who))
		return err
	}
	if err := next(t.ours, "appstack"); err != nil {
		return err
	}
	s, err := t.converge(ctx, "live")
	if err != nil {
		return err
	}
	t.take(name, "appstack", s)
	// Both halves, as the others have them: see whether the guest is as it should be,
	// then deploy.
	for who, last := range map[string]string{"floor": "switch.sh", "handover": "handover.sh"} {
		if err := next(t.floor, who); err != nil {
			return err
		}
		if s, err = t.script(ctx, t.floor, t.floorVars(t.served[t.floor.vmid]), "noop.sh", "deploy.sh", last); err != nil {
			return err
		}
		t.take(name, who, s)
	}
	for _, v := range t.rivalsIn(name, round) {
		if err := next(t.ansible, v.name); err != nil {
			return err
		}
		if s, err = changed(t.play(ctx, v)); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		t.take(name, v.name, s)
	}
	return nil
}
