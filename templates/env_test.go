package templates_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/templates"
)

// awkward are values that an env file has to bring across, by a name for each.
// The guest's systemd reads the same ones in internal/resolve's test on a container.
var awkward = map[string]string{
	"PLAIN":     "debug",
	"EMPTY":     "",
	"SPACES":    "  two  words  ",
	"TAB":       "a\tb",
	"SINGLE":    `it's`,
	"DOUBLE":    `say "hi"`,
	"BOTH":      `'"'"'`,
	"DOLLAR":    `$HOME ${HOME} $(id) $$ $`,
	"BACKTICK":  "`id`",
	"HASH":      "#not a comment # either",
	"SEMICOLON": "; not a comment",
	"BACKSLASH": `C:\new\\table\`,
	"ESCAPES":   `\n \t \x41 \" \$`,
	"LINES":     "one\ntwo\n\nfour\n",
	"CRLF":      "one\r\ntwo",
	"TRAILING":  "ends in a backslash\\\nand goes on",
	"UNICODE":   "grüße, 世界 🚀",
	"EQUALS":    "a=b=c",
	"PERCENT":   "100% %n %h",
	"BANG":      "wow! !!",
	"GLOB":      "* ? [a-z] ~",
	"PEM":       "-----BEGIN KEY-----\nMIIB+/=\n-----END KEY-----\n",
	"BELL":      "\a\x1b[31m\x7f",
}

func awkwardFile(t testing.TB) string {
	t.Helper()
	var public, secret []templates.Var
	for name, value := range awkward {
		v := templates.Var{Name: name, Value: value}
		if len(name)%2 == 0 {
			public = append(public, v)
		} else {
			secret = append(secret, v)
		}
	}
	text, err := templates.EnvFile("a header that ends in a backslash \\\nand a second line\n", public, secret)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEnvFileReadByShells(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte(awkwardFile(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, shell := range []string{"dash", "bash", "busybox"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not here", shell)
			continue
		}
		args := []string{"-c", "set -a; . " + file + "; exec env -0"}
		if shell == "busybox" {
			args = append([]string{"sh"}, args...)
		}
		cmd := exec.Command(path, args...)
		cmd.Env = []string{"PATH=/usr/bin:/bin"}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", shell, err)
		}
		got := make(map[string]string)
		for entry := range strings.SplitSeq(string(out), "\x00") {
			if name, value, _ := strings.Cut(entry, "="); awkward[name] != "" || name == "EMPTY" {
				got[name] = value
			}
		}
		if diff := cmp.Diff(awkward, got); diff != "" {
			t.Errorf("%s reads other values (-want +got):\n%s", shell, diff)
		}
	}
}

func TestEnvFileOrder(t *testing.T) {
	got, err := templates.EnvFile("", []templates.Var{{Name: "A", Value: "1"}}, []templates.Var{{Name: "B", Value: "s3cret"}})
	want := "A=\"1\"\n" + templates.EnvMarker + "\nB=\"s3cret\"\n"
	if err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestEnvFileRefuses(t *testing.T) {
	for name, v := range map[string]templates.Var{
		"no name":    {Name: "", Value: "x"},
		"digit":      {Name: "1A", Value: "x"},
		"assignment": {Name: "A=B", Value: "x"},
		"line":       {Name: "A\nB", Value: "x"},
		"NUL":        {Name: "A", Value: "a\x00b"},
		"not UTF-8":  {Name: "A", Value: "a\xffb"},
	} {
		if text, err := templates.EnvFile("", []templates.Var{v}, nil); err == nil {
			t.Errorf("%s: accepted as %q", name, text)
		}
	}
}

// FuzzEnvFile has sh read back what EnvFile accepts.
func FuzzEnvFile(f *testing.F) {
	for _, value := range awkward {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		text, err := templates.EnvFile("", nil, []templates.Var{{Name: "V", Value: value}})
		if err != nil {
			return
		}
		cmd := exec.Command("/bin/sh", "-c", `eval "$(cat; printf x)" 2>/dev/null; printf '%s' "$V"`)
		cmd.Stdin = strings.NewReader(text + ":")
		out, err := cmd.Output()
		if err != nil || string(out) != value {
			t.Fatalf("sh reads %q as %q (%v)", value, out, err)
		}
	})
}

func TestUnitQuote(t *testing.T) {
	const in = "echo \"$HOME\" 100% 'x' \\ \n\tend"
	const want = `"echo \"$$HOME\" 100%% 'x' \\ \n\tend"`
	if got := templates.UnitQuote(in); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
