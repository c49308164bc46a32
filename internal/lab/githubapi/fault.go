package githubapi

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Fault makes matching requests go wrong. Faults are tried in the order in which they
// were injected; one request meets at most one.
type Fault struct {
	Method   string // empty: any
	PathGlob string // * within a segment, ** across; empty: any. Without /api/v3
	Count    int    // how many requests it meets; 0: one; negative: until cleared

	Delay      time.Duration // wait first
	DropBefore bool          // close the connection, nothing happened
	DropAfter  bool          // close the connection although it took effect
	Status     int           // answer with this status, nothing happened
	AfterFact  bool          // with Status: the request took effect all the same
	// Limit words a 403 or 429 as GitHub's "primary" or "secondary" rate limit.
	Limit      string
	RetryAfter time.Duration // of the answer; 0: no such header

	glob *regexp.Regexp
}

// Inject adds a fault.
func (s *Server) Inject(f Fault) {
	if f.Count == 0 {
		f.Count = 1
	}
	f.glob = globPattern(f.PathGlob)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults ends all faults and returns how many of them were still in force.
func (s *Server) ClearFaults() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.faults)
	s.faults = nil
	return n
}

func globPattern(glob string) *regexp.Regexp {
	if glob == "" {
		glob = "/**"
	}
	// A pattern is UTF-8, and what is not can't be in a path that matches.
	quoted := regexp.QuoteMeta(strings.ToValidUTF8(glob, "\uFFFD"))
	quoted = strings.ReplaceAll(quoted, `\*\*`, `.*`)
	return regexp.MustCompile("^" + strings.ReplaceAll(quoted, `\*`, `[^/]*`) + "$")
}

// takeFault finds the fault that meets a request and counts it; nil: none.
func (s *Server) takeFault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Method != "" && f.Method != r.Method || !f.glob.MatchString(r.URL.Path) {
			continue
		}
		if f.Count > 0 {
			f.Count--
		}
		if f.Count == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return f
	}
	return nil
}

// before applies the part of a fault that keeps the request from taking effect.
func (f *Fault) before(ctx context.Context, rec *Request) *reply {
	if f == nil {
		return nil
	}
	f.wait(ctx)
	if f.DropBefore {
		rec.Fault = "dropped before"
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 || f.AfterFact {
		return nil
	}
	rec.Fault = "status " + strconv.Itoa(f.Status)
	return f.reply()
}

// after applies the part of a fault that hides an effect from the client.
func (f *Fault) after(rec *Request) *reply {
	if f == nil {
		return nil
	}
	if f.DropAfter {
		rec.Fault = "dropped after"
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 || !f.AfterFact {
		return nil
	}
	rec.Fault = "status " + strconv.Itoa(f.Status) + " after the fact"
	return f.reply()
}

func (f *Fault) wait(ctx context.Context) {
	if f.Delay <= 0 {
		return
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (f *Fault) reply() *reply {
	e := problem(f.Status, "%s", http.StatusText(f.Status))
	switch f.Limit {
	case "primary":
		e = primaryLimit(f.Status)
		e.header = retryAfter(f.RetryAfter)
		e.header.Set("X-RateLimit-Limit", "1000")
		e.header.Set("X-RateLimit-Remaining", "0")
		e.header.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(max(f.RetryAfter, time.Second)).Unix(), 10))
	case "secondary":
		e = secondaryLimit(f.Status, f.RetryAfter)
	default:
		e.header = retryAfter(f.RetryAfter)
	}
	rep := e.reply()
	if f.Status >= 500 {
		// GitHub's load balancer answers in HTML, which no JSON parser likes.
		rep.body, rep.raw = nil, []byte("<html><body><h1>"+strconv.Itoa(f.Status)+" "+http.StatusText(f.Status)+"</h1></body></html>\n")
		rep.header.Set("Content-Type", "text/html")
	}
	return rep
}
