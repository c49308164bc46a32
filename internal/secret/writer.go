package secret

import (
	"io"
	"sync"
)

// Writer passes a text on with every known value hidden, also a value that comes
// in several writes. It holds back no more than those last bytes of the text that
// may yet turn out to begin a value; a line that ends in something else goes out
// at once. It may be used by several goroutines. [Redactor.Writer] makes one.
type Writer struct {
	mu   sync.Mutex
	of   *Redactor
	to   io.Writer
	scan scanner
	out  []byte
	err  error
}

// chunk bounds what a Writer copies at a time, in bytes.
const chunk = 32 << 10

// Write takes the next piece of the text. After an error of the underlying
// writer every further Write returns that error.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.of.compiled(); a != w.scan.automaton {
		w.scan.switchTo(a)
	}
	for rest := p; len(rest) > 0 && w.err == nil; {
		n := min(len(rest), chunk)
		w.scan.feed(rest[:n])
		w.pass(w.scan.settled())
		rest = rest[n:]
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// Flush passes on what is held back. The rest of a value whose beginning went out
// this way is still hidden.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(len(w.scan.pending))
	return w.err
}

// Close flushes. It does not close the underlying writer.
func (w *Writer) Close() error { return w.Flush() }

func (w *Writer) pass(n int) {
	w.out = w.scan.take(w.out[:0], n)
	if len(w.out) == 0 || w.err != nil {
		return
	}
	_, w.err = w.to.Write(w.out)
}
