package app

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/event"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/stack"
)

// A person's apply that releases nothing says why, of each environment what holds for its
// own branch; one that releases, a push and other commands say nothing.
func TestUndeployed(t *testing.T) {
	r := &Run{CloneURL: "https://github.com/org/shop.git", Pushed: func(_ context.Context, branch string) (string, error) {
		if branch == "main" {
			return "4f2c9e1", nil
		}
		return "", errors.New("origin has no branch " + branch + " yet")
	}}
	of := func(branch, sha string) resolve.Target {
		return resolve.Target{Branch: branch, SHA: sha, Spec: &stack.Env{}, Want: machine.State{OS: &machine.OS{Release: &machine.Release{}}}}
	}
	pushed := r.pushed(t.Context(), "apply")
	for _, branch := range []string{"dev", "qa"} {
		if sha := pushed(branch); sha != "" {
			t.Errorf("%s is at %s", branch, sha)
		}
		if got, want := r.undeployed("apply", of(branch, "")), "origin has no branch "+branch+" yet"; !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
	if got := r.undeployed("apply", of("dev", "")); !strings.Contains(got, "branch dev") {
		t.Errorf("dev is told of another branch: %q", got)
	}
	if sha := pushed("main"); sha != "4f2c9e1" || r.undeployed("apply", of("main", sha)) != "" {
		t.Errorf("main is at %q, and something is said of it", sha)
	}
	if got := r.undeployed("status", of("dev", "")); got != "" {
		t.Errorf("status says %q", got)
	}
	if r.pushed(t.Context(), "destroy") != nil {
		t.Error("destroy asks what is pushed")
	}
	if got := (&Run{}).undeployed("plan", of("dev", "")); !strings.Contains(got, "no clone") {
		t.Errorf("outside of a clone: %q", got)
	}
	if got := (&Run{Event: event.Event{Name: "push"}}).undeployed("apply", of("dev", "")); got != "" {
		t.Errorf("a push says %q", got)
	}
}

// What a workflow_dispatch's form or a short name asks for is the same to each command: a
// rollback goes to that commit, and not to the release before.
func TestAskedRef(t *testing.T) {
	const full = "0123456789012345678901234567890123456789"
	env := &stack.Env{Project: "shop", Name: "dev", Settings: stack.Settings{Branch: "dev"}}
	for _, r := range []*Run{
		{Event: event.Event{Name: "workflow_dispatch", Inputs: map[string]string{"command": "rollback", "ref": full}}},
		{Request: resolve.Request{Command: "rollback", Ref: "v1"}, Commit: func(context.Context, string) (string, error) { return full, nil }},
	} {
		sel, err := resolve.Select(&stack.Stack{Envs: []*stack.Env{env}}, r.Event, r.Request)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.asked(t.Context(), &sel); err != nil || sel.Ref != full || r.Request.Ref != full {
			t.Errorf("%v: selected %q, asked for %q", err, sel.Ref, r.Request.Ref)
		}
	}
}
