package ssh

import (
	"net"
	"syscall"
)

// quickConn acknowledges at once. The kernel falls back to delayed
// acknowledgements by itself (tcp(7)), so that each read asks anew.
type quickConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

// quickack turns delayed acknowledgements off where conn is TCP. They make a small
// command over SSH wait for 40 ms: the server holds its output back (Nagle) until
// what came before is acknowledged.
func quickack(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	q := &quickConn{tcp, raw}
	q.ask()
	return q
}

func (q *quickConn) Read(p []byte) (int, error) {
	n, err := q.TCPConn.Read(p)
	if err == nil {
		q.ask()
	}
	return n, err
}

// ask is best effort: without it all is only slower.
func (q *quickConn) ask() {
	_ = q.raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
