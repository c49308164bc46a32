package pveapi

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/org/appstack-action/internal/lab/pveapi/schema"
)

// FuzzVolume proves that no volume's name leads out of the lab's directory.
func FuzzVolume(f *testing.F) {
	for _, s := range []string{"local:vztmpl/a.tar.zst", "local:vztmpl/..", "local:vztmpl/../../x", "local:100/vm-100-disk-0.raw", "local:8", ":", "lo:iso/"} {
		f.Add(s)
	}
	s := &Server{opt: Options{Dir: "/lab"}, st: &state{Storages: map[string]*Storage{"local": {ID: "local", Type: "dir"}}}}
	f.Fuzz(func(t *testing.T, id string) {
		file := s.hostFile("pve1", id)
		if file == "" {
			return
		}
		dir := filepath.Dir(file)
		if !strings.HasPrefix(dir, "/lab/storage/pve1/local/") || dir == "/lab/storage/pve1/local" {
			t.Errorf("%q is the file %q", id, file)
		}
	})
}

// FuzzSize proves that sizes survive being written.
func FuzzSize(f *testing.F) {
	for _, s := range []string{"8G", "0.5T", "512M", "0", "1KiB", "1.5", "-1G"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := parseSize(s)
		if !ok || n < 0 || n > 1<<53 {
			return
		}
		if again, ok := parseSize(formatSize(n)); !ok || again != n {
			t.Errorf("%q is %d, written %q, which is %d", s, n, formatSize(n), again)
		}
	})
}

// FuzzForm proves that any body gives parameters in UTF-8.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"a=b&c", "a=%zz&%", "a=%ff%fe", "a=1&a=2", "net0=name%3Deth0;b=c", "&&=&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := params{Values: schema.Values{}, undef: map[string]bool{}}
		p.form(s)
		for k, v := range p.Values {
			if text, ok := v.(string); ok && !utf8.ValidString(text) {
				t.Errorf("%q gives %q = %q", s, k, text)
			}
		}
	})
}

// FuzzTerminal proves that what a console's client sends is read to its end, whatever it is.
func FuzzTerminal(f *testing.F) {
	for _, s := range []string{"0:3:abc", "0:99:a", "1:80:24:", "2", "0:-1:", "x", "0:3:abc1:80:24:0:1:x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for range len(b) + 1 {
			_, rest, ok := termFrame(b)
			if !ok {
				return
			}
			if len(rest) >= len(b) {
				t.Fatalf("%q leaves %q", b, rest)
			}
			b = rest
		}
	})
}
