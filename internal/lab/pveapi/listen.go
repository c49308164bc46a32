package pveapi

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
	"sync"
	"time"
)

// Proxmox puts its error texts into the status line, which net/http cannot write. So the
// connection itself, between net/http and TLS, replaces the reason of the next status line.

type reasonConn struct {
	net.Conn
	mu     sync.Mutex
	reason string
}

type connKey struct{}

// setReason sets the next status line's reason; without one of our connections (a test's
// own server) the standard text is sent.
func setReason(r *http.Request, reason string) {
	if c, ok := r.Context().Value(connKey{}).(*reasonConn); ok {
		c.mu.Lock()
		c.reason = reason
		c.mu.Unlock()
	}
}

// Write replaces the reason where a response begins. net/http flushes its buffer with the
// status line first, so it always begins a write.
func (c *reasonConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	reason := c.reason
	c.reason = ""
	c.mu.Unlock()
	if reason == "" || !bytes.HasPrefix(b, []byte("HTTP/1.1 ")) {
		return c.Conn.Write(b)
	}
	end := bytes.Index(b, []byte("\r\n"))
	if end < 13 {
		return c.Conn.Write(b)
	}
	out := append(append(append(make([]byte, 0, len(b)+len(reason)), b[:13]...), reason...), b[end:]...)
	if _, err := c.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

type reasonListener struct{ net.Listener }

func (l reasonListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &reasonConn{Conn: c}, nil
}

// Serve answers HTTPS on l until ctx ends, with the lab's own certificate ([Server.Certificate]).
// Like pveproxy it speaks HTTP/1.1 only and refuses headers of more than 64 KiB.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	cert, err := s.Certificate()
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	tl := tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}})
	if err := srv.Serve(reasonListener{tl}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Listen opens addr ("127.0.0.1:0") and serves it in the background; it returns the base
// URL ("https://127.0.0.1:40123"), to which a client adds /api2/json.
func (s *Server) Listen(ctx context.Context, addr string) (string, error) {
	if _, err := s.Certificate(); err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("cannot listen for the lab's API: %w", err)
	}
	go func() {
		if err := s.Serve(ctx, l); err != nil {
			s.opt.Log.Error("API server ended", "err", err)
		}
	}()
	return "https://" + l.Addr().String(), nil
}
