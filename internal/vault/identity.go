package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/secret"
)

// Source is the text of one or more identities, and the name by which messages
// refer to where it came from.
type Source struct{ Name, Text string }

// Identities are the private keys that files are decrypted with. The zero
// Identities decrypt nothing.
type Identities struct{ all []identity }

type identity struct {
	key    age.Identity
	public Recipient
	source string
	text   secret.Value
}

// IdentityFile is the identity file that `appstack secrets init` makes and that is
// used when nothing else is given: appstack/identity.txt in $XDG_CONFIG_HOME, which
// is ~/.config by default. It is empty when there is no home directory.
func IdentityFile(getenv func(string) string) string {
	config := getenv("XDG_CONFIG_HOME")
	if config == "" && getenv("HOME") != "" {
		config = filepath.Join(getenv("HOME"), ".config")
	}
	if config == "" {
		return ""
	}
	return filepath.Join(config, "appstack", "identity.txt")
}

// FindIdentity returns the first of these that is set: the file that --identity
// names, the age-key input, the variables APPSTACK_AGE_KEY, SOPS_AGE_KEY and
// SOPS_AGE_KEY_FILE, and [IdentityFile]. ageKey and file may be empty. Where none is
// set, the error is [ErrNoIdentity].
func FindIdentity(ageKey, file string, getenv func(string) string) (Source, error) {
	if file != "" {
		return readSource(file, file)
	}
	for _, s := range []Source{
		{"the age-key input", ageKey},
		{"APPSTACK_AGE_KEY", getenv("APPSTACK_AGE_KEY")},
		{"SOPS_AGE_KEY", getenv("SOPS_AGE_KEY")},
	} {
		if strings.TrimSpace(s.Text) != "" {
			return s, nil
		}
	}
	if file := getenv("SOPS_AGE_KEY_FILE"); file != "" {
		return readSource(file+" (SOPS_AGE_KEY_FILE)", file)
	}
	if file := IdentityFile(getenv); file != "" {
		s, err := readSource(file, file)
		if !errors.Is(err, os.ErrNotExist) {
			return s, err
		}
	}
	return Source{}, ErrNoIdentity
}

// ErrNoIdentity is the error where there is nothing to decrypt with.
var ErrNoIdentity error = &Problem{
	Summary: "no age identity is given, so secrets cannot be decrypted",
	Advice:  "set the age-key input or APPSTACK_AGE_KEY, use --identity FILE, or make one with `appstack secrets init`",
}

func readSource(name, file string) (Source, error) {
	text, err := readLimited(file)
	if err != nil {
		return Source{}, &Problem{Summary: "cannot read the identity", Err: err}
	}
	return Source{Name: name, Text: string(text)}, nil
}

// Passphrase asks for the passphrase of an SSH private key, which it is given the
// public half of in short form.
type Passphrase func(key string) ([]byte, error)

// ParseIdentities reads identities: native ones (AGE-SECRET-KEY-1…), post-quantum
// ones (AGE-SECRET-KEY-PQ-1…) and SSH private keys of type Ed25519 and RSA, any
// number of them, with comments and empty lines between. Without ask, an SSH key
// with a passphrase is an error. No error repeats the text.
func ParseIdentities(ask Passphrase, sources ...Source) (Identities, error) {
	var ids Identities
	for _, s := range sources {
		before := len(ids.all)
		if err := ids.parse(ask, s); err != nil {
			return Identities{}, err
		}
		if len(ids.all) == before {
			return Identities{}, &Problem{
				Summary: fmt.Sprintf("there is no age identity in %s", s.Name),
				Advice:  "it should hold a line AGE-SECRET-KEY-1…, or an SSH private key",
			}
		}
	}
	return ids, nil
}

func (ids *Identities) parse(ask Passphrase, s Source) error {
	lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(s.Text, "\ufeff"), "\r", ""), "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		text, start := line, i
		if strings.HasPrefix(line, "-----BEGIN ") {
			for i+1 < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[i]), "-----END ") {
				i++
			}
			text = trimLines(lines[start : i+1])
		}
		id, err := parseIdentity(ask, text)
		if err != nil {
			return &Problem{Summary: fmt.Sprintf("cannot use the identity in %s, line %d", s.Name, start+1), Err: err}
		}
		id.source, id.text = s.Name, secret.New(text)
		ids.all = append(ids.all, id)
	}
	return nil
}

func trimLines(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimSpace(l) + "\n")
	}
	return b.String()
}

func parseIdentity(ask Passphrase, text string) (identity, error) {
	switch {
	case strings.HasPrefix(text, "AGE-SECRET-KEY-PQ-1"):
		key, err := age.ParseHybridIdentity(text)
		if err != nil {
			return identity{}, errors.New("it is mistyped or cut off")
		}
		return identity{key: key, public: Recipient{Text: key.Recipient().String(), key: key.Recipient(), stanza: stanzaHybrid}}, nil
	case strings.HasPrefix(text, "AGE-SECRET-KEY-1"):
		key, err := age.ParseX25519Identity(text)
		if err != nil {
			return identity{}, errors.New("it is mistyped or cut off")
		}
		return identity{key: key, public: Recipient{Text: key.Recipient().String(), key: key.Recipient(), stanza: stanzaX25519}}, nil
	case strings.HasPrefix(text, "-----BEGIN ") && strings.Contains(text, "PRIVATE KEY-----"):
		return parseSSHIdentity(ask, text)
	}
	return identity{}, notAnIdentity(text)
}

// notAnIdentity says what a text is that was taken for an identity.
func notAnIdentity(text string) error {
	switch {
	case strings.HasPrefix(text, "age1"), strings.HasPrefix(text, "ssh-"):
		return &Problem{Summary: "it is a public recipient", Advice: "the identity is the private half; age-keygen prints it as AGE-SECRET-KEY-1…"}
	case strings.HasPrefix(text, "AGE-PLUGIN-"):
		return &Problem{Summary: "it is the identity of an age plugin, which is not supported", Advice: "use a native identity, AGE-SECRET-KEY-1…"}
	case strings.HasPrefix(text, binaryIntro), strings.HasPrefix(text, armorIntro):
		return &Problem{Summary: "it is itself encrypted with age", Advice: "decrypt it first: age -d FILE"}
	case strings.HasPrefix(text, "-----BEGIN "):
		return errors.New("it is a PEM block, but no private key")
	}
	return errors.New("it is neither AGE-SECRET-KEY-1… nor an SSH private key")
}

func parseSSHIdentity(ask Passphrase, text string) (identity, error) {
	raw, err := ssh.ParseRawPrivateKey([]byte(text))
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return lockedSSHIdentity(ask, text, locked.PublicKey)
	}
	if err != nil {
		return identity{}, &Problem{Summary: "it is a damaged private key", Advice: "check that it came with all its lines and line breaks"}
	}
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return identity{}, errors.New("this kind of private key can not be used")
	}
	key, err := agessh.ParseIdentity([]byte(text))
	if err != nil {
		return identity{}, fmt.Errorf("an SSH key of type %s can not decrypt; ssh-ed25519 and ssh-rsa can", signer.PublicKey().Type())
	}
	return newSSHIdentity(key, signer.PublicKey())
}

func lockedSSHIdentity(ask Passphrase, text string, pub ssh.PublicKey) (identity, error) {
	if ask == nil || pub == nil {
		return identity{}, &Problem{
			Summary: "it is an SSH private key with a passphrase",
			Advice:  "use one without: ssh-keygen -p -f COPY-OF-THE-KEY, or a native age identity",
		}
	}
	key, err := agessh.NewEncryptedSSHIdentity(pub, []byte(text), func() ([]byte, error) {
		return ask(shortSSH(pub.Type(), sshTag(pub)))
	})
	if err != nil {
		return identity{}, fmt.Errorf("an SSH key of type %s can not decrypt; ssh-ed25519 and ssh-rsa can", pub.Type())
	}
	return newSSHIdentity(key, pub)
}

func newSSHIdentity(key age.Identity, pub ssh.PublicKey) (identity, error) {
	recipient, err := agessh.ParseRecipient(string(ssh.MarshalAuthorizedKey(pub)))
	if err != nil {
		return identity{}, errors.New("an RSA key must have 2048 bits or more")
	}
	return identity{key: key, public: sshRecipient(pub, recipient, "")}, nil
}

// Recipients returns the public half of each identity.
func (ids Identities) Recipients() []Recipient {
	var all []Recipient
	for _, id := range ids.all {
		all = append(all, id.public)
	}
	return all
}

// describe names the identities by their public halves and their sources.
func (ids Identities) describe() []string {
	var all []string
	for _, id := range ids.all {
		all = append(all, fmt.Sprintf("%s from %s", id.public, id.source))
	}
	return all
}

func (ids Identities) keys() []age.Identity {
	var all []age.Identity
	for _, id := range ids.all {
		all = append(all, id.key)
	}
	return all
}
