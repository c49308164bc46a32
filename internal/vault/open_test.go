package vault_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/vault"
)

func TestOpen(t *testing.T) {
	const plain = `
# who may do what
proxmox_token: root@pam!ci=0f8c9a52-3d61-4c0e-9d0b-5c5f2c1a7e11
shop:
  deploy_key: |
    -----BEGIN KEY-----
    line two
  db: {password: "p4ssw0rd"}
`
	want := map[string]string{
		"proxmox_token":    "root@pam!ci=0f8c9a52-3d61-4c0e-9d0b-5c5f2c1a7e11",
		"shop.deploy_key":  "-----BEGIN KEY-----\nline two\n",
		"shop.db.password": "p4ssw0rd",
	}
	keys := map[string]key{"X25519": alice(), "post-quantum": hybrid(), "ssh-ed25519": sshEd25519(), "ssh-rsa": sshRSA()}
	for name, k := range keys {
		for _, armored := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				r := newRepo(t)
				r.write("secrets/a.yaml.age", sealed(t, plain, armored, k.public))
				v := r.vault("# a comment\n\n" + k.private + "\n# another\n")
				if d := cmp.Diff(want, values(t, v, "secrets/a.yaml.age")); d != "" {
					t.Error(d)
				}
				for _, hidden := range []string{"p4ssw0rd", "line two", "0f8c9a52-3d61-4c0e-9d0b-5c5f2c1a7e11", strings.TrimSpace(k.private)} {
					if got := v.Hide.String(hidden); got != "***" {
						t.Errorf("not hidden: %q", got)
					}
				}
			})
		}
	}
}

// What editors and git do to text files must not matter.
func TestOpenOtherLineBreaks(t *testing.T) {
	text := string(sealed(t, "name: |\r\n  line one\r\n  line two\r\n", true, alice().public))
	for _, form := range []string{text, strings.ReplaceAll(text, "\n", "\r\n"), "\ufeff" + text, "\n\n" + text + "\n\n", strings.TrimSpace(text)} {
		r := newRepo(t)
		r.write("a.age", []byte(form))
		v := r.vault("\ufeff" + strings.ReplaceAll("# mine\n"+alice().private+"\n", "\n", "\r\n"))
		if got := values(t, v, "a.age")["name"]; got != "line one\nline two\n" {
			t.Errorf("%.20q: %q", form, got)
		}
	}
}

func TestOpenSeveralFiles(t *testing.T) {
	r := newRepo(t)
	r.write("a.age", sealed(t, "one: from a\ntwo: from a", true, alice().public))
	r.write("b.age", sealed(t, "two: from b\nthree: {four: from b}", false, alice().public, bob().public))
	r.write("closed.age", sealed(t, "five: other", false, bob().public))
	r.write("empty.age", sealed(t, "# nothing yet\n", false, alice().public))
	v := r.vault(alice().private)
	want := map[string]string{"one": "from a", "two": "from b", "three.four": "from b"}
	if d := cmp.Diff(want, values(t, v, "a.age", "empty.age", "b.age")); d != "" {
		t.Error(d)
	}
	s, err := v.Open("a.age", "b.age")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.File("two"); got != "b.age" {
		t.Errorf("two is from %s", got)
	}
	if _, ok := s.Get("five"); ok {
		t.Error("a file that was not asked for was opened")
	}
}

func TestOpenSeveralIdentities(t *testing.T) {
	r := newRepo(t)
	r.write("a.age", sealed(t, "name: value", true, bob().public))
	text := "# alice\n" + alice().private + "\r\n" + sshEd25519().private + "\n# bob\n  " + bob().private + "\n"
	if got := values(t, r.vault(text), "a.age"); got["name"] != "value" {
		t.Errorf("got %v", got)
	}
}

func TestOpenNoMatch(t *testing.T) {
	r := newRepo(t)
	r.write(vault.RecipientsFile, []byte("# bob\n"+bob().public+"\n"+sshEd25519().public+" ops@laptop\n"))
	r.write("a.age", sealed(t, "name: canary-value", true, bob().public, bob().public, sshEd25519().public, sshRSA().public))
	_, err := r.vault(alice().private).Open("a.age")
	var none *vault.NoMatchError
	if !errors.As(err, &none) {
		t.Fatalf("got %v, want a NoMatchError", err)
	}
	for _, want := range []string{
		"a.age", "2 X25519 recipients", "ops@laptop (ssh-ed25519 SHA256:", "ssh-rsa SHA256:",
		"bob (" + bob().public[:12], alice().public[:12], "from a test",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), alice().private) {
		t.Error("the error shows the private key")
	}
}

// Errors of files that are not what they should be. No error may show a value.
func TestOpenErrors(t *testing.T) {
	passphrase, err := age.NewScryptRecipient("open sesame")
	must(err)
	passphrase.SetWorkFactor(5)
	whole := sealed(t, "name: canary-value", false, alice().public)
	text := sealed(t, "name: canary-value", true, alice().public)
	in := func(yaml string) []byte { return sealed(t, yaml, true, alice().public) }
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "empty, not an age file"},
		{"plain", []byte("name: canary-value\n"), "plain text: its secrets are not encrypted"},
		{"sops", []byte("name: ENC[AES256_GCM,data:abc]\nsops:\n  mac: x\n"), "encrypted with sops"},
		{"sops json", []byte(`{"name": "x", "sops": {}}`), "encrypted with sops"},
		{"identity", []byte("# created: x\n" + alice().private), "a private key"},
		{"ssh key", []byte(sshEd25519().private), "a plain PEM file"},
		{"pgp", []byte("-----BEGIN PGP MESSAGE-----\n"), "PGP"},
		{"ansible", []byte("$ANSIBLE_VAULT;1.1;AES256\n33\n"), "Ansible Vault"},
		{"git-crypt", []byte("\x00GITCRYPT\x00abc"), "git-crypt"},
		{"lfs", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:x\n"), "Git LFS"},
		{"merge", []byte("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n<<<<<<< HEAD\nAAAA\n=======\nBBBB\n>>>>>>> prod\n"), "has both sides of a merge"},
		{"merge from its first line", []byte("<<<<<<< HEAD\nAAAA\n=======\nBBBB\n>>>>>>> prod\n"), "has both sides of a merge"},
		{"binary", []byte{0xff, 0xfe, 0, 1}, "is not an age file"},
		{"too large", bytes.Repeat([]byte("x"), 5<<20), "more than 1 MiB"},
		{"passphrase", encrypt(t, "name: canary-value", true, passphrase), "encrypted with a passphrase"},
		{"cut in the header", whole[:80], "damaged or cut off"},
		{"cut in the nonce", whole[:len(whole)-40], "damaged or cut off"},
		{"cut in the content", whole[:len(whole)-1], "damaged or cut off"},
		{"changed content", append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1), "damaged or cut off"},
		{"cut armor", text[:len(text)-50], "damaged or cut off"},
		{"text after armor", append(bytes.Clone(text), "name: canary-value"...), "damaged or cut off"},
		{"future version", []byte("age-encryption.org/v2\n-> X25519 x\n"), "damaged or cut off"},

		{"list", in("- canary-value"), "line 1: the file is no map of names to values"},
		{"scalar", in("canary-value"), "line 1: the file is no map"},
		{"list value", in("ok: text value\nname: [canary-value]"), "line 2: name is a list"},
		{"number", in("name: 123456789"), "line 1: name is a number for YAML; put the value in quotes"},
		{"float", in("name: 1e10"), "name is a number"},
		{"bool", in("a: {name: true}"), "a.name is a truth value"},
		{"null", in("name:"), "name has no value"},
		{"date", in("name: 2026-01-02"), "name is a date"},
		{"binary value", in("name: !!binary Y2FuYXJ5LXZhbHVl"), "name is not text"},
		{"twice", in("name: canary-value\nb: text\nname: canary-value"), "line 3: name is there twice; the first is in line 1"},
		{"twice by dots", in("a: {b: canary-value}\na.b: canary-value"), "line 2: a.b is there twice"},
		{"two mistakes", in("a: 1\nb: 2"), "line 2: b is a number"},
		{"alias", in("a: &x canary-value\nb: *x"), "line 2: the value of b begins with *; quote it"},
		{"unquoted star", in("a: *canary-value"), "quote"},
		{"unquoted tag", in("a: !canary-value"), "line 1"},
		{"unfinished quote", in("a: \"canary-value"), "line"},
		{"bad indent", in("a: canary-value\n  b: x"), "line"},
		{"tab", in("a:\n\tb: canary-value"), "line 2"},
		{"second document", in("a: canary-value\n---\nb: canary-value"), "second YAML document"},
		{"bad name", in("\"a b\": canary-value"), "line 1: a name may have"},
		{"not UTF-8", in("a: canary\xff"), "not UTF-8"},
		{"deep", in(strings.Repeat("{a: ", 5000)), "not valid YAML"},
		{"too short", in("ok: text value\nname: abc"), "a.age, line 2, name: cannot hide a value of under 4 characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRepo(t)
			r.write("a.age", tt.data)
			s, err := r.vault(alice().private).Open("a.age")
			if err == nil {
				t.Fatalf("no error, and values %v", s.Names())
			}
			got := advice(err)
			if !strings.Contains(got, tt.want) || !strings.Contains(got, "a.age") {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for _, canary := range []string{"canary-value", "123456789", alice().private} {
				if strings.Contains(got, canary) {
					t.Errorf("the error shows a value: %s", got)
				}
			}
		})
	}
}

func TestOpenMissing(t *testing.T) {
	r := newRepo(t)
	_, err := r.vault(alice().private).Open("secrets/none.age")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "secrets/none.age") {
		t.Errorf("got %v", err)
	}
	r.write("a.age", sealed(t, "name: value", true, alice().public))
	if _, err := r.vault().Open("a.age"); err == nil || !strings.Contains(err.Error(), "no age identity") {
		t.Errorf("without identity: %v", err)
	}
	if s, err := r.vault().Open(); err != nil || len(s.Names()) != 0 {
		t.Errorf("no files need no identity, but: %v", err)
	}
}

func TestCheck(t *testing.T) {
	r := newRepo(t)
	r.write("good.age", sealed(t, "name: value", false, bob().public))
	r.write("bad.age", []byte("name: value"))
	v := r.vault() // no identity
	if err := v.Check("good.age"); err != nil {
		t.Error(err)
	}
	if err := v.Check("good.age", "bad.age"); err == nil || !strings.Contains(err.Error(), "bad.age is plain text") {
		t.Errorf("got %v", err)
	}
}

func TestIdentityErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "# only a comment\n", "there is no age identity in a test"},
		{"mistyped", strings.Replace(alice().private, "1", "1QQ", 1), "line 1: it is mistyped or cut off"},
		{"mistyped hybrid", hybrid().private[:40], "mistyped or cut off"},
		{"second line", "# x\n" + alice().private + "\nrubbish", "line 3: it is neither"},
		{"recipient", alice().public, "it is a public recipient"},
		{"ssh public key", sshEd25519().public, "it is a public recipient"},
		{"plugin", "AGE-PLUGIN-YUBIKEY-1XYZ", "plugin, which is not supported"},
		{"encrypted", string(sealed(t, alice().private, true, bob().public)), "itself encrypted with age"},
		{"locked ssh key", sshLocked().private, "with a passphrase"},
		{"cut ssh key", sshEd25519().private[:200], "damaged private key"},
		{"ssh key in one line", strings.ReplaceAll(sshEd25519().private, "\n", " "), "damaged private key"},
		{"certificate", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----", "no private key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := vault.ParseIdentities(nil, vault.Source{Name: "a test", Text: tt.text})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "a test") {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			for line := range strings.Lines(tt.text) {
				if line = strings.TrimSpace(line); len(line) > 10 && strings.Contains(advice(err), line) {
					t.Errorf("the error repeats the text: %s", advice(err))
				}
			}
		})
	}
}

func TestLockedSSHIdentity(t *testing.T) {
	r := newRepo(t)
	r.write("a.age", sealed(t, "name: value", true, sshLocked().public))
	for passphrase, want := range map[string]string{"open sesame": "no error", "wrong": "cannot decrypt a.age"} {
		asked := ""
		ids, err := vault.ParseIdentities(func(k string) ([]byte, error) {
			asked = k
			return []byte(passphrase), nil
		}, vault.Source{Name: "a test", Text: sshLocked().private})
		if err != nil {
			t.Fatal(err)
		}
		v := r.vault()
		v.Identities = ids
		if _, err := v.Open("a.age"); !strings.Contains(advice(err), want) {
			t.Errorf("%q: %s", passphrase, advice(err))
		}
		if !strings.HasPrefix(asked, "ssh-ed25519 SHA256:") {
			t.Errorf("asked for the passphrase of %q", asked)
		}
	}
}

func TestFindIdentity(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		must(os.MkdirAll(filepath.Dir(path), 0o700))
		must(os.WriteFile(path, []byte("text of "+name), 0o600))
		return path
	}
	flag, sops, home := file("flag"), file("sops"), filepath.Join(dir, "home")
	byDefault := file("home/.config/appstack/identity.txt")
	env := map[string]string{"APPSTACK_AGE_KEY": "A", "SOPS_AGE_KEY": "S", "SOPS_AGE_KEY_FILE": sops, "HOME": home}
	steps := []struct{ name, text string }{
		{flag, "text of flag"}, {"the age-key input", "I"}, {"APPSTACK_AGE_KEY", "A"}, {"SOPS_AGE_KEY", "S"},
		{sops + " (SOPS_AGE_KEY_FILE)", "text of sops"}, {byDefault, "text of home/.config/appstack/identity.txt"},
	}
	input, identity := "I", flag
	drop := []func(){
		func() { identity = "" }, func() { input = " " },
		func() { env["APPSTACK_AGE_KEY"] = "\n" }, func() { delete(env, "SOPS_AGE_KEY") }, func() { delete(env, "SOPS_AGE_KEY_FILE") },
		func() { delete(env, "HOME") },
	}
	getenv := func(name string) string { return env[name] }
	for i, want := range steps {
		got, err := vault.FindIdentity(input, identity, getenv)
		if err != nil || got.Name != want.name || got.Text != want.text {
			t.Errorf("step %d: %v, %v; want %v", i, got, err, want)
		}
		drop[i]()
	}
	if _, err := vault.FindIdentity(input, "", getenv); err == nil || !strings.Contains(advice(err), "secrets init") {
		t.Errorf("with nothing given: %v", err)
	}
	if _, err := vault.FindIdentity("", filepath.Join(dir, "none"), getenv); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with a missing file: %v", err)
	}
}

func TestRules(t *testing.T) {
	text := "\ufeff# Who reads what.\r\n\n" +
		"# alice\n" + alice().public + "\n" +
		bob().public + "  # bob\n" +
		bob().public + " # bob again\n\n" +
		"[secrets/prod*.age ops/*] # the few\n" +
		"# not a name\n\n" + sshEd25519().public + " ops@laptop\n" +
		"[ prod.age ]\n" + hybrid().public + "\n"
	rules, err := vault.ParseRules(text)
	if err != nil {
		t.Fatal(err)
	}
	who := func(file string) (names []string) {
		for _, r := range rules.For(file) {
			names = append(names, r.Who)
		}
		return names
	}
	for file, want := range map[string][]string{
		"secrets/common.age":    {"alice", "bob"},
		"secrets/prod.yaml.age": {"ops@laptop"},
		"./secrets/prod.age":    {"ops@laptop"},
		"ops/x":                 {"ops@laptop"},
		"ops/x/y":               {"alice", "bob"},
		"elsewhere/prod.age":    {""},
	} {
		if got := who(file); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	if n := len(rules.All()); n != 4 {
		t.Errorf("%d recipients in all", n)
	}
	if got := rules.For("a")[0].String(); got != "alice ("+alice().public[:12]+"…"+alice().public[56:]+")" {
		t.Errorf("short form %q", got)
	}
	var none *vault.Rules
	if none.For("a") != nil || none.All() != nil {
		t.Error("no rules let somebody read")
	}
}

func TestRulesErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"rubbish", "\n\nalice", ":3: this is no recipient"},
		{"private key", alice().private, ":1: this is a private key"},
		{"mistyped", alice().public + "x", "mistyped"},
		{"mistyped hybrid", hybrid().public[:100], "mistyped"},
		{"ssh dsa", "ssh-dss AAAA", "mistyped"},
		{"ecdsa", "ecdsa-sha2-nistp256 AAAA", "this is no recipient"},
		{"mixed", alice().public + "\n" + hybrid().public, ":2: " + alice().public[:12]},
		{"mixed with ssh", "[a]\n" + hybrid().public + "\n" + sshRSA().public, "age mixes post-quantum"},
		{"open section", "[prod", "a section begins with the files"},
		{"empty section name", "[]", "a section begins with the files"},
		{"bad pattern", "[a[]", ":1: a[ is no valid pattern"},
		{"section of nobody", alice().public + "\n\n[prod.age]\n# nobody\n[b]\n" + bob().public, ":3: the section [prod.age] lists no recipient"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := vault.ParseRules(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), vault.RecipientsFile) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), alice().private) {
				t.Error("the error repeats the private key")
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(sealed(f, "name: value", false, alice().public), false)
	f.Add(sealed(f, "name: value", true, alice().public, sshEd25519().public), false)
	f.Add([]byte("age-encryption.org/v1\n-> scrypt bBjlhJVYZeE4aqUdmtRHfw 40\nx\n--- \n"), false)
	f.Add([]byte("a: {b: c}\nd: |\n  text\n"), true)
	f.Add([]byte("a: &x [*x]\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, inside bool) {
		if inside {
			data = sealed(t, string(data), false, alice().public)
		}
		r := newRepo(t)
		r.write("a.age", data)
		v := r.vault(alice().private)
		s, err := v.Open("a.age")
		if err != nil {
			return
		}
		for _, name := range s.Names() {
			if value, _ := s.Get(name); strings.Contains(v.Hide.String(value.Reveal()), strings.TrimSpace(value.Reveal())) && !strings.Contains(value.Reveal(), "*") {
				t.Errorf("%s is not hidden", name)
			}
		}
	})
}

func FuzzParseIdentities(f *testing.F) {
	f.Add("# alice\n" + alice().private + "\n" + sshEd25519().private + sshLocked().private)
	f.Add(hybrid().private)
	f.Add("-----BEGIN OPENSSH PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, text string) {
		ids, err := vault.ParseIdentities(nil, vault.Source{Name: "a test", Text: text})
		if (err == nil) != (len(ids.Recipients()) > 0) {
			t.Errorf("%d identities, and %v", len(ids.Recipients()), err)
		}
	})
}

func FuzzParseRules(f *testing.F) {
	f.Add("# alice\n" + alice().public + "\n[a*]\n" + sshEd25519().public)
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := vault.ParseRules(text)
		if err == nil {
			rules.For("secrets/a.age")
		}
	})
}
