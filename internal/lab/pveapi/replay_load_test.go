package pveapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

type step struct {
	Note    string
	As      string
	Request *struct {
		Method       string
		Path         string
		AbsolutePath string `json:"absolute_path"`
		Form         map[string]string
		FormPairs    [][2]string `json:"form_pairs"`
		RawBody      *string     `json:"raw_body"`
		RawType      *string     `json:"raw_content_type"`
		Headers      map[string]string
	}
	Response struct {
		Status      int
		Reason      string
		ContentType *string `json:"content_type"`
		Body        any
		BodyNote    string `json:"body_note"`
		Headers     map[string]string
	}
	Task *struct {
		Status map[string]any
		Log    []string
		Note   string
	}
	Shell string
}

type scenario struct {
	name  string
	Steps []step
}

// shared is the directory of test data that does not belong to the repository.
func shared(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("APPSTACK_SHARED")
	if dir == "" {
		dir = "../../../../shared"
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "pve-transcripts")); err != nil {
		t.Skipf("recorded exchanges are not here: set APPSTACK_SHARED (%v)", err)
	}
	return dir
}

func scenarios(t *testing.T, release string) []scenario {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared(t), "data", "pve-transcripts", release, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded scenarios of %s (%v)", release, err)
	}
	var out []scenario
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s := scenario{name: strings.TrimSuffix(filepath.Base(f), ".json")}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&s); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out = append(out, s)
	}
	return out
}

// longText writes out a value that the record shortened: "xxx... (9000 characters)".
func longText(s string) string {
	i := strings.Index(s, "... (")
	if i < 0 || !strings.HasSuffix(s, " characters)") {
		return s
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s[i+5:], " characters)"))
	if err != nil {
		return s
	}
	return strings.Repeat(s[:1], n)
}
