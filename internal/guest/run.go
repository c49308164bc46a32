package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/ssh"
)

// ahead is how many tasks are sent before the one that runs has ended. They fill the
// time of a round trip. Should the network be cut without either side being told, the
// machine begins none of them later than some seconds after that: it asks for a sign of
// life first.
const ahead = 4

// run is one conversation with apply.sh.
type run struct {
	nonce    string
	tasks    []task
	progress plan.Progress
	seconds  int // bound for a step
	confirm  func(context.Context) error

	writing  sync.Mutex // of stdin: what is written stays in one piece
	stdin    io.Writer
	told     *bufio.Scanner // what apply.sh says
	output   *bufio.Reader  // what steps print
	tail     tail
	room     chan struct{} // a token for each task that may be sent
	goOn     chan struct{} // the confirmation that the sender waits for
	quit     chan struct{}
	done     []plan.Step
	guarded  []plan.Step
	heldBack bool // an empty line, which may be ours
}

func newRun(p *ssh.Process, nonce string, tasks []task, progress plan.Progress) *run {
	return newConversation(p.Stdin, p.Stdout, p.Stderr, nonce, tasks, progress)
}

func newConversation(stdin io.Writer, stdout, stderr io.Reader, nonce string, tasks []task, progress plan.Progress) *run {
	r := &run{
		nonce: nonce, tasks: tasks, progress: progress, stdin: stdin,
		told: bufio.NewScanner(stdout), output: bufio.NewReaderSize(stderr, 64<<10),
		room: make(chan struct{}, ahead), goOn: make(chan struct{}), quit: make(chan struct{}),
	}
	r.told.Buffer(nil, 64<<10)
	return r
}

// do takes the tasks to their end.
func (r *run) do(ctx context.Context) error {
	defer close(r.quit)
	if err := r.ready(); err != nil {
		return err
	}
	go r.send()
	for i, t := range r.tasks {
		if err := r.task(ctx, i, t); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until the machine is ours.
func (r *run) ready() error {
	began := time.Now()
	for {
		switch what, _ := r.next(); what {
		case "ready":
			return nil
		case "wait":
			r.progress.Wait("another run on the machine", time.Since(began))
		case "busy":
			return &BusyError{}
		default:
			r.drain()
			return &LostError{}
		}
	}
}

// next returns the next thing that apply.sh says; "": it says nothing more.
func (r *run) next() (string, []string) {
	for r.told.Scan() {
		if text, ok := strings.CutPrefix(r.told.Text(), r.nonce+" "); ok {
			switch f := strings.Fields(text); {
			case len(f) == 0:
			case f[0] == "ask":
				_ = r.write("here\n") // an error shows where the answers end
			default:
				return f[0], f[1:]
			}
		}
	}
	return "", nil
}

func (r *run) write(format string, args ...any) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	_, err := fmt.Fprintf(r.stdin, format, args...)
	return err
}

// sendTask sends one task, which runs when it is there as a whole.
func (r *run) sendTask(i int, t task) error {
	return r.write("step %d %d %d %d\n%s%sgo\n", i, len(t.code), len(t.data), r.seconds, t.code, t.data)
}

// send sends the tasks ahead of their turn. An error shows where the answers end.
func (r *run) send() {
	_ = r.write("lib %d\n%s", len(stepsScript), stepsScript)
	for i, t := range r.tasks {
		select {
		case r.room <- struct{}{}:
		case <-r.quit:
			return
		}
		if r.sendTask(i, t) != nil {
			return
		}
		if t.confirm {
			select {
			case <-r.goOn:
			case <-r.quit:
				return
			}
		}
	}
}

// task follows one task from its begin to its end.
func (r *run) task(ctx context.Context, i int, t task) error {
	what, f := r.next()
	if what != "begin" || len(f) != 1 || f[0] != strconv.Itoa(i) {
		r.drain()
		return &LostError{Done: r.done}
	}
	began := time.Now()
	r.begin(t)
	synced := r.listen(t, i)
	code, err := r.end(i)
	if err != nil || !synced {
		r.finish(t, began, errors.New("the connection is lost"))
		return &LostError{Step: t.step, Done: r.done}
	}
	<-r.room
	err = r.failure(t, code)
	r.finish(t, began, err)
	if err != nil {
		return r.keep(ctx, err)
	}
	if t.confirm {
		return r.confirmed(ctx)
	}
	return nil
}

func (r *run) begin(t task) {
	r.tail = tail{}
	if t.step != nil {
		r.progress.Begin(*t.step)
		r.tail.Line = func(line string) { r.progress.Line(*t.step, line) }
	}
}

func (r *run) finish(t task, began time.Time, err error) {
	if t.step == nil {
		return
	}
	if err == nil {
		r.done = append(r.done, *t.step)
		if plan.Access(*t.step) {
			r.guarded = append(r.guarded, *t.step)
		}
	}
	r.progress.End(*t.step, plan.Outcome{Took: time.Since(began), Err: err, Tail: r.tail.String()})
}

// failure turns an exit code into an error.
func (r *run) failure(t task, code int) error {
	if code == 0 {
		return nil
	}
	step := plan.Step{Verb: plan.Set, Resource: plan.Resource{Kind: "guest", Name: firstWord(t.code)}}
	if t.step != nil {
		step = *t.step
	}
	return &StepError{Step: step, Code: code, Tail: r.tail.String(), Done: r.done, TimedOut: code == 124}
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// end reads the end of a task.
func (r *run) end(i int) (int, error) {
	what, f := r.next()
	if what != "end" || len(f) != 2 || f[0] != strconv.Itoa(i) {
		return 0, errors.New("no end")
	}
	return strconv.Atoi(f[1])
}

// listen reads what a task prints, until the line of ours that ends it. That line
// comes after an end of line of ours; where it makes an empty line, it is dropped.
func (r *run) listen(t task, i int) bool {
	mark := r.nonce + " " + strconv.Itoa(i)
	r.heldBack = false
	for {
		line, err := r.line()
		if err != nil {
			return false
		}
		if line == mark {
			return true
		}
		if r.heldBack {
			_, _ = r.tail.Write([]byte("\n"))
		}
		if r.heldBack = line == ""; !r.heldBack {
			_, _ = r.tail.Write([]byte(line + "\n"))
		}
	}
}

// line reads a line of output, however long, and returns a bounded part of it.
func (r *run) line() (string, error) {
	var kept []byte
	for {
		part, err := r.output.ReadSlice('\n')
		if room := tailLineLen - len(kept); room > 0 {
			kept = append(kept, part[:min(room, len(part))]...)
		}
		switch {
		case err == nil:
			return strings.TrimSuffix(string(kept), "\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return string(kept), err
		}
	}
}

// drain keeps the last of what is printed when apply.sh says nothing any more.
func (r *run) drain() {
	r.tail = tail{}
	_, _ = io.Copy(&r.tail, r.output)
}

// confirmed has the guard disarmed over a new connection. If that fails, the old one
// serves to undo what was changed, at once; if it is dead, the machine does it.
func (r *run) confirmed(ctx context.Context) error {
	steps := r.guarded
	r.guarded = nil
	err := r.confirm(ctx)
	if err == nil {
		r.goOn <- struct{}{}
		return nil
	}
	i, undo := len(r.tasks), task{code: "guard_undo"}
	r.room <- struct{}{} // there is room: the sender waits for the confirmation
	undone := r.sendTask(i, undo) == nil && r.task(ctx, i, undo) == nil
	return &LockoutError{Steps: steps, Err: err, Undone: undone}
}

// keep has the guard disarmed after a step failed, for what was done before it: that
// stays, unless it locks us out.
func (r *run) keep(ctx context.Context, failure error) error {
	if len(r.guarded) == 0 {
		return failure
	}
	if err := r.confirm(ctx); err != nil {
		return errors.Join(failure, &LockoutError{Steps: r.guarded, Err: err})
	}
	return failure
}
