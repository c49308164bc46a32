package app_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/plan"
	"github.com/org/appstack-action/internal/report"
)

// wire is the way out of this machine, which can be cut: what a killed program sends
// any more is nothing.
type wire struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// DialContext implements ssh.Dialer.
func (w *wire) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		_ = conn.Close()
		return nil, errCut
	}
	w.conns = append(w.conns, conn)
	return conn, nil
}

func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// drop ends the connections to a port, as a firewall does that forgot them; new ones
// come about.
func (w *wire) drop(port string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		if _, p, _ := net.SplitHostPort(c.RemoteAddr().String()); p == port {
			_ = c.Close()
		}
	}
}

// killer is a view that ends the run at the first point that it has not ended one at
// before: the begin of a step, or of a part of the deploy.
type killer struct {
	*logView
	seen  map[string]bool
	every int // lets points pass, after the first three, but each so many; 0: none
	kill  func()

	at string // where it ended this run
}

func (k *killer) Open(target string) app.Show { return &killerShow{&logShow{k.logView, target}, k} }

func (k *killer) reach(point string) {
	if k.at != "" || k.seen[point] {
		return
	}
	k.seen[point] = true
	if n := len(k.seen); k.every > 0 && n > 3 && n%k.every != 0 {
		return
	}
	k.at = point
	k.kill()
}

type killerShow struct {
	*logShow
	killer *killer
}

func (s *killerShow) Begin(step plan.Step) {
	s.logShow.Begin(step)
	s.killer.reach(fmt.Sprintf("%s %s", step.Verb, step.Resource))
}

func (s *killerShow) Line(step plan.Step, line string) {
	s.logShow.Line(step, line)
	if part, ok := strings.CutPrefix(line, "==> "); ok && step.Resource.Kind == "release" {
		s.killer.reach("deploy: " + part)
	}
}

// die runs apply for a commit and lets it end at a point that is not in seen: cut off
// like a program that was killed, or cancelled. at is "" where it came to its end.
func (w *world) die(sha string, seen map[string]bool, every int, cut bool, run int) (at string, r report.Report) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	out := &wire{}
	k := &killer{logView: w.log, seen: seen, every: every}
	k.kill = func() {
		if cut {
			out.sever()
		}
		cancel()
	}
	reports, err := w.run(ctx, "apply", func(r *app.Run) {
		r.View, r.Dialer, r.Request.Ref = k, out, sha
		r.Repository, r.Holder = "org/tiny", fmt.Sprintf("org/tiny/%d/1", run)
		r.RunOver = func(context.Context, string) (bool, error) { return true, nil }
	})
	if len(reports) == 0 {
		w.t.Fatalf("no report: %v", err)
	}
	return k.at, reports[0]
}

// visitor asks an app for its page, again and again, and counts what it gets.
type visitor struct {
	stop context.CancelFunc
	done chan struct{}

	pages    map[string]int
	failures []string
}

func visit(url string) *visitor {
	ctx, stop := context.WithCancel(context.Background())
	v := &visitor{stop: stop, done: make(chan struct{}), pages: map[string]int{}}
	go func() {
		defer close(v.done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		client := &http.Client{Timeout: 10 * time.Second}
		for ctx.Err() == nil {
			page, err := page(client, url)
			if v.pages[page]++; err != nil {
				v.failures = append(v.failures, fmt.Sprintf("%s %v", time.Now().Format(time.TimeOnly), err))
			}
			<-tick.C
		}
	}()
	return v
}

// end stops the visits.
func (v *visitor) end() { v.stop(); <-v.done }

// login runs a command on a guest as root.
func login(t testing.TB, addr string, key ssh.Signer, command string) string {
	t.Helper()
	out, err := try(addr, key, command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// try is login where it may fail.
func try(addr string, key ssh.Signer, command string) (string, error) {
	c, err := ssh.Dial("tcp", addr+":22", &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 10 * time.Second}) // it is on the lab's own bridge
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	s, err := c.NewSession()
	if err != nil {
		return "", err
	}
	out, err := s.CombinedOutput(command)
	return string(out), err
}
