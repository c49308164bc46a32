package action

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/appstack-action/internal/secret"
)

func TestReadInputsDefaults(t *testing.T) {
	in, err := ReadInputs(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	want := Inputs{Stack: "appstack.yaml", Comment: true, Deployment: true, OnMissingCredentials: "skip", Timeout: 30 * time.Minute, Parallel: 4}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}

func TestReadInputs(t *testing.T) {
	env := map[string]string{
		"INPUT_COMMAND": "plan", "INPUT_STACK": " ops/appstack.yaml ", "INPUT_AGE-KEY": "AGE-SECRET-KEY-1XYZ",
		"INPUT_ALLOW-DESTROY": "True", "INPUT_COMMENT": "false", "INPUT_TIMEOUT": "15", "INPUT_PARALLEL": "2",
		"INPUT_ON-MISSING-CREDENTIALS": "fail", "INPUT_GITHUB-TOKEN": "ghs_x",
	}
	in, err := ReadInputs(func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	want := Inputs{
		Command: "plan", Stack: "ops/appstack.yaml", AgeKey: secret.New("AGE-SECRET-KEY-1XYZ"), GitHubToken: secret.New("ghs_x"),
		AllowDestroy: true, Deployment: true, OnMissingCredentials: "fail", Timeout: 15 * time.Minute, Parallel: 2,
	}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}

func TestReadInputsTellsAllMistakes(t *testing.T) {
	env := map[string]string{
		"INPUT_COMMAND": "deploy", "INPUT_ADOPT": "yes", "INPUT_TIMEOUT": "soon", "INPUT_PARALLEL": "0", "INPUT_ON-MISSING-CREDENTIALS": "cry",
	}
	_, err := ReadInputs(func(k string) string { return env[k] })
	var one *InputError
	if !errors.As(err, &one) {
		t.Fatalf("the error is %T", err)
	}
	for _, want := range []string{
		`input "command" is "deploy", but must be one of apply, provision,`, `input "adopt" is "yes", but must be true or false`,
		`input "timeout" is "soon"`, `input "parallel" is "0"`, `input "on-missing-credentials" is "cry", but must be one of skip, fail`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestParseTimeout(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"30m", 30 * time.Minute, true},
		{"45", 45 * time.Minute, true},
		{"1h30m", 90 * time.Minute, true},
		{"0", 0, false},
		{"-5", 0, false},
		{"-5m", 0, false},
		{"0s", 0, false},
		{"", 0, false},
		{"soon", 0, false},
		{"1.5", 0, false},
	}
	for _, test := range tests {
		if got, ok := ParseTimeout(test.text); ok != test.ok || ok && got != test.want {
			t.Errorf("ParseTimeout(%q) = %v, %v, want %v, %v", test.text, got, ok, test.want, test.ok)
		}
	}
	if got, ok := ParseTimeout("9000000000000000000"); !ok || got <= 0 {
		t.Errorf("a very long time = %v, %v, want one of more than nothing", got, ok)
	}
}
