package githubapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// AddRepository makes the repository owner/name known, over the bare repository in
// the directory git. A known one only gets the new directory.
func (s *Server) AddRepository(name, git string) {
	defer s.lock()()
	if r := s.state.Repos[name]; r != nil {
		r.Git = git
		return
	}
	s.state.Repos[name] = &repository{Name: name, ID: s.state.id(), Git: git, Created: s.now()}
}

// SetPublic makes a repository readable for every token; they start private.
func (s *Server) SetPublic(name string, public bool) error {
	return s.with(name, func(r *repository) error { r.Public = public; return nil })
}

// AddToken makes a token valid, or replaces it.
func (s *Server) AddToken(t Token) {
	defer s.lock()()
	s.state.Tokens[t.Value] = &t
}

// RevokeToken ends a token, as GitHub does with a job's token when the job ends.
func (s *Server) RevokeToken(value string) {
	defer s.lock()()
	delete(s.state.Tokens, value)
}

func (s *Server) with(name string, do func(*repository) error) error {
	defer s.lock()()
	r := s.state.Repos[name]
	if r == nil {
		return fmt.Errorf("cannot find repository %s in the GitHub look-alike", name)
	}
	return do(r)
}

func (s *Server) withPull(name string, number int, do func(*repository, *Pull) error) error {
	return s.with(name, func(r *repository) error {
		p := r.pull(number)
		if p == nil {
			return fmt.Errorf("cannot find pull request %s#%d", name, number)
		}
		return do(r, p)
	})
}

// OpenPull opens a pull request from its Title, Body, Author, Head, Base, HeadRepo and
// Draft, and returns its number. The branches must exist and differ.
func (s *Server) OpenPull(name string, p Pull) (number int, err error) {
	if p.Author == "" {
		p.Author = "octocat"
	}
	err = s.with(name, func(r *repository) error {
		opened, err := s.open(r, p)
		if err != nil {
			return fmt.Errorf("cannot open a pull request: %w", describe(err))
		}
		number = opened.Number
		return nil
	})
	return number, err
}

// describe adds the details of a 422, which GitHub's own message leaves out.
func describe(err error) error {
	if e, ok := err.(*apiError); ok && len(e.errors) > 0 {
		return fmt.Errorf("%w: %v", err, e.errors)
	}
	return err
}

// MergePull merges a pull request with a merge commit, as a person.
func (s *Server) MergePull(name string, number int, by string) error {
	return s.withPull(name, number, func(r *repository, p *Pull) error { return s.merge(r, p, by) })
}

// ClosePull closes a pull request without merging it.
func (s *Server) ClosePull(name string, number int) error {
	return s.withPull(name, number, func(r *repository, p *Pull) error { return s.setState(r, p, "closed") })
}

// AddComment writes a comment as a person.
func (s *Server) AddComment(name string, number int, author, body string) (id int64, err error) {
	err = s.withPull(name, number, func(r *repository, p *Pull) error {
		id = s.addComment(r, p, Comment{Author: author, Body: body}).ID
		return nil
	})
	return id, err
}

// AddRun files a workflow run with its jobs and returns its ID. As on GitHub each job is
// a check run of the commit, pending until the job completes, and one with an environment
// has a deployment.
func (s *Server) AddRun(name string, run Run) (id int64, err error) {
	err = s.with(name, func(r *repository) error {
		if run.ID == 0 {
			run.ID = s.state.id()
		}
		run.Number, run.Attempt, run.Created = max(run.Number, len(r.Runs)+1), max(run.Attempt, 1), s.now()
		run.Jobs = slices.Clone(run.Jobs)
		orDefault(&run.Status, "in_progress")
		orDefault(&run.Path, ".github/workflows/deploy.yml")
		orDefault(&run.Actor, "octocat")
		for i := range run.Jobs {
			j := &run.Jobs[i]
			orDefault(&j.Status, run.Status)
			if j.ID == 0 {
				j.ID = s.state.id()
			}
			r.CheckRuns = append(r.CheckRuns, &CheckRun{
				ID: j.ID, Name: j.Name, SHA: run.SHA, Status: j.Status, Conclusion: j.Conclusion, App: actionsSlug, Started: run.Created,
			})
			s.deployJob(r, name, &run, *j)
		}
		r.Runs = append(r.Runs, &run)
		id = run.ID
		return nil
	})
	return id, err
}

// Jobs returns a copy of a run's jobs.
func (s *Server) Jobs(name string, id int64) (jobs []Job, err error) {
	err = s.with(name, func(r *repository) error {
		run := find(r.Runs, func(run *Run) bool { return run.ID == id })
		if run == nil {
			return fmt.Errorf("cannot find run %d of %s", id, name)
		}
		jobs = slices.Clone(run.Jobs)
		return nil
	})
	return jobs, err
}

// deployJob makes the deployment of a job's environment, of the commit that the run is of,
// with the job's log in its status.
func (s *Server) deployJob(r *repository, name string, run *Run, j Job) {
	if j.Environment == "" {
		return
	}
	d := &Deployment{
		ID: s.state.id(), SHA: run.SHA, Ref: run.Branch, Task: "deploy", Environment: j.Environment, Original: j.Environment,
		Payload: json.RawMessage(`{}`), Creator: actionsLogin, App: actionsSlug, Created: run.Created, Updated: run.Created,
	}
	r.Deployments = append(r.Deployments, d)
	s.state.ensureEnvironment(r, j.Environment, run.Created)
	s.jobStatus(d, name, run, j, j.Status)
}

// jobStatus adds the status that a job's state gives its deployment.
func (s *Server) jobStatus(d *Deployment, name string, run *Run, j Job, state string) {
	d.Updated = s.now()
	d.Statuses = append(d.Statuses, &DeploymentStatus{
		ID: s.state.id(), State: state, Environment: d.Environment, Creator: actionsLogin, App: actionsSlug, Created: d.Updated,
		LogURL: fmt.Sprintf("https://github.com/%s/actions/runs/%d/job/%d", name, run.ID, j.ID),
	})
}

// endJob ends the deployment of a completed job's environment.
func (s *Server) endJob(r *repository, name string, run *Run, j Job) {
	log := fmt.Sprintf("/actions/runs/%d/job/%d", run.ID, j.ID)
	d := find(r.Deployments, func(d *Deployment) bool {
		return len(d.Statuses) > 0 && strings.HasSuffix(d.Statuses[0].LogURL, log)
	})
	if d == nil {
		return
	}
	state, ok := map[string]string{"success": "success", "cancelled": "error"}[j.Conclusion]
	if !ok {
		state = "failure"
	}
	s.jobStatus(d, name, run, j, state)
}

// orDefault fills in a default.
func orDefault(field *string, fallback string) {
	if *field == "" {
		*field = fallback
	}
}

// CompleteRun ends a run, its jobs and their check runs with a conclusion.
func (s *Server) CompleteRun(name string, id int64, conclusion string) error {
	return s.with(name, func(r *repository) error {
		run := find(r.Runs, func(run *Run) bool { return run.ID == id })
		if run == nil {
			return fmt.Errorf("cannot find run %d of %s", id, name)
		}
		run.Status, run.Conclusion = "completed", conclusion
		for i := range run.Jobs {
			run.Jobs[i].Status, run.Jobs[i].Conclusion = "completed", conclusion
			if check := find(r.CheckRuns, func(c *CheckRun) bool { return c.ID == run.Jobs[i].ID }); check != nil {
				check.Status, check.Conclusion, check.CompletedAt = "completed", conclusion, s.now()
			}
			s.endJob(r, name, run, run.Jobs[i])
		}
		return nil
	})
}

// Comments returns a copy of a pull request's comments, oldest first.
func (s *Server) Comments(name string, number int) []Comment {
	var out []Comment
	s.with(name, func(r *repository) error {
		for _, c := range r.commentsOf(number) {
			out = append(out, *c)
		}
		return nil
	})
	return out
}

// Deployments returns a copy of a repository's deployments with their statuses, oldest first.
func (s *Server) Deployments(name string) []Deployment {
	var out []Deployment
	s.with(name, func(r *repository) error {
		for _, d := range r.Deployments {
			copied := *d
			copied.Statuses = nil
			for _, st := range d.Statuses {
				one := *st
				copied.Statuses = append(copied.Statuses, &one)
			}
			out = append(out, copied)
		}
		return nil
	})
	return out
}

// Pulls returns a copy of a repository's pull requests; an open one's HeadSHA is that of
// its branch now.
func (s *Server) Pulls(name string) []Pull {
	var out []Pull
	s.with(name, func(r *repository) error {
		for _, p := range r.Pulls {
			copied := *p
			copied.HeadSHA = s.headSHA(r, p)
			out = append(out, copied)
		}
		return nil
	})
	return out
}

// Repositories returns the names of the known repositories in order.
func (s *Server) Repositories() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.state.Repos {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
