package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/bench/results"
)

// report is what is read of appstack's.
type report struct {
	Status string `json:"status"`
	Error  string `json:"error"`
}

// appstack runs a command of the program on environments of the stack. Each of them
// has to end with the status.
func (r *rig) appstack(ctx context.Context, status string, args ...string) (sample, error) {
	c := call{args: append([]string{r.bin, "--json", "--timing"}, args...), dir: r.dir, env: []string{"APPSTACK_AGE_KEY=" + r.identity.String()}}
	s, err := c.do(ctx)
	if err != nil {
		return s, err
	}
	var reports []report
	if err := json.Unmarshal([]byte(s.stdout), &reports); err != nil {
		return s, fmt.Errorf("appstack prints no reports: %w\n%s", err, tail(s.stdout))
	}
	for _, got := range reports {
		if got.Status != status {
			return s, fmt.Errorf("appstack ends %s, not %s: %s\n%s", got.Status, status, got.Error, tail(s.stderr))
		}
	}
	return s, nil
}

// provision makes guests, and notes their host keys for others.
func (r *rig) provision(ctx context.Context, project string, envs ...env) error {
	if _, err := r.appstack(ctx, "live", "provision", "--project", project); err != nil {
		return err
	}
	for _, e := range envs {
		if err := r.trust(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

var timingLine = regexp.MustCompile(`^(.+?) +([0-9.]+(?:µs|ms|s|m[0-9.]+s))$`)

// runStage is a stage of the run: all that --timing lists else was done in one.
var runStage = regexp.MustCompile(`^[a-z0-9-]+/[a-z0-9-]+ +(.*)$`)

// stages reads what --timing says. Of a deployment it takes the parts in place of the
// whole.
func stages(s sample) []results.Stage {
	var all []results.Stage
	accounted := 0.0
	for line := range strings.Lines(s.stderr) {
		found := timingLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if found == nil {
			continue
		}
		name := stageName(found[1])
		took, err := time.ParseDuration(found[2])
		if name == "" || err != nil {
			continue
		}
		ms := float64(took) / float64(time.Millisecond)
		all = append(all, results.Stage{Name: name, MS: ms})
		accounted += ms
	}
	if rest := s.ms() - accounted; rest > 0 {
		all = append(all, results.Stage{Name: "the rest: start of the program, stack file, secrets, plan, what is too short to be listed", MS: rest})
	}
	return all
}

// stageName is what a line of --timing is about; empty: it is listed elsewhere.
func stageName(line string) string {
	if part := runStage.FindStringSubmatch(line); part != nil {
		if strings.HasPrefix(part[1], "deploy: ") {
			return part[1]
		}
		return ""
	}
	if name := kindOf(line); !strings.HasPrefix(name, "deploy release ") {
		return name
	}
	return ""
}

var vmidOrUPID = regexp.MustCompile(`/[0-9]+(/|$)|UPID:[^/ ]+`)

// kindOf takes the numbers out of a name, so that several runs can be compared.
func kindOf(name string) string {
	if strings.HasPrefix(name, "proxmox ") {
		name = "Proxmox: " + strings.TrimPrefix(name, "proxmox ")
		if i := strings.LastIndexByte(name, ' '); i > 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i]
			}
		}
		name, _, _ = strings.Cut(name, "?")
	}
	if _, what, ok := strings.Cut(name, ": "); ok && strings.Contains(name[:len(name)-len(what)], "/") {
		return what // the name of the environment goes
	}
	return vmidOrUPID.ReplaceAllString(name, "/*$1")
}
