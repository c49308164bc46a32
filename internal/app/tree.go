package app

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
	"github.com/go-git/go-git/v5/plumbing/format/index"
)

// maxTree bounds the files of a source that is uploaded, in bytes.
const maxTree = 200 << 20

// A TreeError says why a directory cannot be uploaded as an app's source.
type TreeError struct{ Dir, Text, Advice string }

// Error returns one line.
func (e *TreeError) Error() string {
	return fmt.Sprintf("cannot upload the source %s: %s", e.Dir, e.Text)
}

// Hint tells what to do about it.
func (e *TreeError) Hint() string { return e.Advice }

// treeFile is one file of a tree, by its path in the repository.
type treeFile struct {
	name string
	info fs.FileInfo
}

// tree is the part of a repository below a directory, as git sees it: without what is
// ignored, unless git tracks it all the same.
type tree struct {
	root    *os.Root
	dir     string          // below root
	tracked map[string]bool // the files that git tracks, and their directories
	ignore  []gitignore.Pattern
	files   []treeFile
}

// packTree writes the files below dir of a repository as a tar archive, and returns the
// name of their content, 40 hex digits. The same files make the same bytes, whoever
// checked them out and when.
func packTree(w io.Writer, repository, dir string, limit int64) (id string, err error) {
	root, err := os.OpenRoot(repository)
	if err != nil {
		return "", err
	}
	defer root.Close()
	t := &tree{root: root, dir: path.Clean(dir), tracked: trackedFiles(root)}
	if err := t.read(); err != nil {
		return "", err
	}
	if err := t.check(limit); err != nil {
		return "", err
	}
	hash := sha256.New()
	if err := t.write(io.MultiWriter(w, hash)); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil))[:40], nil
}

// trackedFiles reads git's index. Without one, or with one of another form,
// .gitignore alone decides.
func trackedFiles(root *os.Root) map[string]bool {
	text, err := root.ReadFile(".git/index")
	if err != nil {
		return nil
	}
	var idx index.Index
	if index.NewDecoder(bytes.NewReader(text)).Decode(&idx) != nil {
		return nil
	}
	tracked := map[string]bool{}
	for _, e := range idx.Entries {
		for name := e.Name; name != "." && !tracked[name]; name = path.Dir(name) {
			tracked[name] = true
		}
	}
	return tracked
}

// read finds the files, with the patterns that hold above the directory.
func (t *tree) read() error {
	info, err := t.root.Stat(t.dir)
	if err != nil || !info.IsDir() {
		return &TreeError{t.dir, "there is no such directory in the checkout", "`source.upload` names a directory of the repository; `.` is all of it"}
	}
	t.patterns(".git/info/exclude", nil)
	var above []string
	if t.dir != "." {
		for part := range strings.SplitSeq(t.dir, "/") {
			t.patterns(path.Join(append(slices.Clone(above), ".gitignore")...), above)
			above = append(above, part)
		}
	}
	return t.walk(t.dir, above)
}

// patterns adds those of an ignore file, which hold below a directory.
func (t *tree) patterns(name string, domain []string) {
	text, err := t.root.ReadFile(name)
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if line := lines.Text(); strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			t.ignore = append(t.ignore, gitignore.ParsePattern(line, slices.Clone(domain)))
		}
	}
}

// walk adds the files of a directory and those below it, in the order of their names.
func (t *tree) walk(dir string, parts []string) error {
	outer := len(t.ignore)
	defer func() { t.ignore = t.ignore[:outer] }()
	t.patterns(path.Join(dir, ".gitignore"), parts)
	entries, err := fs.ReadDir(t.root.FS(), dir)
	if err != nil {
		return err
	}
	ignored := gitignore.NewMatcher(t.ignore)
	for _, e := range entries {
		name, below := path.Join(dir, e.Name()), append(slices.Clone(parts), e.Name())
		if e.Name() == ".git" || !t.tracked[name] && ignored.Match(below, e.IsDir()) {
			continue
		}
		if e.IsDir() {
			err = t.walk(name, below)
		} else {
			err = t.add(name, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) add(name string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink {
		return &TreeError{t.dir, name + " is neither file nor directory", "remove it, or name it in .gitignore"}
	}
	t.files = append(t.files, treeFile{name, info})
	return nil
}

// check refuses a tree without files, and one that is too large.
func (t *tree) check(limit int64) error {
	var size int64
	var largest treeFile
	for _, f := range t.files {
		size += f.info.Size()
		if largest.info == nil || f.info.Size() > largest.info.Size() {
			largest = f
		}
	}
	switch {
	case len(t.files) == 0:
		return &TreeError{t.dir, "it has no files but those that git ignores", "take what is to be deployed out of .gitignore"}
	case size > limit:
		return &TreeError{t.dir, fmt.Sprintf("its %d files have %d MiB, and %d MiB is the bound; the largest is %s with %d MiB",
			len(t.files), size>>20, limit>>20, largest.name, largest.info.Size()>>20),
			"name what the app does not need in .gitignore, or let the guest fetch it with `source.git`"}
	}
	return nil
}

// write writes the archive. Times, owners and finer modes are left out: they differ from
// checkout to checkout. Directories make themselves when it is unpacked.
func (t *tree) write(w io.Writer) error {
	archive := tar.NewWriter(w)
	for _, f := range t.files {
		if err := t.writeFile(archive, f); err != nil {
			return fmt.Errorf("cannot pack %s: %w", f.name, err)
		}
	}
	return archive.Close()
}

func (t *tree) writeFile(archive *tar.Writer, f treeFile) error {
	name := f.name
	if t.dir != "." {
		name = strings.TrimPrefix(name, t.dir+"/")
	}
	h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: f.info.Size(), Format: tar.FormatPAX}
	if f.info.Mode()&0o100 != 0 {
		h.Mode = 0o755
	}
	if f.info.Mode().Type() == fs.ModeSymlink {
		to, err := t.root.Readlink(f.name)
		if err != nil {
			return err
		}
		h.Typeflag, h.Mode, h.Size, h.Linkname = tar.TypeSymlink, 0o777, 0, to
		return archive.WriteHeader(h)
	}
	from, err := t.root.Open(f.name)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	if n, err := io.Copy(archive, from); err != nil || n != h.Size {
		return errors.Join(errors.New("it changes while it is read"), err)
	}
	return nil
}
