package resolve

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/stack"
)

var update = flag.Bool("update", false, "rewrite the files that the tests compare with")

// testSecrets are what ${secret.…} stands for in testdata/os/stack.yaml.
var testSecrets = map[string]string{
	"proxmox_token":      "root@pam!ci=00000000-0000-4000-8000-000000000000",
	"ssh_key":            "-----BEGIN OPENSSH PRIVATE KEY-----\nssh\n-----END OPENSSH PRIVATE KEY-----\n",
	"shop_deploy_key":    "-----BEGIN OPENSSH PRIVATE KEY-----\nshop\n-----END OPENSSH PRIVATE KEY-----\n",
	"pote_git_key":       "-----BEGIN OPENSSH PRIVATE KEY-----\npote\n-----END OPENSSH PRIVATE KEY-----\n",
	"pote_db_password":   "p@ss/w:rd?#% ü",
	"pote_smtp_password": "smtp'\"$`\\pass",
	"queue":              "amqp://queue-secret",
}

// loadEnv returns an expanded environment of a stack.
func loadEnv(t testing.TB, src, name string) *stack.Env {
	t.Helper()
	st, list := stack.Load("appstack.yaml", []byte(src))
	if list.HasErrors() {
		t.Fatal(list)
	}
	for _, e := range st.Envs {
		if e.String() != name {
			continue
		}
		e, list := e.Expand(func(name string) (string, bool) {
			value, ok := testSecrets[strings.TrimPrefix(name, "secret.")]
			return value, ok
		})
		if list.HasErrors() {
			t.Fatal(list)
		}
		return e
	}
	t.Fatalf("the stack has no environment %s", name)
	return nil
}

func testInputs(problems *diag.List) inputs {
	return inputs{
		SHA:             "0123456789012345678901234567890123456789",
		Repository:      "https://github.com/org/shop.git",
		Token:           secret.New("ghs_token"),
		DeployPublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl appstack",
		IsSecret: func(text string) bool {
			return slices.ContainsFunc(slices.Collect(maps.Values(testSecrets)), func(s string) bool { return strings.Contains(text, s) })
		},
		ReadFile: func(path string) ([]byte, error) {
			switch path {
			case "deploy/node.asc":
				return []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n"), nil
			case "node.asc":
				return []byte("binary"), nil
			}
			return nil, errors.New("no such file")
		},
		Problems: problems,
	}
}

func TestOSState(t *testing.T) {
	src, err := os.ReadFile("testdata/os/stack.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop/dev", "shop/node22", "pote/prod"} {
		t.Run(name, func(t *testing.T) {
			var problems diag.List
			got := osText(osState(loadEnv(t, string(src), name), testInputs(&problems)))
			if problems != nil {
				t.Errorf("problems: %v", problems)
			}
			golden := filepath.Join("testdata/os", strings.ReplaceAll(name, "/", "-")+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// osText writes a desired OS as a text to compare. Scripts, which are files of
// package templates as they are, stay out.
func osText(o *machine.OS) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(o.Packages)) {
		fmt.Fprintf(&b, "package %s %s\n", name, o.Packages[name])
	}
	for _, name := range slices.Sorted(maps.Keys(o.Users)) {
		u := o.Users[name]
		fmt.Fprintf(&b, "user %s %s %s exclusive=%v\n\t%s\n", name, u.Shell, u.Home, u.Exclusive, strings.Join(u.Keys, "\n\t"))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Units)) {
		u := o.Units[name]
		fmt.Fprintf(&b, "unit %s enabled=%v active=%v reload=%v %v\n", name, u.Enabled, u.Active, u.Reload, u.Triggers)
	}
	if o.Firewall != nil {
		for _, r := range o.Firewall.Rules {
			fmt.Fprintf(&b, "rule %s/%s from %q\n", r.Port, r.Protocol, r.From)
		}
	}
	for name, d := range o.Databases {
		fmt.Fprintf(&b, "database %s %s %s %v password of %d\n", name, d.Owner, d.Encoding, d.Extensions, len(d.Password.Reveal()))
	}
	if r := o.Release; r != nil {
		fmt.Fprintf(&b, "release %s %v %v\n%s", r.SHA, r.Units, r.Triggers, r.Input.Reveal())
	}
	fmt.Fprintf(&b, "timezone %s locale %s\n", o.Timezone, o.Locale)
	for _, path := range slices.Sorted(maps.Keys(o.Files)) {
		f := o.Files[path]
		fmt.Fprintf(&b, "\n-- %s %v %s:%s sensitive=%v dir=%v check=%q --\n", path, f.Mode, f.Owner, f.Group, f.Sensitive, f.Dir, f.Check)
		if f.Mode&0o111 == 0 {
			b.WriteString(f.Content.Reveal())
		}
	}
	return b.String()
}
