package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/action"
)

// parallelFlag and timeoutFlag are flags that take what the action's inputs of these
// names take.
type (
	parallelFlag int
	timeoutFlag  time.Duration
)

func (p *parallelFlag) Set(s string) error {
	n, ok := action.ParseParallel(s)
	if !ok {
		return errors.New("must be " + action.ParallelWanted)
	}
	*p = parallelFlag(n)
	return nil
}

func (p *parallelFlag) String() string { return strconv.Itoa(int(*p)) }
func (p *parallelFlag) Type() string   { return "int" }

func (t *timeoutFlag) Set(s string) error {
	d, ok := action.ParseTimeout(s)
	if !ok {
		return errors.New("must be " + action.TimeoutWanted)
	}
	*t = timeoutFlag(d)
	return nil
}

// String leaves out the seconds of whole minutes: 30m.
func (t *timeoutFlag) String() string {
	s := time.Duration(*t).String()
	if short, ok := strings.CutSuffix(s, "m0s"); ok {
		return short + "m"
	}
	return s
}

func (t *timeoutFlag) Type() string { return "duration" }
