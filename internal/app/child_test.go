package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/diag"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/resolve"
	"github.com/org/appstack-action/internal/secret"
	"github.com/org/appstack-action/internal/vault"
)

// childVariable makes the test binary a run of appstack in a process of its own, which
// can be killed: it tells each of its moments on standard output, and goes on when it
// gets a line on standard input.
const childVariable = "APPSTACK_TEST_CHILD"

// order is what a child is to do.
type order struct {
	Dir, Identity, Command, Ref string
	Number                      int // of the run
}

// told is a line of a child's: a moment, or at the end what became of it.
type told struct {
	When, What string         `json:",omitempty"`
	Report     *report.Report `json:",omitempty"`
	Err        string         `json:",omitempty"`
}

// childRun is the run that an order describes. All other workflow runs are over.
func (o order) run(view app.View) *app.Run {
	return &app.Run{
		Source: app.Source{Dir: o.Dir}, Stack: "appstack.yaml", Keys: []vault.Source{{Name: "test", Text: o.Identity}},
		Request: resolve.Request{Command: o.Command, Ref: o.Ref, Credentials: true}, Hide: &secret.Redactor{}, View: view,
		Tell: func(diag.List) {}, Repository: "org/crash", Holder: fmt.Sprintf("org/crash/%d/1", o.Number),
		RunOver: func(context.Context, string) (bool, error) { return true, nil },
	}
}

// child does what the variable asks for.
func child() int {
	var o order
	if err := json.Unmarshal([]byte(os.Getenv(childVariable)), &o); err != nil {
		return 2
	}
	out, in := json.NewEncoder(os.Stdout), bufio.NewReader(os.Stdin)
	reports, err := o.run(&watcher{nil, func(m moment) {
		_ = out.Encode(told{When: m.when, What: m.what})
		_, _ = in.ReadString('\n')
	}}).Do(context.Background())
	end := told{}
	if len(reports) > 0 {
		end.Report = &reports[0]
	}
	if err != nil {
		end.Err = err.Error()
	}
	_ = out.Encode(end)
	return 0
}

// spawn lets a child do an order. heard is told of each moment before the child goes on,
// with the means to kill it. Of a child that was killed the report is nil.
func (o order) spawn(t testing.TB, heard func(m moment, kill func())) *report.Report {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := firstOf(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // its end was heard, or it was killed
	for lines := json.NewDecoder(out); ; {
		var line told
		switch err := lines.Decode(&line); {
		case err != nil: // killed
			return nil
		case line.When == "":
			if line.Report == nil {
				t.Fatalf("no report: %s", line.Err)
			}
			return line.Report
		}
		heard(moment{line.When, line.What}, func() { _ = cmd.Process.Kill() })
		_, _ = io.WriteString(in, "\n")
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
