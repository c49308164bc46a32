package stack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/diag"
)

const corpus = "../../testdata/stacks"

// TestErr loads each file of testdata/stacks/err and compares what is said
// about it, to the letter, with the .out file beside it. To add a case, write
// the .yaml, run `go test ./internal/stack -run TestErr -update`, and read
// the .out.
func TestErr(t *testing.T) {
	for _, name := range glob(t, corpus+"/err/*.yaml") {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			list := loadCase(t, name)
			if len(list) == 0 {
				t.Fatal("nothing is wrong with it")
			}
			for _, d := range list {
				if d.Pos.IsValid() && d.Source == "" {
					t.Errorf("%s has no excerpt", d.Pos)
				}
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".out", render(t, list))
		})
	}
}

// TestOK loads each file of testdata/stacks/ok, which must have no errors,
// and no warnings but those of the .out file beside it.
func TestOK(t *testing.T) {
	for _, name := range glob(t, corpus+"/ok/*.yaml") {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			list := loadCase(t, name)
			if list.HasErrors() {
				t.Fatalf("has errors:\n%s", render(t, list))
			}
			out := strings.TrimSuffix(name, ".yaml") + ".out"
			if _, err := os.Stat(out); len(list) > 0 || !errors.Is(err, fs.ErrNotExist) {
				golden(t, out, render(t, list))
			}
		})
	}
}

// TestOKHasEveryKey shows that the corpus uses each key that there is.
func TestOKHasEveryKey(t *testing.T) {
	used := map[reflect.Type]map[string]bool{}
	for _, name := range glob(t, corpus+"/ok/*.yaml") {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		root, list := parse(newFile(name, src), src)
		if list.HasErrors() {
			t.Fatal(list)
		}
		collectKeys(root, documentLayout, used)
	}
	for path, keys := range missingKeys(used) {
		t.Errorf("no file of testdata/stacks/ok has %s of %s", strings.Join(keys, ", "), path)
	}
}

func loadCase(t *testing.T, name string) diag.List {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	_, list := Load(filepath.Base(name), src)
	return list
}

func render(t *testing.T, list diag.List) string {
	t.Helper()
	var b strings.Builder
	if err := list.Render(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", filepath.Base(name), diff)
	}
}

// collectKeys records which keys of which types n has.
func collectKeys(n *node, l *layout, used map[reflect.Type]map[string]bool) {
	if used[l.typ] == nil {
		used[l.typ] = map[string]bool{}
	}
	for _, p := range n.pairs {
		inner := l.elem
		if f := l.field(p.key.value); f != nil {
			used[l.typ][f.key] = true
			inner = f.layout
		}
		if inner != nil {
			collectKeys(p.value, inner, used)
		}
	}
	for _, item := range n.items {
		collectKeys(item, l.elem, used)
	}
}

// missingKeys returns the keys of each type that are not used.
func missingKeys(used map[reflect.Type]map[string]bool) map[string][]string {
	missing := map[string][]string{}
	for typ, keys := range used {
		if typ == reflect.TypeFor[Project]() {
			continue // its settings may stand in an environment instead
		}
		for _, key := range newLayout(typ).keys() {
			if !keys[key] {
				missing[typ.Name()] = append(missing[typ.Name()], key)
			}
		}
	}
	return missing
}
