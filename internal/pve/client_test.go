package pve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/appstack-action/internal/secret"
)

func TestDialRefusesBadOptions(t *testing.T) {
	good := Options{URL: "https://pve1.lan:8006", Token: secret.New(testToken)}
	tests := []struct {
		name, want string
		edit       func(*Options)
	}{
		{"no address", "must look like https://", func(o *Options) { o.URL = "" }},
		{"plain HTTP", "scheme must be https", func(o *Options) { o.URL = "http://pve1.lan:8006" }},
		{"no secret", "user@realm!id=uuid", func(o *Options) { o.Token = secret.New("ci@pve!app") }},
		{"no token name", "user@realm!id=uuid", func(o *Options) { o.Token = secret.New("ci@pve=1234") }},
		{"short fingerprint", "32 bytes", func(o *Options) { o.Fingerprint = "AB:CD" }},
		{"empty CA", "no PEM certificate", func(o *Options) { o.CA = []byte("x") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := good
			tt.edit(&o)
			if _, err := Dial(o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Dial: %v, want %q in it", err, tt.want)
			}
		})
	}
	if _, err := Dial(good); err != nil {
		t.Errorf("Dial of good options: %v", err)
	}
}

func TestAPIAddress(t *testing.T) {
	for in, want := range map[string]string{
		"https://pve1.lan:8006":           "https://pve1.lan:8006",
		"https://pve1.lan":                "https://pve1.lan:8006",
		"pve1.lan":                        "https://pve1.lan:8006",
		"https://[fd00::1]":               "https://[fd00::1]:8006",
		"https://pve1.lan:443/api2/json/": "https://pve1.lan:443",
	} {
		u, err := apiURL(in)
		if err != nil || u.String() != want {
			t.Errorf("apiURL(%q) = %v, %v; want %s", in, u, err, want)
		}
	}
}

// The token goes as Proxmox wants it, and no trace holds it or a parameter.
func TestTokenAndTraces(t *testing.T) {
	f := newFake(t, map[string][]answer{"POST /x": {{}}})
	var log bytes.Buffer
	c := f.client(func(o *Options) {
		o.Trace = func(call Call) { fmt.Fprintf(&log, "%+v", call) }
	})
	if err := c.call(t.Context(), "POST", "/x", params{"password": "hunter22"}, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := f.sent[0].auth, "PVEAPIToken="+testToken; got != want {
		t.Errorf("Authorization: %s, want %s", got, want)
	}
	if s := log.String(); s == "" || strings.Contains(s, "hunter22") || strings.Contains(s, "11111111") {
		t.Errorf("trace: %q", s)
	}
}

func TestErrorsKeepProxmoxWords(t *testing.T) {
	tests := []struct {
		name        string
		answer      answer
		want        []string
		hint        []string
		path, privi string
	}{
		{
			name:   "a missing privilege, with its pveum line",
			answer: refused(403, "Permission check failed (/vms/101, VM.Config.Options)"),
			want:   []string{"403 Permission check failed (/vms/101, VM.Config.Options)", "cannot POST /x"},
			hint:   []string{"ci@pve!app lacks VM.Config.Options on /pool/ci", "pveum acl modify /pool/ci", "--tokens 'ci@pve!app'", "--users ci@pve"},
			path:   "/vms/101", privi: "VM.Config.Options",
		}, {
			name:   "alternatives",
			answer: refused(403, "Permission check failed (/vms/101, VM.Snapshot|VM.Snapshot.Rollback)"),
			hint:   []string{"--privs VM.Snapshot "}, path: "/vms/101", privi: "VM.Snapshot",
		}, {
			name:   "a storage",
			answer: refused(403, "Permission check failed (/storage/local, Datastore.AllocateSpace)"),
			hint:   []string{"pveum acl modify /storage/local", "--privs Datastore.AllocateSpace"}, path: "/storage/local", privi: "Datastore.AllocateSpace",
		}, {
			name:   "VM.Allocate at a creation, which Proxmox does not name",
			answer: refused(403, "Permission check failed"),
			hint:   []string{"lacks VM.Allocate on /pool/ci"},
		}, {
			name:   "what no token may",
			answer: refused(403, "Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)"),
			hint:   []string{"root@pam with a password"},
		}, {
			name:   "a pool that is not there",
			answer: refused(403, "Permission check failed (pool 'nope' does not exist)"),
			hint:   []string{"pveum pool add"},
		}, {
			name:   "every bad parameter",
			answer: answer{status: 400, body: `{"data":null,"errors":{"vmid":"type check ('integer') failed\n","cores":"too many\n\n"},"message":"Parameter verification failed.\n"}`},
			want:   []string{"400 Parameter verification failed.; cores: too many; vmid: type check ('integer') failed"},
		}, {
			name:   "a 500 whose reason phrase a proxy dropped",
			answer: answer{status: 500, body: `{"data":null,"message":"storage 'nope' does not exist\n"}`},
			want:   []string{"500 storage 'nope' does not exist"},
		}, {
			name:   "a 500 with nothing but the reason phrase",
			answer: answer{status: 500, reason: "CT 101 already exists on node 'pve'", body: " "},
			want:   []string{"500 CT 101 already exists on node 'pve'"},
		}, {
			name:   "a token that is not known: an empty body",
			answer: answer{status: 401, reason: "No ticket", body: " "},
			want:   []string{"401 No ticket"},
			hint:   []string{"pveum user token list ci@pve"},
		}, {
			name:   "something that is not Proxmox",
			answer: answer{body: "<html><title>Welcome to nginx!</title>"},
			want:   []string{"the answer is not JSON: <html><title>Welcome to nginx!"},
			hint:   []string{"is proxmox.url the API itself"},
		}, {
			name:   "a lock left behind by a creation",
			answer: refused(500, "CT is locked (create)"),
			want:   []string{"500 CT is locked (create)"},
			hint:   []string{"pct unlock"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, map[string][]answer{"POST /x": {tt.answer}})
			c := f.client()
			c.times.lock = 0
			err := c.call(t.Context(), "POST", "/x", nil, nil)
			e := asError(err)
			if e == nil {
				t.Fatalf("error %v (%T) is no *Error", err, err)
			}
			for _, w := range tt.want {
				if !strings.Contains(e.Error(), w) {
					t.Errorf("error %q lacks %q", e, w)
				}
			}
			for _, h := range tt.hint {
				if !strings.Contains(e.Hint(), h) {
					t.Errorf("hint %q lacks %q", e.Hint(), h)
				}
			}
			if path, privilege := e.Missing(); path != tt.path || privilege != tt.privi {
				t.Errorf("Missing() = %q, %q; want %q, %q", path, privilege, tt.path, tt.privi)
			}
			if e.Uncertain {
				t.Error("Uncertain, although Proxmox answered")
			}
		})
	}
}

// The retry policy: what is sent again, and what a write leaves open.
func TestRetries(t *testing.T) {
	locked := refused(500, "can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout")
	tests := []struct {
		name      string
		method    string
		answers   []answer
		sent      int
		ok        bool
		uncertain bool
	}{
		{"a read whose connection drops", "GET", []answer{{drop: true}, {}}, 2, true, false},
		{"a read through a gateway that fails", "GET", []answer{{status: 503, body: " "}, {status: 596, body: " "}, {}}, 3, true, false},
		{"a read that always fails", "GET", []answer{{drop: true}}, maxAttempts, false, false},
		{"a read that Proxmox refuses", "GET", []answer{refused(500, "no such thing")}, 1, false, false},
		{"a write whose connection drops", "POST", []answer{{drop: true}, {}}, 1, false, true},
		{"a write lost in a gateway", "POST", []answer{{status: 504, body: " "}, {}}, 1, false, true},
		{"a write lost between nodes", "PUT", []answer{{status: 596, body: " "}, {}}, 1, false, true},
		{"a write that found no node", "PUT", []answer{{status: 595, body: " "}, {}}, 2, true, false},
		{"a write that met a lock", "PUT", []answer{locked, locked, {}}, 3, true, false},
		{"a write that met a backup", "PUT", []answer{refused(500, "CT is locked (backup)"), {}}, 2, true, false},
		{"a removal that met a digest", "DELETE", []answer{refused(500, "detected modified configuration - file changed by other user? Try again.")}, 1, false, false},
		{"an unknown token", "GET", []answer{{status: 401, reason: "No ticket", body: " "}}, 1, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, map[string][]answer{tt.method + " /x": tt.answers})
			var mu sync.Mutex
			traced := 0
			c := f.client(func(o *Options) {
				o.Trace = func(Call) { mu.Lock(); traced++; mu.Unlock() }
			})
			err := c.call(t.Context(), tt.method, "/x", nil, nil)
			if (err == nil) != tt.ok {
				t.Errorf("error: %v", err)
			}
			if got := f.count(tt.method + " /x"); got != tt.sent || traced != tt.sent {
				t.Errorf("sent %d times, traced %d; want %d", got, traced, tt.sent)
			}
			if e := asError(err); e != nil && e.Uncertain != tt.uncertain {
				t.Errorf("Uncertain %v, want %v", e.Uncertain, tt.uncertain)
			}
		})
	}
}

// A lock is waited for as long as the stack allows, and people are told.
func TestLockWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := bubbled(t, map[string][]answer{"PUT /x": {refused(500, "CT is locked (backup)")}})
		heard := new(recorder)
		start := time.Now()
		err := c.call(withProgress(t.Context(), heard), "PUT", "/x", nil, nil)
		if err == nil || !strings.Contains(err.Error(), "CT is locked (backup)") {
			t.Errorf("error: %v", err)
		}
		if took, limit := time.Since(start), defaultTiming().lock; took < limit || took > limit+2*time.Second {
			t.Errorf("waited %s, want %s", took, limit)
		}
		if n := f.count("PUT /x"); len(heard.waits) != n-1 || n < 60 || !strings.Contains(heard.waits[0], "CT is locked (backup)") {
			t.Errorf("sent %d times, progress heard %q", n, heard.waits)
		}
	})
}

func TestContextEndsCall(t *testing.T) {
	f := newFake(t, map[string][]answer{"GET /x": {{hang: true}}})
	ctx, cancel := context.WithCancel(t.Context())
	f.hung = cancel
	if err := f.client().get(ctx, "/x", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	timeout := &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
	tests := []struct {
		name, url, hint string
		dial            Dialer
		private, jump   bool
	}{
		{"a private address", "https://10.213.7.1:8006", "10.213.7.1 is private and this runner is not in it", failing(timeout), true, false},
		{"a shared address (RFC 6598)", "https://100.127.255.254:8006", "is private and this runner is not in it", failing(timeout), true, false},
		{"a public address", "https://192.0.2.1:8006", "does pveproxy run on that node", failing(timeout), false, false},
		{"our own network", "https://127.0.0.1:1", "does pveproxy run on that node", nil, false, false},
		{"an unknown name", "https://pve.invalid:8006", "the name pve.invalid is not known here",
			failing(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "pve.invalid", IsNotFound: true}}), false, false},
		{"through a jump host", "https://10.213.7.1:8006", "AllowTcpForwarding", failing(timeout), false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Dial(Options{URL: tt.url, Token: secret.New(testToken), Dialer: tt.dial})
			if err != nil {
				t.Fatal(err)
			}
			c.times.backoff, c.direct = time.Millisecond, !tt.jump
			err = c.get(t.Context(), "/version", nil)
			u, ok := errors.AsType[*UnreachableError](err)
			if !ok {
				t.Fatalf("error %v (%T)", err, err)
			}
			if u.Private != tt.private || !strings.Contains(u.Hint(), tt.hint) {
				t.Errorf("private %v, hint %q", u.Private, u.Hint())
			}
		})
	}
}

// Where packets get lost on the way, people are told within 10 s.
func TestUnreachableSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		c, err := Dial(Options{URL: "https://10.213.7.1:8006", Token: secret.New(testToken), Dialer: lost})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.direct = true
		start := time.Now()
		err = c.get(t.Context(), "/version", nil)
		u, ok := errors.AsType[*UnreachableError](err)
		if took := time.Since(start); !ok || !u.Private || took > 10*time.Second {
			t.Errorf("%v after %s", err, took)
		}
	})
}

func failing(err error) Dialer {
	return func(context.Context, string, string) (net.Conn, error) { return nil, err }
}

// A jump host carries the connection.
func TestDialer(t *testing.T) {
	f := newFake(t, map[string][]answer{"GET /version": {{data: `{"version":"9.2.11"}`}}})
	var dialed string
	c := f.client(func(o *Options) {
		real := f.server.Listener.Addr().String()
		o.URL = "https://pve1.lan:8006"
		o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed = address
			return (&net.Dialer{}).DialContext(ctx, network, real)
		}
	})
	if err := c.get(t.Context(), "/version", nil); err != nil {
		t.Fatal(err)
	}
	if dialed != "pve1.lan:8006" {
		t.Errorf("dialed %s", dialed)
	}
}
