package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
)

// ExampleFile is the example of a secrets file that [Vault.WriteExample] makes.
const ExampleFile = ".appstack/secrets.example.yaml"

// Reference is a secret that the stack names.
type Reference struct {
	Name  string // shop.deploy_key
	Where string // what it is for or where it is named, for people
}

// NewIdentity makes an age identity and writes it to a file that only its owner
// can read. A file that is there already is never touched: the error wraps
// [fs.ErrExist]. It returns the public recipient.
func NewIdentity(file string, postQuantum bool, now time.Time) (Recipient, error) {
	private, public, err := generate(postQuantum)
	if err != nil {
		return Recipient{}, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return Recipient{}, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Recipient{}, err
	}
	_, err = fmt.Fprintf(f, "# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), public.Text, private)
	if err == nil {
		err = f.Sync()
	}
	return public, errors.Join(err, f.Close())
}

func generate(postQuantum bool) (private string, public Recipient, err error) {
	if postQuantum {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			return "", Recipient{}, err
		}
		return id.String(), Recipient{Text: id.Recipient().String(), key: id.Recipient(), stanza: stanzaHybrid}, nil
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", Recipient{}, err
	}
	return id.String(), Recipient{Text: id.Recipient().String(), key: id.Recipient(), stanza: stanzaX25519}, nil
}

// WriteRecipients makes the recipients file with these recipients. Where there is
// one, it is left as it is, and made is false.
func (v *Vault) WriteRecipients(recipients []Recipient) (made bool, err error) {
	var b strings.Builder
	b.WriteString(recipientsIntro)
	for _, r := range recipients {
		b.WriteString("\n")
		if r.Who != "" {
			fmt.Fprintf(&b, "# %s\n", r.Who)
		}
		b.WriteString(r.Text + "\n")
	}
	return v.create(RecipientsFile, b.String())
}

const recipientsIntro = `# Who can read the secrets of this repository: one recipient a line, as age1…,
# age1pq1… (post-quantum), ssh-ed25519 … or ssh-rsa …, with a comment above or
# beside it that says whose it is. These hold for every file, but for those that
# match a section further down, which begins like
#
#   [secrets/prod*.age]
#
# and lists all who can read them. After a change: appstack secrets rekey
`

// WriteExample makes [ExampleFile], which names every secret that the stack does,
// without values. It replaces an earlier one.
func (v *Vault) WriteExample(refs []Reference, files []string) error {
	into := "FILE"
	if len(files) > 0 {
		into = files[0]
	}
	text := fmt.Sprintf("# The secrets that the stack names, for people: this file is not read, and has no\n"+
		"# values. Put them in with: appstack secrets edit %s\n%s", into, Example(refs))
	if err := replaceFile(v.path(ExampleFile), []byte(text), 0o644); err != nil {
		return &Problem{Summary: "cannot write " + ExampleFile, Err: err}
	}
	return nil
}

// Example returns YAML with every name, an empty value each, and what it is for.
func Example(refs []Reference) string {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b Reference) int { return strings.Compare(a.Name, b.Name) })
	refs = slices.CompactFunc(refs, func(a, b Reference) bool { return a.Name == b.Name })
	var b strings.Builder
	var open []string // the groups that the last line is in
	for _, r := range refs {
		keys := strings.Split(r.Name, ".")
		groups := keys[:len(keys)-1]
		for depth, group := range groups {
			if depth >= len(open) || open[depth] != group {
				open = open[:min(depth, len(open))]
				fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", depth), group)
				open = append(open, group)
			}
		}
		open = groups
		fmt.Fprintf(&b, "%s%s: \"\"", strings.Repeat("  ", len(groups)), keys[len(keys)-1])
		if r.Where != "" {
			fmt.Fprintf(&b, " # %s", r.Where)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// WriteIgnore adds to .gitignore what must not be committed: private keys, backups,
// plain copies of the given secrets files, and the private files given. Lines that
// are there are left alone.
func (v *Vault) WriteIgnore(files []string, private ...string) (added []string, err error) {
	want := ignored(files, private)
	text, err := readLimited(v.path(".gitignore"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	have := strings.Split(string(text), "\n")
	for _, line := range want {
		if !slices.Contains(have, line) {
			added = append(added, line)
		}
	}
	if len(added) == 0 {
		return nil, nil
	}
	var b strings.Builder
	b.Write(text)
	if len(text) > 0 && !strings.HasSuffix(string(text), "\n") {
		b.WriteString("\n")
	}
	b.WriteString("# appstack: private keys, and copies of secrets that are not encrypted\n")
	b.WriteString(strings.Join(added, "\n") + "\n")
	return added, replaceFile(v.path(".gitignore"), []byte(b.String()), 0o644)
}

func ignored(files, private []string) []string {
	lines := []string{"/.appstack/identity*", "/.appstack/*.key", "identity.txt", "*.agekey", "*.age.bak", "*.age.orig", "*.age~", ".*.age.new-*"}
	for _, file := range files {
		if plain, encrypted := strings.CutSuffix(path.Clean(file), ".age"); encrypted {
			lines = append(lines, "/"+plain)
		}
	}
	for _, file := range private {
		lines = append(lines, "/"+path.Clean(file))
	}
	return lines
}

// create makes a file unless it is there.
func (v *Vault) create(file, text string) (made bool, err error) {
	if _, err := os.Lstat(v.path(file)); err == nil {
		return false, nil
	}
	if err := replaceFile(v.path(file), []byte(text), 0o644); err != nil {
		return false, &Problem{Summary: "cannot write " + file, Err: err}
	}
	return true, nil
}
