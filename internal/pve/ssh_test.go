package pve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
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
		if err := WaitSSH(t.Context(), nil, listener(t, greetings...), 2*time.Minute, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWaitSSHEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				_, _ = fmt.Fprint(there, "220 smtp ready\r\n")
				_ = there.Close()
			}()
			return here, nil
		}
		heard := new(recorder)
		err := WaitSSH(t.Context(), mail, "192.0.2.1:22", time.Minute, heard)
		e, ok := errors.AsType[*NoSSHError](err)
		if !ok || e.Private || !strings.Contains(e.Error(), "there was none for 1m0s") || !strings.Contains(e.Hint(), "port 22") {
			t.Errorf("%v", err)
		}
		if n := len(heard.waits); n < 12 || n > 20 || heard.waits[0] != "SSH on 192.0.2.1:22" {
			t.Errorf("in a minute people heard %q", heard.waits)
		}
		err = waitSSH(t.Context(), failing(errors.New("i/o timeout")), true, "10.213.7.1:22", time.Second)
		if e, ok = errors.AsType[*NoSSHError](err); !ok || !strings.Contains(e.Hint(), "10.213.7.1 is private and this runner is not in it") {
			t.Errorf("%v: %s", err, e.Hint())
		}
		foreign := new(recorder)
		lost := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		_ = waitSSH(withProgress(t.Context(), foreign), lost, true, "10.213.7.1:22", 10*time.Second)
		if all := strings.Join(foreign.waits, "\n"); !strings.Contains(all, "SSH on 10.213.7.1:22 (10.213.7.1 is private and this runner is not in it") {
			t.Errorf("in 10 s people heard %q", all)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Second, cancel)
		start := time.Now()
		err = WaitSSH(ctx, mail, "192.0.2.1:22", time.Hour, nil)
		if took := time.Since(start); !errors.Is(err, context.Canceled) || took != 20*time.Second {
			t.Errorf("%v after %s", err, took)
		}
	})
}

// The loopback interface answers; an address of it that nobody has does, too, so what
// does not answer is asked for elsewhere: in the lab with real containers.
func TestPing(t *testing.T) {
	self := netip.MustParseAddr("127.0.0.1")
	answers := func(answers func() bool) bool { // a busy machine may take longer than one ping waits
		for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
			if answers() {
				return true
			}
		}
		return false
	}
	if !answers(func() bool { return ping(t.Context(), self) != "" }) {
		t.Error("127.0.0.1 does not answer")
	}
	if !answers(func() bool { return knocks(t.Context(), self) }) {
		t.Error("127.0.0.1 neither takes nor refuses a connection to port 22")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if how := ping(ctx, self); how != "" {
		t.Errorf("after the end of the context it answers by %s", how)
	}
}

// Where ICMP is not permitted, a connection that is taken or refused is an answer.
func TestPingWithoutICMP(t *testing.T) {
	for _, tt := range []struct {
		answered, permitted, knocks bool
		want                        string
	}{
		{true, true, false, "ping"}, {false, true, true, ""}, {false, false, true, "TCP port 22"}, {false, false, false, ""},
	} {
		got := answered(t.Context(), netip.MustParseAddr("10.99.0.101"),
			func(context.Context, netip.Addr) (bool, bool) { return tt.answered, tt.permitted },
			func(context.Context, netip.Addr) bool { return tt.knocks })
		if got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
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
