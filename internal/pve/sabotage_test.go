package pve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
)

// saboteur lets one request of a client go wrong, the at-th.
type saboteur struct {
	base http.RoundTripper
	how  sabotage
	at   point
	die  context.CancelFunc

	mu   sync.Mutex
	n, w int // requests and writes so far
	dead bool
	hit  string // the request that went wrong
}

// point is a request of a run: the n-th, or the n-th that is no GET.
type point struct {
	n      int
	writes bool
}

func (p point) String() string {
	if p.writes {
		return fmt.Sprint("write ", p.n)
	}
	return fmt.Sprint("request ", p.n)
}

// torture is the variable that asks for every point; without it, every write and a
// sample of the reads are enough for a quick answer.
const torture = "APPSTACK_TORTURE"

// points lists where to let a run go wrong that takes so many requests.
func points(requests, writes int) []point {
	var all []point
	stride := 11
	if os.Getenv(torture) != "" {
		stride = 1
	}
	for n := 1; n <= writes; n++ {
		all = append(all, point{n, true})
	}
	// Polls of a task vary in number: a few more points reach what comes after.
	for n := 1; n <= requests+3; n += stride {
		all = append(all, point{n, false})
	}
	return all
}

// sample thins points out where there is no time for all: all writes, and so many reads.
func sample(all []point, reads int) []point {
	if os.Getenv(torture) != "" {
		return all
	}
	var some []point
	for _, p := range all {
		if p.writes || reads > 0 {
			some = append(some, p)
		}
		if !p.writes {
			reads--
		}
	}
	return some
}

// sabotage is a way for a request to go wrong.
type sabotage struct {
	name   string
	status int    // answer this
	reason string // with this message
	effect bool   // the request takes effect
	kills  bool   // the program dies with it
}

var errReset = errors.New("read tcp 127.0.0.1:50000->127.0.0.1:8006: connection reset by peer")

// isProbe tells whether the request only looks whether some other vmid is free. There are
// a hundred of them, for the guard that counts guests which the token cannot see.
func isProbe(r *http.Request) bool {
	vmid := r.URL.Query().Get("vmid")
	return strings.HasSuffix(r.URL.Path, "/cluster/nextid") && vmid != "101"
}

func (s *saboteur) RoundTrip(r *http.Request) (*http.Response, error) {
	if isProbe(r) {
		return s.base.RoundTrip(r)
	}
	s.mu.Lock()
	s.n++
	mine := !s.at.writes && s.n == s.at.n
	if r.Method != http.MethodGet {
		s.w++
		mine = mine || s.at.writes && s.w == s.at.n
	}
	if mine {
		s.hit = r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api2/json")
		s.dead = s.how.kills
	}
	dead := s.dead
	s.mu.Unlock()
	if dead && !mine {
		return nil, context.Canceled
	}
	if !mine {
		return s.base.RoundTrip(r)
	}
	if s.how.effect {
		if res, err := s.base.RoundTrip(r.WithContext(context.WithoutCancel(r.Context()))); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	}
	if s.how.kills {
		s.die()
		return nil, context.Canceled
	}
	if s.how.status == 0 {
		return nil, errReset
	}
	body := fmt.Sprintf(`{"data":null,"message":%q}`, s.how.reason+"\n")
	return &http.Response{StatusCode: s.how.status, Status: fmt.Sprintf("%d %s", s.how.status, s.how.reason),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
}

// sabotaged returns a client with a saboteur in it, and the context that it ends.
func sabotaged(ctx context.Context, c *Client, how sabotage, at point) (context.Context, *saboteur) {
	ctx, cancel := context.WithCancel(ctx)
	tr := c.http.Transport.(*transport)
	s := &saboteur{base: tr.base, how: how, at: at, die: cancel}
	tr.base = s
	return ctx, s
}
