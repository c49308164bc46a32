package githubapi

import (
	"encoding/base64"
	"net/http"
	"path"
	"strings"

	"github.com/org/appstack-action/internal/lab/gitrepo"
)

// content renders an entry of a tree; a file's own content is added by withContent.
func (c *call) content(ref string) func(gitrepo.Entry) obj {
	return func(e gitrepo.Entry) obj {
		kind, segment := contentKind(e)
		self := c.url("/contents/%s?ref=%s", e.Path, ref)
		git := c.url("/git/%ss/%s", segment, e.SHA)
		web := c.links.web + "/" + c.repo.Name + "/" + segment + "/" + ref + "/" + e.Path
		o := obj{
			"name": path.Base(e.Path), "path": e.Path, "sha": e.SHA, "size": e.Size, "type": kind,
			"url": self, "git_url": git, "html_url": web, "download_url": nil,
			"_links": obj{"self": self, "git": git, "html": web},
		}
		if kind == "file" || kind == "symlink" {
			o["download_url"] = c.links.web + "/" + c.repo.Name + "/raw/" + ref + "/" + e.Path
		}
		return o
	}
}

func contentKind(e gitrepo.Entry) (kind, segment string) {
	switch {
	case e.Type == "tree":
		return "dir", "tree"
	case e.Type == "commit":
		return "submodule", "tree"
	case e.Mode == "120000":
		return "symlink", "blob"
	}
	return "file", "blob"
}

func getContents(c *call) (*reply, error) {
	git := c.repo.git()
	ref := c.r.URL.Query().Get("ref")
	if ref == "" {
		def, err := git.DefaultBranch()
		if err != nil {
			return nil, err
		}
		ref = def
	}
	if _, err := git.Resolve(ref); err != nil {
		return nil, problem(http.StatusNotFound, "No commit found for the ref %s", ref)
	}
	e, err := git.Stat(ref, c.r.PathValue("path"))
	if err != nil {
		return nil, err
	}
	if e.Type == "tree" {
		list, err := git.List(ref, e.Path)
		if err != nil {
			return nil, err
		}
		return ok(mapped(list, c.content(ref)))
	}
	return c.getFile(ref, e)
}

// maxInline is the largest file, in bytes, whose content comes inside the JSON.
const maxInline = 1 << 20

func (c *call) getFile(ref string, e gitrepo.Entry) (*reply, error) {
	o := c.content(ref)(e)
	if o["type"] == "submodule" {
		o["submodule_git_url"] = nil
		return ok(o)
	}
	blob, err := c.repo.git().Blob(e.SHA)
	if err != nil {
		return nil, err
	}
	if accept := c.r.Header.Get("Accept"); strings.Contains(accept, ".raw") {
		return &reply{status: http.StatusOK, raw: blob, header: http.Header{"Content-Type": {"application/vnd.github.raw; charset=utf-8"}}}, nil
	}
	switch {
	case o["type"] == "symlink":
		o["target"] = string(blob)
	case e.Size > maxInline:
		o["content"], o["encoding"] = "", "none"
	default:
		o["content"], o["encoding"] = lines(base64.StdEncoding.EncodeToString(blob)), "base64"
	}
	return ok(o)
}

// lines breaks base64 after 60 characters, as GitHub does.
func lines(s string) string {
	var b strings.Builder
	for len(s) > 60 {
		b.WriteString(s[:60] + "\n")
		s = s[60:]
	}
	b.WriteString(s + "\n")
	return b.String()
}

type contentsRequest struct {
	Message, Content, SHA, Branch string
	Committer, Author             *struct{ Name, Email string }
}

// commitContents writes one file on a branch and answers the commit. A nil content deletes.
func (c *call) commitContents(in contentsRequest, content []byte) (gitrepo.Commit, error) {
	git := c.repo.git()
	opt := gitrepo.CommitOptions{Author: c.token.author(), Email: numberedEmail(c.token.author()), Date: c.now()}
	if in.Committer != nil {
		opt.Author, opt.Email = in.Committer.Name, in.Committer.Email
	}
	sha, err := git.Write(in.Branch, gitrepo.Files{c.r.PathValue("path"): content}, in.Message, opt)
	if err != nil {
		return gitrepo.Commit{}, problem(http.StatusUnprocessableEntity, "path contains a malformed path component")
	}
	return git.Commit(sha)
}

func numberedEmail(login string) string {
	return itoa(int(numberOf(login))) + "+" + login + "@users.noreply.github.com"
}

// readContents checks a writing request; existing is the file that is there already.
func (c *call) readContents(in *contentsRequest) (existing *gitrepo.Entry, err error) {
	if err := c.decode(in); err != nil {
		return nil, err
	}
	git := c.repo.git()
	if in.Branch == "" {
		if in.Branch, err = git.DefaultBranch(); err != nil {
			return nil, err
		}
	} else if refs, err := git.Refs("refs/heads/" + in.Branch); err != nil || len(refs) == 0 {
		return nil, problem(http.StatusNotFound, "Branch %s not found", in.Branch)
	}
	file := c.r.PathValue("path")
	e, err := git.Stat(in.Branch, file)
	if err != nil {
		return nil, nil
	}
	if in.SHA == "" {
		return nil, problem(http.StatusUnprocessableEntity, "Invalid request.\n\n\"sha\" wasn't supplied.")
	}
	if in.SHA != e.SHA {
		return nil, problem(http.StatusConflict, "%s does not match %s", file, in.SHA)
	}
	return &e, nil
}

func putContents(c *call) (*reply, error) {
	var in contentsRequest
	existing, err := c.readContents(&in)
	if err != nil {
		return nil, err
	}
	content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(in.Content, "\n", ""))
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "content is not valid Base64")
	}
	commit, err := c.commitContents(in, append([]byte{}, content...))
	if err != nil {
		return nil, err
	}
	e, err := c.repo.git().Stat(commit.SHA, c.r.PathValue("path"))
	if err != nil {
		return nil, err
	}
	status := http.StatusCreated
	if existing != nil {
		status = http.StatusOK
	}
	return &reply{status: status, body: obj{"content": c.content(in.Branch)(e), "commit": c.gitCommit(commit)}}, nil
}

func deleteContents(c *call) (*reply, error) {
	var in contentsRequest
	existing, err := c.readContents(&in)
	if err != nil {
		return nil, err
	}
	if existing == nil {
		return nil, notFound()
	}
	commit, err := c.commitContents(in, nil)
	if err != nil {
		return nil, err
	}
	return ok(obj{"content": nil, "commit": c.gitCommit(commit)})
}
