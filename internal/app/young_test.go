package app_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/org/appstack-action/internal/app"
	"github.com/org/appstack-action/internal/lab/pveapi"
	"github.com/org/appstack-action/internal/report"
	"github.com/org/appstack-action/internal/ssh/sshtest"
)

// A guest whose sshd does not listen yet, since a run that is over started it a moment ago,
// is waited for by the next run as by the one that started it.
func TestGuestThatADeadRunStarted(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(*memWorld, context.CancelFunc)
		quiet bool
	}{
		"killed":    {func(w *memWorld, cancel context.CancelFunc) { w.net.sever(); cancel() }, true}, // its lease tells
		"cancelled": {func(_ *memWorld, cancel context.CancelFunc) { cancel() }, false},               // it gives its lease back
	} {
		for _, command := range []string{"provision", "plan"} {
			t.Run(name+", then "+command, func(t *testing.T) {
				t.Parallel()
				inEveryKind(t, func(t *testing.T, kind guestKind) {
					w := newMemWorld(t, kind)
					defer w.end()
					w.net.inside, w.net.quiet = w.debian, c.quiet
					w.must(w.proxmox.Inject(pveapi.Fault{Guest: memVMID, LateSSH: time.Minute}))
					w.startAndEnd(c.end)
					if w.backend.Listens(memVMID) || !w.backend.Running(memVMID) {
						t.Fatal("the guest does not start late: nothing is left to test")
					}
					w.finish(command)
					if !w.backend.Listens(memVMID) {
						t.Error("it did not wait for the guest")
					}
				})
			})
		}
	}
}

// startAndEnd runs provision, which ends when it has started the guest.
func (w *memWorld) startAndEnd(end func(*memWorld, context.CancelFunc)) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.gate.disturb(func(_ int, r *http.Request) mishap {
		if !strings.HasSuffix(r.URL.Path, "/status/start") {
			return mishap{}
		}
		return mishap{drop: true, effect: true, then: func() { end(w, cancel) }}
	})
	_, _ = w.do(ctx, "provision")
	w.gate.disturb(nil)
	w.net.mend()
	w.settle()
}

// That a guest does not answer is said soon where it has been running for long, and where
// there is no sign of a young one: then there may be no way to it.
func TestGuestThatDoesNotAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		runs  time.Duration
		quiet bool
	}{
		"it has been running for long": {time.Hour, false},
		"there is no sign of it":       {0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newMemWorld(t, guestKinds()[0])
				defer w.end()
				w.finish("provision")
				w.halt()
				w.must(w.proxmox.Inject(pveapi.Fault{Guest: memVMID, LateSSH: 2 * time.Hour}))
				w.ask("POST", w.path(memVMID)+"/status/start", "")
				w.settle()
				time.Sleep(c.runs)
				w.net.quiet = c.quiet
				began := time.Now()
				r, err := w.do(t.Context(), "plan")
				w.must(err)
				if took := time.Since(began); r.Reason != report.Unreachable || took > 20*time.Second {
					t.Errorf("it ends %s (%s) after %v: %s", r.Status, r.Reason, took, r.Error)
				}
			})
		})
	}
}

// Nobody waits for a guest that the stack does not want to be started.
func TestProvisionLeavesStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemWorld(t, guestKinds()[0])
		defer w.end()
		w.guest(strings.Replace(w.kind.first, "{", "{start: false, ", 1))
		for _, want := range []report.Status{report.Live, report.Unchanged} {
			r, err := w.do(t.Context(), "provision")
			w.must(err)
			if r.Status != want || w.backend.Running(memVMID) {
				t.Errorf("it ends %s (%s), the guest runs: %v: %s", r.Status, r.Reason, w.backend.Running(memVMID), r.Error)
			}
		}
		// Nor for one that somebody else started, where it is made anew.
		w.ask("POST", w.path(memVMID)+"/status/start", "")
		w.settle()
		w.guest(strings.NewReplacer("{", "{start: false, ", "disk: 8", "disk: 6").Replace(w.kind.first))
		r, err := w.do(t.Context(), "provision", func(r *app.Run) { r.Policy.AllowDestroy = true })
		w.must(err)
		if r.Status != report.Live || w.backend.Running(memVMID) {
			t.Errorf("made anew, it ends %s (%s): %s", r.Status, r.Reason, r.Error)
		}
	})
}

// A guest that is made anew is waited for like one that is new.
func TestProvisionWaitsForRecreated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemWorld(t, guestKinds()[0])
		defer w.end()
		w.finish("provision")
		time.Sleep(time.Hour)
		w.guest(strings.Replace(w.kind.first, "disk: 8", "disk: 6", 1))
		w.must(w.proxmox.Inject(pveapi.Fault{Guest: memVMID, LateSSH: time.Minute}))
		r, err := w.do(t.Context(), "provision", func(r *app.Run) { r.Policy.AllowDestroy = true })
		w.must(err)
		if r.Failed() || !w.backend.Listens(memVMID) {
			t.Errorf("it ends %s (%s) with a guest that does not listen yet: %s", r.Status, r.Reason, r.Error)
		}
	})
}

// What is to be done inside a guest that the stack does not want to be started is said to
// be left undone, at once.
func TestApplyLeavesStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemWorld(t, guestKinds()[0])
		defer w.end()
		w.guest(strings.Replace(w.kind.first, "{", "{start: false, ", 1))
		began := time.Now()
		r, err := w.do(t.Context(), "apply")
		w.must(err)
		if took := time.Since(began); r.Reason != report.BadInput || !strings.Contains(r.Error, "start: false") || took > 20*time.Second {
			t.Errorf("it ends %s (%s) after %v: %s", r.Status, r.Reason, took, r.Error)
		}
	})
}

// debian is the sshd of a guest with nothing but Debian in it.
func (w *memWorld) debian(vmid int, conn net.Conn) {
	g, _ := w.backend.Guest(vmid)
	key, err := ssh.ParsePrivateKey([]byte(memKey))
	w.must(err)
	s := sshtest.New(g.HostKeys, map[string]ssh.PublicKey{"root": key.PublicKey()})
	s.Run = func(_ string, stdin io.Reader, stdout, _ io.Writer) int {
		_, _ = io.Copy(io.Discard, stdin) // the script, which reads only
		_, _ = io.WriteString(stdout, "distribution\tdebian 12\nend\n")
		return 0
	}
	s.Serve(&unread{Conn: conn})
}

// unread is an end of a pipe that takes what is written before the other end reads it, as a
// socket does: in SSH there are times when both ends write.
type unread struct {
	net.Conn
	last chan struct{} // closed when what was written last has been read; nil: nothing was
}

func (u *unread) Write(p []byte) (int, error) {
	text, before, done := bytes.Clone(p), u.last, make(chan struct{})
	u.last = done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		_, _ = u.Conn.Write(text) // it fails when the pipe is closed: nobody is there to read
	}()
	return len(p), nil
}
