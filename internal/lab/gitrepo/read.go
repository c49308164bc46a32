package gitrepo

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Commit is one commit as git stores it.
type Commit struct {
	SHA, Tree         string
	Parents           []string
	Author, Committer Person
	Message           string
}

// Person is the author or committer of a commit.
type Person struct {
	Name, Email string
	Date        time.Time
}

// Entry is one file, directory, symbolic link or submodule of a tree.
type Entry struct {
	Mode string // git's octal mode: 100644, 100755, 040000, 120000, 160000
	Type string // blob, tree or commit
	SHA  string
	Size int64  // bytes; 0 for a tree
	Path string // from the root of the repository
}

// Ref is a named pointer to an object.
type Ref struct {
	Name string // fully qualified: refs/heads/main
	SHA  string
	Type string // commit or tag
}

// Resolve returns the commit that a branch, tag, full or short SHA means, in the
// order in which GitHub looks: branch, tag, commit.
func (r Repo) Resolve(rev string) (string, error) {
	if rev == "" || strings.HasPrefix(rev, "-") || strings.ContainsAny(rev, "^~:@ \n") {
		return "", fmt.Errorf("cannot resolve %q: %w", rev, ErrNotFound)
	}
	for _, prefix := range []string{"refs/heads/", "refs/tags/", ""} {
		out, err := r.git(nil, "rev-parse", "--verify", "--quiet", "--end-of-options", prefix+rev+"^{commit}")
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
	}
	return "", fmt.Errorf("cannot resolve %q: %w", rev, ErrNotFound)
}

// commitFormat prints a commit's fields with a NUL after each.
const commitFormat = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x00"

// Commit reads the commit that rev means.
func (r Repo) Commit(rev string) (Commit, error) {
	sha, err := r.Resolve(rev)
	if err != nil {
		return Commit{}, err
	}
	list, err := r.log("-1", sha)
	if err != nil {
		return Commit{}, err
	}
	return list[0], nil
}

// Log returns the commits that head has and base has not, oldest first.
func (r Repo) Log(base, head string) ([]Commit, error) {
	return r.log("--reverse", head, "^"+base)
}

func (r Repo) log(args ...string) ([]Commit, error) {
	out, err := r.git(nil, append([]string{"log", "--format=tformat:" + commitFormat}, args...)...)
	if err != nil {
		return nil, err
	}
	fields := strings.Split(string(out), "\x00")
	var list []Commit
	for ; len(fields) > 10; fields = fields[10:] {
		c, err := parseCommit(fields[:10])
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func parseCommit(f []string) (Commit, error) {
	authored, err := time.Parse(time.RFC3339, f[5])
	if err != nil {
		return Commit{}, fmt.Errorf("cannot read a commit's date: %w", err)
	}
	committed, err := time.Parse(time.RFC3339, f[8])
	if err != nil {
		return Commit{}, fmt.Errorf("cannot read a commit's date: %w", err)
	}
	return Commit{
		SHA: strings.TrimSpace(f[0]), Tree: f[1], Parents: strings.Fields(f[2]),
		Author:    Person{f[3], f[4], authored},
		Committer: Person{f[6], f[7], committed},
		Message:   strings.TrimRight(f[9], "\n"),
	}, nil
}

// Stat returns the entry at path in the tree of rev; the empty path is the root.
func (r Repo) Stat(rev, path string) (Entry, error) {
	sha, err := r.Resolve(rev)
	if err != nil {
		return Entry{}, err
	}
	path = strings.Trim(path, "/")
	if path == "" {
		return Entry{Mode: "040000", Type: "tree", SHA: sha}, nil
	}
	list, err := r.lsTree(sha, "--", path)
	if err != nil {
		return Entry{}, err
	}
	if len(list) != 1 {
		return Entry{}, fmt.Errorf("cannot find %s at %s: %w", path, rev, ErrNotFound)
	}
	return list[0], nil
}

// List returns the entries of a directory, in git's order.
func (r Repo) List(rev, dir string) ([]Entry, error) {
	e, err := r.Stat(rev, dir)
	if err != nil {
		return nil, err
	}
	if e.Type != "tree" {
		return nil, fmt.Errorf("cannot list %s: %w", dir, ErrNotFound)
	}
	if e.Path == "" {
		return r.lsTree(e.SHA)
	}
	sha, err := r.Resolve(rev)
	if err != nil {
		return nil, err
	}
	return r.lsTree(sha, "--", e.Path+"/")
}

func (r Repo) lsTree(args ...string) ([]Entry, error) {
	out, err := r.git(nil, append([]string{"ls-tree", "-z", "-l"}, args...)...)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, line := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		meta, path, ok := strings.Cut(line, "\t")
		f := strings.Fields(meta)
		if !ok || len(f) != 4 {
			continue
		}
		size, _ := strconv.ParseInt(f[3], 10, 64) // "-" for a tree
		list = append(list, Entry{Mode: f[0], Type: f[1], SHA: f[2], Size: size, Path: path})
	}
	return list, nil
}

// Blob returns the content of a blob.
func (r Repo) Blob(sha string) ([]byte, error) {
	return r.git(nil, "cat-file", "blob", sha)
}

// Refs returns the references whose full name starts with prefix, by name.
func (r Repo) Refs(prefix string) ([]Ref, error) {
	out, err := r.git(nil, "for-each-ref", "--format=%(refname)%00%(objectname)%00%(objecttype)")
	if err != nil {
		return nil, err
	}
	var list []Ref
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Split(line, "\x00")
		if len(f) == 3 && strings.HasPrefix(f[0], prefix) {
			list = append(list, Ref{Name: f[0], SHA: f[1], Type: f[2]})
		}
	}
	return list, nil
}

// DefaultBranch is the branch that HEAD names, whether or not it has a commit yet.
func (r Repo) DefaultBranch() (string, error) {
	out, err := r.git(nil, "symbolic-ref", "--short", "HEAD")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}
