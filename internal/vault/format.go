package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"filippo.io/age/armor"
)

// How age files begin (https://age-encryption.org/v1).
const (
	binaryIntro = "age-encryption.org/"
	armorIntro  = armor.Header
)

// maxFile bounds a secrets file, encrypted or not, in bytes.
const maxFile = 1 << 20

// readLimited reads a file of up to maxFile bytes.
func readLimited(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readBounded(f)
	if errors.Is(err, errTooLarge) {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return data, err
}

// errTooLarge is the error of a file of more than maxFile bytes.
var errTooLarge = fmt.Errorf("it has more than %d MiB", maxFile>>20)

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errTooLarge
	}
	return data, err
}

// dearmor returns an age file in its binary form, and whether it was armored. Of
// anything else the error says what it is.
func dearmor(file string, data []byte) (binary []byte, armored bool, err error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n\ufeff")
	switch {
	case bytes.HasPrefix(data, []byte(binaryIntro)):
		return data, false, nil
	case bytes.Contains(data, []byte("\n>>>>>>> ")) && bytes.Contains(append([]byte("\n"), data...), []byte("\n<<<<<<< ")):
		return nil, false, &Problem{
			Summary: file + " has both sides of a merge that git could not do",
			Advice:  "take one side: git checkout --ours -- " + file + " (or --theirs), and put in again what the other side changed, with `appstack secrets set`",
		}
	case bytes.HasPrefix(trimmed, []byte(armorIntro)):
		binary, err := readBounded(armor.NewReader(bytes.NewReader(trimmed)))
		if err != nil {
			return nil, true, damaged(file, err)
		}
		return binary, true, nil
	}
	return nil, false, notEncrypted(file, data)
}

// damaged wraps what age says about a file that it began to read.
func damaged(file string, err error) error {
	if errors.Is(err, errTooLarge) {
		return &Problem{Summary: "cannot decrypt " + file, Err: err}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = errors.New("it ends too early")
	}
	return &Problem{
		Summary: fmt.Sprintf("cannot decrypt %s: the file is damaged or cut off", file),
		Advice:  "take it from git again: git checkout -- " + file,
		Err:     err,
	}
}

// anew is how values that another tool keeps get into an age file. The file that has
// them stands in its way.
const anew = "move it out of the way, and put the values in with `appstack secrets edit FILE`"

// otherFormats tells what a file is that people take for an age file. FILE in a hint
// stands for its name.
var otherFormats = []struct{ prefix, what, hint string }{
	{"-----BEGIN PGP", "encrypted with PGP", "decrypt it, " + anew},
	{"-----BEGIN ", "a plain PEM file", "put it in as a value with `appstack secrets set NAME < FILE`"},
	{"$ANSIBLE_VAULT;", "encrypted with Ansible Vault", "`ansible-vault view` it, " + anew},
	{"\x00GITCRYPT\x00", "encrypted with git-crypt", "unlock it, " + anew},
	{"version https://git-lfs", "a pointer of Git LFS, not the file itself", "run git lfs pull; actions/checkout needs `lfs: true`"},
}

// notEncrypted says what a file is that is no age file.
func notEncrypted(file string, data []byte) error {
	p := &Problem{Advice: "remove it: `appstack secrets edit " + file + "` makes a new one"}
	text := strings.TrimLeft(string(data), " \t\r\n\ufeff")
	for _, f := range otherFormats {
		if strings.HasPrefix(text, f.prefix) {
			p.Summary = fmt.Sprintf("%s is %s, not an age file", file, f.what)
			p.Advice = strings.ReplaceAll(f.hint, "FILE", file)
			return p
		}
	}
	switch {
	case strings.Contains("\n"+text, "\nAGE-SECRET-KEY-"):
		p.Summary = file + " is an age identity, a private key, not an age file"
		p.Advice = "move it out of the repository, and if it was ever committed, make a new one"
	case text == "":
		p.Summary = file + " is empty, not an age file"
	case isSops(text):
		p.Summary = file + " is encrypted with sops, value by value, not an age file"
		p.Advice = "decrypt it with `sops -d`, " + strings.ReplaceAll(anew, "FILE", file)
	case utf8.ValidString(text) && !strings.ContainsRune(text, 0):
		p.Summary = file + " is plain text: its secrets are not encrypted"
		p.Advice = strings.ReplaceAll(anew, "FILE", file) + "; delete the other one, and change what was ever committed"
	default:
		p.Summary = file + " is not an age file"
	}
	return p
}

// isSops recognises sops by its encrypted values and by the key with its metadata.
func isSops(text string) bool {
	return strings.Contains(text, "ENC[AES256_GCM,") || strings.Contains("\n"+text, "\nsops:") || strings.Contains(text, `"sops":`)
}
