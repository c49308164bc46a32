package action

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/org/appstack-action/internal/secret"
)

// obeyed returns the commands that a runner would obey in a log, following
// stop-commands as Runner.Worker/ActionCommandManager.cs does.
func obeyed(log string) []string {
	var commands []string
	stop := ""
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		switch {
		case stop != "" && line == "::"+stop+"::":
			stop = ""
		case stop != "" || !strings.HasPrefix(line, "::"):
		case strings.HasPrefix(line, "::stop-commands::"):
			stop = strings.TrimPrefix(line, "::stop-commands::")
		default:
			commands = append(commands, line)
		}
	}
	return commands
}

func TestForeignTextIsNotObeyed(t *testing.T) {
	var log strings.Builder
	r := NewRunner(&log, func(string) string { return "" }, &secret.Redactor{})
	r.Group("deploy\n::error::forged title")
	fmt.Fprintln(r, "npm says")
	fmt.Fprintln(r, "::set-output name=url::http://evil.example")
	fmt.Fprintln(r, "::endgroup::")
	r.Annotate(Annotation{Level: "error", Title: "unhealthy", Message: "line 1\n::warning::2", File: "a,b.yaml", Line: 7})
	fmt.Fprintln(r, "::add-mask::true")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"::group::deploy ::error::forged title",
		"::error file=a%2Cb.yaml,line=7,title=unhealthy::line 1%0A::warning::2",
		"::endgroup::",
	}
	if got := obeyed(log.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("obeyed:\n%s\nwant:\n%s\nlog:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), log.String())
	}
}

func TestMaskComesFirstAndNothingIsShown(t *testing.T) {
	var log strings.Builder
	var hide secret.Redactor
	if err := hide.Add(secret.New("hunter22\nsecond-line")); err != nil {
		t.Fatal(err)
	}
	r := NewRunner(&log, func(string) string { return "" }, &hide)
	r.Mask()
	fmt.Fprint(r, "the password is hunt")
	fmt.Fprintln(r, "er22 and second-line")
	r.Annotate(Annotation{Level: "warning", Message: "hunter22 leaked"})
	r.Close()
	var rest strings.Builder
	for line := range strings.Lines(log.String()) {
		if !strings.HasPrefix(line, "::add-mask::") {
			rest.WriteString(line)
		}
	}
	if !strings.HasPrefix(log.String(), "::add-mask::") {
		t.Errorf("the log does not begin with masks:\n%s", log.String())
	}
	for _, s := range []string{"hunter22", "second-line"} {
		if strings.Contains(rest.String(), s) {
			t.Errorf("%q is shown:\n%s", s, rest.String())
		}
	}
}

// TestOutputCannotSetAnother is the injection that go-githubactions' constant
// delimiter allows.
func TestOutputCannotSetAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output")
	getenv := func(k string) string {
		if k == "GITHUB_OUTPUT" {
			return path
		}
		return ""
	}
	r := NewRunner(&strings.Builder{}, getenv, &secret.Redactor{})
	evil := "l1\n_GitHubActionsFileCommandDelimeter_\nurl=http://evil.example\nx<<_GitHubActionsFileCommandDelimeter_"
	for _, kv := range [][2]string{{"url", "http://10.86.0.2"}, {"multi", evil}} {
		if err := r.Output(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := readFileCommand(t, string(b))
	if got["url"] != "http://10.86.0.2" || got["multi"] != evil || len(got) != 2 {
		t.Errorf("outputs are %q", got)
	}
}

var heredoc = regexp.MustCompile(`^([^=<]+)<<(.+)$`)

// readFileCommand reads a command file as the runner's FileCommandManager does.
func readFileCommand(t *testing.T, text string) map[string]string {
	t.Helper()
	values := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if m := heredoc.FindStringSubmatch(lines[i]); m != nil {
			var value []string
			for i++; i < len(lines) && lines[i] != m[2]; i++ {
				value = append(value, lines[i])
			}
			values[m[1]] = strings.Join(value, "\n")
		} else if k, v, ok := strings.Cut(lines[i], "="); ok {
			values[k] = v
		} else {
			t.Fatalf("the runner does not understand %q", lines[i])
		}
	}
	return values
}

func TestSummaryIsCutBeforeGitHubDropsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary")
	r := NewRunner(&strings.Builder{}, func(k string) string {
		return map[string]string{"GITHUB_STEP_SUMMARY": path}[k]
	}, &secret.Redactor{})
	if err := r.Summary(strings.Repeat("ü", 800_000)); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if len(b) > 1<<20 || !strings.HasSuffix(string(b), "(cut)\n") || strings.ContainsRune(string(b), '\uFFFD') {
		t.Errorf("the summary has %d bytes and ends in %q", len(b), b[len(b)-20:])
	}
}

func TestWithoutRunnerFilesNothingFails(t *testing.T) {
	r := NewRunner(&strings.Builder{}, func(string) string { return "" }, &secret.Redactor{})
	if err := r.Output("a", "b"); err != nil {
		t.Error(err)
	}
	if err := r.Summary("x"); err != nil {
		t.Error(err)
	}
}
