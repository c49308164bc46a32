package vault

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// Recipient is a public key that files are encrypted to.
type Recipient struct {
	Text string // as it stands in a recipients file: age1…, ssh-ed25519 AAAA…
	Who  string // whose it is, from the comment; may be empty

	key    age.Recipient
	stanza string // the type of its stanza in an age header
	tag    string // what its stanza says about the key, for SSH keys
}

// Stanza types in the header of an age file (https://age-encryption.org/v1, and
// for SSH keys the agessh package).
const (
	stanzaX25519  = "X25519"
	stanzaHybrid  = "mlkem768x25519"
	stanzaEd25519 = "ssh-ed25519"
	stanzaRSA     = "ssh-rsa"
	stanzaScrypt  = "scrypt"
)

// String is the recipient in a form that people can compare: both ends of a native
// key, the beginning of an SSH key's SHA-256 fingerprint, and whose it is.
func (r Recipient) String() string {
	short := r.Text
	if r.tag != "" {
		short = shortSSH(r.stanza, r.tag)
	} else if len(short) > 24 {
		short = short[:12] + "…" + short[len(short)-6:]
	}
	if r.Who != "" {
		return fmt.Sprintf("%s (%s)", r.Who, short)
	}
	return short
}

// postQuantum says whether the recipient is one of those that age does not mix
// with others.
func (r Recipient) postQuantum() bool { return r.stanza == stanzaHybrid }

// parseRecipient reads one recipient. Its errors do not repeat the text, which may
// be a private key that was put in the wrong file.
func parseRecipient(text string) (Recipient, error) {
	switch {
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"), strings.HasPrefix(text, "AGE-PLUGIN-"), strings.Contains(text, "PRIVATE KEY"):
		return Recipient{}, errors.New("this is a private key; put its public recipient here, and if the file was ever committed, make a new key")
	case strings.HasPrefix(text, "ssh-"):
		return parseSSHRecipient(text)
	case strings.HasPrefix(text, "age1pq1"):
		key, err := age.ParseHybridRecipient(text)
		if err != nil {
			return Recipient{}, errors.New("this post-quantum recipient is mistyped or cut off")
		}
		return Recipient{Text: text, key: key, stanza: stanzaHybrid}, nil
	case strings.HasPrefix(text, "age1"):
		key, err := age.ParseX25519Recipient(text)
		if err != nil {
			return Recipient{}, errors.New("this age recipient is mistyped, cut off, or one of a plugin, which is not supported")
		}
		return Recipient{Text: text, key: key, stanza: stanzaX25519}, nil
	}
	return Recipient{}, errors.New("this is no recipient; allowed are age1…, age1pq1…, ssh-ed25519 … and ssh-rsa …")
}

func parseSSHRecipient(text string) (Recipient, error) {
	pub, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return Recipient{}, errors.New("this SSH public key is mistyped or cut off")
	}
	key, err := agessh.ParseRecipient(text)
	if err != nil {
		return Recipient{}, fmt.Errorf("an SSH key of type %s can not be a recipient; allowed are ssh-ed25519 and ssh-rsa of 2048 bits or more", pub.Type())
	}
	return sshRecipient(pub, key, comment), nil
}

func sshRecipient(pub ssh.PublicKey, key age.Recipient, who string) Recipient {
	return Recipient{
		Text:   strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub))),
		Who:    who,
		key:    key,
		stanza: pub.Type(),
		tag:    sshTag(pub),
	}
}

// sshTag is how a stanza refers to an SSH key: the first four bytes of the SHA-256
// of its wire form (agessh).
func sshTag(pub ssh.PublicKey) string {
	sum := sha256.Sum256(pub.Marshal())
	return base64.RawStdEncoding.EncodeToString(sum[:4])
}

// shortSSH writes a tag as the beginning of the fingerprint that ssh-keygen -l
// prints. The last character of the tag has fewer bits, so it is left out.
func shortSSH(kind, tag string) string {
	return fmt.Sprintf("%s SHA256:%s…", kind, tag[:min(len(tag), 5)])
}
