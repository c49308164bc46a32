package event

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const head = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"

// payload returns a recorded event, or skips the test where they are not at hand.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	shared := os.Getenv("APPSTACK_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	b, err := os.ReadFile(filepath.Join(shared, "data", "github-events", name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the recorded GitHub events are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	const pushed = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
	pull := func(action string, change func(*Event)) Event {
		e := Event{
			Action: action, Repository: "Codertocat/Hello-World", Branch: "master", SHA: head, Actor: "Codertocat",
			PullRequest: &PullRequest{
				Number: 2, Title: "Update the README with new information.", Author: "Codertocat",
				Head: "changes", HeadRepository: "Codertocat/Hello-World",
			},
		}
		if change != nil {
			change(&e)
		}
		return e
	}
	push := Event{Repository: "Codertocat/Hello-World", Branch: "master", SHA: pushed, Actor: "Codertocat"}
	tests := []struct {
		event, file string
		want        Event
	}{
		{"push", "push.json", push},
		{"push", "derived/push.forced.json", push},
		{"push", "derived/push.branch-deleted.json", Event{
			Repository: "Codertocat/Hello-World", Branch: "feature/login", Actor: "Codertocat", Deleted: true,
			SHA: "0000000000000000000000000000000000000000",
		}},
		{"push", "push.tag-created.json", Event{
			Repository: "Codertocat/Hello-World", Tag: "simple-tag", Actor: "Codertocat", SHA: pushed,
		}},
		{"pull_request", "pull_request.opened.json", pull("opened", nil)},
		{"pull_request", "derived/pull_request.closed-merged.json", pull("closed", func(e *Event) { e.PullRequest.Merged = true })},
		{"pull_request_target", "derived/pull_request.opened-fork.json", pull("opened", func(e *Event) {
			e.PullRequest.HeadRepository = "evilfork/Hello-World"
		})},
		{"pull_request", "derived/pull_request.opened-fork-deleted.json", pull("opened", func(e *Event) {
			e.PullRequest.HeadRepository = ""
		})},
		{"pull_request", "derived/pull_request.opened-dependabot.json", pull("opened", func(e *Event) {
			e.Actor, e.PullRequest.Author = "dependabot[bot]", "dependabot[bot]"
		})},
		{"workflow_dispatch", "derived/workflow_dispatch.inputs.json", Event{
			Repository: "octo-org/octo-repo", Branch: "feature/login", Actor: "Codertocat", SHA: "from-env",
			Inputs: map[string]string{"environment": "staging", "destroy": "false"},
		}},
		{"schedule", "derived/schedule.json", Event{
			Repository: "octo-org/octo-repo", Branch: "main", SHA: "from-env",
		}},
	}
	env := map[string]string{"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": "from-env"}
	for _, tt := range tests {
		t.Run(tt.event+"/"+filepath.Base(tt.file), func(t *testing.T) {
			got, err := Parse(tt.event, recorded(t, tt.file), func(k string) string { return env[k] })
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Name = tt.event
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryRecordedEvent parses whatever else is recorded, known to appstack or not.
func TestEveryRecordedEvent(t *testing.T) {
	recorded(t, "push.json")
	shared := os.Getenv("APPSTACK_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(shared, "data", "github-events", "*.json"))
	derived, _ := filepath.Glob(filepath.Join(shared, "data", "github-events", "derived", "*.json"))
	if len(files)+len(derived) < 32 {
		t.Fatalf("found %d events, expected 32", len(files)+len(derived))
	}
	for _, file := range append(files, derived...) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		event, _, _ := strings.Cut(name, ".")
		e, err := Parse(event, b, func(string) string { return "" })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if e.Repository == "" {
			t.Errorf("%s: no repository", name)
		}
	}
}

func TestForkAndDependabot(t *testing.T) {
	own := Event{Repository: "o/r", PullRequest: &PullRequest{HeadRepository: "O/R"}}
	if own.Fork() {
		t.Error("a head in the same repository, in another case, is a fork")
	}
	gone := Event{Repository: "o/r", PullRequest: &PullRequest{}}
	if !gone.Fork() {
		t.Error("a deleted fork is none")
	}
	if (Event{Repository: "o/r"}).Fork() {
		t.Error("an event without a pull request is a fork")
	}
	if !(Event{PullRequest: &PullRequest{Author: "dependabot[bot]"}}).Dependabot() {
		t.Error("Dependabot's pull request synchronised by a person counts as a person's")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("push", []byte(`{"ref":"refs/heads/x","after":"1"}`))
	f.Add("pull_request", []byte(`{"pull_request":{"base":{"ref":"m"},"head":{"sha":"1","repo":null}}}`))
	f.Add("workflow_dispatch", []byte(`{"inputs":{"a":null,"b":true,"c":{"d":1}}}`))
	f.Add("delete", []byte(`{"ref":"x","ref_type":"tag"}`))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		e, err := Parse(name, b, func(string) string { return "" })
		if err == nil && name == "pull_request" && len(b) > 0 && e.PullRequest == nil {
			t.Error("a pull_request event without a pull request was accepted")
		}
	})
}
