package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/machine"
)

// maxStatus bounds what the deploy script may say of its app.
const maxStatus = 1 << 20

// App asks the deploy script, in one exec that changes nothing, what it knows of its
// app. A machine without the script has none: the answer is empty.
func (c *Conn) App(ctx context.Context) (*machine.App, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, or(c.options.Observe, time.Minute),
		slow("the machine does not say in time how its app is"))
	defer cancel()
	p, err := c.start(ctx, "[ ! -r /etc/appstack/app.conf ] || exec /usr/local/bin/deploy_app.sh --status </dev/null\n")
	if err != nil {
		return nil, err
	}
	defer p.Close()
	p.Stdin.Close()
	said := collect(p.Stderr)
	text, err := io.ReadAll(io.LimitReader(p.Stdout, maxStatus))
	code, exit := p.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil || exit != nil:
		return nil, &LostError{Err: errors.Join(err, exit)}
	case code != 0:
		if refused := sudoError(c.User(), said()); refused != nil {
			return nil, refused
		}
		return nil, fmt.Errorf("cannot learn how the app is: exit code %d%s", code, told(said()))
	}
	return parseApp(text)
}

// parseApp reads the lines of deploy_app.sh --status, KEY=VALUE. Of releases it tells the
// commits.
func parseApp(text []byte) (*machine.App, error) {
	app := &machine.App{}
	for line := range bytes.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimRight(string(line), "\n"), "=")
		if !ok {
			continue // a reason of several lines
		}
		first, rest, _ := strings.Cut(value, " ")
		switch key {
		case "current":
			app.Current, _ = cutRelease(value)
		case "previous":
			app.Previous, _ = cutRelease(value)
		case "kept":
			if sha, _ := cutRelease(value); !slices.Contains(app.Kept, sha) {
				app.Kept = append(app.Kept, sha)
			}
		case "failed":
			sha, _ := cutRelease(first)
			app.Failed = append(app.Failed, machine.FailedRelease{SHA: sha, Why: rest})
		case "service":
			app.Services = append(app.Services, machine.Service{Name: first, State: rest})
		case "job":
			job, err := parseJob(first, strings.Fields(rest))
			if err != nil {
				return nil, err
			}
			app.Jobs = append(app.Jobs, job)
		}
	}
	return app, nil
}

// parseJob reads a unit's Result, ExecMainStatus and the end of its last run in
// seconds since 1970, 0 before the first.
func parseJob(unit string, f []string) (machine.Job, error) {
	bad := fmt.Errorf("cannot read what the machine says of the job %q", unit)
	if len(f) != 3 {
		return machine.Job{}, bad
	}
	exit, err := strconv.Atoi(f[1])
	if err != nil {
		return machine.Job{}, bad
	}
	at, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return machine.Job{}, bad
	}
	if at <= 0 {
		return machine.Job{Unit: unit}, nil
	}
	return machine.Job{Unit: unit, Result: f[0], Exit: exit, At: time.Unix(at, 0).UTC()}, nil
}
