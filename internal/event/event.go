// Package event reads what happened on GitHub, from the payloads that the runner
// writes to GITHUB_EVENT_PATH, and reduces it to what appstack decides by.
package event

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Event is what happened on GitHub, reduced to what appstack decides by.
// Branch names, titles and logins in it are strangers' text.
type Event struct {
	Name       string // push, pull_request, workflow_dispatch, schedule, …
	Action     string // opened, synchronize, closed, … where the event has one
	Repository string // owner/name
	// Branch is the branch whose environments the event concerns: the one pushed
	// to or dispatched on, a pull request's base. Empty for tags.
	Branch string
	Tag    string
	// SHA is the commit that the event is about: pushed, or a pull request's head.
	// Never GITHUB_SHA of a pull request, which is a merge commit of GitHub's own.
	SHA         string
	Deleted     bool // the branch or tag was deleted
	Actor       string
	PullRequest *PullRequest
	Inputs      map[string]string // of workflow_dispatch
}

// PullRequest is the pull request of an event.
type PullRequest struct {
	Number         int
	Title          string
	Author         string
	Head           string // branch name
	HeadRepository string // owner/name; empty: the fork was deleted
	Merged         bool
}

// Fork tells whether the pull request's head is outside the repository.
func (e Event) Fork() bool {
	return e.PullRequest != nil && !strings.EqualFold(e.PullRequest.HeadRepository, e.Repository)
}

// Dependabot tells whether Dependabot caused the event: it gets no secrets.
func (e Event) Dependabot() bool {
	return e.Actor == "dependabot[bot]" ||
		e.PullRequest != nil && e.PullRequest.Author == "dependabot[bot]"
}

// Parse reads the payload of an event of this name, as the runner writes it
// to GITHUB_EVENT_PATH. getenv gives what a payload lacks: the branch and commit of
// a schedule or of an event that is unknown here.
func Parse(name string, text []byte, getenv func(string) string) (Event, error) {
	e := Event{Name: name, Repository: getenv("GITHUB_REPOSITORY"), Actor: getenv("GITHUB_ACTOR")}
	e.setRef(getenv("GITHUB_REF"))
	e.SHA = getenv("GITHUB_SHA")
	if len(text) == 0 {
		return e, nil
	}
	if err := e.decode(text); err != nil {
		return Event{}, fmt.Errorf("cannot read the payload of event %q: %w", name, err)
	}
	return e, nil
}

// payload is the little of all events that is read. go-github's event types
// refuse payloads that GitHub really sends: the repository of some pushes has its
// organization as a string.
type payload struct {
	Action     string         `json:"action"`
	Ref        string         `json:"ref"`
	RefType    string         `json:"ref_type"`
	After      string         `json:"after"`
	Deleted    bool           `json:"deleted"`
	Inputs     map[string]any `json:"inputs"`
	Repository repository     `json:"repository"`
	Sender     user           `json:"sender"`
	Number     int            `json:"number"`

	PullRequest *struct {
		Title  string `json:"title"`
		User   user   `json:"user"`
		Merged bool   `json:"merged"`
		Base   branch `json:"base"`
		Head   branch `json:"head"`
	} `json:"pull_request"`
}

type repository struct {
	FullName string `json:"full_name"`
}

type user struct {
	Login string `json:"login"`
}

type branch struct {
	Ref  string      `json:"ref"`
	SHA  string      `json:"sha"`
	Repo *repository `json:"repo"` // null: the fork was deleted
}

// decode takes what the payload says over what the environment said.
func (e *Event) decode(text []byte) error {
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	e.Action = p.Action
	e.Repository = cmp.Or(p.Repository.FullName, e.Repository)
	e.Actor = cmp.Or(e.Actor, p.Sender.Login)
	switch e.Name {
	case "push":
		e.setRef(p.Ref)
		e.SHA, e.Deleted = p.After, p.Deleted
	case "pull_request", "pull_request_target":
		return e.decodePullRequest(p)
	case "workflow_dispatch":
		e.decodeDispatch(p)
	case "create", "delete":
		e.setRef("refs/heads/" + p.Ref)
		if p.RefType == "tag" {
			e.setRef("refs/tags/" + p.Ref)
		}
		e.Deleted = e.Name == "delete"
	}
	return nil
}

func (e *Event) decodePullRequest(p payload) error {
	pr := p.PullRequest
	if pr == nil || pr.Base.Ref == "" || pr.Head.SHA == "" {
		return errors.New("it has no pull_request.base.ref or no pull_request.head.sha")
	}
	e.Branch, e.Tag, e.SHA = pr.Base.Ref, "", pr.Head.SHA
	e.PullRequest = &PullRequest{
		Number: p.Number, Title: pr.Title, Author: pr.User.Login, Head: pr.Head.Ref, Merged: pr.Merged,
	}
	if pr.Head.Repo != nil {
		e.PullRequest.HeadRepository = pr.Head.Repo.FullName
	}
	return nil
}

func (e *Event) decodeDispatch(p payload) {
	if p.Ref != "" {
		e.setRef(p.Ref)
	}
	e.Inputs = make(map[string]string, len(p.Inputs))
	for k, v := range p.Inputs {
		if v != nil {
			e.Inputs[k] = fmt.Sprint(v)
		}
	}
}

// setRef takes a full ref ("refs/heads/main") apart.
func (e *Event) setRef(ref string) {
	e.Branch, e.Tag = "", ""
	if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		e.Tag = tag
	} else if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		e.Branch = branch
	}
}
