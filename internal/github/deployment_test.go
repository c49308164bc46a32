package github_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/github"
	"github.com/org/appstack-action/internal/lab/githubapi"
)

func TestDeploymentLife(t *testing.T) {
	both(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		d := github.Deployment{SHA: h.sha, Environment: "shop/dev", Production: true, LogURL: "https://github.com/org/shop/actions/runs/7", Job: github.Job{Run: "7"}, URL: "http://10.86.0.9:3000"}
		first, err := h.client.OpenDeployment(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.client.SetDeployment(ctx, first, "success", strings.Repeat("long ", 60)); err != nil {
			t.Fatal(err)
		}
		d.Job.Run = "8"
		second, err := h.client.OpenDeployment(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := h.client.OpenDeployment(ctx, d); err != nil || again.ID != second.ID {
			t.Errorf("the same run opens %d after %d: %v", again.ID, second.ID, err)
		}
		if err := h.client.SetDeployment(ctx, second, "success", "live"); err != nil {
			t.Fatal(err)
		}
		if err := h.client.RetireDeployments(ctx, d.Environment, second.ID); err != nil {
			t.Fatal(err)
		}
		states := map[int64]string{}
		for _, d := range h.Deployments(repo) {
			states[d.ID] = d.State()
		}
		if len(states) != 2 || states[first.ID] != "inactive" || states[second.ID] != "success" {
			t.Errorf("the deployments are %v", states)
		}
		h.proper(t)
	})
}

// The deployment that GitHub makes for a job's `environment:` is used, whatever its name;
// that of a neighbour, of another run or of one that has ended is not.
func TestJobsOwnDeployment(t *testing.T) {
	cases := []struct {
		name, environment string
		job               func(run int64, jobs []githubapi.Job) github.Job
		several           bool
		want              string // environment of the deployment; the job's own but for shop/dev anew
		anew              bool
	}{
		{name: "of another name", environment: "production", job: first, want: "production"},
		{name: "of ours", environment: "shop/dev", job: first, want: "shop/dev"},
		{name: "of ours, from a server that does not number jobs", environment: "shop/dev", job: unnumbered, want: "shop/dev"},
		{name: "of another name, from a server that does not number jobs", environment: "production", job: unnumbered, want: "shop/dev", anew: true},
		{name: "of a job that deploys several", environment: "production", job: first, several: true, want: "shop/dev", anew: true},
		{name: "of ours, of a job that deploys several", environment: "shop/dev", job: first, several: true, want: "shop/dev"},
		{name: "not of a neighbour", environment: "production", job: second, want: "docs"},
		{name: "not of another run", environment: "shop/dev", job: func(int64, []githubapi.Job) github.Job { return github.Job{Run: "7", ID: "8"} }, want: "shop/dev", anew: true},
		{name: "without environment", job: first, want: "shop/dev", anew: true},
	}
	both(t, func(t *testing.T, h *hub) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				run, jobs := h.runJobs(t, h.sha, githubapi.Job{Name: "deploy", Environment: c.environment}, githubapi.Job{Name: "docs", Environment: "docs"})
				d := github.Deployment{SHA: h.sha, Environment: "shop/dev", Job: c.job(run, jobs), Alone: !c.several}
				before := len(h.Deployments(repo))
				open := h.open(t, d)
				if made := len(h.Deployments(repo)) - before; open.Environment != c.want || open.JobsOwn == c.anew || (made == 1) != c.anew {
					t.Errorf("%d deployments were made, and it is %+v", made, open)
				}
				if again := h.open(t, d); again.ID != open.ID {
					t.Errorf("another step of the job opens %d after %d", again.ID, open.ID)
				}
				if err := h.client.SetDeployment(t.Context(), open, "success", "live"); err != nil {
					t.Fatal(err)
				}
				if got := h.deployment(t, open.ID); got.Environment != c.want {
					t.Errorf("it has been renamed to %s", got.Environment)
				}
			})
		}
		h.proper(t)
	})
}

// A job's deployment that has ended belongs to what it ended with; and the event of a pull
// request is of a merge commit, as its job's deployment is.
func TestJobsOwnDeploymentElsewhere(t *testing.T) {
	h := newHub(t, false, githubapi.DefaultPermissions())
	run, jobs := h.runJobs(t, h.sha, githubapi.Job{Name: "deploy", Environment: "production"})
	if err := h.CompleteRun(repo, run, "success"); err != nil {
		t.Fatal(err)
	}
	if open := h.open(t, github.Deployment{SHA: h.sha, Environment: "shop/dev", Job: first(run, jobs), Alone: true}); open.JobsOwn || open.Environment != "shop/dev" {
		t.Errorf("%+v is used, which has ended", open)
	}
	merge := strings.Repeat("5", 40)
	run, jobs = h.runJobs(t, merge, githubapi.Job{Name: "deploy", Environment: "preview"})
	job := first(run, jobs)
	job.SHA = merge
	if open := h.open(t, github.Deployment{SHA: h.sha, Environment: "shop/dev", Job: job, Alone: true}); !open.JobsOwn || open.Environment != "preview" {
		t.Errorf("of the pull request's job %+v is used", open)
	}
	h.proper(t)
}

func (h *hub) open(t *testing.T, d github.Deployment) github.Deployment {
	t.Helper()
	open, err := h.client.OpenDeployment(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return open
}

func first(run int64, jobs []githubapi.Job) github.Job {
	return github.Job{Run: fmt.Sprint(run), ID: fmt.Sprint(jobs[0].ID)}
}

func second(run int64, jobs []githubapi.Job) github.Job {
	return github.Job{Run: fmt.Sprint(run), ID: fmt.Sprint(jobs[1].ID)}
}

func unnumbered(run int64, _ []githubapi.Job) github.Job {
	return github.Job{Run: fmt.Sprint(run)}
}

// runJobs files a run of a commit.
func (h *hub) runJobs(t *testing.T, sha string, jobs ...githubapi.Job) (int64, []githubapi.Job) {
	t.Helper()
	run, err := h.AddRun(repo, githubapi.Run{Name: "Deploy", Event: "push", Branch: "dev", SHA: sha, Jobs: jobs})
	if err != nil {
		t.Fatal(err)
	}
	filed, err := h.Jobs(repo, run)
	if err != nil {
		t.Fatal(err)
	}
	return run, filed
}

// What a killed run left open becomes an error; what has ended keeps its end.
func TestAbandonDeployment(t *testing.T) {
	both(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		for _, ended := range []string{"", "success", "failure", "error", "inactive"} {
			d := github.Deployment{SHA: h.sha, Environment: "shop/" + ended + "dev", LogURL: "https://github.com/org/shop/actions/runs/7"}
			open, err := h.client.OpenDeployment(ctx, d)
			if err != nil {
				t.Fatal(err)
			}
			want := "error"
			if ended != "" {
				want = ended
				if err := h.client.SetDeployment(ctx, open, ended, "the end"); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // a post step that is run again does no harm
				if err := h.client.AbandonDeployment(ctx, open, "the run was killed"); err != nil {
					t.Fatal(err)
				}
			}
			got := h.deployment(t, open.ID)
			if got.State() != want {
				t.Errorf("after %q it is %q, not %q", ended, got.State(), want)
			}
			if n := len(got.Statuses); n != 2 { // in_progress, and its end
				t.Errorf("after %q it has %d statuses", ended, n)
			}
			last := got.Statuses[len(got.Statuses)-1]
			if ended == "" && (last.Description != "the run was killed" || last.LogURL != d.LogURL) {
				t.Errorf("its end is %+v", last)
			}
		}
		if err := h.client.AbandonDeployment(ctx, github.Deployment{ID: 4711}, ""); err == nil {
			t.Error("a deployment that is not there is ended")
		}
		h.proper(t)
	})
}

func TestAbandonDeploymentNeedsItsPermission(t *testing.T) {
	h := newHub(t, false, githubapi.DefaultPermissions())
	d := github.Deployment{SHA: h.sha, Environment: "shop/dev"}
	open, err := h.client.OpenDeployment(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	h.AddToken(githubapi.Token{Value: "ghs_few", Kind: githubapi.JobToken, Repos: []string{repo}, Permissions: map[string]string{"contents": "read"}})
	err = h.newClient(t, "ghs_few").AbandonDeployment(t.Context(), open, "the run was killed")
	if err == nil || !strings.Contains(err.Error(), "deployments: write") {
		t.Errorf("without permission: %v", err)
	}
}

// deployment finds one by its number.
func (h *hub) deployment(t *testing.T, id int64) githubapi.Deployment {
	t.Helper()
	for _, d := range h.Deployments(repo) {
		if d.ID == id {
			return d
		}
	}
	t.Fatalf("there is no deployment %d", id)
	return githubapi.Deployment{}
}
