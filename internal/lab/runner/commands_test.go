package runner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The expectations are those of actions/runner's own tests (FileCommandTestBase.cs,
// ActionCommandManagerL0.cs).
func TestParseFileCommand(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       map[string]string
		err        string
	}{
		{"empty", "\n\n", map[string]string{}, ""},
		{"simple", "a=b\nc=d=e\nf=\n", map[string]string{"a": "b", "c": "d=e", "f": ""}, ""},
		{"heredoc", "a<<EOF\none\n\ntwo=2\nEOF\nb=c\n", map[string]string{"a": "one\n\ntwo=2", "b": "c"}, ""},
		{"empty heredoc", "a<<EOF\nEOF\n", map[string]string{"a": ""}, ""},
		{"equals first", "a=b<<EOF\n", map[string]string{"a": "b<<EOF"}, ""},
		{"carriage returns", "a<<EOF\r\none\r\nEOF\r\n", map[string]string{"a": "one"}, ""},
		{"no end", "a<<EOF\none\n", map[string]string{}, "matching delimiter not found"},
		{"no sign", "nonsense\n", map[string]string{}, "invalid format"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseFileCommand(tt.text)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(strings.ToLower(err.Error()), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzParseFileCommand(f *testing.F) {
	f.Add("a<<EOF\nb\nEOF\nc=d\n")
	f.Add("<<\n")
	f.Fuzz(func(t *testing.T, text string) {
		values, _ := ParseFileCommand(text)
		for name, value := range values {
			if strings.Contains(name, "\n") || len(value) > len(text) {
				t.Errorf("%q=%q of %q", name, value, text)
			}
		}
	})
}

func TestLog(t *testing.T) {
	for _, tt := range []struct {
		name, in, shown string
		commands        []Command
	}{
		{"text", "one\ntwo", "one\ntwo\n", nil},
		{"annotation", "::error file=a.yaml,line=3,title=a%3Ab::it is%0Awrong%25\n", "##[error]a:b: it is\nwrong%\n", []Command{
			{"error", map[string]string{"file": "a.yaml", "line": "3", "title": "a:b"}, "it is\nwrong%"},
		}},
		{"indented", "  ::notice::x\n", "##[notice]x\n", []Command{{"notice", map[string]string{}, "x"}}},
		{"unknown", "::made-up::x\n", "::made-up::x\n", nil},
		{"mask", "::add-mask::s3cret\nthe s3cret\n", "the ***\n", []Command{{"add-mask", map[string]string{}, "s3cret"}}},
		{"mask of lines", "::add-mask::one%0Atwo2\none and two2\n", "*** and ***\n", []Command{{"add-mask", map[string]string{}, "one\ntwo2"}}},
		{"the job's token", "ghs_1\n", "***\n", nil},
		{"stopped", "::stop-commands::tok\n::error::forged\n::tok::\n::warning::ours\n", "::error::forged\n##[warning]ours\n", []Command{
			{"warning", map[string]string{}, "ours"},
		}},
		{"debug is hidden", "::debug::x\n", "", []Command{{"debug", map[string]string{}, "x"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLogReader(nil, []string{"ghs_1"}, false)
			for _, b := range []byte(tt.in) { // in the smallest pieces
				l.Write([]byte{b})
			}
			l.Close()
			if got := l.shown.String(); got != tt.shown {
				t.Errorf("shown %q, want %q", got, tt.shown)
			}
			if diff := cmp.Diff(tt.commands, l.commands); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInputsFailOnWhatIsUnknown(t *testing.T) {
	m, err := ReadManifest("../../..")
	if err != nil {
		t.Fatal(err)
	}
	env, err := m.inputs(Job{With: map[string]string{"age-key": "k"}, Token: "ghs_1", ID: 42})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"INPUT_AGE-KEY": "k", "INPUT_GITHUB-TOKEN": "ghs_1", "INPUT_STACK": "appstack.yaml", "INPUT_JOB-ID": "42"} {
		if env[name] != want {
			t.Errorf("%s is %q", name, env[name])
		}
	}
	if _, err := m.inputs(Job{With: map[string]string{"age_key": "k"}}); err == nil {
		t.Error("an input that action.yml lacks is taken")
	}
}

func TestTranslate(t *testing.T) {
	f, err := newFolders(t.TempDir(), "org/shop")
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{
		f.workspace: "/github/workspace", f.workspace + "/a": "/github/workspace/a", f.workspace + "x": f.workspace + "x",
		f.commands + "/set_output_1": "/github/file_commands/set_output_1", f.temp: "/github/runner_temp",
		f.workflow + "/event.json": "/github/workflow/event.json", "text": "text",
	} {
		if got := f.translate(from); got != want {
			t.Errorf("%s becomes %s, want %s", from, got, want)
		}
	}
}
