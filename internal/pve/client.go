package pve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/luthermonson/go-proxmox"

	"github.com/org/appstack-action/internal/secret"
)

// Dialer opens a connection, as net.Dialer.DialContext does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Options say how to reach Proxmox and whom to trust.
type Options struct {
	URL         string       // https://host:8006
	Token       secret.Value // user@realm!id=uuid
	Fingerprint string       // SHA-256 of the API's certificate, any notation; empty: CA
	CA          []byte       // PEM; empty: the system's authorities
	// Dialer reaches the API, for instance through an SSH jump host; nil: directly.
	Dialer Dialer
	// Pool is named in the hints that grant privileges; it may be empty.
	Pool string
	// Trace hears of every request, also of those that are retried. It may be called
	// by several goroutines at once.
	Trace func(Call)
}

// Call is one HTTP exchange with the API.
type Call struct {
	Method  string
	Path    string // below /api2/json, with its query
	Status  int    // 0: no answer
	Took    time.Duration
	Attempt int // from 1
	Err     error
}

// Client is a connection to one Proxmox cluster. It may be used by several
// goroutines; one is meant to serve all environments of a run.
type Client struct {
	api     *proxmox.Client
	http    *http.Client
	tokenID string
	pool    string
	direct  bool // no jump host in between
	trace   func(Call)
	times   timing

	mu        sync.Mutex
	inventory *inventory     // nil: not fetched yet
	fences    map[int]*Lease // leases held, by vmid
	promises  map[int]promise

	// What is found out once a run, when it is first needed; each has its own lock
	// because finding out takes long.
	permissionsOnce sync.Mutex
	permissions     permissions
	neighboursOnce  sync.Mutex
	neighbours      []neighbour
	hiddenOnce      sync.Mutex
	hidden          map[int][]int // vmids by hundreds: 1 has 100 to 199
	downloads       sync.Mutex

	// ping tells how an address answers; tests put their own in.
	ping func(context.Context, netip.Addr) string
}

// timing holds every duration that a verb waits for.
type timing struct {
	lock      time.Duration // a lock that somebody else holds
	task      time.Duration // a task other than those below
	create    time.Duration // a creation, a clone, a download
	shutdown  time.Duration // a guest that shuts down
	restart   time.Duration // a VM to be started by its node after a reboot's shutdown
	agent     time.Duration // a VM's guest agent and cloud-init, from the start on
	poll      time.Duration // first interval of looking at a task
	pollMax   time.Duration // last interval
	backoff   time.Duration // first wait before a retry
	tell      time.Duration // between two progress lines
	reachable time.Duration // to reach the API at all
	silence   time.Duration // that looking at a task may fail for, while the task goes on
}

func defaultTiming() timing {
	return timing{
		lock: 2 * time.Minute, task: 5 * time.Minute, create: 20 * time.Minute,
		shutdown: 2 * time.Minute, restart: 30 * time.Second, agent: 5 * time.Minute, poll: 100 * time.Millisecond, pollMax: time.Second,
		backoff: 200 * time.Millisecond, tell: 3 * time.Second, reachable: 8 * time.Second, silence: time.Minute,
	}
}

// Dial returns a client. It sends nothing yet: the first request does.
func Dial(o Options) (*Client, error) {
	base, err := apiURL(o.URL)
	if err != nil {
		return nil, err
	}
	id, key, ok := strings.Cut(o.Token.Reveal(), "=")
	if !ok || !strings.Contains(id, "!") || !strings.Contains(id, "@") || key == "" {
		return nil, errors.New("cannot use the Proxmox token: it must look like user@realm!id=uuid")
	}
	tlsConfig, err := trust(o.Fingerprint, o.CA)
	if err != nil {
		return nil, err
	}
	c := &Client{tokenID: id, pool: o.Pool, direct: o.Dialer == nil, trace: o.Trace,
		times: defaultTiming(), fences: make(map[int]*Lease), promises: make(map[int]promise), ping: pinger(o.Dialer)}
	c.http = c.newHTTP(tlsConfig, o.Dialer)
	c.api = proxmox.NewClient(base.String()+"/api2/json", proxmox.WithHTTPClient(c.http),
		proxmox.WithAPIToken(id, key), proxmox.WithUserAgent("appstack-action"),
		proxmox.WithLogger(silent{}))
	return c, nil
}

// apiURL reads the API's address: its scheme is https, its default port 8006.
func apiURL(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("cannot use the Proxmox address %q: it must look like https://pve1.lan:8006", s)
	}
	if u.Scheme != "https" {
		return nil, fmt.Errorf("cannot use the Proxmox address %q: its scheme must be https", s)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "8006")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// params are the parameters of a request, by Proxmox's names.
type params map[string]string

func (c *Client) get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// send does one exchange through go-proxmox. A DELETE has its parameters in the
// query, because Proxmox refuses a body there.
func (c *Client) send(ctx context.Context, method, path string, p params, out any) error {
	var body []byte
	if len(p) > 0 && method == http.MethodDelete {
		path += "?" + query(p)
	} else if len(p) > 0 {
		var err error
		if body, err = json.Marshal(p); err != nil {
			return err
		}
	}
	var raw json.RawMessage
	if err := c.api.Req(ctx, method, path, body, &raw); err != nil {
		return c.refine(method, path, err)
	}
	if out == nil {
		return nil
	}
	if len(raw) == 0 { // "data": null
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return &Error{Method: method, Path: path, Status: http.StatusOK, cause: err,
			Message: "the answer has another form than Proxmox's"}
	}
	return nil
}

func query(p params) string {
	v := make(url.Values, len(p))
	for key, value := range p {
		v.Set(key, value)
	}
	return v.Encode()
}

// silent is go-proxmox's logger here: its own one prints bodies with passwords.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
