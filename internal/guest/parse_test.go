package guest

import (
	"encoding/base64"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
)

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// answer is one of a machine that has some of everything.
var answer = strings.Join([]string{
	"guarded",
	"distribution\tdebian 12",
	"package\tgit\t1:2.39.5-0+deb12u2",
	"provided\tawk\t1.3.4",
	"user\tapp\t/home/app\t/bin/bash",
	"group\tapp\tadm",
	"key\tapp\tssh-ed25519 AAAA with\ttab",
	"ours\t/etc/a",
	"file\t/etc/a\t81a0\troot\tapp",
	"file\t/srv/app\t45ed\tapp\tapp",
	"file\t/etc/link\ta1ff\troot\troot",
	"file\t/etc/fifo\t11a4\troot\troot",
	"hash\t/etc/a\t" + emptyHash,
	"content\t/etc/a\t" + base64.StdEncoding.EncodeToString([]byte("a\tb\n")),
	"stale\tshop-web.service",
	"stale\trelease",
	"units\tshop-web.service gone.service apt.timer",
	"LoadState=loaded", "ActiveState=activating", "UnitFileState=enabled", "",
	"LoadState=not-found", "ActiveState=inactive", "UnitFileState=", "",
	"UnitFileState=static", "ActiveState=failed", "LoadState=loaded", "",
	"shown",
	"firewall",
	"### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=617070737461636b",
	"### tuple ### allow udp 8000:8010 0.0.0.0/0 any 10.0.0.0/8 in",
	"### tuple ### deny tcp 25 0.0.0.0/0 any 0.0.0.0/0 in",
	"### tuple ### allow tcp 22 ::/0 any ::/0 in comment=617070737461636b",
	"ENABLED=yes",
	`DEFAULT_INPUT_POLICY="DROP"`,
	"release\t/srv/app/releases/abc-b12345678",
	"built\tapp=1 web=2",
	"failed\tdef",
	"timezone\t/usr/share/zoneinfo/Europe/Berlin",
	`locale	"C.UTF-8"`,
	"database\tpote\tpote\tUTF8", "member\tpote",
	"extension\tpote\tpg_trgm",
	"login\tpote",
	"end", "",
}, "\n")

func TestParse(t *testing.T) {
	want := &machine.OS{
		Guarded: true, Distribution: "debian 12", Timezone: "Europe/Berlin", Locale: "C.UTF-8",
		Packages: map[string]string{"git": "1:2.39.5-0+deb12u2", "awk": "1.3.4"},
		Users:    map[string]machine.User{"app": {Home: "/home/app", Shell: "/bin/bash", Groups: []string{"adm"}, Keys: []string{"ssh-ed25519 AAAA with\ttab"}}},
		Files: map[string]machine.File{
			"/etc/a":    {Mode: 0o640, Owner: "root", Group: "app", SHA256: emptyHash, Content: secret.New("a\tb\n"), Ours: true},
			"/srv/app":  {Dir: true, Mode: 0o755 | fs.ModeSetgid, Owner: "app", Group: "app"},
			"/etc/link": {Mode: 0o777 | fs.ModeSymlink, Owner: "root", Group: "root"},
			"/etc/fifo": {Mode: 0o644 | fs.ModeIrregular, Owner: "root", Group: "root"},
		},
		Units: map[string]machine.Unit{
			"shop-web.service": {Enabled: true, Active: true, Stale: true},
			"apt.timer":        {Enabled: true},
		},
		Firewall: &machine.Firewall{Enabled: true, Rules: []machine.Rule{
			{Port: "22", Protocol: "tcp", Ours: true}, {Port: "8000:8010", Protocol: "udp", From: "10.0.0.0/8"},
			{Text: "deny tcp 25 0.0.0.0/0 any 0.0.0.0/0 in"},
		}},
		Release:   &machine.Release{SHA: "abc", Build: "12345678", Built: []string{"app=1", "web=2"}, Failed: "def", Stale: true},
		Databases: map[string]machine.Database{"pote": {Owner: "pote", Encoding: "UTF8", Extensions: []string{"pg_trgm"}, PasswordValid: true, Member: true}},
	}
	got, err := parse(strings.NewReader(answer))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ answer, err string }{
		{"", "it ends before its last line"},
		{"distribution\tdebian 12\n", "it ends before its last line"},
		{"bash: warning\nend\n", `line 1 of the machine's answer: "bash: warning" is not known`},
		{"package\tgit\nend\n", "package has 1 fields, not 2"},
		{"end\nend\n", `"end" follows its end`},
		{"hash\t/etc/a\t" + emptyHash + "\nend\n", `hash of the unknown file "/etc/a"`},
		{"file\t/etc/a\tzz\troot\troot\nend\n", "invalid syntax"},
		{"file\t/a\t81a4\tr\tr\nhash\t/a\tabc\nend\n", "is no SHA-256"},
		{"file\t/a\t81a4\tr\tr\ncontent\t/a\t!!!\nend\n", "illegal base64"},
		{"key\tapp\tssh-ed25519 AAAA\nend\n", `key of the unknown user "app"`},
		{"extension\tpote\tx\nend\n", `extension of the unknown database "pote"`},
		{"units\ta.service\nLoadState=loaded\n\nLoadState=loaded\n\nshown\nend\n", "more units are shown than asked for"},
		{"units\ta.service b.service\nLoadState=loaded\n\nshown\nend\n", "(1 of 2 shown)"},
		{"units\ta.service\nLoadState=loaded\n\n", "it ends before its last line"},
		{"### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\nend\n", "is not known"},
		{"distribution\t" + strings.Repeat("x", maxLine) + "\nend\n", "token too long"},
	} {
		_, err := parse(strings.NewReader(c.answer))
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%.60q: got %v, want %s", c.answer, err, c.err)
		}
	}
}

// A file that grew beyond the bound is told with one byte more: it is dropped.
func TestParseDropsLargeContent(t *testing.T) {
	large := base64.StdEncoding.EncodeToString(make([]byte, maxContent+1))
	os, err := parse(strings.NewReader("file\t/a\t81a4\tr\tr\ncontent\t/a\t" + large + "\nend\n"))
	if err != nil || !os.Files["/a"].Content.IsZero() {
		t.Errorf("%v, %v", os, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(answer)
	for line := range strings.Lines(answer) {
		f.Add(line + "end\n")
	}
	f.Fuzz(func(t *testing.T, answer string) {
		os, err := parse(strings.NewReader(answer))
		if (os == nil) == (err == nil) {
			t.Errorf("got %v and %v", os, err)
		}
	})
}

func TestRule(t *testing.T) {
	for _, c := range []struct {
		tuple, comment string
		want           machine.Rule
	}{
		{"allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", "", machine.Rule{Port: "22", Protocol: "tcp"}},
		{"allow tcp 22 ::/0 any fd00::/8 in", "617070737461636b", machine.Rule{Port: "22", Protocol: "tcp", From: "fd00::/8", Ours: true}},
		{"allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", "617070737461636b3a206ff6", machine.Rule{Port: "22", Protocol: "tcp", Ours: true, Comment: "o\xf6"}},
		{"allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", "617070737461636b73", machine.Rule{Port: "22", Protocol: "tcp"}}, // appstacks
		{"allow any 53 0.0.0.0/0 any 0.0.0.0/0 in", "", machine.Rule{Text: "allow any 53 0.0.0.0/0 any 0.0.0.0/0 in"}},
		{"allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in", "", machine.Rule{Text: "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in"}},
		{"allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in_eth0", "", machine.Rule{Text: "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in_eth0"}},
		{"allow tcp 22 10.0.0.1 any 0.0.0.0/0 in", "", machine.Rule{Text: "allow tcp 22 10.0.0.1 any 0.0.0.0/0 in"}},
		{"limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", "", machine.Rule{Text: "limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"}},
		{"", "", machine.Rule{}},
	} {
		if got := rule(c.tuple, c.comment); got != c.want {
			t.Errorf("rule(%q) = %+v, want %+v", c.tuple, got, c.want)
		}
	}
}

// What is quoted comes back from a shell as it was.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "plain", "it's", `"$HOME" \ ` + "`id`", "a\nb\tc", "-n", "ünïcode", "'''", "*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) {
			t.Skip()
		}
		out, err := exec.Command("sh", "-c", "printf %s "+quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q came back as %q, %v", s, out, err)
		}
	})
}

func TestNamesAreChecked(t *testing.T) {
	for name, want := range map[string]*machine.OS{
		"package":  {Packages: map[string]string{"git; reboot": ""}},
		"user":     {Users: map[string]machine.User{"root\n": {}}},
		"unit":     {Units: map[string]machine.Unit{"--now": {}}},
		"database": {Databases: map[string]machine.Database{"a b": {}}},
		"path":     {Files: map[string]machine.File{"/etc/a\tb": {}}},
		"relative": {Files: map[string]machine.File{"etc/a": {}}},
		"upwards":  {Files: map[string]machine.File{"/etc/../a": {}}},
		"release":  {Release: &machine.Release{SHA: "../x"}},
		"app":      {Release: &machine.Release{SHA: "x", Dir: "srv"}},
	} {
		if err := checkNames(want); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTail(t *testing.T) {
	var heard []string
	tail := tail{Line: func(l string) { heard = append(heard, l) }}
	for i := range 30 {
		_, _ = tail.Write([]byte(strings.Repeat("x", i)))
		_, _ = tail.Write([]byte("\n"))
	}
	_, _ = tail.Write([]byte("10%\r20%\r30%\r\nand a part"))
	lines := strings.Split(tail.String(), "\n")
	if len(lines) != tailLines || lines[tailLines-1] != "and a part" || lines[tailLines-2] != "30%" {
		t.Errorf("got %q", lines)
	}
	if len(heard) != 31 {
		t.Errorf("heard %d lines", len(heard))
	}
}

func TestSudoError(t *testing.T) {
	for _, c := range []struct {
		user, text string
		want       bool
	}{
		{"app", "sudo: a password is required\n", true},
		{"app", "bash: line 1: exec: sudo: not found\n", true},
		{"app", "Warning: banner\nsudo: unable to resolve host x\nsudo: a password is required", true},
		{"app", "env: 'sudo': No such file or directory", true},
		{"app", "app is not in the sudoers file.", true},
		{"app", "sudo: unable to resolve host x: Name or service not known\nE: broken", false},
		{"app", "E: broken", false},
		{"root", "sudo: a password is required\n", false},
	} {
		if got := sudoError(c.user, c.text); (got != nil) != c.want {
			t.Errorf("%q: got %v", c.text, got)
		}
	}
}
