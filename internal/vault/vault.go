package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/org/appstack-action/internal/secret"
)

// Vault is the secrets of one repository. Files are named by their paths from its
// root, with slashes.
type Vault struct {
	Dir        string           // the repository's root; empty is the working directory
	Rules      *Rules           // who can read which file; nil where there is no recipients file
	Identities Identities       // what files are decrypted with
	Hide       *secret.Redactor // where every value joins before it is returned; may be nil
}

// At returns the vault of the repository at dir, with its recipients file, if it
// has one, and no identity yet.
func At(dir string) (*Vault, error) {
	v := &Vault{Dir: dir}
	text, err := readLimited(v.path(RecipientsFile))
	if errors.Is(err, os.ErrNotExist) {
		return v, nil
	}
	if err != nil {
		return nil, &Problem{Summary: "cannot read the recipients", Err: err}
	}
	v.Rules, err = ParseRules(string(text))
	return v, err
}

func (v *Vault) path(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(v.Dir, filepath.FromSlash(file))
}

// Readers returns the recipients of a file by the recipients file. A file reached by
// another name, such as an absolute path or a symbolic link, has those of its own
// place in the repository.
func (v *Vault) Readers(file string) []Recipient {
	place, err := relative(realPath(v.path(".")), realPath(v.path(file)))
	if err != nil {
		place = file
	}
	return v.Rules.For(filepath.ToSlash(place))
}

// realPath follows the symbolic links in as much of a path as there is.
func realPath(path string) string {
	for there, rest := path, ""; ; there, rest = filepath.Dir(there), filepath.Join(filepath.Base(there), rest) {
		if real, err := filepath.EvalSymlinks(there); err == nil {
			return filepath.Join(real, rest)
		}
		if there == filepath.Dir(there) {
			return path
		}
	}
}

// relative is filepath.Rel of paths of which one may be relative to the working
// directory.
func relative(root, file string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	file, err = filepath.Abs(file)
	if err != nil {
		return "", err
	}
	return filepath.Rel(root, file)
}

// Open decrypts files in the order given; of a name in several of them the last
// one's value holds. Only these files are touched. The errors are a *[Problem] or
// a *[NoMatchError], of the first file that has one.
func (v *Vault) Open(files ...string) (*Secrets, error) {
	all := new(Secrets)
	for _, file := range files {
		f, err := v.read(file)
		if err != nil {
			return nil, err
		}
		entries, err := parseValues(f.plain)
		if err != nil {
			return nil, &Problem{Summary: "cannot read " + file, Err: err, Advice: "correct it with `appstack secrets edit " + file + "`"}
		}
		for _, e := range entries {
			if err := v.hide(file, e); err != nil {
				return nil, err
			}
			all.set(file, e)
		}
	}
	return all, nil
}

// Check says whether files are age files that are whole as far as can be seen
// without decrypting them. It needs no identity.
func (v *Vault) Check(files ...string) error {
	for _, file := range files {
		if _, err := v.Header(file); err != nil {
			return err
		}
	}
	return nil
}

// Header returns what a file tells without being decrypted.
func (v *Vault) Header(file string) (Header, error) {
	f, err := v.load(file)
	return f.header, err
}

// hide makes the value of an entry known to the redactor.
func (v *Vault) hide(file string, e entry) error {
	err := v.learn(e.text)
	if err == nil {
		return nil
	}
	return &Problem{
		Summary: fmt.Sprintf("cannot use %s, line %d, %s", file, e.line, e.name),
		Err:     err,
		Advice:  "set another value: appstack secrets set " + e.name,
	}
}

func (v *Vault) learn(text string) error {
	hide := v.Hide
	if hide == nil {
		hide = new(secret.Redactor) // what cannot be hidden is refused all the same
	}
	return hide.Add(secret.New(text))
}

// vaultFile is a secrets file as it stands on the disk, and inside.
type vaultFile struct {
	raw     []byte // as it stands on the disk
	binary  []byte // without its armor
	armored bool
	header  Header
	plain   []byte // once it is decrypted
}

// load reads a file and its header.
func (v *Vault) load(file string) (vaultFile, error) {
	raw, err := readLimited(v.path(file))
	if errors.Is(err, os.ErrNotExist) {
		return vaultFile{}, &Problem{
			Summary: "cannot open the secrets file " + file,
			Advice:  "make it with `appstack secrets edit " + file + "`",
			Err:     os.ErrNotExist,
		}
	}
	if err != nil {
		return vaultFile{}, &Problem{Summary: "cannot read the secrets", Err: err}
	}
	f := vaultFile{raw: raw}
	if f.binary, f.armored, err = dearmor(file, raw); err != nil {
		return vaultFile{}, err
	}
	if f.header, err = parseHeader(f.binary); err != nil {
		return vaultFile{}, damaged(file, err)
	}
	return f, nil
}

// read reads a file and decrypts it.
func (v *Vault) read(file string) (vaultFile, error) {
	f, err := v.load(file)
	if err != nil {
		return vaultFile{}, err
	}
	f.plain, err = v.decrypt(file, f)
	return f, err
}

func (v *Vault) decrypt(file string, f vaultFile) ([]byte, error) {
	if len(v.Identities.all) == 0 {
		return nil, ErrNoIdentity
	}
	// The identities themselves must not be shown either.
	for _, id := range v.Identities.all {
		if v.Hide != nil {
			_ = v.Hide.Add(id.text) // never too short: it was parsed
		}
	}
	plain, err := age.Decrypt(bytes.NewReader(f.binary), v.Identities.keys()...)
	if err != nil {
		return nil, v.explain(file, f.header, err)
	}
	text, err := readBounded(plain)
	if err != nil {
		return nil, damaged(file, err)
	}
	return text, nil
}

// explain turns what age says into who could have read the file.
func (v *Vault) explain(file string, h Header, err error) error {
	var none *age.NoIdentityMatchError
	if !errors.As(err, &none) {
		return damaged(file, err)
	}
	if h.count(stanzaScrypt) > 0 {
		return &Problem{
			Summary: fmt.Sprintf("%s is encrypted with a passphrase, and not to a recipient", file),
			Advice:  "decrypt it with `age -d`, " + strings.ReplaceAll(anew, "FILE", file),
		}
	}
	return &NoMatchError{
		File:      file,
		Encrypted: h.Readers(v.Rules.All()),
		Expected:  shortForms(v.Readers(file)),
		Given:     v.Identities.describe(),
	}
}

func shortForms(recipients []Recipient) []string {
	var all []string
	for _, r := range recipients {
		all = append(all, r.String())
	}
	return all
}

// seal encrypts plain text to the recipients of a file.
func (v *Vault) seal(file string, plain []byte, armored bool) ([]byte, error) {
	if len(plain) > maxFile {
		return nil, &Problem{Summary: fmt.Sprintf("the content of %s has more than %d MiB", file, maxFile>>20)}
	}
	recipients, err := v.recipients(file)
	if err != nil {
		return nil, err
	}
	var keys []age.Recipient
	for _, r := range recipients {
		keys = append(keys, r.key)
	}
	var out bytes.Buffer
	if err := encryptTo(&out, plain, armored, keys); err != nil {
		return nil, &Problem{Summary: "cannot encrypt " + file, Err: err}
	}
	return out.Bytes(), nil
}

func (v *Vault) recipients(file string) ([]Recipient, error) {
	recipients := v.Readers(file)
	if len(recipients) == 0 {
		return nil, &Problem{
			Summary: fmt.Sprintf("%s names nobody who could read %s", RecipientsFile, file),
			Advice:  "add recipients to it, in the repository's root; `appstack secrets init` makes the file",
		}
	}
	return recipients, nil
}

func encryptTo(out io.Writer, plain []byte, armored bool, keys []age.Recipient) error {
	var wrapper io.WriteCloser
	if armored {
		wrapper = armor.NewWriter(out)
		out = wrapper
	}
	w, err := age.Encrypt(out, keys...)
	if err != nil {
		return err
	}
	if _, err := w.Write(plain); err != nil {
		return err
	}
	if err := w.Close(); err != nil || wrapper == nil {
		return err
	}
	return wrapper.Close()
}
