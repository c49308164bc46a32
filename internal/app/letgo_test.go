package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/vault"
)

// What the post step does after a run that was killed: its own lease is given back at
// once, that of another run is not touched, and the guest stays as it was.
func TestLetGo(t *testing.T) {
	inEveryKind(t, func(t *testing.T, kind guestKind) {
		w := newMemWorld(t, kind)
		defer w.end()
		w.finish("provision")
		if err := w.after("org/shop/1/1").LetGo(t.Context()); err != nil {
			t.Errorf("with nothing held: %v", err)
		}
		w.guest(kind.changed)
		w.die("provision")
		const dead = "org/shop/2/1"
		if holder := w.holder(); holder != dead {
			t.Fatalf("the dead run left the lease with %q: nothing is left to test", holder)
		}

		before, _ := w.requests(func() {
			if err := w.after("org/shop/3/1").LetGo(t.Context()); err != nil {
				t.Error(err)
			}
		})
		for _, r := range before {
			if r[:3] != http.MethodGet {
				t.Errorf("another run's post step sends %s", r)
			}
		}
		if holder := w.holder(); holder != dead {
			t.Errorf("another run's post step leaves the lease with %q", holder)
		}

		if err := w.after(dead).LetGo(t.Context()); err != nil {
			t.Error(err)
		}
		if holder := w.holder(); holder != "" {
			t.Errorf("the lease is still with %q", holder)
		}
		w.finish("provision")
	})
}

// A post step whose run was about nothing, or that cannot do anything, says so.
func TestLetGoOfNothing(t *testing.T) {
	inEveryKind(t, func(t *testing.T, kind guestKind) {
		w := newMemWorld(t, kind)
		defer w.end()
		for name, change := range map[string]func(*app.Run){
			"no guest":   func(*app.Run) {},
			"validate":   func(r *app.Run) { r.Request.Command = "validate" },
			"no such":    func(r *app.Run) { r.Event.Name = "issue_comment" },
			"no secrets": func(r *app.Run) { r.Request.Command, r.Keys = "inventory", nil },
		} {
			r := w.after("org/shop/1/1")
			change(r)
			if err := r.LetGo(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		r := w.after("org/shop/1/1")
		r.Keys = nil
		if err := r.LetGo(t.Context()); err == nil {
			t.Error("without a key it cannot know what was held, and does not say so")
		}
		r = w.after("org/shop/1/1")
		r.Stack = "none.yaml"
		if err := r.LetGo(t.Context()); err == nil {
			t.Error("without a stack file it cannot know what was held, and does not say so")
		}
	})
}

// die runs a command that is killed once it holds the lease.
func (w *memWorld) die(command string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.gate.disturb(func(_ int, r *http.Request) mishap {
		if r.Method == http.MethodGet {
			return mishap{}
		}
		return mishap{drop: true, effect: true, then: func() { w.net.sever(); cancel() }}
	})
	_, _ = w.do(ctx, command)
	w.gate.disturb(nil)
	w.net.mend()
}

// after is the run that the post step of this holder's run makes of its inputs.
func (w *memWorld) after(holder string) *app.Run {
	return &app.Run{
		Source: app.Source{Dir: w.dir}, Stack: "appstack.yaml", Dialer: w.net, Holder: holder, Repository: "org/shop",
		Keys:    []vault.Source{{Name: "test", Text: w.identity}},
		Request: resolve.Request{Command: "provision", Credentials: true}, Hide: &secret.Redactor{}, View: w.log,
	}
}

// requests are those that f makes.
func (w *memWorld) requests(f func()) (seen []string, hit string) {
	w.gate.disturb(nil)
	f()
	return w.gate.log()
}

// holder is who holds the guest's lease.
func (w *memWorld) holder() string {
	w.t.Helper()
	var config struct{ Description string }
	w.must(json.Unmarshal(w.ask("GET", w.path(memVMID)+"/config", ""), &config))
	block := w.readBlock(config.Description)
	if block.Lease == nil {
		return ""
	}
	return block.Lease.Holder
}
