package gitrepo

import (
	"fmt"
	"strconv"
	"strings"
)

// Change is one file that differs between two commits.
type Change struct {
	Status    string // git's letter: A, M, D, R, C or T
	Path      string
	Previous  string // the old path of a renamed or copied file
	SHA       string // the new blob; the old one for a deleted file
	Additions int
	Deletions int
	Patch     string // unified hunks; empty for a binary file
}

// MergeBase returns the best common ancestor of two commits.
func (r Repo) MergeBase(a, b string) (string, error) {
	out, err := r.git(nil, "merge-base", a, b)
	if exitCode(err) == 1 {
		return "", fmt.Errorf("cannot find a common ancestor: %w", ErrNotFound)
	}
	return strings.TrimSpace(string(out)), err
}

// Count returns how many commits head has that base has not.
func (r Repo) Count(base, head string) (int, error) {
	out, err := r.git(nil, "rev-list", "--count", head, "^"+base)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}

// IsAncestor reports whether commit is reachable from rev.
func (r Repo) IsAncestor(commit, rev string) (bool, error) {
	_, err := r.git(nil, "merge-base", "--is-ancestor", commit, rev)
	if exitCode(err) == 1 {
		return false, nil
	}
	return err == nil, err
}

// Diff returns the files that differ between two commits.
func (r Repo) Diff(from, to string) ([]Change, error) {
	raw, err := r.git(nil, "diff", "--raw", "-z", "-M", "--abbrev=40", from, to)
	if err != nil {
		return nil, err
	}
	list := parseRaw(string(raw))
	for i := range list {
		if err := r.addPatch(&list[i], from, to); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// parseRaw reads `git diff --raw -z`: ":oldmode newmode oldsha newsha X\0path\0[path\0]".
func parseRaw(raw string) []Change {
	var list []Change
	fields := strings.Split(raw, "\x00")
	for len(fields) >= 2 && strings.HasPrefix(fields[0], ":") {
		meta := strings.Fields(fields[0])
		if len(meta) != 5 {
			break
		}
		c := Change{Status: meta[4][:1], Path: fields[1], SHA: meta[3]}
		fields = fields[2:]
		switch c.Status {
		case "D":
			c.SHA = meta[2]
		case "R", "C":
			if len(fields) == 0 {
				return list
			}
			c.Previous, c.Path = c.Path, fields[0]
			fields = fields[1:]
		}
		list = append(list, c)
	}
	return list
}

func (r Repo) addPatch(c *Change, from, to string) error {
	paths := []string{c.Path}
	if c.Previous != "" {
		paths = append(paths, c.Previous)
	}
	out, err := r.git(nil, append([]string{"diff", "-M", from, to, "--"}, paths...)...)
	if err != nil {
		return err
	}
	if i := strings.Index(string(out), "\n@@"); i >= 0 {
		c.Patch = strings.TrimRight(string(out[i+1:]), "\n")
	}
	for _, line := range strings.Split(c.Patch, "\n") {
		switch {
		case strings.HasPrefix(line, "+"):
			c.Additions++
		case strings.HasPrefix(line, "-"):
			c.Deletions++
		}
	}
	return nil
}
