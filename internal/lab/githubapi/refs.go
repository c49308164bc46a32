package githubapi

import (
	"net/http"
	"strings"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

func (c *call) ref(r gitrepo.Ref) obj {
	return obj{
		"ref": r.Name, "node_id": nodeID("REF", r.Name), "url": c.url("/git/%s", r.Name),
		"object": obj{"type": r.Type, "sha": r.SHA, "url": c.url("/git/%ss/%s", r.Type, r.SHA)},
	}
}

func (c *call) findRef() (gitrepo.Ref, error) {
	name := "refs/" + c.r.PathValue("ref")
	list, err := c.repo.git().Refs(name)
	if err != nil {
		return gitrepo.Ref{}, err
	}
	for _, r := range list {
		if r.Name == name {
			return r, nil
		}
	}
	return gitrepo.Ref{}, notFound()
}

func getRef(c *call) (*reply, error) {
	r, err := c.findRef()
	if err != nil {
		return nil, err
	}
	return ok(c.ref(r))
}

func matchingRefs(c *call) (*reply, error) {
	list, err := c.repo.git().Refs("refs/" + c.r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	return ok(mapped(list, c.ref))
}

func createRef(c *call) (*reply, error) {
	var in struct{ Ref, SHA string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(in.Ref, "refs/") || strings.Count(in.Ref, "/") < 2 {
		return nil, problem(http.StatusUnprocessableEntity, "Reference name must contain at least three slash-separated components.")
	}
	git := c.repo.git()
	sha, err := git.Resolve(in.SHA)
	if err != nil || sha != in.SHA {
		return nil, problem(http.StatusUnprocessableEntity, "Object does not exist")
	}
	list, err := git.Refs(in.Ref)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if r.Name == in.Ref {
			return nil, problem(http.StatusUnprocessableEntity, "Reference already exists")
		}
	}
	if err := git.SetRef(in.Ref, sha, ""); err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "%s is not a valid ref name.", in.Ref)
	}
	return created(c.ref(gitrepo.Ref{Name: in.Ref, SHA: sha, Type: "commit"}))
}

func updateRef(c *call) (*reply, error) {
	r, err := c.findRef()
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	var in struct {
		SHA   string
		Force bool
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	git := c.repo.git()
	sha, err := git.Resolve(in.SHA)
	if err != nil || sha != in.SHA {
		return nil, problem(http.StatusUnprocessableEntity, "Object does not exist")
	}
	forward, err := git.IsAncestor(r.SHA, sha)
	if err != nil {
		return nil, err
	}
	if !forward && !in.Force {
		return nil, problem(http.StatusUnprocessableEntity, "Update is not a fast forward")
	}
	if err := git.SetRef(r.Name, sha, r.SHA); err != nil {
		return nil, err
	}
	r.SHA = sha
	return ok(c.ref(r))
}

// deleteRef of a branch closes the pull requests that come from it, as GitHub does.
func deleteRef(c *call) (*reply, error) {
	r, err := c.findRef()
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	for _, p := range c.repo.Pulls {
		if p.State == "open" && p.HeadRepo == "" && "refs/heads/"+p.Head == r.Name {
			if err := c.setState(c.repo, p, "closed"); err != nil {
				return nil, err
			}
		}
	}
	if err := c.repo.git().DeleteRef(r.Name); err != nil {
		return nil, err
	}
	return noContent()
}

func (c *call) branch(r gitrepo.Ref) obj {
	name := strings.TrimPrefix(r.Name, "refs/heads/")
	return obj{"name": name, "protected": false, "commit": obj{"sha": r.SHA, "url": c.url("/commits/%s", r.SHA)}}
}

func listBranches(c *call) (*reply, error) {
	list, err := c.repo.git().Refs("refs/heads/")
	if err != nil {
		return nil, err
	}
	if c.r.URL.Query().Get("protected") == "true" {
		list = nil
	}
	return paged(c, list, c.branch)
}

func getBranch(c *call) (*reply, error) {
	name := c.r.PathValue("branch")
	list, err := c.repo.git().Refs("refs/heads/" + name)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || list[0].Name != "refs/heads/"+name {
		return nil, problem(http.StatusNotFound, "Branch not found")
	}
	commit, err := c.repo.git().Commit(list[0].SHA)
	if err != nil {
		return nil, err
	}
	self, web := c.url("/branches/%s", name), c.links.web+"/"+c.repo.Name+"/tree/"+name
	return ok(obj{
		"name": name, "commit": c.fullCommit(commit), "protected": false, "protection": obj{"enabled": false},
		"protection_url": self + "/protection", "_links": obj{"self": self, "html": web},
	})
}
