package pve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// listener serves one connection after the other, each with the next greeting; ""
// closes at once.
func listener(t *testing.T, greetings ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for i := 0; ; i++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(greetings[min(i, len(greetings)-1)]))
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestWaitSSH(t *testing.T) {
	for name, greetings := range map[string][]string{
		"at once":             {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"},
		"after other lines":   {"Welcome\r\nto the guest\r\nSSH-2.0-x\r\n"},
		"when it is up":       {"", "", "SSH-2.0-x\r\n"},
		"without an end line": {"SSH-2.0-x"},
	} {
		if err := WaitSSH(t.Context(), nil, listener(t, greetings...), 10*time.Second, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWaitSSHEnds(t *testing.T) {
	address := listener(t, "220 smtp ready\r\n")
	err := WaitSSH(t.Context(), nil, address, 150*time.Millisecond, nil)
	e, ok := errors.AsType[*NoSSHError](err)
	if !ok || e.Private || !strings.Contains(e.Error(), "there was none for 150ms") || !strings.Contains(e.Hint(), "port 22") {
		t.Errorf("%v", err)
	}
	private := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("i/o timeout") }
	err = waitSSH(t.Context(), private, true, "10.213.7.1:22", 50*time.Millisecond)
	if e, ok = errors.AsType[*NoSSHError](err); !ok || !strings.Contains(e.Hint(), "10.213.7.1 is private and this runner is not in it") {
		t.Errorf("%v: %s", err, e.Hint())
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	start := time.Now()
	if err := WaitSSH(ctx, nil, address, time.Hour, nil); !errors.Is(err, context.Canceled) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

// The loopback interface answers; an address of it that nobody has does, too, so what
// does not answer is asked for elsewhere: in the lab with real containers.
func TestPing(t *testing.T) {
	if how := ping(t.Context(), netip.MustParseAddr("127.0.0.1")); how == "" {
		t.Error("127.0.0.1 does not answer")
	}
	if !knocks(t.Context(), netip.MustParseAddr("127.0.0.1")) {
		t.Error("127.0.0.1 neither takes nor refuses a connection to port 22")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if how := ping(ctx, netip.MustParseAddr("127.0.0.1")); how != "" {
		t.Errorf("after the end of the context it answers by %s", how)
	}
}

func FuzzBanner(f *testing.F) {
	f.Add("SSH-2.0-x\r\n")
	f.Add(strings.Repeat("x", 1<<17))
	f.Fuzz(func(t *testing.T, greeting string) {
		dial := func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				_, _ = fmt.Fprint(there, greeting)
				_ = there.Close()
			}()
			return here, nil
		}
		found := banner(t.Context(), dial, "x:22") == nil
		if first := strings.HasPrefix(greeting, "SSH-"); first && !found {
			t.Errorf("%q is not taken for SSH", greeting)
		}
	})
}
