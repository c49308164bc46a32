// Package wire puts a network of a given delay between this machine and a server, and
// counts what goes over one.
package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Proxy takes connections and hands what is sent on later, as a longer way would. Its
// pipe is wide: bytes are delayed, not held back.
type Proxy struct {
	// To is where connections go.
	To string
	// RTT is the time of a way there and back. A connection costs one as well.
	RTT time.Duration
	// Mark is set on the connections to To, so that a redirection can let them pass;
	// 0: none. It needs root.
	Mark int

	up, down atomic.Int64
	turns    atomic.Int64
}

// Bytes returns what went to the server and what came from it.
func (p *Proxy) Bytes() (up, down int64) { return p.up.Load(), p.down.Load() }

// Turns counts how often an answer followed something that was sent: at least that
// many ways there and back the conversations took.
func (p *Proxy) Turns() int64 { return p.turns.Load() }

// Serve serves a listener until ctx ends.
func (p *Proxy) Serve(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		all.Go(func() { p.carry(ctx, conn) })
	}
}

// carry serves one connection. A client hears of its connection after one RTT, and
// what it says then is half of one on its way.
func (p *Proxy) carry(ctx context.Context, client net.Conn) {
	defer client.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !wait(ctx, time.Now().Add(p.RTT+p.RTT/2)) {
		return
	}
	d := net.Dialer{Control: p.control}
	server, err := d.DialContext(ctx, "tcp", p.To)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	var asked atomic.Bool
	var both sync.WaitGroup
	both.Go(func() { p.pump(ctx, server, client, func(n int) { p.up.Add(int64(n)); asked.Store(true) }) })
	both.Go(func() {
		p.pump(ctx, client, server, func(n int) {
			p.down.Add(int64(n))
			if asked.Swap(false) {
				p.turns.Add(1)
			}
		})
	})
	both.Wait()
}

func (p *Proxy) control(_, _ string, c syscall.RawConn) error {
	if p.Mark == 0 {
		return nil
	}
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_MARK, p.Mark)
	})
	return errors.Join(err, failed)
}

// parcel is what was read, and when it arrives.
type parcel struct {
	data []byte
	due  time.Time
}

// pump reads at once and writes half an RTT later, the end of the stream included.
func (p *Proxy) pump(ctx context.Context, to, from net.Conn, count func(int)) {
	road := make(chan parcel, 1<<14)
	go func() {
		defer close(road)
		for {
			data := make([]byte, 32<<10)
			n, err := from.Read(data)
			if n > 0 {
				count(n)
				road <- parcel{data[:n], time.Now().Add(p.RTT / 2)}
			}
			if err != nil {
				road <- parcel{nil, time.Now().Add(p.RTT / 2)}
				return
			}
		}
	}()
	for got := range road {
		if !wait(ctx, got.due) {
			break
		}
		if got.data == nil {
			closeWrite(to)
			break
		}
		if _, err := to.Write(got.data); err != nil {
			from.Close()
			break
		}
	}
	for range road { // the reader is not to be kept
	}
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	c.Close()
}

// wait waits for a moment and tells whether it came.
func wait(ctx context.Context, until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
