package githubapi

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Request is one request that the API got, with its answer.
type Request struct {
	N            int // counts from 1
	Time         time.Time
	Method, Path string // Path without /api/v3
	Query        string
	Enterprise   bool
	Token        TokenKind // empty: no valid token
	Body         string
	Status       int    // 0: the connection was dropped
	Response     string // the body
	Fault        string // what an injected fault did to it
}

// Violation is a request or an answer that does not fit GitHub's API description, or a
// request for something that the look-alike does not serve.
type Violation struct {
	Kind         string // request, response, unknown, unserved or internal
	Method, Path string
	Detail       string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s %s: %s: %s", v.Method, v.Path, v.Kind, v.Detail)
}

type journal struct {
	n          int
	requests   []*Request
	violations []Violation
}

// journalSize is how many requests are kept: a lab may run for weeks.
const journalSize = 10_000

func (j *journal) add(r *Request) {
	j.requests = append(j.requests, r)
	if over := len(j.requests) - journalSize; over > 0 {
		j.requests = slices.Delete(j.requests, 0, over)
	}
}

func (s *Server) newRecord(r *http.Request, enterprise bool, body []byte) *Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.n++
	return &Request{
		N: s.journal.n, Time: s.now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Enterprise: enterprise, Body: string(body),
	}
}

// violate notes a violation. It is called with the state locked, or before it is.
func (c *call) violate(kind, format string, args ...any) {
	c.journal.violations = append(c.journal.violations, Violation{
		Kind: kind, Method: c.r.Method, Path: c.r.URL.Path, Detail: fmt.Sprintf(format, args...),
	})
}

// Requests returns the API requests answered so far, oldest first, at most the last 10,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Request, 0, len(s.journal.requests))
	for _, r := range s.journal.requests {
		out = append(out, *r)
	}
	return out
}

// Violations returns what did not fit GitHub's API description so far.
func (s *Server) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.journal.violations)
}

// ResetJournal forgets the requests and violations so far.
func (s *Server) ResetJournal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.requests, s.journal.violations = nil, nil
}
