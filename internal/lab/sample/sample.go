// Package sample makes the lab's repositories out of the sample applications.
package sample

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/appstack-action/internal/lab/gitrepo"
	"github.com/org/appstack-action/testdata/apps"
)

// built are directories that a build leaves in a work tree; they are no source.
var built = []string{"node_modules", "dist", ".venv", "__pycache__", "wheels"}

// Shop is the Node app: a backend on port 3001 and a frontend on port 3000.
func Shop() (gitrepo.Files, error) { return load("shop") }

// Pote is the Python app without wheels: pip needs a package index, or [Wheels].
func Pote() (gitrepo.Files, error) { return load("pote") }

func load(name string) (gitrepo.Files, error) {
	app, err := fs.Sub(apps.FS, name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the sample app %s: %w", name, err)
	}
	files := gitrepo.Files{}
	err = fs.WalkDir(app, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(built, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		files[path], err = fs.ReadFile(app, path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the sample app %s: %w", name, err)
	}
	return files, nil
}

// Wheels makes the wheels that pote's requirements.txt needs out of Debian's packages,
// for a folder wheels/ in its repository: the lab's guests reach Debian's mirror but
// need not reach a Python index. The wheels stay in cache, a directory of the caller's,
// and are made again only when it is empty. It needs python3, apt-get and dpkg-deb.
func Wheels(ctx context.Context, cache string) (gitrepo.Files, error) {
	found, err := filepath.Glob(filepath.Join(cache, "*.whl"))
	if err == nil && len(found) == 0 {
		if err = makeWheels(ctx, cache); err == nil {
			found, err = filepath.Glob(filepath.Join(cache, "*.whl"))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the wheels of the sample app pote: %w", err)
	}
	files := gitrepo.Files{}
	for _, file := range found {
		if files["wheels/"+filepath.Base(file)], err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("cannot read a wheel of the sample app pote: %w", err)
		}
	}
	return files, nil
}

// makeWheels fills cache in one step, so that an interrupted run leaves nothing half.
func makeWheels(ctx context.Context, cache string) error {
	script, err := fs.ReadFile(apps.FS, "pote/tools/wheels.py")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(cache), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(cache), ".wheels-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	cmd := exec.CommandContext(ctx, "python3", "-", temp)
	cmd.Stdin = strings.NewReader(string(script))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := os.Remove(cache); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Rename(temp, cache)
}
