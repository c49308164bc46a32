package pve

import (
	"encoding/pem"
	"errors"
	"strings"
	"testing"
)

func TestTrust(t *testing.T) {
	f := newFake(t, map[string][]answer{"GET /x": {{}}})
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	other := strings.Repeat("AB:", 31) + "AB"
	tests := []struct {
		name        string
		fingerprint string
		ca          []byte
		refused     bool
	}{
		{name: "the right pin", fingerprint: f.fingerprint()},
		{name: "the right pin in openssl's form", fingerprint: "sha256 Fingerprint=" + strings.ToLower(f.fingerprint())},
		{name: "the right pin without colons", fingerprint: "SHA256:" + strings.ReplaceAll(f.fingerprint(), ":", "")},
		{name: "another pin", fingerprint: other, refused: true},
		{name: "the right authority", ca: ca},
		{name: "a pin goes before an authority", fingerprint: other, ca: ca, refused: true},
		{name: "the system's authorities", refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := f.client(func(o *Options) { o.Fingerprint, o.CA = tt.fingerprint, tt.ca })
			before := f.count("GET /x")
			err := c.get(t.Context(), "/x", nil)
			if !tt.refused {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e, ok := errors.AsType[*CertificateError](err)
			if !ok {
				t.Fatalf("error %v (%T)", err, err)
			}
			if e.Got != f.fingerprint() || !strings.Contains(e.Hint(), e.Got) {
				t.Errorf("got %s, hint %q", e.Got, e.Hint())
			}
			if f.count("GET /x") != before {
				t.Error("a request, with the token in it, was sent all the same")
			}
		})
	}
}

func FuzzFingerprint(f *testing.F) {
	f.Add(strings.Repeat("ab:", 31) + "cd")
	f.Add("SHA256:" + strings.Repeat("0", 64))
	f.Add("sha256 Fingerprint=")
	f.Fuzz(func(t *testing.T, s string) {
		pin, err := parseFingerprint(s)
		if err != nil {
			return
		}
		again, err := parseFingerprint(formatFingerprint(pin))
		if err != nil || again != pin {
			t.Errorf("%q: %x, again %x, %v", s, pin, again, err)
		}
	})
}
