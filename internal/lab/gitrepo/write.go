package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strings"
	"time"
)

// ErrConflict is returned by a merge that git cannot do by itself.
var ErrConflict = errors.New("merge conflict")

// Files is the change set of one commit: path to content. A nil content deletes the path.
// Content that starts with "#!" makes an executable file.
type Files map[string][]byte

// CommitOptions says who commits; the zero value is a lab user, now.
type CommitOptions struct {
	Author, Email string
	Date          time.Time
}

// Write commits files on top of a branch and returns the new commit's SHA. A branch
// that does not exist yet starts at the default branch, or empty in a new repository.
func (r Repo) Write(branch string, files Files, message string, opt CommitOptions) (string, error) {
	ref := "refs/heads/" + branch
	if _, err := r.git(nil, "check-ref-format", ref); err != nil {
		return "", fmt.Errorf("cannot commit to %q: not a branch name", branch)
	}
	parent, err := r.parent(branch)
	if err != nil {
		return "", err
	}
	stream, err := importStream(ref, parent, files, message, opt)
	if err != nil {
		return "", err
	}
	if _, err := r.git(stream, "fast-import", "--quiet", "--date-format=raw"); err != nil {
		return "", err
	}
	return r.Resolve(branch)
}

func (r Repo) parent(branch string) (string, error) {
	sha, err := r.Resolve(branch)
	if err == nil {
		return sha, nil
	}
	def, err := r.DefaultBranch()
	if err != nil {
		return "", err
	}
	sha, err = r.Resolve(def)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return sha, err
}

// importStream is one commit in the language of git-fast-import(1).
func importStream(ref, parent string, files Files, message string, opt CommitOptions) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "commit %s\ncommitter %s\n", ref, opt.ident())
	fmt.Fprintf(&b, "data %d\n%s\n", len(message), message)
	if parent != "" {
		fmt.Fprintf(&b, "from %s\n", parent)
	}
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		if !validPath(p) {
			return nil, fmt.Errorf("cannot commit %q: not a path inside a repository", p)
		}
		writeFile(&b, p, files[p])
	}
	return b.Bytes(), nil
}

// validPath keeps out what git itself would refuse to check out.
func validPath(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return fs.ValidPath(p) && p != "." && !strings.EqualFold(first, ".git") && !strings.ContainsAny(p, "\n\"")
}

func writeFile(b *bytes.Buffer, path string, content []byte) {
	if content == nil {
		fmt.Fprintf(b, "D %s\n", path)
		return
	}
	mode := "100644"
	if bytes.HasPrefix(content, []byte("#!")) {
		mode = "100755"
	}
	fmt.Fprintf(b, "M %s inline %s\ndata %d\n%s\n", mode, path, len(content), content)
}

func (o CommitOptions) ident() string {
	name, email, date := o.Author, o.Email, o.Date
	if name == "" {
		name, email = "Lab User", "user@lab.invalid"
	}
	if date.IsZero() {
		date = time.Now()
	}
	clean := strings.NewReplacer("<", "", ">", "", "\n", " ")
	return fmt.Sprintf("%s <%s> %d +0000", clean.Replace(name), clean.Replace(email), date.Unix())
}

// SetRef points a fully qualified reference at a commit. With a non-empty old value
// the reference must have it.
func (r Repo) SetRef(ref, sha, old string) error {
	args := []string{"update-ref", ref, sha}
	if old != "" {
		args = append(args, old)
	}
	_, err := r.git(nil, args...)
	return err
}

// DeleteRef removes a reference.
func (r Repo) DeleteRef(ref string) error {
	_, err := r.git(nil, "update-ref", "-d", ref)
	return err
}

// Mergeable reports whether git can merge the two commits without a person.
func (r Repo) Mergeable(base, head string) (bool, error) {
	_, err := r.mergeTree(base, head)
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// Merge makes a merge commit of head into the branch base and moves the branch to it.
func (r Repo) Merge(base, head, message string, opt CommitOptions) (string, error) {
	ours, err := r.Resolve(base)
	if err != nil {
		return "", err
	}
	theirs, err := r.Resolve(head)
	if err != nil {
		return "", err
	}
	tree, err := r.mergeTree(ours, theirs)
	if err != nil {
		return "", err
	}
	sha, err := r.commitTree(tree, message, opt, ours, theirs)
	if err != nil {
		return "", err
	}
	return sha, r.SetRef("refs/heads/"+base, sha, ours)
}

func (r Repo) mergeTree(ours, theirs string) (string, error) {
	out, err := r.git(nil, "merge-tree", "--write-tree", "--no-messages", ours, theirs)
	if exitCode(err) == 1 {
		return "", ErrConflict
	}
	return strings.TrimSpace(string(out)), err
}

// commitTree writes the commit object itself, as git-commit-tree(1) would: hash-object
// takes the identity from the content instead of from the process's environment.
func (r Repo) commitTree(tree, message string, opt CommitOptions, parents ...string) (string, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", tree)
	for _, p := range parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	id := opt.ident()
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s\n", id, id, message)
	out, err := r.git(b.Bytes(), "hash-object", "-t", "commit", "-w", "--stdin")
	return strings.TrimSpace(string(out)), err
}
