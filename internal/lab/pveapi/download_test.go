package pveapi_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/org/appstack-action/internal/lab/pveapi"
)

// TestApplianceIsMade downloads a template that is made when it is asked for.
func TestApplianceIsMade(t *testing.T) {
	const name = "debian-13-standard_13.1-2_amd64.tar.zst"
	l := newLab(t, pveapi.Options{})
	source := filepath.Join(t.TempDir(), "made")
	broken := errors.New("no Debian source")
	l.SetAppliances([]pveapi.Appliance{{Template: name, Make: func(context.Context) (string, error) {
		if broken != nil {
			return "", broken
		}
		return source, os.WriteFile(source, []byte("Debian 13"), 0o600)
	}}})
	form := url.Values{"storage": {"local"}, "template": {name}}
	l.task(t, "download failed: no Debian source", "POST", "/nodes/pve1/aplinfo", form)
	broken = nil
	l.task(t, "OK", "POST", "/nodes/pve1/aplinfo", form)
	dir, err := l.TemplateDir("pve1", "local")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != "Debian 13" {
		t.Errorf("downloaded %q, %v", text, err)
	}
}
