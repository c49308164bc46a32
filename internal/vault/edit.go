package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Editor is what [Vault.Edit] needs of the person at the terminal.
type Editor struct {
	// Open lets the person edit a file, and returns when that is done. When ctx
	// ends, it ends the editor.
	Open func(ctx context.Context, file string) error
	// Again tells what is wrong with the draft, and asks whether to go on editing
	// it. Without it, the mistake is the error of [Vault.Edit].
	Again func(ctx context.Context, mistake error) bool
	// Template is the draft for a file that is not there yet.
	Template string
	// TempDirs are where the draft may lie, best first; [DraftDirs] by default.
	TempDirs []string
}

// ErrGivenUp is the error of a draft with a mistake that was not corrected.
var ErrGivenUp = errors.New("the draft was given up")

// Edit decrypts a file into a draft that only this user can read, in memory where
// there is a tmpfs, lets the person edit it, and encrypts what became of it. The
// draft is gone when Edit returns, for whatever reason. A draft that was not changed
// is not written. changed says whether it was.
func (v *Vault) Edit(ctx context.Context, file string, ed Editor) (changed bool, err error) {
	old, err := v.readOrNew(file)
	if err != nil {
		return false, err
	}
	if _, err := v.recipients(file); err != nil {
		return false, err
	}
	before := old.plain
	if old.raw == nil {
		before = []byte(ed.Template)
	}
	d, err := newDraft(file, before, ed.TempDirs)
	if err != nil {
		return false, &Problem{Summary: "cannot edit " + file, Err: err}
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	for {
		after, err := d.edited(ctx, ed.Open)
		if err != nil {
			return false, &Problem{Summary: file + " is as it was", Err: err}
		}
		if bytes.Equal(after, before) {
			return false, nil
		}
		if err = v.accept(file, old, after); err == nil {
			return true, nil
		}
		if ed.Again == nil {
			return false, &Problem{Summary: file + " is as it was", Err: err}
		}
		if !ed.Again(ctx, err) {
			return false, &Problem{Summary: file + " is as it was", Err: ErrGivenUp}
		}
	}
}

// accept writes a draft, if it makes sense.
func (v *Vault) accept(file string, old vaultFile, draft []byte) error {
	entries, err := parseValues(draft)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := v.hide(file, e); err != nil {
			return err
		}
	}
	return v.write(file, old, draft)
}

// draft is a plain copy of a file in a directory of its own, where an editor's
// backups and swap files stay private, too, and are removed with it.
type draft struct{ dir, file string }

func newDraft(file string, content []byte, dirs []string) (draft, error) {
	if dirs == nil {
		dirs = DraftDirs(os.Getenv)
	}
	var errs []error
	for _, parent := range dirs {
		dir, err := os.MkdirTemp(parent, "appstack-edit-*") // of mode 0700
		if err != nil {
			errs = append(errs, err)
			continue
		}
		d := draft{dir: dir, file: filepath.Join(dir, strings.TrimSuffix(filepath.Base(file), ".age"))}
		if err := os.WriteFile(d.file, content, 0o600); err != nil {
			errs = append(errs, err, d.remove())
			continue
		}
		return d, nil
	}
	return draft{}, errors.Join(errs...)
}

func (d draft) edited(ctx context.Context, open func(context.Context, string) error) ([]byte, error) {
	err := open(ctx, d.file)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("editing was interrupted: %w", context.Cause(ctx))
	}
	if err != nil {
		return nil, err
	}
	return readLimited(d.file)
}

func (d draft) remove() error { return os.RemoveAll(d.dir) }

// tmpfsMagic is the type of a tmpfs in statfs(2).
const tmpfsMagic = 0x01021994

// DraftDirs returns where a plain copy may lie for a while: first what is in
// memory, then the directory for temporary files.
func DraftDirs(getenv func(string) string) []string {
	var dirs []string
	for _, dir := range []string{getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		var fs syscall.Statfs_t
		if dir != "" && syscall.Statfs(dir, &fs) == nil && int64(fs.Type) == tmpfsMagic {
			dirs = append(dirs, dir)
		}
	}
	return append(dirs, os.TempDir())
}
