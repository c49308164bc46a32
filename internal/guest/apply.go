package guest

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/machine"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/ssh"
)

//go:embed apply.sh
var applyScript string

// Apply takes the steps of a plan from have to want, in their order and in one exec.
// The first that fails ends it, with *[StepError]. A change of how the machine is
// reached that locks us out is undone and reported as *[LockoutError]; a connection
// that breaks off as *[LostError]; another run at work there as *[BusyError]; the end of
// ctx as *[InterruptedError].
func (c *Conn) Apply(ctx context.Context, steps []plan.Step, have, want *machine.OS, progress plan.Progress) error {
	if len(steps) == 0 {
		return nil
	}
	if have == nil {
		have = &machine.OS{}
	}
	if err := checkNames(want); err != nil {
		return err
	}
	tasks, err := compiler{have, want, or(c.options.Confirm, time.Minute)}.tasks(steps)
	if err != nil {
		return err
	}
	if progress == nil {
		progress = silent{}
	}
	for i := range steps {
		if path := tree(&steps[i], have, want); path != "" {
			if err := c.upload(ctx, steps[i], steps[i].Resource.Name, path, progress); err != nil {
				return err
			}
		}
	}
	return c.apply(ctx, tasks, progress)
}

// opening sets what apply.sh wants to be set before it.
func opening(nonce string, patience time.Duration) string {
	return fmt.Sprintf("nonce=%s\npatience=%d\n", nonce, int(patience.Seconds()))
}

func (c *Conn) apply(ctx context.Context, tasks []task, progress plan.Progress) error {
	nonce := rand.Text()
	p, err := c.start(ctx, opening(nonce, or(c.options.Wait, 2*time.Minute))+applyScript)
	if err != nil {
		return err
	}
	defer p.Close()
	r := newRun(p, nonce, tasks, progress)
	r.seconds = int(or(c.options.Step, 30*time.Minute).Seconds())
	r.confirm = c.confirm
	err = r.do(ctx)
	var lost *LostError
	errors.As(err, &lost)
	if ctx.Err() != nil {
		cut := &InterruptedError{Done: r.done, Err: context.Cause(ctx)}
		if lost != nil {
			cut.Step = lost.Step
		}
		return cut
	}
	if lost != nil && lost.Err == nil {
		lost.Err = c.lost(p, r)
	}
	return err
}

// lost finds out why the machine's answers ended early.
func (c *Conn) lost(p *ssh.Process, r *run) error {
	said := r.tail.String()
	if refused := sudoError(c.User(), said); refused != nil {
		return refused
	}
	giveUp := time.AfterFunc(5*time.Second, func() { p.Close() })
	defer giveUp.Stop()
	code, err := p.Wait()
	if err == nil {
		err = fmt.Errorf("the shell on the machine ended with code %d%s", code, told(said))
	}
	return err
}

// confirm shows by a new connection that the machine can still be reached, and
// disarms the guard through it. It tries for a while where nothing answers: an sshd that
// restarts, or a firewall that does, is away for a moment.
func (c *Conn) confirm(ctx context.Context) error {
	bound := or(c.options.Confirm, time.Minute)
	ctx, cancel := context.WithTimeout(ctx, bound*3/4)
	defer cancel()
	patience := time.Now().Add(bound / 6)
	for {
		err := c.confirmOnce(ctx)
		var unreachable *ssh.UnreachableError
		if !errors.As(err, &unreachable) || time.Now().After(patience) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (c *Conn) confirmOnce(ctx context.Context) error {
	fresh, err := Dial(ctx, c.options)
	if err != nil {
		return err
	}
	defer func() { fresh.Close() }()
	for {
		err := fresh.run(ctx, stepsScript+"\nset -e\nguard_confirm\n")
		var refused *SudoError
		if !errors.As(err, &refused) || fresh.fallback(ctx) != nil {
			return err
		}
	}
}

// run runs a script to its end.
func (c *Conn) run(ctx context.Context, script string) error {
	p, err := c.start(ctx, script)
	if err != nil {
		return err
	}
	defer p.Close()
	p.Stdin.Close()
	errs := collect(p.Stderr)
	var out tail
	_, _ = io.Copy(&out, p.Stdout)
	code, err := p.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil || code == 0:
		return err
	}
	if refused := sudoError(c.User(), errs()); refused != nil {
		return refused
	}
	return fmt.Errorf("it failed with exit code %d%s", code, told(strings.TrimSpace(out.String()+"\n"+errs())))
}

// silent hears nothing.
type silent struct{}

func (silent) Begin(plan.Step)             {}
func (silent) Line(plan.Step, string)      {}
func (silent) End(plan.Step, plan.Outcome) {}
func (silent) Wait(string, time.Duration)  {}
