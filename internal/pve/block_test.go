package pve

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/machine"
)

func TestDescription(t *testing.T) {
	block := &machine.Block{Project: "shop", Env: "dev", Repository: "org/shop", Fence: 3,
		HostKeys: []string{"SHA256:gVOdbEVZ39HBjwCAdx9dC9Xd3F+ZmXnEoTaTT+X8QsY"},
		Lease:    &machine.Lease{Holder: "org/shop/1/1 -->\n" + blockEnd, Nonce: "n", Expires: time.Unix(1e9, 0).UTC()}}
	tests := []struct{ name, before, after string }{
		{"a new guest", "", ""},
		{"what Proxmox adds", "", "\n"},
		{"notes above", "# Shop\n\nask *ops* first\n", "\n"},
		{"notes around", "above\n", "\nbelow ü\n\n  indented"},
		{"a comment of somebody's", "<!-- appstack:begin -->\n", "\n<!-- x -->"},
		{"carriage returns", "a\r\n", "\nb\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := description{tt.before, tt.after, block}.String()
			got, err := parseDescription(text)
			if err != nil {
				t.Fatal(err)
			}
			if got.before != tt.before || got.after != tt.after {
				t.Errorf("notes %q, %q; want %q, %q", got.before, got.after, tt.before, tt.after)
			}
			if diff := cmp.Diff(block, got.block); diff != "" {
				t.Error(diff)
			}
			if again := got.String(); again != text {
				t.Errorf("written again: %q, want %q", again, text)
			}
		})
	}
}

func TestDescriptionWithoutBlock(t *testing.T) {
	for _, text := range []string{"", "notes", "notes\n", "x " + blockBegin, blockBegin + " y\n{}\n" + blockEnd} {
		d, err := parseDescription(text)
		if err != nil || d.block != nil || d.String() != text {
			t.Errorf("%q: %+v, %v", text, d, err)
		}
	}
	first := description{before: "notes"}
	first.block = &machine.Block{Project: "p", Env: "e"}
	if got := first.String(); !strings.HasPrefix(got, "notes\n"+blockBegin+"\n") {
		t.Errorf("a first block below notes: %q", got)
	}
}

func TestDescriptionDamaged(t *testing.T) {
	whole := blockBegin + "\n{}\n" + blockEnd
	for text, want := range map[string]string{
		blockBegin:                             "has no end",
		blockBegin + "\n{}\n":                  "has no end",
		blockBegin + "\n{\n" + blockEnd:        "unexpected end of JSON",
		blockBegin + "\n[]\n" + blockEnd:       "cannot unmarshal array",
		whole + "\n" + whole:                   "two appstack blocks",
		blockBegin + "\n{}{}\n" + blockEnd:     "invalid character",
		"x\n" + blockBegin + "\n\n" + blockEnd: "unexpected end of JSON",
	} {
		if _, err := parseDescription(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
}

func TestDescriptionTooLong(t *testing.T) {
	block := &machine.Block{Project: "shop", Env: "dev"}
	if _, err := ownedDescription(strings.Repeat("ü", 8000), block); err != nil {
		t.Errorf("8000 characters of notes: %v", err)
	}
	if _, err := ownedDescription(strings.Repeat("ü", 8192), block); err == nil {
		t.Error("8192 characters of notes and a block fit nowhere")
	}
}

// Whatever people write: it is either refused, or it survives byte for byte.
func FuzzDescription(f *testing.F) {
	f.Add("notes", "more")
	f.Add(blockBegin+"\n", blockEnd)
	f.Add("a\n"+blockBegin+"\n{\"project\":\"x\"}\n"+blockEnd, "\n")
	f.Add("", "\n"+blockBegin)
	f.Fuzz(func(t *testing.T, before, after string) {
		text := before + after
		d, err := parseDescription(text)
		if err != nil {
			return
		}
		if d.block == nil {
			if d.String() != text {
				t.Fatalf("%q became %q", text, d.String())
			}
			return
		}
		notes := d.before + "\x00" + d.after
		d.block.Repository = "org/shop"
		again, err := parseDescription(d.String())
		if err != nil {
			t.Fatalf("%q cannot be read again: %v", d.String(), err)
		}
		if got := again.before + "\x00" + again.after; got != notes || again.block.Repository != "org/shop" {
			t.Fatalf("notes %q became %q", notes, got)
		}
	})
}

func TestHostKeys(t *testing.T) {
	const a, b, c = "SHA256:gVOdbEVZ39HBjwCAdx9dC9Xd3F+ZmXnEoTaTT+X8QsY", "SHA256:AAAAbEVZ39HBjwCAdx9dC9Xd3F+ZmXnEoTaTT+X8QsY", "SHA256:BBBBbEVZ39HBjwCAdx9dC9Xd3F+ZmXnEoTaTT+X8QsY"
	log := []string{
		"extracting archive '/var/lib/vz/template/cache/debian-12-standard_12.12-1_amd64.tar.zst'",
		"done: " + c + " root@forged by something in the log that no key was announced for",
		"Creating SSH host key 'ssh_host_rsa_key' - this may take some time ...",
		"done: " + a + " root@shop-dev",
		"Creating SSH host key 'ssh_host_ed25519_key' - this may take some time ...",
		"done: " + b + " root@shop-dev",
		"Creating SSH host key 'ssh_host_ecdsa_key' - this may take some time ...",
		"done: SHA256:tooshort root@shop-dev",
		"TASK OK",
	}
	if diff := cmp.Diff([]string{b, a}, hostKeys(log)); diff != "" {
		t.Error(diff)
	}
	if keys := hostKeys([]string{"no content"}); len(keys) != 0 {
		t.Errorf("keys %q in a log without any", keys)
	}
}
