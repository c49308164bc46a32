package githubapi

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// header is what every page of a repository shows on top.
type header struct {
	Repo      string
	PageTitle string
}

type indexPage struct {
	header
	Repos []repoRow
}

type repoRow struct {
	Name  string
	Pulls []pullRow
}

type pullRow struct {
	*Pull
	Repo string
}

// pullRows lists a repository's pull requests, newest first.
func (r *repository) pullRows() []pullRow {
	var rows []pullRow
	for _, p := range slices.Backward(r.Pulls) {
		rows = append(rows, pullRow{p, r.Name})
	}
	return rows
}

func (s *Server) indexView(*call) any {
	p := indexPage{header: header{PageTitle: "Repositories"}}
	for name, r := range s.state.Repos {
		p.Repos = append(p.Repos, repoRow{name, r.pullRows()})
	}
	slices.SortFunc(p.Repos, func(a, b repoRow) int { return strings.Compare(a.Name, b.Name) })
	return p
}

type repoPage struct {
	header
	Pulls        []pullRow
	Environments []environmentRow
}

func (s *Server) repoView(c *call) any {
	return repoPage{header{c.repo.Name, "Pull requests"}, c.repo.pullRows(), c.environmentRows()}
}

// environmentRow is an environment with the deployment that stands for it.
type environmentRow struct {
	Name   string
	Latest *Deployment
	Count  int
}

// environmentRows lists the environments that were deployed to, last used first.
func (c *call) environmentRows() []environmentRow {
	var rows []environmentRow
	for _, d := range slices.Backward(c.repo.Deployments) {
		i := slices.IndexFunc(rows, func(r environmentRow) bool { return r.Name == d.Environment })
		if i < 0 {
			rows, i = append(rows, environmentRow{Name: d.Environment, Latest: d}), len(rows)
		}
		rows[i].Count++
	}
	return rows
}

// Shown is the state that GitHub's pages print: an active deployment is "Active", an
// inactive transient one is "Destroyed".
func (d *Deployment) Shown() string {
	switch state := d.State(); {
	case state == "success":
		return "active"
	case state == "inactive" && d.Transient:
		return "destroyed"
	default:
		return state
	}
}

// Latest is the newest status, nil before the first.
func (d *Deployment) Latest() *DeploymentStatus {
	if len(d.Statuses) == 0 {
		return nil
	}
	return d.Statuses[len(d.Statuses)-1]
}

// event is one line or box of a pull request's conversation.
type event struct {
	Time       time.Time
	ID         int64 // tells the order of what happened in the same second
	Comment    *Comment
	Deployment *Deployment
	Commit     *commitLine
	Closed     *Pull
}

type commitLine struct{ SHA, Subject, Author string }

type pullPage struct {
	header
	*Pull
	HeadNow      string
	Events       []event
	Environments []environmentRow
	Checks       []*CheckRun
	Comments     int
	Commits      int
	Files        int
	Added        int
	Deleted      int
	Participants []string
}

func (s *Server) pullView(c *call) any {
	p, err := c.findPull("number")
	if err != nil {
		return nil
	}
	page := pullPage{header: header{c.repo.Name, p.Title + " · Pull request #" + itoa(p.Number)}, Pull: p, HeadNow: c.headSHA(c.repo, p)}
	changes, commits, _ := c.changes(p)
	page.Commits, page.Files = commits, len(changes)
	for _, ch := range changes {
		page.Added, page.Deleted = page.Added+ch.Additions, page.Deleted+ch.Deletions
	}
	lines := c.commitLines(p)
	page.Events = c.conversation(p, lines)
	page.Comments = len(c.commentsOf(p.Number))
	page.Environments = slices.DeleteFunc(c.environmentRows(), func(r environmentRow) bool { return !c.belongs(r.Latest, lines) })
	for _, run := range slices.Backward(c.repo.CheckRuns) {
		if run.SHA == page.HeadNow {
			page.Checks = append(page.Checks, run)
		}
	}
	page.Participants = participants(p, page.Events)
	return page
}

// commitLines are the pull request's own commits, oldest first.
func (c *call) commitLines(p *Pull) []event {
	git, head := c.repo.git(), c.headSHA(c.repo, p)
	base, err := git.MergeBase(p.Base, head)
	if p.MergeSHA != "" {
		base, err = git.MergeBase(p.MergeSHA+"^1", head)
	}
	if err != nil {
		return nil
	}
	commits, err := git.Log(base, head)
	if err != nil {
		return nil
	}
	var out []event
	for _, commit := range commits {
		subject, _, _ := strings.Cut(commit.Message, "\n")
		out = append(out, event{Time: commit.Committer.Date.UTC(), Commit: &commitLine{commit.SHA, subject, commit.Author.Name}})
	}
	return out
}

// belongs tells a deployment of one of the pull request's commits.
func (c *call) belongs(d *Deployment, lines []event) bool {
	return slices.ContainsFunc(lines, func(e event) bool { return e.Commit.SHA == d.SHA })
}

func (c *call) conversation(p *Pull, lines []event) []event {
	events := slices.Clone(lines)
	for _, cm := range c.commentsOf(p.Number) {
		events = append(events, event{Time: cm.Created, ID: cm.ID, Comment: cm})
	}
	for _, d := range c.repo.Deployments {
		if c.belongs(d, lines) {
			events = append(events, event{Time: d.Created, ID: d.ID, Deployment: d})
		}
	}
	if p.State == "closed" {
		events = append(events, event{Time: p.Closed, Closed: p})
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
	return events
}

func participants(p *Pull, events []event) []string {
	list := []string{p.Author}
	for _, e := range events {
		if e.Comment != nil && !slices.Contains(list, e.Comment.Author) {
			list = append(list, e.Comment.Author)
		}
	}
	return list
}

type deploymentsPage struct {
	header
	Selected     string // environment; empty: all
	Environments []environmentRow
	List         []*Deployment
}

func (s *Server) deploymentsView(c *call) any {
	page := deploymentsPage{header: header{c.repo.Name, "Deployments"}, Selected: c.r.URL.Query().Get("environment"), Environments: c.environmentRows()}
	for _, d := range slices.Backward(c.repo.Deployments) {
		if page.Selected == "" || page.Selected == d.Environment {
			page.List = append(page.List, d)
		}
	}
	return page
}

type filesPage struct {
	header
	Heading string
	Number  int // of the pull request; 0: a commit
	SHA     string
	Changes []gitrepo.Change
}

func (s *Server) pullFilesView(c *call) any {
	p, err := c.findPull("number")
	if err != nil {
		return nil
	}
	changes, _, err := c.changes(p)
	if err != nil {
		return nil
	}
	return filesPage{header{c.repo.Name, p.Title}, p.Title, p.Number, c.headSHA(c.repo, p), changes}
}

func (s *Server) commitView(c *call) any {
	git := c.repo.git()
	commit, err := git.Commit(c.r.PathValue("sha"))
	if err != nil {
		return nil
	}
	subject, _, _ := strings.Cut(commit.Message, "\n")
	page := filesPage{header: header{c.repo.Name, subject}, Heading: subject, SHA: commit.SHA}
	if len(commit.Parents) > 0 {
		if page.Changes, err = git.Diff(commit.Parents[0], commit.SHA); err != nil {
			return nil
		}
	}
	return page
}

type runPage struct {
	header
	*Run
}

func (s *Server) runView(c *call) any {
	id, err := strconv.ParseInt(c.r.PathValue("run"), 10, 64)
	if err != nil {
		return nil
	}
	run := find(c.repo.Runs, func(run *Run) bool { return run.ID == id })
	if run == nil {
		return nil
	}
	return runPage{header{c.repo.Name, run.Name}, run}
}
