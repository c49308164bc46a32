package app

import (
	"context"
	"fmt"
	"os"
)

// withSource packs the source that the stack uploads before the work, and removes the
// archive after it.
func withSource(work worker) worker {
	return func(ctx context.Context, s *session) error {
		want := s.target.Want.OS
		if dir := s.target.Spec.App.Source.Upload; dir != "" && want != nil && want.Release != nil {
			drop, err := s.pack(dir)
			if err != nil {
				return err
			}
			defer drop()
		}
		return work(ctx, s)
	}
}

// pack makes the release that is wanted the content of a directory of the checkout.
func (s *session) pack(dir string) (drop func(), err error) {
	switch source := s.run.Source; {
	case source.Temp != "":
		return nil, &TreeError{dir, "nothing was checked out", "put `- uses: actions/checkout@v4` before this step"}
	case s.run.Request.Ref != "":
		return nil, &UsageError{fmt.Sprintf("the source of %s is what is checked out, not a commit: check %s out instead of asking for it", s.target.Name, s.run.Request.Ref)}
	}
	temp := os.TempDir()
	if err := os.MkdirAll(temp, 0o700); err != nil { // the action's image has none
		return nil, fmt.Errorf("cannot pack the source: %w", err)
	}
	file, err := os.CreateTemp(temp, "appstack-*.tar")
	if err != nil {
		return nil, fmt.Errorf("cannot pack the source: %w", err)
	}
	drop = func() { _ = os.Remove(file.Name()) }
	id, err := packTree(file, s.run.Source.Dir, dir, maxTree)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		drop()
		return nil, err
	}
	release := s.target.Want.OS.Release
	release.SHA, release.Tree = id, file.Name()
	return drop, nil
}
