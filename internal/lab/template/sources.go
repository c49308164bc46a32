package template

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// AptSources are a machine's Debian sources, turned to one release.
type AptSources struct {
	Mirror string // of the release itself
	List   string // a sources.list(5) in the one-line format
}

// source is one suite of one archive.
type source struct {
	uri, suite string
	components []string
}

// Sources reads the machine's apt configuration in dir and keeps the sources whose
// suite is one of the machine's own Debian release, renamed to codename. Other
// parties' sources are left out: a guest has neither their keys nor need of them.
func Sources(dir, codename string) (AptSources, error) {
	own, err := osRelease("/etc/os-release")
	if err != nil {
		return AptSources{}, err
	}
	all, err := readSources(dir)
	if err != nil {
		return AptSources{}, err
	}
	return pick(all, own, codename)
}

// pick keeps what belongs to the release own and renames it to codename.
func pick(all []source, own, codename string) (AptSources, error) {
	var out AptSources
	for _, s := range all {
		pocket, ok := strings.CutPrefix(s.suite, own)
		if !ok || !slices.Contains([]string{"", "-updates", "-security", "-backports"}, pocket) {
			continue
		}
		if pocket == "" && out.Mirror == "" {
			out.Mirror = s.uri
		}
		out.List += fmt.Sprintf("deb %s %s %s\n", s.uri, codename+pocket, strings.Join(s.components, " "))
	}
	if out.Mirror == "" {
		return AptSources{}, errNoSource
	}
	return out, nil
}

func readSources(dir string) ([]source, error) {
	var all []source
	files, _ := filepath.Glob(filepath.Join(dir, "sources.list.d", "*"))
	for _, file := range append([]string{filepath.Join(dir, "sources.list")}, files...) {
		text, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		switch filepath.Ext(file) {
		case ".list":
			all = append(all, oneLine(string(text))...)
		case ".sources":
			all = append(all, deb822(string(text))...)
		}
	}
	return all, nil
}

// oneLine parses the classic format of sources.list(5): deb [options] uri suite components.
func oneLine(text string) []source {
	var all []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb ")
		if !ok {
			continue
		}
		if rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "[") {
			_, rest, _ = strings.Cut(rest, "]")
		}
		if f := strings.Fields(rest); len(f) >= 2 {
			all = append(all, source{f[0], f[1], f[2:]})
		}
	}
	return all
}

// deb822 parses the format of *.sources: stanzas of "Field: values".
func deb822(text string) []source {
	var all []source
	for stanza := range strings.SplitSeq(text, "\n\n") {
		f := fields(stanza)
		if !slices.Contains(f["types"], "deb") || slices.Contains(f["enabled"], "no") {
			continue
		}
		for _, uri := range f["uris"] {
			for _, suite := range f["suites"] {
				all = append(all, source{uri, suite, f["components"]})
			}
		}
	}
	return all
}

func fields(stanza string) map[string][]string {
	f, name := map[string][]string{}, ""
	for s := bufio.NewScanner(strings.NewReader(stanza)); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
			name, line = strings.ToLower(key), value
		}
		f[name] = append(f[name], strings.Fields(line)...)
	}
	return f
}

// osRelease is the codename of the distribution in an os-release(5) file.
func osRelease(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			return strings.Trim(v, `"`), nil
		}
	}
	return "", fmt.Errorf("no VERSION_CODENAME in %s", path)
}
