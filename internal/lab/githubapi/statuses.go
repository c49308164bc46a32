package githubapi

import (
	"net/http"
	"slices"
)

func (c *call) commitStatus(st *CommitStatus) obj {
	return obj{
		"id": st.ID, "node_id": nodeID("SC", st.ID), "state": st.State, "context": st.Context,
		"description": orNull(st.Description), "target_url": orNull(st.Target),
		"url": c.url("/statuses/%s", st.SHA), "avatar_url": c.links.web + "/avatar/" + st.Author, "creator": c.links.user(st.Author),
		"created_at": stamp(st.Created), "updated_at": stamp(st.Created),
	}
}

func createCommitStatus(c *call) (*reply, error) {
	var in struct {
		State, Description string
		Context            *string
		TargetURL          string `json:"target_url"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	sha, err := c.repo.git().Resolve(c.r.PathValue("sha"))
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "No commit found for SHA: %s", c.r.PathValue("sha"))
	}
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State) {
		return nil, invalid("Status", "state", "custom", "state is not included in the list")
	}
	st := &CommitStatus{
		ID: c.state.id(), SHA: sha, State: in.State, Context: "default",
		Description: in.Description, Target: in.TargetURL, Author: c.token.author(), Created: c.now(),
	}
	if in.Context != nil {
		st.Context = *in.Context
	}
	c.repo.Statuses = append(c.repo.Statuses, st)
	return created(c.commitStatus(st))
}

// statusesOf answers a commit's statuses, the newest first.
func (c *call) statusesOf() (string, []*CommitStatus, error) {
	sha, err := c.repo.git().Resolve(c.r.PathValue("ref"))
	if err != nil {
		return "", nil, err
	}
	var list []*CommitStatus
	for _, st := range slices.Backward(c.repo.Statuses) {
		if st.SHA == sha {
			list = append(list, st)
		}
	}
	return sha, list, nil
}

func listCommitStatuses(c *call) (*reply, error) {
	_, list, err := c.statusesOf()
	if err != nil {
		return nil, err
	}
	return paged(c, list, c.commitStatus)
}

// getCombinedStatus is success only when every context is; no context at all is pending.
func getCombinedStatus(c *call) (*reply, error) {
	sha, list, err := c.statusesOf()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	list = slices.DeleteFunc(list, func(st *CommitStatus) bool {
		old := seen[st.Context]
		seen[st.Context] = true
		return old
	})
	state := "success"
	for _, st := range list {
		switch {
		case st.State == "failure" || st.State == "error":
			state = "failure"
		case st.State == "pending" && state == "success":
			state = "pending"
		}
	}
	if len(list) == 0 {
		state = "pending"
	}
	cut, header := page(c, list)
	return &reply{status: http.StatusOK, header: header, body: obj{
		"state": state, "sha": sha, "total_count": len(list), "statuses": mapped(cut, c.commitStatus),
		"repository": c.repository(c.repo, false), "commit_url": c.url("/commits/%s", sha), "url": c.url("/commits/%s/status", sha),
	}}, nil
}
