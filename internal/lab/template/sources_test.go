package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const machine = `# an image's own
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://mirror.example/off
Suites: bookworm
Components: main
`

func TestSourcesOfTheMachine(t *testing.T) {
	all := append(deb822(machine), oneLine(`deb [arch=amd64 signed-by=/k.gpg] https://cloud.example/apt cloud-bookworm main
deb-src http://mirror.example/debian bookworm main
# deb http://mirror.example/old bookworm main
deb http://mirror.example/debian bookworm-backports main # newer
`)...)
	got, err := pick(all, "bookworm", "trixie")
	if err != nil {
		t.Fatal(err)
	}
	want := AptSources{
		Mirror: "http://mirror.example/debian",
		List: `deb http://mirror.example/debian trixie main contrib
deb http://mirror.example/debian trixie-updates main contrib
deb http://mirror.example/debian-security trixie-security main
deb http://mirror.example/debian trixie-backports main
`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := pick(all, "noble", "bookworm"); err != errNoSource {
		t.Errorf("a machine of another release: %v", err)
	}
}

func FuzzSources(f *testing.F) {
	f.Add(machine)
	f.Add("deb [x] http://a bookworm main\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := pick(append(deb822(text), oneLine(text)...), "bookworm", "trixie")
		if err == nil && (got.Mirror == "" || !strings.HasPrefix(got.List, "deb ")) {
			t.Errorf("%q gives %+v", text, got)
		}
	})
}
