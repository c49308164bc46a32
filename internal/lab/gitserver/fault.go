package gitserver

import (
	"errors"
	"io"
	"time"
)

// Fault makes the server misbehave until the next [Server.SetFault]; the zero value is none.
type Fault struct {
	Down      bool          // connections are closed before a word is said
	Delay     time.Duration // wait before each answer
	DropAfter int64         // cut each transfer after so many bytes; 0: never
}

// SetFault replaces the fault that holds from now on, for SSH and HTTP alike.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *Server) currentFault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

var errCut = errors.New("the transfer was cut by an injected fault")

// cutWriter passes the first left bytes on and fails then.
type cutWriter struct {
	io.Writer
	left int64
	cut  func() // ends the transfer: the writer's owner may still wait for its peer
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) <= w.left {
		w.left -= int64(len(p))
		return w.Writer.Write(p)
	}
	n, err := w.Writer.Write(p[:w.left])
	w.left = 0
	w.cut()
	return n, errors.Join(errCut, err)
}
