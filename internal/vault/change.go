package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/org/appstack-action/internal/secret"
)

// ErrChanged is the error of a change to a file that somebody else changed in the
// meantime.
var ErrChanged = errors.New("the file was changed in the meantime; nothing was written")

// Set gives the named secret a value in a file, which is made if there is none.
func (v *Vault) Set(file, name string, value secret.Value) error {
	if err := v.learn(value.Reveal()); err != nil {
		return &Problem{Summary: "cannot set " + name, Err: err}
	}
	old, err := v.readOrNew(file)
	if err != nil {
		return err
	}
	plain, err := setValue(old.plain, name, value.Reveal())
	if err != nil {
		return &Problem{Summary: fmt.Sprintf("cannot set %s in %s", name, file), Err: err}
	}
	return v.write(file, old, plain)
}

// Rekey encrypts files anew to their present recipients. All are read before the
// first is written, so that one which cannot be read leaves all as they are.
func (v *Vault) Rekey(files ...string) error {
	var opened []vaultFile
	for _, file := range files {
		f, err := v.read(file)
		if err != nil {
			return err
		}
		if _, err := v.recipients(file); err != nil {
			return err
		}
		opened = append(opened, f)
	}
	for i, file := range files {
		if err := v.write(file, opened[i], opened[i].plain); err != nil {
			if i > 0 {
				return fmt.Errorf("%w (done before: %s)", err, listing(files[:i]))
			}
			return err
		}
	}
	return nil
}

// LockedOut says whether by the recipients file none of the vault's identities can
// read a file once it is written again.
func (v *Vault) LockedOut(file string) bool {
	for _, r := range v.Readers(file) {
		for _, own := range v.Identities.Recipients() {
			if own.Text == r.Text {
				return false
			}
		}
	}
	return true
}

// readOrNew is read, for a file that need not be there yet. A new file is armored,
// so that git and people see text.
func (v *Vault) readOrNew(file string) (vaultFile, error) {
	f, err := v.read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return vaultFile{armored: true}, nil
	}
	return f, err
}

// write encrypts and replaces a file that was read as old.
func (v *Vault) write(file string, old vaultFile, plain []byte) error {
	sealed, err := v.seal(file, plain, old.armored)
	if err != nil {
		return err
	}
	now, err := os.ReadFile(v.path(file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) || !bytes.Equal(now, old.raw) {
		return &Problem{Summary: "cannot write " + file, Err: ErrChanged}
	}
	if err := replaceFile(v.path(file), sealed, 0o644); err != nil {
		return &Problem{Summary: fmt.Sprintf("cannot write %s; it is as it was", file), Err: err}
	}
	return nil
}

// Access is who can read a file.
type Access struct {
	File    string   `json:"file"`
	Readers []string `json:"readers"` // as far as the file's header tells
	Rule    []string `json:"rule"`    // by the recipients file
	// Agrees says that the header is that of a file encrypted to the rule's
	// recipients. Which native keys it is for, no header tells.
	Agrees bool `json:"agrees"`
}

// Access tells who can read a file, without decrypting it.
func (v *Vault) Access(file string) (Access, error) {
	h, err := v.Header(file)
	if err != nil {
		return Access{}, err
	}
	rule := v.Readers(file)
	return Access{
		File:    file,
		Readers: h.Readers(v.Rules.All()),
		Rule:    append([]string{}, shortForms(rule)...),
		Agrees:  h.agrees(slices.Clone(rule)),
	}, nil
}
