package app

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// plant writes files, "mode text" by path; a mode of "->" makes a symlink.
func plant(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		mode, text, _ := strings.Cut(text, " ")
		var err error
		switch mode {
		case "->":
			err = os.Symlink(text, file)
		case "x":
			err = os.WriteFile(file, []byte(text), 0o750)
		default:
			err = os.WriteFile(file, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// unpacked lists an archive: a line for each entry.
func unpacked(t *testing.T, archive io.Reader) string {
	t.Helper()
	var b strings.Builder
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s tells when and whose: %v %d %q", h.Name, h.ModTime, h.Uid, h.Uname)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %o %s%s\n", h.Name, h.Mode, text, h.Linkname)
	}
}

var repositoryFiles = map[string]string{
	".gitignore":             "f node_modules/\n*.log\n!kept.log\n/dist\nforced/\n",
	".git/info/exclude":      "f private\n",
	".git/description":       "f secret",
	"app/.gitignore":         "f # a comment\n\n/local\n",
	"app/server.js":          "f serve()",
	"app/run":                "x #!/bin/sh",
	"app/link":               "-> server.js",
	"app/debug.log":          "f no",
	"app/kept.log":           "f yes",
	"app/dist/out.js":        "f not at the top",
	"app/local/x":            "f no",
	"app/lib/local/x":        "f yes",
	"app/node_modules/a/b.c": "f no",
	"app/private":            "f no",
	"app/forced/tracked":     "f yes",
	"app/forced/not":         "f no",
	"app/sub/.git":           "f gitdir: elsewhere",
	"app/grüße und mehr":     "f yes",
	"dist/x":                 "f no",
	"other":                  "f yes",
}

func TestPackTree(t *testing.T) {
	const inApp = `.gitignore 644 # a comment

/local

dist/out.js 644 not at the top
forced/tracked 644 yes
grüße und mehr 644 yes
kept.log 644 yes
lib/local/x 644 yes
link 777 server.js
run 755 #!/bin/sh
server.js 644 serve()
`
	dir := t.TempDir()
	plant(t, dir, repositoryFiles)
	runGit(t, dir, "init", "-q")
	runGit(t, dir, "add", "-f", "app/forced/tracked", "app/server.js")
	var first, second bytes.Buffer
	id, err := packTree(&first, dir, "app", maxTree)
	if err != nil {
		t.Fatal(err)
	}
	if got := unpacked(t, bytes.NewReader(first.Bytes())); got != inApp {
		t.Error(cmp.Diff(inApp, got))
	}
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(id) {
		t.Errorf("the content's name is %q", id)
	}

	// What a checkout on another day and another machine differs in.
	other := t.TempDir()
	plant(t, other, repositoryFiles)
	runGit(t, other, "init", "-q")
	runGit(t, other, "add", "-f", "app")
	runGit(t, other, "rm", "-rqf", "--cached", "app/forced/not", "app/node_modules", "app/debug.log", "app/local", "app/private")
	for name, mode := range map[string]os.FileMode{"app/server.js": 0o666, "app/run": 0o700} {
		if err := os.Chmod(filepath.Join(other, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	again, err := packTree(&second, other, "app", maxTree)
	if err != nil || again != id || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("the same content has the names %s and %s (%v)\n%s", id, again, err, unpacked(t, &second))
	}

	all, err := packTree(&second, dir, ".", maxTree)
	if got := unpacked(t, bytes.NewReader(second.Bytes()[first.Len():])); err != nil || all == id || !strings.HasSuffix(got, "other 644 yes\n") || strings.Contains(got, " no\n") || strings.Contains(got, "secret") {
		t.Errorf("all of it: %v\n%s", err, got)
	}
	plant(t, other, map[string]string{"app/new": "f 1"})
	if changed, err := packTree(io.Discard, other, "app", maxTree); err != nil || changed == id {
		t.Errorf("a new file leaves the name %s (%v)", changed, err)
	}
}

func runGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	c := exec.Command("git", append([]string{"-C", dir}, args...)...)
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestPackTreeRefuses(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, map[string]string{"app/a": "f 12345", "app/b": "f 1234567890", "empty/.gitignore": "f *", "outside": "-> /etc"})
	for sub, want := range map[string]string{
		"app":     "its 2 files have 0 MiB, and 0 MiB is the bound; the largest is app/b with 0 MiB",
		"missing": "there is no such directory",
		"app/a":   "there is no such directory",
		"outside": "there is no such directory",
		"empty":   "it has no files but those that git ignores",
	} {
		_, err := packTree(io.Discard, dir, sub, 14)
		var refused *TreeError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) || refused.Hint() == "" {
			t.Errorf("%s: got %v, want %q", sub, err, want)
		}
	}
	if _, err := packTree(io.Discard, dir, "app", 15); err != nil {
		t.Errorf("as large as the bound: %v", err)
	}
}
