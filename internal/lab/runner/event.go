package runner

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Push makes the payload of a push: what GitHub sends, reduced to what identifies the
// push. base is a payload of the same event to take everything else from; nil: none.
func Push(base []byte, repository, branch, before, after, message, actor string) ([]byte, error) {
	head := map[string]any{"id": after, "message": message, "author": person(actor), "committer": person(actor)}
	return patch(base, map[string]any{
		"ref": "refs/heads/" + branch, "before": before, "after": after, "created": strings.Trim(before, "0") == "", "deleted": false, "forced": false,
		"pusher": map[string]any{"name": actor, "email": actor + "@lab.invalid"}, "sender": map[string]any{"login": actor},
		"repository": repo(repository), "head_commit": head, "commits": []any{head},
	})
}

// Payload lays what identifies an event over a payload of its kind, as with [Push].
func Payload(base []byte, repository, actor string, changes map[string]any) ([]byte, error) {
	all := map[string]any{"repository": repo(repository), "sender": map[string]any{"login": actor}}
	lay(all, changes)
	return patch(base, all)
}

// Pull says which pull request an event is about.
type Pull struct {
	Repository string // owner/name of the base
	HeadRepo   string // owner/name of the head; empty: the same
	Number     int
	Action     string // opened, synchronize, closed, …
	Title      string
	Author     string
	Base, Head string // branches
	HeadSHA    string
}

// PullRequest makes the payload of a pull_request event; base is as with [Push].
func PullRequest(base []byte, p Pull) ([]byte, error) {
	head := p.HeadRepo
	if head == "" {
		head = p.Repository
	}
	owner, _, _ := strings.Cut(head, "/")
	return patch(base, map[string]any{
		"action": p.Action, "number": p.Number, "repository": repo(p.Repository), "sender": map[string]any{"login": p.Author},
		"pull_request": map[string]any{
			"number": p.Number, "title": p.Title, "state": "open", "merged": false, "user": map[string]any{"login": p.Author},
			"head": map[string]any{"ref": p.Head, "sha": p.HeadSHA, "label": owner + ":" + p.Head, "repo": repo(head)},
			"base": map[string]any{"ref": p.Base, "repo": repo(p.Repository)},
		},
	})
}

func repo(fullName string) map[string]any {
	owner, name, _ := strings.Cut(fullName, "/")
	return map[string]any{"name": name, "full_name": fullName, "owner": map[string]any{"login": owner, "name": owner}}
}

func person(login string) map[string]any {
	return map[string]any{"name": login, "username": login, "email": login + "@lab.invalid"}
}

// patch lays changes over a payload, object by object.
func patch(base []byte, changes map[string]any) ([]byte, error) {
	payload := map[string]any{}
	if len(base) > 0 {
		if err := json.Unmarshal(base, &payload); err != nil {
			return nil, fmt.Errorf("cannot read the payload: %w", err)
		}
	}
	lay(payload, changes)
	return json.MarshalIndent(payload, "", "  ")
}

func lay(over, changes map[string]any) {
	for key, value := range changes {
		inner, ok := value.(map[string]any)
		under, has := over[key].(map[string]any)
		if ok && has {
			lay(under, inner)
			continue
		}
		over[key] = value
	}
}
