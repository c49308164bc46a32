package gitrepo

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newRepo(t *testing.T) Repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: apt-get install git")
	}
	r, err := Init(t.TempDir() + "/x.git")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t *testing.T, r Repo, branch, message string, files Files) string {
	t.Helper()
	sha, err := r.Write(branch, files, message, CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

func TestWriteThenRead(t *testing.T) {
	r := newRepo(t)
	first := write(t, r, "main", "first\n\nwith a body", Files{
		"README.md": []byte("# hello\n"), "bin/run": []byte("#!/bin/sh\n"), "a b/ü.txt": []byte(""),
	})
	second := write(t, r, "main", "second", Files{"README.md": nil})

	c, err := r.Commit("main")
	if err != nil {
		t.Fatal(err)
	}
	if c.SHA != second || !cmp.Equal(c.Parents, []string{first}) || c.Message != "second" {
		t.Errorf("got commit %+v", c)
	}
	if c, err = r.Commit(first[:10]); err != nil || c.Message != "first\n\nwith a body" {
		t.Errorf("short SHA: got %+v, %v", c, err)
	}
	if _, err := r.Stat("main", "README.md"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted file: got %v", err)
	}
	e, err := r.Stat("main", "bin/run")
	if err != nil || e.Mode != "100755" || e.Size != 10 {
		t.Errorf("got %+v, %v", e, err)
	}
	if b, err := r.Blob(e.SHA); err != nil || string(b) != "#!/bin/sh\n" {
		t.Errorf("got %q, %v", b, err)
	}
	if list, err := r.List("main", ""); err != nil || len(list) != 2 {
		t.Errorf("root: got %+v, %v", list, err)
	}
	if list, err := r.List(first, "a b"); err != nil || len(list) != 1 || list[0].Path != "a b/ü.txt" {
		t.Errorf("directory: got %+v, %v", list, err)
	}
}

func TestResolveRefusesWhatIsNoName(t *testing.T) {
	r := newRepo(t)
	write(t, r, "main", "one", Files{"a": []byte("1")})
	for _, rev := range []string{"", "--all", "main~1", "HEAD@{0}", "main:a", "missing"} {
		if sha, err := r.Resolve(rev); !errors.Is(err, ErrNotFound) {
			t.Errorf("Resolve(%q) = %q, %v", rev, sha, err)
		}
	}
}

func TestMergeAndCompare(t *testing.T) {
	r := newRepo(t)
	base := write(t, r, "main", "base", Files{"a": []byte("1\n"), "b": []byte("1\n")})
	write(t, r, "topic", "topic", Files{"a": []byte("2\n")})
	write(t, r, "main", "main", Files{"b": []byte("2\n")})
	write(t, r, "clash", "clash", Files{"b": []byte("3\n")})

	changes, err := r.Diff(base, "topic")
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{{Status: "M", Path: "a", SHA: "0cfbf08886fca9a91cb753ec8734c84fcbe52c9f", Additions: 1, Deletions: 1, Patch: "@@ -1 +1 @@\n-1\n+2"}}
	if d := cmp.Diff(want, changes); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	sha, err := r.Merge("main", "topic", "merge", CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := r.IsAncestor("topic", sha); !ok || err != nil {
		t.Errorf("topic in main: %v, %v", ok, err)
	}
	write(t, r, "main", "other", Files{"b": []byte("4\n")})
	if ok, err := r.Mergeable("main", "clash"); ok || err != nil {
		t.Errorf("clash is mergeable: %v, %v", ok, err)
	}
	if _, err := r.Merge("main", "clash", "merge", CommitOptions{}); !errors.Is(err, ErrConflict) {
		t.Errorf("merge of a conflict: %v", err)
	}
}

func TestWriteRefusesPathsOutside(t *testing.T) {
	r := newRepo(t)
	for _, p := range []string{"", "/etc/passwd", "../x", "a\nb", ".git/config"} {
		if _, err := r.Write("main", Files{p: []byte("x")}, "m", CommitOptions{}); err == nil {
			t.Errorf("committed %q", p)
		}
	}
	if _, err := r.Write("a..b", Files{"x": nil}, "m", CommitOptions{}); err == nil || !strings.Contains(err.Error(), "branch name") {
		t.Errorf("branch a..b: %v", err)
	}
}

func FuzzParseRaw(f *testing.F) {
	f.Add(":100644 100644 aaaa bbbb M\x00a\x00:100644 100644 aaaa bbbb R100\x00a\x00b\x00")
	f.Add(":1 2 3 4 R\x00a")
	f.Fuzz(func(t *testing.T, raw string) {
		for _, c := range parseRaw(raw) {
			if c.Status == "" {
				t.Errorf("a change without a status: %+v", c)
			}
		}
	})
}
