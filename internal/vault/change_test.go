package vault_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/vault"
)

// plainOf decrypts a file and returns the YAML inside, by way of an editor that
// changes nothing.
func plainOf(t testing.TB, v *vault.Vault, file string) string {
	t.Helper()
	var plain []byte
	changed, err := v.Edit(t.Context(), file, vault.Editor{Open: func(_ context.Context, draft string) (err error) {
		plain, err = os.ReadFile(draft)
		return err
	}})
	if err != nil || changed {
		t.Fatalf("Edit = %v, %v", changed, err)
	}
	return string(plain)
}

// aliceAlone is a repository that alice alone can read, with a file a.age.
func aliceAlone(t testing.TB, plain string) (repo, *vault.Vault) {
	t.Helper()
	r := newRepo(t)
	r.write(vault.RecipientsFile, []byte("# alice\n"+alice().public+"\n"))
	r.write("a.age", sealed(t, plain, true, alice().public))
	return r, r.vault(alice().private)
}

func TestSet(t *testing.T) {
	const before = "# The shop's.\none: value one # kept\nshop:\n    # the key\n    key: old key\n\nlast: the last\n"
	tests := []struct{ name, before, set, value, want string }{
		{"change", before, "one", "value two", "# The shop's.\none: value two # kept\nshop:\n  # the key\n  key: old key\nlast: the last\n"},
		{"change nested", "shop:\n  # the key\n  key: old key\n", "shop.key", "new key", "shop:\n  # the key\n  key: new key\n"},
		{"add", "one: value\n", "two", "second", "one: value\ntwo: second\n"},
		{"add nested", "shop:\n  key: old key\n", "shop.db.password", "p4ssw0rd", "shop:\n  key: old key\n  db:\n    password: p4ssw0rd\n"},
		{"a dotted key", "shop.key: old key\n", "shop.key", "new key", "shop.key: new key\n"},
		{"into nothing", "", "one", "value", "one: value\n"},
		{"into comments", "# only this\n", "one", "value", "# only this\n\none: value\n"},
		{"number", "", "pin", "123456", "pin: '123456'\n"},
		{"truth", "", "word", "true", "word: 'true'\n"},
		{"lines", "", "key", "BEGIN\n line\nEND\n", "key: |\n  BEGIN\n   line\n  END\n"},
		{"odd", "", "odd", "* & ! # : {[ \"' \t", ""},
		{"spaces", "", "odd", "  two spaces  ", ""},
		{"lines with spaces", "", "odd", "  first\n\n\tsecond \n\n\n", ""},
		{"CR", "", "odd", "first\r\nsecond\r\n", ""},
		{"unicode", "", "odd", "grüße 😀 \u2028 \ufeff", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, v := aliceAlone(t, tt.before)
			if err := v.Set("a.age", tt.set, secret.New(tt.value)); err != nil {
				t.Fatal(err)
			}
			if got := values(t, v, "a.age")[tt.set]; got != tt.value {
				t.Errorf("read back as %q", got)
			}
			got := plainOf(t, v, "a.age")
			if tt.want != "" && got != tt.want {
				t.Errorf("the file is\n%s", got)
			}
			if !strings.HasPrefix(r.read("a.age"), "-----BEGIN AGE") {
				t.Error("the file is not armored any more")
			}
		})
	}
}

func TestSetErrors(t *testing.T) {
	const before = "one: value\nshop: {key: a key}\n"
	tests := []struct{ name, set, value, want string }{
		{"too short", "one", "abc", "cannot set one: cannot hide a value of under 4"},
		{"too long", "one", strings.Repeat("x", 65<<10), "cannot set one: cannot hide a value of over 64 KiB"},
		{"a group", "shop", "some value", "shop is the name of a group"},
		{"below a value", "one.more", "some value", "one is a secret itself"},
		{"bad name", "a b", "some value", `"a b" is no name`},
		{"empty part", "a..b", "some value", `"a..b" is no name`},
		{"binary", "one", "\xff\xfe\xfd\xfc", "not text"},
		{"NUL", "one", "with\x00NUL", "not text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, v := aliceAlone(t, before)
			old := r.read("a.age")
			err := v.Set("a.age", tt.set, secret.New(tt.value))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), tt.value) {
				t.Errorf("got %v", err)
			}
			if r.read("a.age") != old {
				t.Error("the file was changed")
			}
		})
	}
}

// FuzzSet writes any text and reads it back.
func FuzzSet(f *testing.F) {
	f.Add("name", "some value", "a: text\n")
	f.Add("a.b", "- x\n- y\n", "# comment\na:\n  c: text # c\n")
	f.Fuzz(func(t *testing.T, name, value, before string) {
		_, v := aliceAlone(t, before)
		if _, err := v.Open("a.age"); err != nil {
			_, v = aliceAlone(t, "")
		}
		if err := v.Set("a.age", name, secret.New(value)); err != nil {
			return
		}
		if got := values(t, v, "a.age")[name]; got != value {
			t.Errorf("%q was read back as %q", value, got)
		}
	})
}

func TestSetMakesFile(t *testing.T) {
	r, v := aliceAlone(t, "one: value")
	if err := v.Set("secrets/deep/new.age", "one", secret.New("some value")); err != nil {
		t.Fatal(err)
	}
	if got := values(t, v, "secrets/deep/new.age"); got["one"] != "some value" {
		t.Errorf("got %v", got)
	}
	if info, err := os.Stat(filepath.Join(r.dir, "secrets/deep/new.age")); err != nil || info.Mode() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// The recipients of a file are those of its place, by whatever name it is reached.
func TestReadersByOtherNames(t *testing.T) {
	r := newRepo(t)
	r.write(vault.RecipientsFile, []byte("# all\n"+alice().public+"\n"+bob().public+"\n[secrets/prod*.age new/*]\n# few\n"+alice().public+"\n"))
	r.write("secrets/prod.age", sealed(t, "one: value", true, alice().public))
	must(os.Symlink("secrets/prod.age", filepath.Join(r.dir, "link.age")))
	must(os.Symlink("secrets", filepath.Join(r.dir, "linked")))
	outside := filepath.Join(t.TempDir(), "way-in")
	must(os.Symlink(r.dir, outside))
	for _, dir := range []string{r.dir, outside} {
		v, err := vault.At(dir)
		must(err)
		for file, want := range map[string]int{
			"secrets/prod.age": 1, "./secrets/../secrets/prod.age": 1, "link.age": 1, "linked/prod.age": 1, "linked/prod-new.age": 1,
			"new/prod.age": 1, filepath.Join(outside, "new/prod.age"): 1,
			filepath.Join(r.dir, "secrets/prod.age"): 1, filepath.Join(outside, "secrets/prod-new.age"): 1, "secrets/dev.age": 2, "none/prod.age": 2,
			"not/yet/there.age": 2, filepath.Join(outside, "not/yet/there.age"): 2,
		} {
			if got := len(v.Readers(file)); got != want {
				t.Errorf("%s in %s has %d readers, want %d", file, dir, got, want)
			}
		}
	}
}

func TestSetWithoutRecipients(t *testing.T) {
	r := newRepo(t)
	r.write("a.age", sealed(t, "one: value", true, alice().public))
	err := r.vault(alice().private).Set("a.age", "one", secret.New("some value"))
	if !strings.Contains(advice(err), "names nobody who could read a.age") || !strings.Contains(advice(err), "secrets init") {
		t.Errorf("got %s", advice(err))
	}
}

func TestWriteKeepsModeAndLink(t *testing.T) {
	r, v := aliceAlone(t, "one: value")
	file, link := filepath.Join(r.dir, "a.age"), filepath.Join(r.dir, "link.age")
	must(os.Chmod(file, 0o600))
	must(os.Symlink("a.age", link))
	if err := v.Set("link.age", "one", secret.New("another")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if info, err = os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := values(t, v, "a.age"); got["one"] != "another" {
		t.Errorf("got %v", got)
	}
}

// A write that fails leaves the old content and nothing else behind.
func TestWriteFails(t *testing.T) {
	r, v := aliceAlone(t, "one: value")
	old := r.read("a.age")
	// A directory that cannot be written, for root too: the file is a directory's
	// entry under a name that is too long for the one beside it.
	long := strings.Repeat("x", 250) + ".age"
	r.write(long, []byte(old))
	err := v.Set(long, "one", secret.New("another"))
	if err == nil || !strings.Contains(err.Error(), "it is as it was") {
		t.Errorf("got %v", err)
	}
	if r.read(long) != old {
		t.Error("the old content is gone")
	}
	if d := cmp.Diff([]string{".appstack/recipients", "a.age", long}, r.files()); d != "" {
		t.Error(d)
	}
}

func TestRekey(t *testing.T) {
	r := newRepo(t)
	r.write("a.age", sealed(t, "# kept\none: value\n", true, alice().public))
	r.write("b.age", sealed(t, "two: value\n", false, alice().public))
	r.write(vault.RecipientsFile, []byte(bob().public+"\n[b.age]\n"+sshEd25519().public+"\n"))
	v := r.vault(alice().private)
	if !v.LockedOut("a.age") {
		t.Error("alice is not told that she is locked out")
	}
	if err := v.Rekey("a.age", "b.age"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open("a.age"); err == nil {
		t.Error("alice can still read a.age")
	}
	if got := plainOf(t, r.vault(bob().private), "a.age"); got != "# kept\none: value\n" {
		t.Errorf("a.age is now %q", got)
	}
	ops := r.vault(sshEd25519().private)
	if got := values(t, ops, "b.age"); got["two"] != "value" || ops.LockedOut("b.age") {
		t.Errorf("b.age is now %v", got)
	}
	if !strings.HasPrefix(r.read("a.age"), "-----BEGIN AGE") || !strings.HasPrefix(r.read("b.age"), "age-encryption") {
		t.Error("the files' forms have changed")
	}
}

func TestRekeyAllOrNone(t *testing.T) {
	r, v := aliceAlone(t, "one: value")
	r.write("b.age", sealed(t, "two: value", true, bob().public))
	old := r.read("a.age")
	var none *vault.NoMatchError
	if err := v.Rekey("a.age", "b.age"); !errors.As(err, &none) || none.File != "b.age" {
		t.Errorf("got %v", err)
	}
	if r.read("a.age") != old {
		t.Error("a.age was written although b.age cannot be")
	}
}

func TestAccess(t *testing.T) {
	r := newRepo(t)
	r.write("a.age", sealed(t, "one: value", true, alice().public, sshEd25519().public))
	r.write("pq.age", sealed(t, "one: value", false, hybrid().public))
	rules := "# alice\n" + alice().public + "\n" + sshEd25519().public + " ops\n"
	r.write(vault.RecipientsFile, []byte(rules))
	v := r.vault()
	got, err := v.Access("a.age")
	if err != nil || !got.Agrees || !slices.Equal(got.Readers, []string{"1 X25519 recipient", v.Rules.For("")[1].String()}) || len(got.Rule) != 2 {
		t.Errorf("a.age: %+v, %v", got, err)
	}
	got, err = v.Access("pq.age")
	if err != nil || got.Agrees || !slices.Equal(got.Readers, []string{"1 post-quantum recipient"}) {
		t.Errorf("pq.age: %+v, %v", got, err)
	}
}

// script is an editor that runs its steps, one at each opening.
type script struct {
	t      *testing.T
	drafts []string
	steps  []func(file string) error
}

func (s *script) open(_ context.Context, file string) error {
	s.drafts = append(s.drafts, file)
	step := s.steps[0]
	s.steps = s.steps[1:]
	return step(file)
}

func writes(text string) func(string) error {
	return func(file string) error { return os.WriteFile(file, []byte(text), 0o600) }
}

// gone fails the test if a draft or its directory is still there.
func (s *script) gone() {
	s.t.Helper()
	for _, file := range s.drafts {
		if _, err := os.Lstat(filepath.Dir(file)); !errors.Is(err, fs.ErrNotExist) {
			s.t.Errorf("the draft's directory is still there: %v", err)
		}
	}
	if len(s.steps) > 0 {
		s.t.Errorf("%d steps were not run", len(s.steps))
	}
}

func TestEdit(t *testing.T) {
	r, v := aliceAlone(t, "one: value\n")
	old := r.read("a.age")
	ed := &script{t: t, steps: []func(string) error{
		func(file string) error {
			dir, err := os.Stat(filepath.Dir(file))
			must(err)
			info, err := os.Stat(file)
			must(err)
			if dir.Mode().Perm() != 0o700 || info.Mode() != 0o600 || filepath.Base(file) != "a" {
				t.Errorf("%s: %v in %v", file, info.Mode(), dir.Mode())
			}
			must(os.WriteFile(file+"~", []byte("backup"), 0o600))
			return nil
		},
	}}
	changed, err := v.Edit(t.Context(), "a.age", vault.Editor{Open: ed.open})
	if err != nil || changed || r.read("a.age") != old {
		t.Errorf("unchanged: %v, %v", changed, err)
	}
	ed.gone()

	ed.steps = append(ed.steps, writes("# new\none: other value\n"))
	changed, err = v.Edit(t.Context(), "a.age", vault.Editor{Open: ed.open})
	if err != nil || !changed || plainOf(t, v, "a.age") != "# new\none: other value\n" {
		t.Errorf("changed: %v, %v", changed, err)
	}
	if v.Hide.String("other value") != "***" {
		t.Error("the new value is not hidden")
	}
	ed.gone()
}

func TestEditAgain(t *testing.T) {
	r, v := aliceAlone(t, "one: value\n")
	ed := &script{t: t, steps: []func(string) error{
		writes("one: [canary-value]\n"),
		func(file string) error {
			if got, err := os.ReadFile(file); err != nil || string(got) != "one: [canary-value]\n" {
				t.Errorf("the draft is now %q, %v", got, err)
			}
			return writes("one: abc\n")(file)
		},
		writes("one: good value\n"),
	}}
	var mistakes []string
	changed, err := v.Edit(t.Context(), "a.age", vault.Editor{Open: ed.open, Again: func(_ context.Context, mistake error) bool {
		mistakes = append(mistakes, mistake.Error())
		return true
	}})
	if err != nil || !changed || values(t, v, "a.age")["one"] != "good value" {
		t.Errorf("got %v, %v", changed, err)
	}
	if len(mistakes) != 2 || !strings.Contains(mistakes[0], "line 1: one is a list") || !strings.Contains(mistakes[1], "under 4") {
		t.Errorf("mistakes %q", mistakes)
	}
	ed.gone()

	old := r.read("a.age")
	ed.steps = append(ed.steps, writes("- x\n"))
	if changed, err = v.Edit(t.Context(), "a.age", vault.Editor{Open: ed.open}); err == nil || changed || r.read("a.age") != old {
		t.Errorf("given up: %v, %v", changed, err)
	}
	ed.gone()
}

func TestEditFails(t *testing.T) {
	r, v := aliceAlone(t, "one: value\n")
	old := r.read("a.age")
	broken := errors.New("exit status 1")
	interrupted, cancel := context.WithCancelCause(t.Context())
	tests := []struct {
		name string
		step func(string) error
		want string
	}{
		{"editor", func(file string) error { must(writes("one: new value")(file)); return broken }, "a.age is as it was: exit status 1"},
		{"draft removed", os.Remove, "a.age is as it was"},
		{"too large", writes("one: " + strings.Repeat("x", 5<<20)), "more than 1 MiB"},
		{"changed meanwhile", func(file string) error {
			r.write("a.age", sealed(t, "one: of a colleague", true, alice().public))
			return writes("one: new value")(file)
		}, vault.ErrChanged.Error()},
		{"interrupted", func(file string) error { cancel(errors.New("SIGTERM")); return writes("one: new value")(file) }, "interrupted: SIGTERM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.write("a.age", []byte(old))
			ed := &script{t: t, steps: []func(string) error{tt.step}}
			changed, err := v.Edit(interrupted, "a.age", vault.Editor{Open: ed.open})
			if changed || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v", changed, err)
			}
			if got := values(t, v, "a.age")["one"]; got == "new value" {
				t.Error("the file was written")
			}
			ed.gone()
		})
	}
}

func TestEditMakesFile(t *testing.T) {
	r, v := aliceAlone(t, "one: value\n")
	ed := &script{t: t, steps: []func(string) error{func(file string) error {
		if got, err := os.ReadFile(file); err != nil || string(got) != "# a template\n" {
			t.Errorf("the draft is %q, %v", got, err)
		}
		return nil
	}, writes("one: new value\n")}}
	for _, want := range []bool{false, true} {
		changed, err := v.Edit(t.Context(), "new.yaml.age", vault.Editor{Open: ed.open, Template: "# a template\n"})
		if err != nil || changed != want {
			t.Errorf("Edit = %v, %v", changed, err)
		}
		if _, err := os.Stat(filepath.Join(r.dir, "new.yaml.age")); (err == nil) != want {
			t.Errorf("the file: %v", err)
		}
	}
	ed.gone()
}

// A draft goes to the first directory that takes it.
func TestEditTempDirs(t *testing.T) {
	_, v := aliceAlone(t, "one: value\n")
	good := t.TempDir()
	ed := &script{t: t, steps: []func(string) error{func(string) error { return nil }}}
	if _, err := v.Edit(t.Context(), "a.age", vault.Editor{Open: ed.open, TempDirs: []string{"/nowhere", good}}); err != nil {
		t.Fatal(err)
	}
	if len(ed.drafts) != 1 || !strings.HasPrefix(ed.drafts[0], good) {
		t.Errorf("drafts %q", ed.drafts)
	}
	ed.gone()
	if _, err := v.Edit(t.Context(), "a.age", vault.Editor{Open: ed.open, TempDirs: []string{"/nowhere"}}); err == nil {
		t.Error("no error without a directory")
	}
	if dirs := vault.DraftDirs(func(string) string { return "" }); len(dirs) == 0 || dirs[len(dirs)-1] != os.TempDir() {
		t.Errorf("DraftDirs = %q", dirs)
	}
}

func TestScaffold(t *testing.T) {
	r := newRepo(t)
	file := filepath.Join(r.dir, "home", "identity.txt")
	public, err := vault.NewIdentity(file, false, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("identity of mode %v, %v", info.Mode(), err)
	}
	if _, err := vault.NewIdentity(file, false, time.Unix(0, 0)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over an identity: %v", err)
	}
	v := r.vault(r.read("home/identity.txt"))
	public.Who = "alice"
	if made, err := v.WriteRecipients([]vault.Recipient{public}); err != nil || !made {
		t.Fatal(made, err)
	}
	if made, err := v.WriteRecipients(nil); err != nil || made {
		t.Errorf("over a recipients file: %v, %v", made, err)
	}
	v = r.vault(r.read("home/identity.txt"))
	if got := v.Rules.For("a.age"); len(got) != 1 || got[0].Text != public.Text || got[0].Who != "alice" || v.LockedOut("a.age") {
		t.Errorf("rules %v", got)
	}
	if err := v.Set("a.age", "one", secret.New("value")); err != nil {
		t.Error(err)
	}
}

func TestScaffoldPostQuantum(t *testing.T) {
	r := newRepo(t)
	public, err := vault.NewIdentity(filepath.Join(r.dir, "identity.txt"), true, time.Now())
	if err != nil || !strings.HasPrefix(public.Text, "age1pq1") {
		t.Fatal(public, err)
	}
	v := r.vault(r.read("identity.txt"))
	if _, err := v.WriteRecipients([]vault.Recipient{public}); err != nil {
		t.Fatal(err)
	}
	v = r.vault(r.read("identity.txt"))
	if err := v.Set("a.age", "one", secret.New("value")); err != nil {
		t.Fatal(err)
	}
	if got := values(t, v, "a.age"); got["one"] != "value" {
		t.Errorf("got %v", got)
	}
}

func TestExample(t *testing.T) {
	refs := []vault.Reference{
		{"shop.deploy_key", "projects.shop.app.source.key"}, {"proxmox_token", "proxmox.token"},
		{"shop.db.password", ""}, {"shop.db.user", ""}, {"pote.key", ""}, {"proxmox_token", "again"},
	}
	want := `pote:
  key: ""
proxmox_token: "" # proxmox.token
shop:
  db:
    password: ""
    user: ""
  deploy_key: "" # projects.shop.app.source.key
`
	if d := cmp.Diff(want, vault.Example(refs)); d != "" {
		t.Error(d)
	}
	r := newRepo(t)
	if err := r.vault().WriteExample(refs, []string{"secrets/common.yaml.age"}); err != nil {
		t.Fatal(err)
	}
	var parsed map[string]any
	if err := yaml.Unmarshal([]byte(r.read(vault.ExampleFile)), &parsed); err != nil || len(parsed) != 3 {
		t.Errorf("the example file: %v, %v", parsed, err)
	}
}

func TestWriteIgnore(t *testing.T) {
	r := newRepo(t)
	r.write(".gitignore", []byte("/bin\nidentity.txt"))
	v := r.vault()
	added, err := v.WriteIgnore([]string{"secrets/prod.yaml.age", "odd"})
	if err != nil || !slices.Contains(added, "/secrets/prod.yaml") || slices.Contains(added, "identity.txt") {
		t.Errorf("added %q, %v", added, err)
	}
	text := r.read(".gitignore")
	if !strings.HasPrefix(text, "/bin\nidentity.txt\n# appstack") || strings.Count(text, "identity.txt") != 1 {
		t.Errorf(".gitignore is now\n%s", text)
	}
	if added, err = v.WriteIgnore([]string{"secrets/prod.yaml.age"}); err != nil || len(added) != 0 || r.read(".gitignore") != text {
		t.Errorf("again: %q, %v", added, err)
	}
}

// readOnly makes a directory that cannot be written, for root too, or skips.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		must(os.Chmod(dir, 0o555))
		t.Cleanup(func() { must(os.Chmod(dir, 0o755)) })
		return
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("needs to make a read-only mount: %v", err)
	}
	t.Cleanup(func() { must(syscall.Unmount(dir, 0)) })
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("needs to make a read-only mount: %v", err)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	r, v := aliceAlone(t, "one: value\n")
	old, files := r.read("a.age"), r.files()
	readOnly(t, r.dir)
	if err := v.Set("a.age", "one", secret.New("another")); err == nil || !strings.Contains(err.Error(), "cannot write a.age; it is as it was") {
		t.Errorf("Set: %v", err)
	}
	if err := v.Rekey("a.age"); err == nil {
		t.Error("Rekey: no error")
	}
	asked := 0
	ed := &script{t: t, steps: []func(string) error{writes("one: another\n"), writes("one: another one\n")}}
	changed, err := v.Edit(t.Context(), "a.age", vault.Editor{Open: ed.open, Again: func(_ context.Context, mistake error) bool {
		asked++
		return asked == 1 && strings.Contains(mistake.Error(), "cannot write")
	}})
	if changed || !errors.Is(err, vault.ErrGivenUp) || asked != 2 {
		t.Errorf("Edit: %v, %v, asked %d times", changed, err, asked)
	}
	ed.gone()
	if r.read("a.age") != old || !slices.Equal(r.files(), files) {
		t.Error("something was changed")
	}
}
