package app_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A gate is in front of Proxmox and lets one request go wrong, or several.
type gate struct {
	next   http.Handler
	active sync.WaitGroup // requests

	mu    sync.Mutex
	seen  []string // requests, by method and path
	wrong func(n int, r *http.Request) mishap
	hit   string // the request that went wrong first
}

// mishap is what becomes of a request. The zero value is none.
type mishap struct {
	status int    // answer this instead,
	reason string // with this message
	drop   bool   // no answer
	effect bool   // yet it takes effect
	then   func() // called at the end
	delay  time.Duration
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.active.Add(1)
	defer g.active.Done()
	body, err := io.ReadAll(r.Body) // a pipe has no buffer: the client would wait for its reader
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.mu.Lock()
	name := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api2/json")
	g.seen = append(g.seen, name)
	var m mishap
	if g.wrong != nil {
		m = g.wrong(len(g.seen)-1, r)
	}
	if g.hit == "" && (m.drop || m.status != 0) {
		g.hit = name
	}
	g.mu.Unlock()
	time.Sleep(m.delay)
	switch {
	case m.drop || m.status != 0:
		if m.effect {
			r = r.WithContext(context.WithoutCancel(r.Context()))
			g.next.ServeHTTP(httptest.NewRecorder(), r)
		}
		if m.then != nil {
			m.then()
		}
		if m.drop {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(m.status)
		fmt.Fprintf(w, `{"data":null,"message":%q}`, m.reason+"\n")
	default:
		g.next.ServeHTTP(w, r)
	}
}

// disturb sets what goes wrong from here on, and counts anew.
func (g *gate) disturb(wrong func(n int, r *http.Request) mishap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen, g.hit, g.wrong = nil, "", wrong
}

// log returns the requests since disturb, and the one that went wrong.
func (g *gate) log() (seen []string, hit string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.seen), g.hit
}

// memNet is a network in memory with Proxmox at one address and guests at others.
type memNet struct {
	w        *memWorld
	inside   func(vmid int, conn net.Conn) // a guest's sshd
	quiet    bool                          // nobody says that a guest cannot be reached: no answer comes
	accepted chan net.Conn
	stop     context.CancelFunc
	served   chan struct{}

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newMemNet(t testing.TB, w *memWorld) *memNet {
	t.Helper()
	cert, err := w.proxmox.Certificate()
	w.must(err)
	ctx, stop := context.WithCancel(context.Background())
	n := &memNet{w: w, inside: greet, accepted: make(chan net.Conn), stop: stop, served: make(chan struct{})}
	server := &http.Server{Handler: w.gate, ErrorLog: log.New(io.Discard, "", 0)}
	listener := tls.NewListener(&pipeListener{n.accepted, ctx}, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}})
	go func() {
		defer close(n.served)
		_ = server.Serve(listener) // ends with the listener
		_ = server.Close()
	}()
	return n
}

// pipeListener accepts the far ends of pipes.
type pipeListener struct {
	accepted chan net.Conn
	ctx      context.Context
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 99, 0, 1), Port: 8006} }

var errCut = errors.New("the network is cut")

// DialContext implements ssh.Dialer. A guest that runs greets as an SSH server does.
func (n *memNet) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	near, far := net.Pipe()
	n.mu.Lock()
	cut := n.cut
	n.conns = append(n.conns, near, far)
	n.mu.Unlock()
	switch {
	case cut:
		return nil, errCut
	case address == "10.99.0.1:8006":
		select {
		case n.accepted <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-n.served: // the pool of a client that is closed still dials
			return nil, errCut
		}
	}
	vmid := map[string]int{memAddr + ":22": memVMID, otherAddr + ":22": otherVMID}[address]
	switch listens := n.w.backend.Listens(vmid); {
	case !listens && n.quiet:
		<-ctx.Done()
		return nil, ctx.Err()
	case !listens:
		return nil, syscall.EHOSTUNREACH
	}
	go n.inside(vmid, far)
	return near, nil
}

// greet is an sshd that greets and ends the connection.
func greet(_ int, conn net.Conn) {
	_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2p1\r\n")
	_ = conn.Close()
}

// sever ends all connections and lets none come about, as if the program were dead;
// mend undoes it.
func (n *memNet) sever() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = true
	for _, c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
}

func (n *memNet) mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = false
}

func (n *memNet) close() {
	n.sever()
	n.stop()
	<-n.served
}
