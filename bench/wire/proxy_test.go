package wire

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// echo is a server that greets and then answers each line.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, "hello\n")
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr().String()
}

func through(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// TestProxyDelays: the greeting comes two ways after the begin, for the connection has
// to be made first, each answer one; and what was sent and answered is counted.
func TestProxyDelays(t *testing.T) {
	const rtt = 50 * time.Millisecond
	p := &Proxy{To: echo(t), RTT: rtt}
	began := time.Now()
	conn := through(t, p)
	in := bufio.NewReader(conn)
	for i, send := range []string{"", "one\n", "two\n"} {
		if _, err := io.WriteString(conn, send); err != nil {
			t.Fatal(err)
		}
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if least := time.Duration(2+i) * rtt; time.Since(began) < least {
			t.Errorf("line %d came after %v, not %v", i, time.Since(began), least)
		}
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) != 0 {
		t.Errorf("at the end there is %q, %v", rest, err)
	}
	if up, down := p.Bytes(); up != 8 || down != 14 {
		t.Errorf("counted %d and %d bytes, not 8 and 14", up, down)
	}
	if n := p.Turns(); n != 2 {
		t.Errorf("counted %d turns, not 2", n)
	}
}

func TestProxyWithoutServer(t *testing.T) {
	conn := through(t, &Proxy{To: "127.0.0.1:1"})
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("reads from a server that is not there")
	}
}
