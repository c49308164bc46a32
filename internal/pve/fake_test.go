package pve

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/appstack-action/internal/secret"
)

const testToken = "ci@pve!app=11111111-2222-3333-4444-555555555555"

// answer is one answer of a fake API. The zero answer is {"data": null}.
type answer struct {
	status int    // 0: 200
	reason string // the status line's text, where it matters
	data   string // JSON of data; "": null
	body   string // instead of data
	drop   bool   // close the connection without an answer
	hang   bool   // answer when the client has gone
}

// fake speaks exactly what it was told to, in order, and fails the test on anything
// else: exchanges recorded from real servers, not a Proxmox. For that there is the lab.
type fake struct {
	t      *testing.T
	server *httptest.Server
	hung   func() // hears of a request that gets no answer; it may be nil

	mu      sync.Mutex
	answers map[string][]answer // by "METHOD path?query"; the last one stays
	sent    []sent
}

type sent struct {
	call   string
	params map[string]string
	auth   string
}

func newFake(t *testing.T, answers map[string][]answer) *fake {
	f := &fake{t: t, answers: answers}
	f.server = httptest.NewTLSServer(f)
	t.Cleanup(f.server.Close)
	return f
}

// bubbled is a client of a fake without a network in between, so that a test of
// durations runs in a bubble of testing/synctest: with the program's own durations,
// to the second, however slow the machine.
func bubbled(t *testing.T, answers map[string][]answer) (*Client, *fake) {
	t.Helper()
	c, err := Dial(Options{URL: "https://pve1.lan", Token: secret.New(testToken)})
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, answers: answers}
	c.http.Transport.(*transport).base = inProcess{f}
	return c, f
}

// inProcess hands requests to a server in the same process.
type inProcess struct{ server http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := &recorded{ResponseRecorder: httptest.NewRecorder()}
	p.server.ServeHTTP(w, r)
	if w.dropped {
		return nil, io.ErrUnexpectedEOF
	}
	return w.Result(), r.Context().Err()
}

// recorded is an answer that may be a dropped connection.
type recorded struct {
	*httptest.ResponseRecorder
	dropped bool
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), "/api2/json")
	params := map[string]string{}
	if body, _ := io.ReadAll(r.Body); len(body) > 0 {
		if err := json.Unmarshal(body, &params); err != nil {
			f.t.Errorf("%s: body %q: %v", call, body, err)
		}
	}
	f.mu.Lock()
	f.sent = append(f.sent, sent{call, params, r.Header.Get("Authorization")})
	list, known := f.answers[call]
	if !known || len(list) == 0 {
		f.mu.Unlock()
		f.t.Errorf("unexpected request %s", call)
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	if len(list) > 1 {
		f.answers[call] = list[1:]
	}
	f.mu.Unlock()
	if list[0].hang && f.hung != nil {
		f.hung()
	}
	list[0].write(w, r)
}

func (a answer) write(w http.ResponseWriter, r *http.Request) {
	switch {
	case a.hang:
		<-r.Context().Done()
		return
	case a.drop:
		if w, ok := w.(*recorded); ok {
			w.dropped = true
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return
	}
	body := a.body
	if body == "" && a.data == "" {
		a.data = "null"
	}
	if body == "" {
		body = `{"data":` + a.data + `}`
	}
	if a.reason != "" { // net/http has its own reasons
		conn, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(buf, "HTTP/1.1 %d %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", a.status, a.reason, len(body), body)
		_ = buf.Flush()
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = io.WriteString(w, body)
}

// refused is Proxmox's form of a refusal: reason and message.
func refused(status int, message string) answer {
	text, _ := json.Marshal(message + "\n")
	return answer{status: status, body: `{"data":null,"message":` + string(text) + `}`}
}

func (f *fake) fingerprint() string {
	return formatFingerprint(sha256.Sum256(f.server.Certificate().Raw))
}

// client dials the fake and is quick to look again.
func (f *fake) client(edit ...func(*Options)) *Client {
	f.t.Helper()
	o := Options{URL: f.server.URL, Token: secret.New(testToken), Fingerprint: f.fingerprint(), Pool: "ci"}
	for _, e := range edit {
		e(&o)
	}
	c, err := Dial(o)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	c.times = testTiming()
	return c
}

// testTiming looks again soon and gives up late: no test waits for a limit of these,
// and none is met on a slow machine.
func testTiming() timing {
	return timing{lock: 2 * time.Minute, task: 2 * time.Minute, create: 2 * time.Minute,
		shutdown: 2 * time.Minute, restart: 20 * time.Second, agent: 2 * time.Minute, poll: time.Millisecond, pollMax: 5 * time.Millisecond,
		backoff: time.Millisecond, tell: 10 * time.Millisecond, reachable: 2 * time.Minute, silence: 2 * time.Minute}
}

// count tells how often a request was sent.
func (f *fake) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.sent {
		if s.call == call {
			n++
		}
	}
	return n
}

// last returns the parameters of the last request of this kind.
func (f *fake) last(call string) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.sent) - 1; i >= 0; i-- {
		if f.sent[i].call == call {
			return f.sent[i].params
		}
	}
	return nil
}
