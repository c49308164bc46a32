package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/org/appstack-action/internal/plan"
)

// What an exchange that failed allows to do next. go-proxmox's own retries are off:
// they would send a creation twice.
type verdict int

const (
	final  verdict = iota // it would fail again
	again                 // it did not happen, or may happen twice: send it again
	locked                // somebody works on the guest: try again later
	unsure                // it may have happened: whoever sent it must look
)

// maxAttempts bounds retries other than those for a lock.
const maxAttempts = 4

var errTooLarge = errors.New("the answer is larger than 64 MiB")

// brokenAnswer is an answer that broke off: the request was carried out.
type brokenAnswer struct{ cause error }

func (e *brokenAnswer) Error() string { return "the answer broke off: " + e.cause.Error() }
func (e *brokenAnswer) Unwrap() error { return e.cause }

// gateway are statuses from in front of Proxmox's worker: a reverse proxy's, and
// those that AnyEvent::HTTP makes up when a node passes the request on to another.
// 595 alone says that no connection came about.
var gateway = []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, 596, 597, 598, 599}

// judge decides about an exchange that failed.
func judge(method string, err error) verdict {
	e := asError(err)
	if e == nil {
		return final
	}
	if _, ok := errors.AsType[*CertificateError](err); ok || errors.Is(err, context.Canceled) {
		return final
	}
	if _, ok := errors.AsType[*dialError](err); ok || e.Status == 595 || e.Status == http.StatusTooManyRequests {
		return again
	}
	lost := e.Status == 0 || slices.Contains(gateway, e.Status)
	switch {
	case lost && method == http.MethodGet:
		return again
	case lost:
		return unsure
	case method != http.MethodGet && lockText(e.Message):
		return locked
	case strings.Contains(e.Message, "got timeout") && method == http.MethodGet:
		return again
	}
	return final
}

// lockText tells whether Proxmox says that a guest is in somebody's hands: another
// task holds its file lock for the moment, or its configuration has a lock set.
func lockText(s string) bool {
	return strings.Contains(s, "can't lock file") || strings.Contains(s, "is locked (")
}

// call sends a request and, where that is safe, sends it again.
func (c *Client) call(ctx context.Context, method, path string, p params, out any) error {
	start, wait := time.Now(), c.times.backoff
	for attempt := 1; ; attempt++ {
		began := time.Now()
		err := c.send(ctx, method, path, p, out)
		c.traced(method, path, attempt, began, err)
		if err == nil {
			return nil
		}
		v := judge(method, err)
		if e := asError(err); e != nil {
			e.Uncertain = v == unsure
		}
		if !c.mayRetry(ctx, v, attempt, time.Since(start)) {
			return c.diagnose(err)
		}
		if v == locked {
			progressOf(ctx).Wait("the lock on the guest ("+asError(err).Message+")", time.Since(start))
		}
		if sleep(ctx, wait) != nil {
			return c.diagnose(err)
		}
		wait = min(2*wait, 2*time.Second)
	}
}

func (c *Client) mayRetry(ctx context.Context, v verdict, attempt int, spent time.Duration) bool {
	switch {
	case ctx.Err() != nil:
		return false
	case v == locked:
		return spent < c.times.lock
	case v == again:
		// Where the API cannot be reached, people are told within 10 s.
		return attempt < maxAttempts && spent < c.times.reachable/2
	}
	return false
}

func (c *Client) traced(method, path string, attempt int, began time.Time, err error) {
	if c.trace == nil {
		return
	}
	call := Call{Method: method, Path: path, Status: http.StatusOK, Took: time.Since(began), Attempt: attempt, Err: err}
	if err != nil {
		call.Status = 0
		if e := asError(err); e != nil {
			call.Status = e.Status
		}
	}
	c.trace(call)
}

// refine makes every failed exchange an [Error] that knows its request.
func (c *Client) refine(method, path string, err error) error {
	e := asError(err)
	if e == nil {
		e = &Error{cause: innermost(err)}
		if cert := certificateError(err); cert != nil {
			e.cause = cert
		}
	}
	e.Method, e.Path, e.token, e.pool = method, path, c.tokenID, c.pool
	return e
}

// innermost drops what net/http says of the request's URL, which Error says, too.
func innermost(err error) error {
	type wrapper interface{ Timeout() bool }
	for {
		inner := errors.Unwrap(err)
		if _, isURL := err.(wrapper); !isURL || inner == nil || !strings.Contains(fmt.Sprintf("%T", err), "url.Error") {
			return err
		}
		err = inner
	}
}

// sleep waits for d or for the end of ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// progressKey carries the plan.Progress of a verb to where it waits.
type progressKey struct{}

func withProgress(ctx context.Context, p plan.Progress) context.Context {
	if p == nil {
		return ctx
	}
	return context.WithValue(ctx, progressKey{}, p)
}

// progressOf returns who hears of waiting; never nil.
func progressOf(ctx context.Context) plan.Progress {
	if p, ok := ctx.Value(progressKey{}).(plan.Progress); ok {
		return p
	}
	return unheard{}
}

type unheard struct{}

func (unheard) Begin(plan.Step)             {}
func (unheard) Line(plan.Step, string)      {}
func (unheard) End(plan.Step, plan.Outcome) {}
func (unheard) Wait(string, time.Duration)  {}
