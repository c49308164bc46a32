package githubapi

import (
	"net/http"
	"strconv"
	"time"
)

// limits counts the requests of each token: the primary limit by the hour, and the
// secondary limit of requests that create content by the minute.
type limits struct {
	hour   map[string]*window
	minute map[string]*window
}

type window struct {
	Start time.Time
	Used  int
}

func newLimits() limits {
	return limits{hour: map[string]*window{}, minute: map[string]*window{}}
}

// at returns a token's window, a new one when the old has run out.
func at(windows map[string]*window, token string, now time.Time, length time.Duration) *window {
	w := windows[token]
	if w == nil || now.Sub(w.Start) >= length {
		w = &window{Start: now}
		windows[token] = w
	}
	return w
}

func (t *Token) limit() int {
	switch {
	case t.Limit > 0:
		return t.Limit
	case t.Kind == JobToken:
		return 1000
	}
	return 5000
}

// admit counts a request, or refuses it. /rate_limit is free.
func (l limits) admit(c *call, rt route) error {
	if c.token == nil || rt.path == "/rate_limit" {
		return nil
	}
	now := c.now()
	hour := at(l.hour, c.token.Value, now, time.Hour)
	if hour.Used >= c.token.limit() {
		return primaryLimit(http.StatusForbidden)
	}
	hour.Used++
	if c.r.Method == http.MethodGet {
		return nil
	}
	minute := at(l.minute, c.token.Value, now, time.Minute)
	if minute.Used >= c.opt.SecondaryPerMinute {
		left := minute.Start.Add(time.Minute).Sub(now)
		return secondaryLimit(http.StatusForbidden, max(left, time.Second))
	}
	minute.Used++
	return nil
}

func primaryLimit(status int) *apiError {
	return problem(status, "API rate limit exceeded for installation ID 1. If you reach out to GitHub Support for help, please include the request ID and timestamp.")
}

// secondaryLimit words the limit so that clients recognise it; GitHub may leave
// Retry-After out, as a zero wait does here.
func secondaryLimit(status int, wait time.Duration) *apiError {
	e := problem(status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID and timestamp.")
	// go-github tells this limit from a lack of permission by the page alone.
	e.docs = "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
	e.header = retryAfter(wait)
	return e
}

func retryAfter(wait time.Duration) http.Header {
	if wait <= 0 {
		return http.Header{}
	}
	return http.Header{"Retry-After": {strconv.Itoa(int((wait + time.Second - 1) / time.Second))}}
}

func (l limits) headers(t *Token, now time.Time, h http.Header) {
	w := at(l.hour, t.Value, now, time.Hour)
	h.Set("X-RateLimit-Limit", strconv.Itoa(t.limit()))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(t.limit()-w.Used, 0)))
	h.Set("X-RateLimit-Used", strconv.Itoa(w.Used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(w.Start.Add(time.Hour).Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

func (l limits) object(t *Token, now time.Time) obj {
	w := at(l.hour, t.Value, now, time.Hour)
	return obj{
		"limit": t.limit(), "used": w.Used, "remaining": max(t.limit()-w.Used, 0),
		"reset": w.Start.Add(time.Hour).Unix(),
	}
}
