package github

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// retrier sends a request again when GitHub did not carry it out: any request that
// was refused for its rate, and those that may safely happen twice when the
// connection broke or the server failed. go-github v60 retries nothing and does not
// know a 429.
type retrier struct {
	next  http.RoundTripper
	trace func(method, path string, status int, took time.Duration)

	mu   sync.Mutex
	left time.Duration // patience
}

// RoundTrip implements http.RoundTripper.
func (r *retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	for attempt := 0; ; attempt++ {
		res, err := r.once(req)
		pause, again := retryAfter(req, res, err, attempt)
		if !again || !inTime(req, pause) || !r.spend(pause) || (req.Body != nil && req.GetBody == nil) {
			return res, err
		}
		if res != nil {
			res.Body.Close()
		}
		if err := sleep(req.Context(), pause); err != nil {
			return nil, err
		}
		if req, err = rewind(req); err != nil {
			return nil, err
		}
	}
}

// attemptTime bounds one attempt, its answer's body included. A bound of the client would
// count the pauses, too.
const attemptTime = 30 * time.Second

var errSilent = errors.New("GitHub does not answer within 30 s")

func (r *retrier) once(req *http.Request) (*http.Response, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(req.Context(), attemptTime)
	res, err := r.next.RoundTrip(req.WithContext(ctx))
	status := 0
	switch {
	case err == nil:
		res.Body, status = &boundBody{res.Body, cancel}, res.StatusCode
	case ctx.Err() != nil && req.Context().Err() == nil:
		err = errSilent
		fallthrough
	default:
		cancel()
	}
	if r.trace != nil {
		r.trace(req.Method, req.URL.Path, status, time.Since(start))
	}
	return res, err
}

// boundBody is a body whose reading is bounded with its request.
type boundBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *boundBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// inTime tells whether a pause leaves time for what was to come after it: if not, what
// GitHub said last is the better answer.
func inTime(req *http.Request, pause time.Duration) bool {
	deadline, ok := req.Context().Deadline()
	return !ok || time.Until(deadline) > pause
}

// spend takes a pause from the client's patience, or tells that there is none left.
func (r *retrier) spend(pause time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pause > r.left {
		return false
	}
	r.left -= pause
	return true
}

// retryAfter decides whether a request is sent again, and when.
func retryAfter(req *http.Request, res *http.Response, err error, attempt int) (time.Duration, bool) {
	backoff := time.Second << min(attempt, 4)
	switch {
	case attempt >= 5 || req.Context().Err() != nil:
		return 0, false
	case err != nil:
		return backoff, repeatable(req)
	case res.StatusCode == http.StatusTooManyRequests,
		res.StatusCode == http.StatusForbidden && isRateLimit(res):
		return rateLimitPause(res), true
	case res.StatusCode >= 500 && res.StatusCode != http.StatusNotImplemented:
		return backoff, repeatable(req)
	}
	return 0, false
}

// repeatable tells whether a request may happen twice.
func repeatable(req *http.Request) bool { return req.Method != http.MethodPost }

// isRateLimit tells a refusal for the rate from one for a missing permission: both
// are 403. It leaves the body as it was.
func isRateLimit(res *http.Response) bool {
	if res.Header.Get("Retry-After") != "" || res.Header.Get("X-RateLimit-Remaining") == "0" {
		return true
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), res.Body), res.Body}
	return err == nil && strings.Contains(strings.ToLower(string(body)), "secondary rate")
}

// rateLimitPause reads how long GitHub wants to be left alone. Without a word of
// it, its documentation asks for a minute.
func rateLimitPause(res *http.Response) time.Duration {
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s >= 0 {
		return time.Duration(s) * time.Second
	}
	if reset, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil && res.Header.Get("X-RateLimit-Remaining") == "0" {
		return max(time.Until(time.Unix(reset, 0)), 0) + time.Second
	}
	return time.Minute
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// rewind returns the request with its body at the start again.
func rewind(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.GetBody == nil {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	again := req.Clone(req.Context())
	again.Body = body
	return again, nil
}
